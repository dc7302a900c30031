"""The experiment with the "2" of *From Convolution to Neural Network*, on real digits.

It measures how much max-pooling helps against a small change of a digit. The stroke at the upper
left of each digit is made more level; a Sobel kernel responds to level edges, and max-pooling
keeps the strongest response of each window. Of the places with a strong response before, how many
still have one, without pooling and with pooling of several sizes?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from striate import functional
from striate.common.arguments import real_number, whole_number
from striate.common.arrays import Array, as_array
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.common.tables import ruled
from striate.common.text import counted, percent
from striate.kernels.edges import sobel

WHO = "altered_stroke"
POOLS = (1, 2, 4, 7, 8, 14)
STRONG = 0.5
"""The share of the strongest response to the unaltered digit from which a response is strong."""
INK = 0.3
"""The share of the brightest pixel from which a pixel belongs to a stroke."""


@dataclass(frozen=True)
class Survival:
    """The result for one size of pooling, over all digits.

    Attributes:
        pool: side of the windows; 1 is no pooling.
        strong: number of places near the altered stroke with a strong response before.
        survived: how many of them have a strong response after.
        change: root mean square of the change near the stroke, relative to that of the responses.
    """

    pool: int
    strong: int
    survived: int
    change: float

    @property
    def share(self) -> float:
        """The share of strong responses that survived."""
        return self.survived / self.strong if self.strong else 0.0


@short_repr
@dataclass(frozen=True, eq=False)
class AlteredStroke:
    """The result of the experiment. ``str()`` is a table.

    Attributes:
        digits: how many were altered; those without such a stroke are left out.
        before, after: the digits and the altered ones, uint8 or float (digits, height, width).
        survival: one for each size of pooling.
        answers: by the size of pooling, the responses of Sobel, ReLU and that pooling to `before`
            and to `after`.
    """

    digits: int
    before: Array
    after: Array
    survival: tuple[Survival, ...]
    answers: dict[int, tuple[Array, Array]] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON-able values, without the images."""
        rows = [{**asdict(row), "share": row.share} for row in self.survival]
        return {"digits": self.digits, "survival": rows}

    def __str__(self) -> str:
        lines: list[Sequence[str]] = [
            ("max-pooling", "strong before", "strong still", "survived", "change")
        ]
        for row in self.survival:
            lines.append(
                (
                    f"{row.pool}×{row.pool}" if row.pool > 1 else "none",
                    f"{row.strong:,}",
                    f"{row.survived:,}",
                    percent(row.share, ".1f"),
                    percent(row.change, ".1f"),
                )
            )
        return (
            f"{counted(self.digits, 'digit')}, the upper left stroke of each made more level; "
            "answers of Sobel's\nkernel for level edges (where brightness rises downwards), near "
            f"that stroke:\n\n{ruled(lines)}"
        )


