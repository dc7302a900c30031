"""What was found when exported code was run beside the network that it was made of."""

from __future__ import annotations

from dataclasses import dataclass

from striate.common.text import counted, percent
from striate.freestanding.running.emulation import RunCounts

FAR = 1e-5
"""Of the largest output: what rounding otherwise may change."""


@dataclass(frozen=True)
class Verification:
    """How code compares with ``compile(batch_size=1, exact=True, portable=True)``.

    Attributes:
        images: how many were run.
        same: of how many all outputs have the same bits.
        difference: the largest difference of outputs, in parts of the largest output.
        other_classes: of how many images another output is the largest; None where outputs are no
            classes.
        how: where the code was run, in words.
        reason: why bits differ; "" if they need not.
        accuracy, network_accuracy: the share of images whose class the code and the network find;
            None without classes.
        counts: of instructions and stack, where they were counted.
    """

    images: int
    same: int
    difference: float
    other_classes: int | None
    how: str
    reason: str
    accuracy: float | None = None
    network_accuracy: float | None = None
    counts: RunCounts | None = None

    @property
    def holds(self) -> bool:
        """Whether the code does what was said of it: the same bits, or, where it rounds otherwise,
        outputs within `FAR`.
        """
        if self.same == self.images:
            return True
        return bool(self.reason) and self.difference <= FAR

    def sentence(self) -> str:
        """In words, without a full stop."""
        many = counted(self.images, "image")
        if self.same == self.images:
            found = f"same bits on {many}"
        else:
            found = (
                f"same bits on {self.same:,} of {many}, outputs differ by up to "
                f"{self.difference:.1e} of the largest"
            )
            if self.other_classes is not None:
                gets = "gets" if self.other_classes == 1 else "get"
                found += f", {counted(self.other_classes, 'image')} {gets} another class"
            found += f": {self.reason}" if self.reason else ", which should not be"
        if self.accuracy is not None and self.network_accuracy is not None:
            found += f"; accuracy {percent(self.accuracy)}"
            if self.other_classes:
                found += f", the network's {percent(self.network_accuracy)}"
        return f"{found}; run {self.how}"
