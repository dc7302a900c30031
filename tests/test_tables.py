"""Tables and blocks of lines as text."""

import numpy as np
import pytest

from striate.common.tables import beside, columns, grid, labelled, line, ruled, table

ROWS = [("name", "count", "what"), ("a", "1,000", ""), ("longer", "2", "z")]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert columns(ROWS) == ["name    count  what", "a       1,000", "longer      2     z"]
    assert columns(ROWS, left=3)[1:] == ["a       1,000", "longer  2      z"]
    assert columns(ROWS, left=0)[1] == "     a  1,000"
    assert columns(ROWS, left=3, gap=" | ")[2] == "longer | 2     | z"


def test_each_cell_may_have_a_side_of_its_own() -> None:
    found = columns([("a = 1", "7"), ("5", "10")], left=lambda column, cell: "=" in cell)
    assert found == ["a = 1   7", "    5  10"]
    by_column = columns([("a", "7", "x"), ("bb", "10", "yy")], left=lambda column, _: column != 1)
    assert by_column == ["a    7  x", "bb  10  yy"]


def test_an_empty_table_has_no_lines() -> None:
    assert columns([]) == []
    assert table([]) == ""


def test_rows_of_different_lengths_are_an_error() -> None:
    with pytest.raises(ValueError):
        columns([("a", "b"), ("c",)])


def test_rules() -> None:
    assert ruled(ROWS[:2]) == "name  count  what\n─────────────────\na     1,000"
    assert ruled(ROWS, total=True).splitlines() == [
        "name    count  what",
        "───────────────────",
        "a       1,000",
        "───────────────────",
        "longer      2     z",
    ]
    assert table(ROWS) == "\n".join(columns(ROWS))


def test_arrays() -> None:
    assert grid(np.array([[1, -10], [2.5, 3]])) == ["  1  -10", "2.5    3"]
    assert line(np.arange(24)).endswith("22  23")
    assert line(np.arange(25)) == "0  1  2  3  … 17 more …  21  22  23  24"
    assert line(np.arange(9), most=5) == "0  … 7 more …  8"


def test_blocks_stand_beside_each_other() -> None:
    assert beside(["a", "b"], ["  c"]) == ["a  c", "b"]
    assert labelled("f = ", ["1  2", "3  4"]) == ["f = 1  2", "    3  4"]
