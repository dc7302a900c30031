"""The course of a training in the model's file: all options by which it can be repeated, to the
bit. What is not among them changes no weight: threads, memory, checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import click

from striate.cli.label_arguments import LabelArguments
from striate.cli.plain_descent import with_recorded_momentum
from striate.cli.train_options import TrainOptions
from striate.ranks.alone import ALONE

if TYPE_CHECKING:
    from striate.data import Dataset
    from striate.training.training_settings import TrainingSettings

_VERSION = 1
_OPTIONS = (
    "size", "colour", "fit", "nested", "skip_bad", "max_pixels", "test_fraction", "validation",
    "patience", "calibrate", "reject", "class_weight", "seed", "exact", "bfloat16", "portable",
    "engine", "stream",
)  # fmt: skip
"""Of the fields of `TrainOptions`, those that say which weights a training ends with, beside the
network and its settings, which the file has anyway."""
# Settings and options that files of before do not tell: they had the usual value.
_LATER = ("base_batch_size", "warmup_epochs", "reduce_dtype")
_LATER_OPTIONS = {"stream": None}
# Values of the others, where nothing is asked for.
_NOTHING: dict[str, Any] = {
    "flip_alternate": False,
    "check": False,
    "checkpoint_every": 0,
    "as_json": False,
    "exchange": ALONE,
}


def course_notes(chosen: TrainOptions, dataset: Dataset) -> dict[str, Any]:
    """Return the options of a training as JSON-able values."""
    options = {name: getattr(chosen, name) for name in _OPTIONS}
    if chosen.minutes is not None and dataset.resize is not None:
        # It was chosen by how fast that machine was.
        options["size"] = (dataset.resize["height"], dataset.resize["width"])
    return {
        "version": _VERSION,
        "options": options,
        "tables": asdict(chosen.tables),
        "resumed": chosen.resume == "any",
    }


def recorded_options(
    model: str, notes: dict[str, Any], source: str, tables: LabelArguments, **here: Any
) -> TrainOptions:
    """Return the options with which the model of a file was trained.

    Args:
        model: the file.
        notes: what it says of its training.
        source: the images, which may be elsewhere now.
        tables: what the user says of labels now; what the file says counts where that is nothing.
        here: options that change no weight.

    Raises:
        ClickException: the file does not tell them, or the training cannot be repeated.
    """
    course = notes.get("course")
    if not isinstance(course, dict) or course.get("version") != _VERSION:
        made = "the file does not say with which options it was trained"
        if "backbone" in notes:
            made = "it was not trained from scratch"
        raise click.ClickException(
            f"{model}: cannot be trained again to compare: {made}; train it with this striate"
        )
    if notes.get("interrupted") or course.get("resumed"):
        raise click.ClickException(
            f"{model}: cannot be trained again to compare: its training was "
            + (
                "stopped before its end"
                if notes.get("interrupted")
                else "resumed with others' work"
            )
        )
    try:
        recorded = LabelArguments(**_with_tuples(course["tables"]))
        given_then = _LATER_OPTIONS | course["options"]
        options = _with_tuples({name: given_then[name] for name in _OPTIONS})
    except (KeyError, TypeError) as error:
        raise click.ClickException(f"{model}: its notes about its training are damaged") from error
    rest = {field.name: None for field in fields(TrainOptions)} | _NOTHING
    given = tables if tables != LabelArguments() else recorded
    return TrainOptions(
        **{**rest, **options, "asked": {}, "tables": given, "source": source, **here}
    )


def recorded_settings(model: str, notes: dict[str, Any]) -> TrainingSettings:
    """Return the settings of the training of the model in a file.

    Raises:
        ClickException: the file does not tell them.
    """
    from striate.training.training_settings import TrainingSettings

    recipe: Any = notes.get("recipe")
    names = [field.name for field in fields(TrainingSettings)]
    try:
        given = {name: recipe[name] for name in names if name in recipe or name not in _LATER}
        return with_recorded_momentum(TrainingSettings(**given), recipe)
    except (KeyError, TypeError, ValueError) as error:
        raise click.ClickException(f"{model}: its notes about its training are damaged") from error


def trained_smoothing(notes: Mapping[str, Any]) -> float:
    """Return the label smoothing of a training; 0 where the model's file does not tell it."""
    recipe = notes.get("recipe")
    found = recipe.get("label_smoothing") if isinstance(recipe, dict) else None
    if isinstance(found, bool) or not isinstance(found, int | float):
        return 0.0
    return float(found) if 0 <= found < 1 else 0.0


def _with_tuples(given: dict[str, Any]) -> dict[str, Any]:
    """What JSON has made lists of as tuples again."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
    }
