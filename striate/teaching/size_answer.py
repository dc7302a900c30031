"""What the size calculator answers: sizes that fit along an axis, and along both."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from striate.common.short_repr import short_repr
from striate.common.text import sizes
from striate.ops import shapes
from striate.ops.shapes import Pair, extent
from striate.teaching.size_errors import plain
from striate.teaching.size_volume import VolumeSizes

SHOWN = 20
"""The most solutions that are written."""


@dataclass(frozen=True)
class Fit:
    """Six quantities that fit along one axis; `padding` is (before, after)."""

    input: int
    filter: int
    stride: int
    padding: Pair
    dilation: int
    output: int

    def __str__(self) -> str:
        """The rule with the numbers put in."""
        before, after = self.padding
        reach = extent(self.filter, self.dilation)
        if (self.output - 1) * self.stride != self.input - reach + before + after:
            # "same", with windows so far apart that the last ends before the image does.
            return f"ceil(I / S) = ceil({self.input} / {self.stride}) = {self.output}"
        return (
            f"(I - R + P_before + P_after)/S + 1 = ({self.input} - {reach} + {before} + {after})"
            f"/{self.stride} + 1 = {self.output}"
        )


@short_repr
@dataclass(frozen=True)
class AxisSizes:
    """The solutions along one axis.

    Attributes:
        unknown: the quantities that were not given.
        fits: all solutions, smallest first; for several unknowns within the ranges of `TRIED`.
    """

    unknown: tuple[str, ...]
    fits: tuple[Fit, ...]

    def __str__(self) -> str:
        first = self.fits[0]
        dilated = first.dilation > 1 and self.unknown != ("dilation",)
        lines: list[str] = []
        if len(self.fits) == 1:
            found = ", ".join(f"{name} {plain(getattr(first, name))}" for name in self.unknown)
            lines.append(f"{found or 'it fits'}:  {first}")
            if dilated:
                lines.append(
                    f"R = dilation·(F - 1) + 1 = {first.dilation}·({first.filter} - 1) + 1 = "
                    f"{extent(first.filter, first.dilation)}"
                )
            return "\n".join(lines)
        for fit in self.fits[:SHOWN]:
            found = ", ".join(f"{name} {plain(getattr(fit, name))}" for name in self.unknown)
            lines.append(f"{found}:  {fit}")
        if len(self.fits) > SHOWN:
            lines.append(f"… and {len(self.fits) - SHOWN:,} more")
        return "\n".join(lines)


@short_repr
@dataclass(frozen=True)
class Sizes:
    """The answer of `size`: one axis, or height and width. ``str()`` writes it out.

    Attributes:
        axes: the solutions along each axis.
        volume: depths and weights, if the depth of the input or the number of filters was given.
    """

    axes: tuple[AxisSizes, ...]
    volume: VolumeSizes | None = None

    @property
    def output(self) -> tuple[int, ...]:
        """The output along each axis, of the first solution."""
        return tuple(axis.fits[0].output for axis in self.axes)

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        axes = [
            {"unknown": list(axis.unknown), "fits": [asdict(fit) for fit in axis.fits]}
            for axis in self.axes
        ]
        volume = {} if self.volume is None else {"volume": self.volume.to_dict()}
        return {"axes": axes, **volume}

    def __str__(self) -> str:
        told = self._plane()
        return told if self.volume is None else f"{told}\n{self.volume}"

    def _plane(self) -> str:
        if len(set(self.axes)) == 1:
            return str(self.axes[0])
        lines = [
            f"{name}: {line}"
            for name, axis in zip(shapes.AXES, self.axes, strict=True)
            for line in str(axis).split("\n")
        ]
        if all(axis.unknown == ("output",) for axis in self.axes) and self.volume is None:
            lines.append(f"output {sizes(self.output)}")
        return "\n".join(lines)
