"""What a check before a training found, in the notes of a model's file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from striate.data.check_record import KINDS, CheckedFor, CheckRecord

RECORD = CheckRecord(
    (
        CheckedFor("copy", 0, 40, 40),
        CheckedFor("leak", 3, 20, 40, "3 of the 20 test images show what …"),
        CheckedFor("shortcut", 0, 100, 100),
    )
)


def test_notes_and_back() -> None:
    notes = json.loads(json.dumps(RECORD.to_notes()))
    assert notes["leak"] == {
        "found": 3, "looked_at": 20, "of": 40, "sentence": "3 of the 20 test images show what …",
    }  # fmt: skip
    assert CheckRecord.from_notes(notes) == RECORD
    assert RECORD.sentences == ["3 of the 20 test images show what …"]
    leak = RECORD.of("leak")
    assert leak is not None and leak.title == KINDS["leak"] and leak.found == 3
    assert RECORD.of("one-colour") is None


@pytest.mark.parametrize(
    "notes",
    [
        None, 3, [], {}, {"other": {}}, {"leak": 3}, {"leak": {}},
        {"leak": {"found": "3", "looked_at": 1, "of": 1}},
        {"leak": {"found": True, "looked_at": 1, "of": 1}},
        {"leak": {"found": -1, "looked_at": 1, "of": 1}},
        {"leak": {"found": 1e300, "looked_at": 1, "of": 1}},
        {"leak": {"found": 1, "looked_at": 1, "of": 1, "sentence": 7}},
    ],
)  # fmt: skip
def test_what_is_no_record(notes: Any) -> None:
    assert CheckRecord.from_notes(notes) is None


def test_long_sentences_are_cut() -> None:
    notes = {"leak": {"found": 1, "looked_at": 1, "of": 1, "sentence": "a" * 10**6}}
    record = CheckRecord.from_notes(notes)
    assert record is not None and len(record.sentences[0]) <= 1000
