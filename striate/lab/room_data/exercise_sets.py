"""Sets of exercises: plain TOML files, those that come along and those that teachers write.

title = "First sums"
about = "Outputs of a small convolution."  # may be left out

[[exercise]]
kind = "output"      # see docs/lab.md for the kinds and what each may say
input = [3, 3]
filter = [2, 2]
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from striate.common.errors import StriateValueError
from striate.common.input_files import read_text
from striate.common.text import did_you_mean, listed, reason
from striate.lab.room_data.exercise_options import read_exercise, text

COMES_ALONG = ("outputs", "sizes", "gradients", "kernels", "programs")
"""The sets of striate/lab/exercises/, in the order in which they are shown."""
MOST_EXERCISES = 200
_MOST_BYTES = 2**20
_KEYS = ("title", "about", "exercise")


class ExerciseSetError(StriateValueError):
    """A set that cannot be read; the message names the file, the exercise, and what to change."""


def exercise_sets(given: Sequence[str | Path] = ()) -> list[dict[str, Any]]:
    """Sets of exercises, JSON-able: {"title", "about", "exercises"}.

    Args:
        given: TOML files, or names of sets that come along; empty for all that come along.

    Raises:
        ExerciseSetError: one cannot be read, or two have the same title.
    """
    sets = [_set(one) for one in given or COMES_ALONG]
    titles = [one["title"] for one in sets]
    for path, title in zip(given, titles, strict=False):
        if titles.count(title) > 1:
            raise ExerciseSetError(
                f"{path}: two sets have the title {title!r}; results are kept by title, so give "
                "them two"
            )
    return sets


def _set(given: str | Path) -> dict[str, Any]:
    if given in COMES_ALONG:
        file: Traversable = files("striate.lab") / "exercises" / f"{given}.toml"
        return read_set(file.read_text("utf-8"), str(given))
    path = Path(given)
    if path.suffix.lower() != ".toml":
        near = did_you_mean(str(given), COMES_ALONG)
        raise ExerciseSetError(
            f"{given}: is no set of exercises{near}; give a TOML file, or one of those that come "
            f"along: {listed(COMES_ALONG, 20)}"
        )
    content = read_text(path, "set of exercises", most=_MOST_BYTES, error=ExerciseSetError)
    return read_set(content, str(path))


def read_set(content: str, name: str) -> dict[str, Any]:
    """A set of exercises in TOML, with all options of each.

    Args:
        content: the text of the file.
        name: of the file, for messages.

    Raises:
        ExerciseSetError: it is no such set.
    """
    try:
        table = tomllib.loads(content)
    except (ValueError, RecursionError) as error:
        raise ExerciseSetError(f"{name}: is not valid TOML: {reason(error)}") from error
    for key in table:
        if key not in _KEYS:
            raise ExerciseSetError(
                f"{name}: a set has no {key!r}{did_you_mean(key, _KEYS)}; it has a title, perhaps "
                "what it is about, and tables [[exercise]]"
            )
    heads = {}
    for key, most in (("title", 100), ("about", 2000)):
        try:
            heads[key] = text(most).read(table[key]) if key in table else ""
        except StriateValueError as error:
            raise ExerciseSetError(f"{name}: {key} is {error}") from None
    if not heads["title"]:
        raise ExerciseSetError(f'{name}: has no title; begin it with title = "…"')
    exercises = table.get("exercise")
    if not isinstance(exercises, list) or not all(isinstance(one, dict) for one in exercises):
        raise ExerciseSetError(f"{name}: has no exercises; write each below a line [[exercise]]")
    if not 1 <= len(exercises) <= MOST_EXERCISES:
        raise ExerciseSetError(
            f"{name}: has {len(exercises)} exercises; give from 1 to {MOST_EXERCISES}"
        )
    return {**heads, "exercises": [_numbered(one, i, name) for i, one in enumerate(exercises, 1)]}


def _numbered(table: dict[str, Any], number: int, name: str) -> dict[str, Any]:
    try:
        return read_exercise(table)
    except StriateValueError as error:
        raise ExerciseSetError(f"{name}: exercise {number}: {error}") from None
