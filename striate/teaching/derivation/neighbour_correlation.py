"""How alike near and far pixels of a photograph are: section 5 of the article and its figure 9."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.teaching.derivation.windows import WHO

_DISTANCES = (1, 2, 5, 10, 20, 50, 100, 200)
# Pairs at a distance are only taken if at least so many rows or columns of pairs are left.
_LEAST = 2
# A share of the variance that makes no difference.
_NOTHING = 0.01


@short_repr
@dataclass(frozen=True)
class NeighbourCorrelation:
    """The correlation of pixels with others at a distance.

    Attributes:
        name: of the picture.
        pixels: gray levels, float64 (height, width), as the file has them.
        apart: distances in pixels.
        across, down: for each distance the correlation of a pixel with the one so many columns to
            its right, and so many rows below it; NaN where the picture is too small or flat.
        explained: the share of a pixel's variance that a linear function of four others explains:
            of the pixels to its left and above it, and of the two at the distance `far`; then of
            the two near ones alone; then of the two far ones alone. None where that is not defined.
        far: the distance of the far pixels of `explained`.
    """

    name: str
    pixels: Array
    apart: tuple[int, ...]
    across: tuple[float, ...]
    down: tuple[float, ...]
    explained: tuple[float, float, float] | None
    far: int

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON-able values; None where there is none."""
        known = [[x if np.isfinite(x) else None for x in way] for way in (self.across, self.down)]
        return {
            "picture": self.name,
            "apart": list(self.apart),
            "across": known[0],
            "down": known[1],
            "explained": list(self.explained) if self.explained else None,
            "far": self.far,
        }


def neighbour_correlation(on: str | os.PathLike[str] | None = None) -> NeighbourCorrelation:
    """Correlate the pixels of an image file, in its own size, or of a photograph of Grace Hopper.

    Raises:
        DataError: the file cannot be read.
        ValueError: it has fewer than 3×3 pixels.
    """
    if on is None:
        from striate.pictures import grace_hopper

        name, gray = "the photograph of Grace Hopper", grace_hopper().frames[0].mean(-1)
    else:
        from striate.pictures import read_picture

        name, frame = os.fspath(on), np.asarray(read_picture(on).frames[0], np.float64)
        gray = frame if frame.ndim == 2 else frame[..., : 3 if frame.shape[-1] >= 3 else 1].mean(-1)
    return correlation_of(np.asarray(gray, np.float64), name)


def correlation_of(gray: Array, name: str) -> NeighbourCorrelation:
    """Correlate the pixels of one gray image (height, width).

    Raises:
        ValueError: it has fewer than 3×3 pixels.
    """
    if min(gray.shape) < _LEAST + 1:
        raise StriateValueError(
            f"{WHO}: {name} has {gray.shape[0]}×{gray.shape[1]} pixels, too few to correlate "
            "neighbours; choose a picture of at least 3×3"
        )
    apart = tuple(d for d in _DISTANCES if d <= max(gray.shape) - _LEAST)
    across = tuple(_correlation(gray[:, :-d], gray[:, d:]) for d in apart)
    down = tuple(_correlation(gray[:-d], gray[d:]) for d in apart)
    far = max(d for d in _DISTANCES if d <= max(min(20, min(gray.shape) // 2), 1))
    return NeighbourCorrelation(name, gray, apart, across, down, _explained(gray, far), far)


def _correlation(one: Array, other: Array) -> float:
    if min(one.shape, default=0) == 0 or one.size < 2 or one.std() < 1e-12 or other.std() < 1e-12:
        return float("nan")
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def _explained(gray: Array, far: int) -> tuple[float, float, float] | None:
    target = gray[far:, far:].ravel()
    if target.size < 8 or target.std() < 1e-12 or far < 2:
        return None
    height, width = gray.shape
    near = [gray[far:, far - 1 : width - 1], gray[far - 1 : height - 1, far:]]
    distant = [gray[far:, : width - far], gray[: height - far, far:]]

    def share(read: list[Array]) -> float:
        matrix = np.column_stack([np.ones(target.size), *(values.ravel() for values in read)])
        error = target - matrix @ np.linalg.lstsq(matrix, target, rcond=None)[0]
        return float(1 - error.var() / target.var())

    return share(near + distant), share(near), share(distant)


def sentences(found: NeighbourCorrelation) -> list[str]:
    """The numbers in words."""
    pairs = [
        f"{apart} apart {_shown(across)} across, {_shown(down)} down"
        for apart, across, down in zip(found.apart, found.across, found.down, strict=True)
    ]
    lines = [f"Pixels of {found.name}, correlation: {'; '.join(pairs)}."]
    if found.explained:
        every, near, distant = (f"{share:.3f}" for share in found.explained)
        suffice = found.explained[0] - found.explained[1] <= _NOTHING
        verdict = "the first two inputs suffice" if suffice else "the first two do not suffice"
        lines.append(
            f"Of a function f(x1, x2, x3, x4) of the pixels left, above, {found.far} left and "
            f"{found.far} above, {verdict}: the best linear one explains "
            f"{every} of a pixel's variance, with x1 and x2 alone {near}, with x3 and x4 alone "
            f"{distant}."
        )
    return lines


def _shown(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "-"
