"""Sets of exercises in TOML: what is read, and what is said of those that are wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from striate.common.errors import StriateValueError
from striate.lab.room_data.exercise_options import KINDS
from striate.lab.room_data.exercise_sets import COMES_ALONG, exercise_sets, read_set
from tests.lab.node_functions import called, needs_node

HEAD = 'title = "Mine"\n[[exercise]]\n'


@needs_node
def test_the_sets_that_come_along_have_all_kinds_and_can_be_drawn() -> None:
    sets = exercise_sets()
    tables = [exercise for one in sets for exercise in one["exercises"]]
    assert len(sets) == len(COMES_ALONG)
    assert {table["kind"] for table in tables} == {*KINDS}
    drawn = called("maths/exercises/kinds.js", "drawnExercise", [[table, 7] for table in tables])
    for exercise in drawn:
        assert exercise["asked"] or exercise.get("kernel") or exercise.get("program")


def test_each_option_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'title = "Mine"\nabout = "Two sums."\n'
        '[[exercise]]\nkind = "output"\nX = [[1, 2.5], [3, 4]]\nF = [[1], [0]]\nflip = true\n'
        'title = "One"\nquestion = "What?"\nhints = ["Look.", "Add."]\n'
        '[[exercise]]\nkind = "size"\ninputs = [10, 10]\nfits = false\n'
    )
    (found,) = exercise_sets([file])
    first, second = found["exercises"]
    assert (found["title"], found["about"]) == ("Mine", "Two sums.")
    assert (first["input"], first["filter"], first["flip"]) == ([2, 2], [2, 1], True)
    assert (first["hints"], first["question"]) == (["Look.", "Add."], "What?")
    assert (second["inputs"], second["fits"], second["title"]) == ([10, 10], False, None)
    assert json.loads(json.dumps(found)) == found
    both = exercise_sets(["sizes", file])
    assert [one["title"] for one in both] == ["Sizes and weights", "Mine"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("title = ", "is not valid TOML: Invalid value"),
        ('[[exercise]]\nkind = "size"\n', 'has no title; begin it with title = "…"'),
        ("title = 3\n", "title is 3; give a text of at most 100 characters"),
        ('title = "A"\n', r"has no exercises; write each below a line \[\[exercise\]\]"),
        ('title = "A"\nexercise = []\n', "has 0 exercises; give from 1 to 200"),
        ('title = "A"\nexercises = 3\n', "a set has no 'exercises'; did you mean 'exercise'"),
        (HEAD, "exercise 1: it has no kind; the kinds are output, filter-gradient"),
        (HEAD + 'kind = "outputs"', "there is no kind 'outputs'; did you mean 'output'"),
        (HEAD + 'kind = "size"\nstride = 2', "size has no 'stride'; did you mean 'strides'"),
        (HEAD + 'kind = "output"\nstride = 0', "stride is 0; give a whole number from 1 to 12"),
        (HEAD + 'kind = "output"\nstride = true', "stride is True; give a whole number"),
        (HEAD + 'kind = "output"\ninput = 3', r"input is 3; give rows and columns, such as \[4, 5\]"),  # noqa: E501
        (HEAD + 'kind = "output"\ninput = [3, 99]', "each from 1 to 12"),
        (HEAD + 'kind = "output"\nflip = 1', "flip is 1; give true or false"),
        (HEAD + 'kind = "output"\nask = "two"', "ask is 'two'; give one of one, all"),
        (HEAD + 'kind = "output"\nnumbers = [5, 1]', "give the smallest and the largest"),
        (HEAD + 'kind = "output"\nX = [[1, 2], [3]]', "X is of rows of 1 and 2 numbers"),
        (HEAD + 'kind = "output"\nX = [[1, nan]]', "X is with nan in it; give numbers from"),
        (HEAD + 'kind = "output"\nX = []', r"X is \[\]; give rows of numbers"),
        (HEAD + 'kind = "output"\ninput = [3, 3]\nX = [[1, 2]]', "X has 1×2 numbers, and input says 3×3"),  # noqa: E501
        (HEAD + 'kind = "output"\nfilter = [5, 2]', "the window takes 5 rows, and the input has 4"),
        (HEAD + 'kind = "output"\nstride = 2', r"1 column would be read by no window.* 4 or 6 columns"),  # noqa: E501
        (HEAD + 'kind = "filter-gradient"\ndO = [[1]]', "dO has 1×1 numbers, and the output has 3×4"),  # noqa: E501
        (HEAD + 'kind = "update"\ndF = [[1]]', "dF has 1×1 numbers, and the filter has 2×2"),
        (HEAD + 'kind = "update"\nrates = [0]', r"rates is \[0\]; give numbers above 0"),
        (HEAD + 'kind = "pool"\nwindow = [3, 3]', "read by no window"),
        (HEAD + 'kind = "kernel"\nfilter = [3, 1]', "3×1 finds no vertical edges"),
        (HEAD + 'kind = "kernel"\ninput = [4, 9]', "needs at least 6 rows and columns"),
        (HEAD + 'kind = "weights"\nheights = [2, 4]', r"heights is \[2, 4\], and the window takes 3"),  # noqa: E501
        (HEAD + 'kind = "program"\nhints = "no"', "hints is 'no'; give a list of at most 8 texts"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(content: str, said: str) -> None:
    with pytest.raises(StriateValueError, match=said) as error:
        read_set(content, "mine.toml")
    assert str(error.value).startswith("mine.toml: ")
    assert "\n" not in str(error.value)


def test_files_that_are_no_sets(tmp_path: Path) -> None:
    with pytest.raises(
        StriateValueError, match=re.escape("output: is no set of exercises; did you mean 'outputs'")
    ):
        exercise_sets(["output"])
    with pytest.raises(StriateValueError, match=r"gone\.toml: there is no such set of exercises"):
        exercise_sets([tmp_path / "gone.toml"])
    file = tmp_path / "twin.toml"
    file.write_text('title = "Outputs"\n[[exercise]]\nkind = "size"\n')
    with pytest.raises(StriateValueError, match="two sets have the title 'Outputs'"):
        exercise_sets(["outputs", file])
