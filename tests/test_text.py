"""Numbers, lists and errors as messages show them."""

from __future__ import annotations

import errno

import pytest

from striate.common.text import choices, first_few, plural, reason


def test_lists_in_words() -> None:
    assert choices([1, 2, 3]) == "1, 2 or 3"
    assert choices(["a"]) == "a"
    assert first_few([]) == ""
    assert first_few(["a", "b"], 2) == "a, b"
    assert first_few(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert first_few(["a", "b", "c"], 1, "more layers") == "a and 2 more layers"


def test_numbers_of_things() -> None:
    assert plural(1, "image") == "1 image"
    assert plural(0, "image") == "0 images"
    assert plural(1234, "class") == "1,234 classes"


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