def altered_stroke(
    images: Array, *, amount: float = 0.5, farthest: int | None = None, engine: str = "llvm"
) -> AlteredStroke:
    """Alter a stroke of each digit, and measure how many strong Sobel responses survive.

    Args:
        images: digits, bright on dark, (n, height, width) or (n, height, width, 1), such as the
            "2"s of MNIST.
        amount: how far the stroke is brought towards level: 1 is level.
        farthest: the most pixels by which it is moved; by default an eighth of the height.
        engine: "llvm" or "numpy".

    Raises:
        ValueError: there are no digits with such a stroke, or the images are of another shape.
    """
    digits = as_array(images, "images", WHO)
    if digits.ndim == 4 and digits.shape[-1] == 1:
        digits = digits[..., 0]
    if digits.ndim != 3 or digits.dtype.kind not in "uif":
        raise StriateValueError(
            f"{WHO}: images must be gray, (n, height, width), got shape {np.shape(images)}"
        )
    share = real_number(amount, "amount", WHO)
    most = max(digits.shape[1] // 8, 1)
    if farthest is not None:
        most = whole_number(farthest, "farthest", WHO)
    altered = np.array([level_upper_left(digit, share, most) for digit in digits])
    changed = (altered != digits).reshape(len(digits), -1).any(1)
    if not changed.any():
        raise StriateValueError(
            f"{WHO}: none of {counted(len(digits), 'image')} has a stroke at its upper left that "
            "could be made more level"
        )
    before, after = digits[changed], altered[changed]
    maps = [_sobel_maps(part, engine) for part in (before, after)]
    places = _with_neighbours(before != after)
    height, width = digits.shape[1:]
    survival: list[Survival] = []
    answers: dict[int, tuple[Array, Array]] = {}
    for pool in POOLS:
        if height % pool or width % pool or pool >= min(height, width):
            continue
        one, two, near = (_pooled(part, pool, engine) for part in (*maps, places))
        answers[pool] = (one, two)
        threshold = STRONG * one.max((1, 2), keepdims=True)
        strong = (one >= threshold) & (near > 0)
        difference = np.square(two - one)[near > 0].sum()
        survival.append(
            Survival(
                pool,
                int(strong.sum()),
                int((strong & (two >= threshold)).sum()),
                float(np.sqrt(difference / np.square(one)[near > 0].sum())),
            )
        )
    return AlteredStroke(len(before), before, after, tuple(survival), answers)


def level_upper_left(digit: Array, amount: float, farthest: int) -> Array:
    """A digit (height, width) whose upper left stroke is raised towards its highest point.

    In each column of the left half of the digit the uppermost stroke is moved up; the pixels below
    it stay.

    Args:
        digit: bright on dark.
        amount: how far, 1 is up to the highest point.
        farthest: the most pixels by which it is moved.
    """
    ink = np.asarray(digit >= INK * digit.max()) & (digit > 0)
    altered = digit.copy()
    rows, columns = np.nonzero(ink.any(1))[0], np.nonzero(ink.any(0))[0]
    if not len(rows):
        return altered
    top, upper_half = rows[0], rows[0] + (rows[-1] - rows[0]) // 2
    for column in range(columns[0], columns[0] + (columns[-1] - columns[0]) // 2 + 1):
        marked = np.nonzero(ink[:, column])[0]
        if not len(marked) or marked[0] > upper_half:
            continue
        first = int(marked[0])
        gaps = np.nonzero(np.diff(marked) > 1)[0]
        last = int(marked[gaps[0]] if len(gaps) else marked[-1])  # of the uppermost stroke
        if last > upper_half:
            continue  # a stroke that goes on downwards
        up = min(round(amount * (first - top)), farthest)
        if up > 0:
            # With one more pixel at both ends, the soft edge of the stroke.
            start, stop = max(first - 1, up), min(last + 2, len(digit))
            altered[start - up : stop - up, column] = digit[start:stop, column]
            altered[stop - up : stop, column] = 0
    return altered


def _sobel_maps(digits: Array, engine: str) -> Array:
    """The responses of Sobel's kernel and ReLU to brightness that rises downwards, (n, h, w)."""
    # A layer computes correlation; the kernel is meant for convolution, which flips it.
    filters = sobel("y")[::-1, ::-1].astype(np.float32)[..., None, None]
    images = digits.astype(np.float32)[..., None]
    return functional.relu(
        functional.conv2d(images, filters, padding=1, engine=engine), engine=engine
    )[..., 0]


def _pooled(maps: Array, pool: int, engine: str) -> Array:
    values = maps.astype(np.float32)[..., None]
    return functional.max_pool2d(values, pool, engine=engine)[..., 0]


def _with_neighbours(changed: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The altered pixels and their neighbours, whose responses they may change."""
    near = changed.copy()
    for axis in (1, 2):
        wider = near.copy()
        for step in (-1, 1):
            moved = np.roll(near, step, axis)
            edge = [slice(None)] * 3
            edge[axis] = slice(0, 1) if step == 1 else slice(-1, None)
            moved[tuple(edge)] = False
            wider |= moved
        near = wider
    return near
