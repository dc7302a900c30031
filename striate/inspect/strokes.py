"""The experiment with the "2" of *From Convolution to Neural Network*, on real digits.

A stroke of the digit is altered: the line at its upper left is made more level. A Sobel kernel
answers to level edges, and max-pooling keeps the strongest answer of each window. Of the places
that answered strongly before, how many still do, and does pooling help?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from striate import functional
from striate.common.arguments import real_number, whole_number
from striate.common.arrays import Array
from striate.common.tables import ruled
from striate.common.text import counted, percent
from striate.kernels.edges import sobel

WHO = "altered_stroke"
POOLS = (1, 2, 4, 7, 8, 14)
STRONG = 0.5
"""Of the strongest answer to the digit as it was: from there on an answer counts."""
INK = 0.3
"""Of the brightest pixel: from there on a pixel belongs to a stroke."""


@dataclass(frozen=True)
class Survival:
    """One size of pooling, over all digits.

    Attributes:
        pool: side of the windows; 1 is no pooling.
        strong: places near the altered stroke that answered strongly before.
        survived: of these, those that still do.
        change: root of the mean square of the change there, as a part of that of the answers.
    """

    pool: int
    strong: int
    survived: int
    change: float

    @property
    def share(self) -> float:
        """The part that survived."""
        return self.survived / self.strong if self.strong else 0.0


@dataclass(frozen=True, eq=False)
class AlteredStroke:
    """What was measured. ``str()`` is a table.

    Attributes:
        digits: how many were altered; those without such a stroke are left out.
        before, after: uint8 or float (digits, height, width): the digits and the altered ones.
        answers: of each pooling, what Sobel and ReLU and that pooling make of `before` and `after`.
        survival: by size of pooling.
    """

    digits: int
    before: Array
    after: Array
    survival: tuple[Survival, ...]
    answers: dict[int, tuple[Array, Array]] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The numbers, JSON-able."""
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
    """Alter a stroke of each digit, and measure what survives of Sobel's answers.

    Args:
        images: digits, bright on dark, (n, height, width) or (n, height, width, 1): the "2"s of
            MNIST, say.
        amount: how far the stroke is brought towards level: 1 is level.
        farthest: by how many pixels at most; by default an eighth of the height.

    Raises:
        ValueError: there are no digits with such a stroke, or the images are of another shape.
    """
    digits = np.asarray(images)
    if digits.ndim == 4 and digits.shape[-1] == 1:
        digits = digits[..., 0]
    if digits.ndim != 3 or digits.dtype.kind not in "uif":
        raise ValueError(
            f"{WHO}: images must be gray, (n, height, width), got shape {np.shape(images)}"
        )
    share = real_number(amount, "amount", WHO)
    most = max(digits.shape[1] // 8, 1)
    if farthest is not None:
        most = whole_number(farthest, "farthest", WHO)
    altered = np.array([level_upper_left(digit, share, most) for digit in digits])
    changed = (altered != digits).reshape(len(digits), -1).any(1)
    if not changed.any():
        raise ValueError(
            f"{WHO}: none of {counted(len(digits), 'image')} has a stroke at its upper left that "
            "could be made more level"
        )
    before, after = digits[changed], altered[changed]
    rises = [_rises(part, engine) for part in (before, after)]
    places = _near(before != after)
    height, width = digits.shape[1:]
    survival: list[Survival] = []
    answers: dict[int, tuple[Array, Array]] = {}
    for pool in POOLS:
        if height % pool or width % pool or pool >= min(height, width):
            continue
        one, two, near = (_pooled(part, pool, engine) for part in (*rises, places))
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
    """A digit whose upper left line is raised towards the height of its highest point.

    Column by column, in the left half of the glyph, the uppermost stroke is moved up; what lies
    below it stays.
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
            continue  # a line that goes on downwards
        up = min(round(amount * (first - top)), farthest)
        if up > 0:
            # With a pixel more at both ends: the soft edge of the line.
            start, stop = max(first - 1, up), min(last + 2, len(digit))
            altered[start - up : stop - up, column] = digit[start:stop, column]
            altered[stop - up : stop, column] = 0
    return altered


def _rises(digits: Array, engine: str) -> Array:
    """Sobel's answers to brightness that rises downwards, as a layer with ReLU gives them."""
    # A layer computes correlation; the kernel is made for convolution, which flips it.
    filters = sobel("y")[::-1, ::-1].astype(np.float32)[..., None, None]
    images = digits.astype(np.float32)[..., None]
    return functional.relu(
        functional.conv2d(images, filters, padding=1, engine=engine), engine=engine
    )[..., 0]


def _pooled(maps: Array, pool: int, engine: str) -> Array:
    values = maps.astype(np.float32)[..., None]
    return functional.max_pool2d(values, pool, engine=engine)[..., 0]


def _near(changed: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Pixels whose answer an altered pixel may change: those beside one, too."""
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
