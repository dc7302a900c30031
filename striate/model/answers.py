"""What the outputs of a network mean, and how they become answers; every model file contains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from striate.common.arguments import real_number
from striate.common.errors import StriateTypeError, StriateValueError

KINDS = ("classes", "labels", "numbers")
COLDEST, HOTTEST = 1e-3, 1e3
"""The range of temperatures: beyond it probabilities are 0 and 1, or all the same."""


@dataclass(frozen=True)
class Answers:
    """From a network's outputs to what it says of an image.

    Attributes:
        kind: "classes", of which each image has one: probabilities are the softmax of the outputs;
            "labels", of which it may have any number: each has a probability of its own, the
            logistic function of its output; "numbers", as in regression: the outputs are what it
            says.
        temperature: what outputs are divided by before they become probabilities (Guo et al.,
            arXiv:1706.04599), from `COLDEST` to `HOTTEST`; it changes how sure an answer is.
        thresholds: of "labels": the probability from which on each is given, above 0 and below 1;
            () for 0.5.
    """

    kind: str = "classes"
    temperature: float = 1.0
    thresholds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        who = "Answers"
        if self.kind not in KINDS:
            raise StriateValueError(f'{who}: kind must be "classes", "labels" or "numbers", got '
                                    f"{self.kind!r}")  # fmt: skip
        temperature = real_number(self.temperature, "temperature", who)
        if not COLDEST <= temperature <= HOTTEST:
            raise StriateValueError(
                f"{who}: temperature must be of {COLDEST:g}...{HOTTEST:g}, got {temperature:g}"
            )
        object.__setattr__(self, "temperature", temperature)
        given: Any = self.thresholds
        if isinstance(given, str) or not hasattr(given, "__iter__"):
            raise StriateTypeError(f"{who}: thresholds must be a tuple of numbers, got {given!r}")
        thresholds = tuple(real_number(value, "threshold", who) for value in given)
        if any(not 0 < value < 1 for value in thresholds):
            raise StriateValueError(
                f"{who}: thresholds must be above 0 and below 1, got {thresholds}"
            )
        if thresholds and self.kind != "labels":
            raise StriateValueError(
                f'{who}: thresholds are for the kind "labels", not for {self.kind!r}'
            )
        object.__setattr__(self, "thresholds", thresholds)

    def problem(self, outputs: tuple[int, ...]) -> str | None:
        """What of them does not fit outputs of this shape, in words; None if all does."""
        if self.thresholds and outputs != (len(self.thresholds),):
            return f"it has {len(self.thresholds)} thresholds for outputs of shape {outputs}"
        return None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description; `from_dict` reads it back."""
        return {**asdict(self), "thresholds": list(self.thresholds)}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> Answers:
        """Read `to_dict`'s description; anything else is a ValueError or TypeError."""
        if not isinstance(description, Mapping):
            raise StriateTypeError(f"Answers: expected a mapping, got {description!r}")
        unknown = set(description) - {field.name for field in fields(cls)}
        if unknown:
            raise StriateValueError(f"Answers: unknown entries {sorted(map(str, unknown))}")
        return cls(**description)
