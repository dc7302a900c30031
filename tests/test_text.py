"""Numbers, words and lists as text."""

import errno
import math
from fractions import Fraction

import pytest

from striate.common.text import (
    bracketed,
    choices,
    counted,
    cut,
    decimal,
    did_you_mean,
    in_bytes,
    in_gibibytes,
    listed,
    number,
    percent,
    plural,
    quoted,
    reason,
    sizes,
    span,
)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (2**20 - 1, "1024.0 KiB"),
        (2**20, "1.0 MiB"),
        (5 * 2**29, "2.5 GiB"),
        (2**41, "2048.0 GiB"),
    ],
)
def test_bytes(count: int, text: str) -> None:
    assert in_bytes(count) == text


def test_other_units_of_bytes() -> None:
    assert in_bytes(512, "bytes") == "512 bytes"
    assert in_bytes(2048, "bytes") == "2.0 KiB"
    assert in_gibibytes(3 * 2**29) == "1.5 GiB"
    assert in_gibibytes(2**20) == "0.0 GiB"
    assert in_gibibytes(5_000 * 2**30, 0) == "5,000 GiB"


def test_words_for_counts() -> None:
    assert [counted(n, "image") for n in (0, 1, 2, 1000)] == [
        "0 images", "1 image", "2 images", "1,000 images",
    ]  # fmt: skip
    assert counted(2, "class") == "2 classes"
    assert counted(1, "class") == "1 class"
    assert [plural(n, "row") for n in (0, 1, 2)] == ["rows", "row", "rows"]


def test_shares_and_sizes() -> None:
    assert percent(0.98571) == "98.57 %"
    assert percent(1) == "100.00 %"
    assert percent(0.0123, ".0f") == "1 %"
    assert percent(1 / 3, ".3g") == "33.3 %"
    assert sizes((28, 28, 1)) == "28×28×1"
    assert sizes((5,)) == "5"
    assert span("3", "3") == "3"
    assert span("3", "1,000") == "3 … 1,000"


def test_brackets() -> None:
    assert bracketed(number(-0.0)) == "0"
    assert bracketed(number(-2.5)) == "(-2.5)"
    assert bracketed(number(math.nan)) == "nan"


def test_what_is_too_long_is_cut() -> None:
    assert cut("abcde", 5) == "abcde"
    assert cut("abcdef", 5) == "abcd…"


def test_lists() -> None:
    assert choices([3]) == "3"
    assert choices([1, 2]) == "1 or 2"
    assert choices(["a", "b", "c"], "and") == "a, b and c"
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
    assert listed(list("abcdefg"), rest="more layers") == "a, b, c, d, e and 2 more layers"
    assert listed([]) == ""


def test_the_nearest_name_is_offered() -> None:
    known = ["nearest", "mirror", "wrap"]
    assert did_you_mean("miror", known) == "; did you mean 'mirror'?"
    assert did_you_mean("miror", known, write=quoted) == '; did you mean "mirror"?'
    assert did_you_mean(".pgn", (".jpg", ".png"), write=str) == "; did you mean .png?"
    assert did_you_mean("nothing like it", known) == ""
    assert did_you_mean("miror", known, cutoff=1.0) == ""
    assert did_you_mean("sobelx", ["sobel-y", "sobel-x"], most=3) == (
        "; did you mean 'sobel-x' or 'sobel-y'?"
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a.png"), "No space left on device"),
        (OSError("encoder error\n -2 when writing."), "encoder error -2 when writing"),
        (OSError(), "OSError"),
        (ValueError("two  words."), "two words"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_reasons_are_parts_of_a_sentence(error: Exception, expected: str) -> None:
    assert reason(error) == expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Fraction(9, 2), "4.5"),
        (Fraction(6), "6"),
        (Fraction(10, 3), "3.333…"),
        (Fraction(1029, 20), "51.45"),
        (Fraction(1, 16), "0.0625"),
        (Fraction(98765, 8), "12345.6…"),
        (Fraction(2**20), "1048576"),
        (Fraction(-10, 3), "-3.333…"),
    ],
)
def test_fractions_say_whether_all_their_digits_are_shown(value: Fraction, shown: str) -> None:
    assert decimal(value) == shown
