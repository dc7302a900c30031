"""What the outputs of a network mean, and how they become answers; every model file contains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from striate.common.arguments import real_number
from striate.common.arrays import Floats
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.text import listed
from striate.model.rejection import Rejection

KINDS = ("classes", "labels", "numbers")
COLDEST, HOTTEST = 1e-3, 1e3
"""The range of temperatures: beyond it probabilities are 0 and 1, or all the same."""
FEWEST = 20
"""Of fewer images that were not trained on no temperature is found."""


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
        rejection: of "classes": when to answer "unknown"; None for never.
        names: of "numbers": what each output is called; () for their places. Those of classes and
            labels are the network's `classes`.
    """

    kind: str = "classes"
    temperature: float = 1.0
    thresholds: tuple[float, ...] = ()
    rejection: Rejection | None = None
    names: tuple[str, ...] = ()

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
        if self.rejection is not None:
            if not isinstance(self.rejection, Rejection):
                raise StriateTypeError(
                    f"{who}: rejection must be a Rejection or None, got {self.rejection!r}"
                )
            if self.kind != "classes":
                raise StriateValueError(
                    f'{who}: a rejection is for the kind "classes", not for {self.kind!r}'
                )
        named: Any = self.names
        if isinstance(named, str) or not hasattr(named, "__iter__"):
            raise StriateTypeError(f"{who}: names must be a tuple of text, got {named!r}")
        names = tuple(named)
        if any(not isinstance(name, str) for name in names):
            raise StriateTypeError(f"{who}: names must be a tuple of text, got {names!r}")
        if names and self.kind != "numbers":
            raise StriateValueError(
                f'{who}: names are for the kind "numbers", not for {self.kind!r}: those of classes '
                "and labels are the network's classes"
            )
        object.__setattr__(self, "names", names)

    def problem(self, outputs: tuple[int, ...], features: int | None = None) -> str | None:
        """What of them does not fit a network, in words; None if all does.

        Args:
            outputs: the shape of its outputs.
            features: how many it has, None if none: see `striate.model.features`.
        """
        if (
            self.rejection is not None
            and (found := self.rejection.problem(outputs, features)) is not None
        ):
            return found
        for what, values in (("thresholds", self.thresholds), ("names", self.names)):
            if values and outputs != (len(values),):
                return f"it has {len(values)} {what} for outputs of shape {outputs}"
        return None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description, without the arrays of the rejection."""
        described: dict[str, Any] = {
            "kind": self.kind,
            "temperature": self.temperature,
            "thresholds": list(self.thresholds),
            "names": list(self.names),
        }
        if self.rejection is not None:
            described["rejection"] = self.rejection.to_dict()
        return described

    def tensors(self) -> dict[str, Floats]:
        """The arrays of the rejection by name; {} without one."""
        return {} if self.rejection is None else self.rejection.tensors()

    @classmethod
    def from_dict(
        cls, description: Mapping[str, Any], tensors: Mapping[str, Floats] | None = None
    ) -> Answers:
        """Read `to_dict`'s description, and `tensors`; others are a ValueError or TypeError."""
        if not isinstance(description, Mapping):
            raise StriateTypeError(f"Answers: expected a mapping, got {description!r}")
        unknown = set(description) - {field.name for field in fields(cls)}
        if unknown:
            raise StriateValueError(f"Answers: unknown entries {sorted(map(str, unknown))}")
        arrays = dict(tensors or {})
        if "rejection" not in description:
            if arrays:
                raise StriateValueError(
                    f"Answers: there is no rejection that needs the arrays {listed(list(arrays))}"
                )
            return cls(**description)
        rejection = Rejection.from_dict(description["rejection"], arrays)
        return cls(**{**description, "rejection": rejection})
