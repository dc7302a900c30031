"""The experiment with the "2" of *From Convolution to Neural Network*.

It measures how much max-pooling helps against a small change of a digit: the stroke at its upper
left is made more level, or it is drawn with another slant. A Sobel kernel responds to level edges,
and max-pooling keeps the strongest response of each window. Of the places with a strong response
before, how many still have one, without pooling and with pooling of several sizes? Those that lie
beside each other in a row are the bar that the article draws in red.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from striate.inspect.drawn_two import drawn_two
from striate.kernels.edges import sobel

WHO = "altered_stroke"
POOLS = (1, 2, 4, 7, 8, 14)
CHANGES = {"hook": "the upper left line made more level", "slant": "leant to the right"}
"""What may be changed of a digit that is drawn."""
STRONG = 0.5
"""The share of the strongest response to the unaltered digit from which a response is strong."""
LEAST = 4
"""The least side of a map that is drawn: of a smaller one nothing can be seen."""
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


@dataclass(frozen=True)
class KeptBar:
    """Strong responses beside each other in a row, before and after: article 001's red bar.

    Attributes:
        pool: side of the pooling windows of the map that it is in.
        row: of that map, counted from 0.
        first, last: its columns.
    """

    pool: int
    row: int
    first: int
    last: int

    @property
    def length(self) -> int:
        """How many responses it has."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        where = "without pooling" if self.pool == 1 else f"max-pooled {_size(self.pool)}"
        place = f"column {self.first}"
        if self.length > 1:
            place = f"columns {self.first} … {self.last}"
        return f"{where}: row {self.row}, {place}"


@short_repr
@dataclass(frozen=True, eq=False)
class AlteredStroke:
    """The result of the experiment. ``str()`` is a table.

    Attributes:
        digits: how many were altered; those in which no pixel changed are left out.
        given: how many there were.
        change: what was done to them, in words.
        before, after: the digits and the altered ones, uint8 or float (digits, height, width).
        survival: one for each size of pooling.
        answers: by the size of pooling, the responses of Sobel, ReLU and that pooling to `before`
            and to `after`.
        kept: by the size of pooling, where near the change a response is strong before and after.
    """

    digits: int
    given: int
    change: str
    before: Array
    after: Array
    survival: tuple[Survival, ...]
    answers: dict[int, tuple[Array, Array]] = field(repr=False)
    kept: dict[int, npt.NDArray[np.bool_]] = field(repr=False)

    @property
    def seen(self) -> tuple[Survival, ...]:
        """The sizes of pooling whose maps are large enough for something to be seen in them."""
        return tuple(
            row for row in self.survival if min(self.answers[row.pool][0].shape[1:]) >= LEAST
        )

    @property
    def most_altered(self) -> int:
        """The index of the digit that was altered most."""
        # In float64, because differences of bytes would wrap around.
        moved = self.after.astype(np.float64) - self.before
        return int(np.abs(moved).sum((1, 2)).argmax())

    def bar(self, pool: int, index: int) -> KeptBar | None:
        """The longest row of strong responses that a digit keeps near its change.

        Args:
            pool: side of the pooling windows, one of `survival`.
            index: of the digit.

        Returns:
            The longest; of several the one whose responses are largest. None where none is kept.
        """
        one, two = (answers[index] for answers in self.answers[pool])
        bars = [KeptBar(pool, row, *ends) for row, ends in _runs(self.kept[pool][index])]
        strength = one + two
        return max(
            bars,
            key=lambda bar: (bar.length, strength[bar.row, bar.first : bar.last + 1].sum()),
            default=None,
        )

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON-able values, without the images; `bars` are those of the digit that
        was altered most.
        """
        rows = [{**asdict(row), "share": row.share} for row in self.survival]
        bars = [self.bar(row.pool, self.most_altered) for row in self.survival]
        return {
            "digits": self.digits,
            "given": self.given,
            "survival": rows,
            "bars": [asdict(bar) for bar in bars if bar is not None],
        }

    def __str__(self) -> str:
        lines: list[Sequence[str]] = [
            ("max-pooling", "strong before", "strong still", "survived", "change")
        ]
        for row in self.survival:
            lines.append(
                (
                    _size(row.pool) if row.pool > 1 else "none",
                    f"{row.strong:,}",
                    f"{row.survived:,}",
                    percent(row.share, ".1f"),
                    percent(row.change, ".1f"),
                )
            )
        who = counted(self.digits, "digit")
        if self.digits < self.given:
            who = f"{self.digits:,} of {counted(self.given, 'digit')}"
        text = (
            f"{who}, {self.change}; answers of Sobel's\nkernel for level edges (where brightness "
            f"rises downwards), near what changed:\n\n{ruled(lines)}"
        )
        if self.digits > 1:
            return text
        bars = [self.bar(row.pool, 0) for row in self.seen]
        kept = "\n".join(f"- {bar}" for bar in bars if bar is not None)
        changed = int((self.before != self.after).sum())
        return (
            f"{text}\n\n{changed:,} of {self.before[0].size:,} pixels changed. The longest row of "
            f"strong answers that is there before and after:\n{kept or '- none'}"
        )


def altered_stroke(
    images: Array, *, amount: float = 0.5, farthest: int | None = None, engine: str = "llvm"
) -> AlteredStroke:
    """Alter a stroke of each digit, and measure how many strong Sobel responses survive.

    Args:
        images: digits, bright on dark, (n, height, width) or (n, height, width, 1), such as the
            "2"s of MNIST.
        amount: how far the stroke is brought towards level: 1 is level. Pixels move by whole
            pixels, so that little of a small digit changes, or nothing.
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
    if np.array_equal(altered, digits):
        raise StriateValueError(
            f"{WHO}: none of {counted(len(digits), 'image')} has a stroke at its upper left that "
            "could be made more level"
        )
    return _compared(digits, altered, "the upper left stroke made more level", engine)


