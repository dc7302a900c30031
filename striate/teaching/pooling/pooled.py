"""The entrance to pooling written out: checks arguments, pools, and compares with the windows."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.common.arguments import whole_number
from striate.common.errors import StriateValueError
from striate.common.text import choices, sizes
from striate.functional.single import run, run_backward
from striate.ops import shapes
from striate.ops.shapes import Padding, Pair
from striate.teaching.given_arrays import agreed, finite, with_axes
from striate.teaching.pooling import pooling_text
from striate.teaching.pooling.pooled_windows import KINDS, Pooled

WHO = "pool"
MOST_COMPARED = 4_000
"""Windows that are laid down one by one and compared with the kernels; the first, of more."""


class WrittenPooling(Pooled):
    """A pooling that can write itself. ``str()`` is the text."""

    def text(self, only: tuple[str, ...] = ()) -> str:
        """All of it as text.

        Args:
            only: leave out all windows but these, such as "O_11", or "O^2_11" of channel 2.

        Raises:
            ValueError: there is no such window.
        """
        return pooling_text.text(self, only)

    def __str__(self) -> str:
        return self.text()


def pooled(
    kind: str = "max",
    window: int | Pair = 2,
    *,
    stride: int | Pair | None = None,
    padding: Padding = 0,
    dilation: int | Pair = 1,
    count_padding: bool = False,
    uncovered: str = "error",
    input: int | Pair | None = None,
    channels: int | None = None,
    x: npt.ArrayLike | None = None,
    source: str = "",
    gradient: npt.ArrayLike | None = None,
    backward: bool = False,
    seed: int = 0,
    engine: str = "llvm",
) -> WrittenPooling:
    """Pool an image, and keep what is needed to say why each output is what it is.

    Args:
        kind: "max", "average" or "sum".
        window: (height, width), or one number for both.
        stride, padding, dilation, uncovered: as in `striate.MaxPool2D`.
        count_padding: as in `striate.AvgPool2D`, for means only.
        input, channels: of X, 4×4 and 1 by default; with `x` they must agree with it.
        x: X, (height, width) or (height, width, channels); by default whole numbers of 0 to 9.
        source: where `x` comes from, for the text.
        gradient: ∂L/∂O of the shape of the output; it implies `backward`.
        backward: whether ∂L/∂O is sent back; by default it is made of whole numbers of 1 to 9.
        seed: of the random numbers.
        engine: whose kernels pool, "llvm" or "numpy".

    Raises:
        ValueError: the sizes do not fit, contradict the arrays, or the kind is unknown.
        TypeError: an argument is of another kind.
    """
    if kind not in KINDS:
        raise StriateValueError(f"{WHO}: the kind must be {choices([*KINDS])}, got {kind!r}")
    if count_padding and kind != "average":
        raise StriateValueError(
            f"{WHO}: count_padding says what a mean divides by, and {kind} divides by nothing; "
            "leave it out, or choose average"
        )
    given = finite(x, "x", WHO)
    if given is not None:
        given = with_axes(given, 3, "x", "(height, width) or (height, width, channels)", WHO)
    size = agreed(
        WHO, "size of the input", (4, 4),
        input=None if input is None else shapes.pair(input, "input", WHO),
        x=None if given is None else given.shape[:2],
    )  # fmt: skip
    depth = agreed(
        WHO, "number of channels", 1,
        channels=None if channels is None else whole_number(channels, "channels", WHO),
        x=None if given is None else given.shape[2],
    )  # fmt: skip
    more: dict[str, Any] = {"count_padding": count_padding} if kind == "average" else {}
    layer = KINDS[kind](
        window, stride=stride, padding=padding, dilation=dilation, uncovered=uncovered, **more
    )
    shape = (*size, depth)
    layer.check_budget(shape)
    out = layer.output_shape(shape)
    random = np.random.default_rng(whole_number(seed, "seed", WHO, minimum=0))
    drawn = random.integers(0, 10, shape), random.integers(1, 10, out)
    image = drawn[0].astype(np.float64) if given is None else given
    arriving = finite(gradient, "gradient", WHO)
    if arriving is not None:
        arriving = with_axes(
            arriving, 3, "gradient", "(rows, columns) or (rows, columns, channels)", WHO
        )
        if arriving.shape != out:
            raise StriateValueError(
                f"{WHO}: gradient must have the shape of the output, {sizes(out)}, got "
                f"{sizes(arriving.shape)}"
            )
    elif backward:
        arriving = drawn[1].astype(np.float64)
    back = None
    if arriving is not None:
        (back,) = run_backward(layer, (image[None],), {}, arriving[None], engine).inputs
        back = back[0]
    output = run(layer, (image[None],), {}, engine)[0]
    return _compared(WrittenPooling(layer, kind, source, image, output, arriving, back, {}, 0))


def _compared(made: WrittenPooling) -> WrittenPooling:
    """With the largest differences between the windows and the kernels."""
    total, away = 0, 0.0
    back = np.zeros(made.x.shape)
    for window in islice(made.windows(), MOST_COMPARED):
        total += 1
        away = max(away, abs(window.value - float(made.output[window.place])))
        if made.gradient is not None:
            for index, (row, column) in enumerate(window.pixels):
                slope = window.slope(index) * float(made.gradient[window.place])
                back[row, column, window.place[2]] += slope
    checked = {"outputs": away}
    if made.input_gradient is not None and total == made.count:
        checked["∂L/∂X"] = float(np.abs(back - made.input_gradient).max())
    return replace(made, checked=checked, compared=total)
