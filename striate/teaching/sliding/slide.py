"""The kernel slides: an animation of all places, or a strip of them to be printed."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.figure_files import figure_bytes
from striate.pictures.picture import Picture
from striate.pictures.writing import picture_bytes
from striate.signal.written_steps import Step, Steps
from striate.teaching.sliding.matrix_frames import MatrixFrames, check_places
from striate.teaching.sliding.signal_strip import draw_signal_strip
from striate.teaching.sliding.signal_sum import draw_signal_sum, view_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SLIDE_KINDS = ("gif", "png", "svg", "pdf", "jpg", "jpeg", "webp")
"""What a slide is written as: an animation, or else a strip."""
MOST_SAMPLES = 400
"""The most samples of a signal along which a kernel is seen to slide."""
MOST_FRAMES = 60
"""Of more outputs every second, every third, … has a frame."""
SIGNAL_DPI, MATRIX_DPI = 70, 90
_FIRST, _EACH, _LAST = 900, 600, 2500  # milliseconds that frames are seen
_SECONDS = 20  # that an animation with many frames takes


def slide_bytes(steps: Steps, y: Array, kind: str) -> bytes:
    """Return the content of a file in which the kernel slides over f and y grows.

    Args:
        steps: all sums of a convolution, as `striate.steps` gives them.
        y: the whole result.
        kind: one of `SLIDE_KINDS`.

    Raises:
        ValueError: f, g or y is too large to be drawn.
    """
    check_slide(steps.f, y)
    return _animation(steps, y) if kind == "gif" else figure_bytes(_strip(steps, y), kind)


def check_slide(f: Array, y: Array) -> None:
    """Raise if f or its result y is too large for a sliding kernel to be seen.

    Raises:
        ValueError: it is.
    """
    if f.ndim == 2:
        check_places(f, y)
    elif max(len(f), len(y)) > MOST_SAMPLES:
        raise StriateValueError(
            f"convolve: a kernel is seen to slide along at most {MOST_SAMPLES} samples, and here "
            f"are {max(len(f), len(y)):,}; take a part of the signal"
        )


def _strip(steps: Steps, y: Array) -> Figure:
    if steps.f.ndim == 1:
        return draw_signal_strip(steps, y)
    return MatrixFrames(steps, y).strip(list(steps))


def _animation(steps: Steps, y: Array) -> bytes:
    draw, dpi = _frames(steps, y)
    shown = steps[:: -(-len(steps) // MOST_FRAMES)]
    frames = tuple(_pixels(draw(step), dpi) for step in shown)
    each = min(_EACH, _SECONDS * 1000 / len(frames))
    durations = [max(each, 40.0)] * len(frames)
    durations[0] = max(durations[0], _FIRST)
    durations[-1] = _LAST
    return picture_bytes(Picture(frames, durations=tuple(durations), loop=0), ".gif")


def _frames(steps: Steps, y: Array) -> tuple[Callable[[Step], Figure], int]:
    """What draws the frame of a sum, and the pixels per inch."""
    if steps.f.ndim == 2:
        return MatrixFrames(steps, y).figure, MATRIX_DPI
    view = view_of(steps, y, whole=True)
    return lambda step: draw_signal_sum(view, step, until=step.position[0]), SIGNAL_DPI


def _pixels(figure: Figure, dpi: int) -> Array:
    """The pixels of a figure, uint8 (height, width, 3)."""
    from PIL import Image

    with Image.open(io.BytesIO(figure_bytes(figure, "png", dpi))) as image:
        return np.asarray(image.convert("RGB"))