def altered_two(
    count: int = 1, *, seed: int = 0, change: str = "hook", amount: float = 0.5,
    engine: str = "llvm",
) -> AlteredStroke:  # fmt: skip
    """The same experiment with a "2" that is drawn, and drawn once more with one stroke changed.

    Args:
        count: how many are drawn, each by another hand.
        seed: of the first hand; the next have the numbers after it.
        change: "hook" brings the line at the upper left towards level, as the article does;
            "slant" leans the digit to the right.
        amount: how far: a hook of 1 is level, a slant of 1 moves the top by a quarter of the
            height; see `drawn_two`.
        engine: "llvm" or "numpy".

    Raises:
        ValueError: an argument is out of range, or so small that no pixel changes.
    """
    if change not in CHANGES:
        raise StriateValueError(f'altered_two: change must be "hook" or "slant", got {change!r}')
    hands = range(seed, seed + whole_number(count, "count", "altered_two"))
    before = np.array([drawn_two(hand) for hand in hands])
    after = np.array([drawn_two(hand, **{change: amount}) for hand in hands])
    if np.array_equal(before, after):
        raise StriateValueError(
            f"altered_two: no pixel changes with {change} {amount:g}; choose a larger amount"
        )
    return _compared(before, after, CHANGES[change], engine)


def _compared(digits: Array, altered: Array, change: str, engine: str) -> AlteredStroke:
    """Compare the responses to digits and to altered ones, (n, height, width), some of which
    differ.
    """
    changed = (altered != digits).reshape(len(digits), -1).any(1)
    before, after = digits[changed], altered[changed]
    maps = [_sobel_maps(part, engine) for part in (before, after)]
    places = _with_neighbours(before != after)
    height, width = digits.shape[1:]
    survival: list[Survival] = []
    answers: dict[int, tuple[Array, Array]] = {}
    kept: dict[int, npt.NDArray[np.bool_]] = {}
    for pool in POOLS:
        if height % pool or width % pool or pool >= min(height, width):
            continue
        one, two, near = (_pooled(part, pool, engine) for part in (*maps, places))
        answers[pool] = (one, two)
        threshold = STRONG * one.max((1, 2), keepdims=True)
        strong = (one >= threshold) & (near > 0)
        kept[pool] = strong & (two >= threshold)
        difference = np.square(two - one)[near > 0].sum()
        survival.append(
            Survival(
                pool,
                int(strong.sum()),
                int(kept[pool].sum()),
                float(np.sqrt(difference / np.square(one)[near > 0].sum())),
            )
        )
    return AlteredStroke(
        len(before), len(digits), change, before, after, tuple(survival), answers, kept
    )


def _runs(marked: npt.NDArray[np.bool_]) -> Iterator[tuple[int, tuple[int, int]]]:
    """The rows of marked cells beside each other: the row, and the first and the last column."""
    for row, cells in enumerate(marked):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], cells, [False]]).astype(np.int8)))
        for first, stop in edges.reshape(-1, 2):
            yield row, (int(first), int(stop) - 1)


def _size(pool: int) -> str:
    return f"{pool}×{pool}"


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
