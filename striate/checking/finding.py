"""What a check says: findings, and how the check went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

KINDS = {
    "damaged": "Damaged files",
    "one-colour": "Images of one colour",
    "leak": "Leaks between parts",
    "duplicate": "Duplicates",
    "label": "Likely wrong labels",
    "odd": "Odd images",
    "shortcut": "Classes told apart by something else",
    "range": "Values that are not used",
}
"""The kinds of findings, in the order in which they are told, with their titles."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with images, or may be.

    Attributes:
        kind: one of `KINDS`.
        sentence: what was found, for people.
        images: the images concerned, as rows of `CheckedImages`; () where it is the whole set.
        strength: how sure or how strong it is, larger for what is to be looked at first; comparable
            among findings of one kind.
        files: instead of `images`, files that could not be read.
        suggested: of a wrong label the class that it probably is, as an index.
        relation: of duplicates what the later images are to the first one: "identical", "near" or
            "mirrored", in the order of `images[1:]`.
    """

    kind: str
    sentence: str
    images: tuple[int, ...] = ()
    strength: float = 1.0
    files: tuple[str, ...] = ()
    suggested: int | None = None
    relation: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckOutcome:
    """How one check went.

    Attributes:
        kinds: the kinds of findings that it looks for.
        sentence: what was done and found, or why the check was not made.
        findings: the strongest first.
        made: whether it was made.
    """

    kinds: tuple[str, ...]
    sentence: str
    findings: Sequence[Finding] = field(default_factory=tuple)
    made: bool = True

    @property
    def title(self) -> str:
        """What the check is called."""
        return KINDS[self.kinds[0]] if len(self.kinds) == 1 else "Duplicates and leaks"


def strongest_first(findings: Sequence[Finding]) -> list[Finding]:
    """The findings by their strength, those of equal strength by their images."""
    return sorted(findings, key=lambda finding: (-finding.strength, finding.images))
