"""What a check found before a training: short enough to be kept in the model's file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeGuard

KINDS = {
    "copy": "Test images that are training images",
    "leak": "Test images that nearly are",
    "one-colour": "Images of one colour",
    "shortcut": "Ways to tell classes without looking at what is shown",
}
"""What is looked for before a training, in the order in which it is told, with its titles."""

_LONGEST = 1000  # characters of a sentence that a file may bring


@dataclass(frozen=True)
class CheckedFor:
    """One thing that was looked for.

    Attributes:
        kind: one of `KINDS`.
        found: how many were found.
        looked: how many images were looked at for it.
        every: of how many.
        sentence: what there is to say of it; "" where nothing was found.
    """

    kind: str
    found: int
    looked: int
    every: int
    sentence: str = ""

    @property
    def title(self) -> str:
        """What it is called."""
        return KINDS[self.kind]

    def numbers(self) -> dict[str, int]:
        """Return the numbers by the names that notes and results have for them."""
        return {"found": self.found, "looked_at": self.looked, "of": self.every}


@dataclass(frozen=True)
class CheckRecord:
    """What was looked for, and found.

    Attributes:
        entries: one for each thing, in the order of `KINDS`.
    """

    entries: tuple[CheckedFor, ...]

    @property
    def sentences(self) -> list[str]:
        """What there is to say of what was found."""
        return [entry.sentence for entry in self.entries if entry.sentence]

    def of(self, kind: str) -> CheckedFor | None:
        """What was found of a kind; None where it was not looked for."""
        return next((entry for entry in self.entries if entry.kind == kind), None)

    def to_notes(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            entry.kind: {
                **entry.numbers(),
                **({"sentence": entry.sentence} if entry.sentence else {}),
            }
            for entry in self.entries
        }

    @classmethod
    def from_notes(cls, notes: Any) -> CheckRecord | None:
        """Read what `to_notes` returned; None of anything else, for a file may hold any data."""
        if not isinstance(notes, dict):
            return None
        entries = []
        for kind in KINDS:
            if kind not in notes:
                continue
            entry = notes[kind]
            if not isinstance(entry, dict):
                return None
            found, looked, every = (entry.get(name) for name in ("found", "looked_at", "of"))
            sentence = entry.get("sentence", "")
            if not (_is_count(found) and _is_count(looked) and _is_count(every)):
                return None
            if not isinstance(sentence, str):
                return None
            entries.append(CheckedFor(kind, found, looked, every, sentence[:_LONGEST]))
        return cls(tuple(entries)) if entries else None


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 1 << 53
