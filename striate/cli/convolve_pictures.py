"""The pictures of `striate convolve`: f, y, the kernel at a place, and the kernel as it slides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from striate.common.arrays import Array
from striate.common.short_repr import short_repr

if TYPE_CHECKING:
    from striate.kernels import Kernel
    from striate.recordings import Recording
    from striate.signal.written_steps import Steps


@short_repr
@dataclass(frozen=True, eq=False)
class Convolved:
    """One convolution or correlation of a signal.

    Attributes:
        recording: the signal f.
        kernel: g.
        how: the arguments: mode, origin, border, fill_value, stride, dilation, correlate.
        result: y.
        steps: the sums that are written out, if any were asked for.
    """

    recording: Recording
    kernel: Kernel
    how: dict[str, Any]
    result: Array
    steps: Steps | None

    @property
    def flips(self) -> bool:
        """True for a convolution."""
        return not self.how["correlate"]

    @property
    def formula(self) -> str:
        """ "y = f * mean3", "y = f ⋆ g"."""
        name = self.kernel.name if re.fullmatch(r"[\w.-]{1,24}", self.kernel.name) else "g"
        return f"y = f {'*' if self.flips else '⋆'} {name}"

    @property
    def first(self) -> int:
        """The index of the sample that g(0) is multiplied with in output 0."""
        return first_place(len(self.recording.values), len(self.kernel.arrays[0]), self.how)

    @property
    def step(self) -> int:
        """Samples from one output to the next."""
        stride = self.how["stride"]
        return int(stride if isinstance(stride, int) else stride[0])


def first_place(length: int, taps: int, how: dict[str, Any]) -> int:
    """The index of the sample that g(0) is multiplied with in output 0, where the plot begins."""
    from striate.signal.geometry import window

    flip = not how["correlate"]
    origin, dilation = (
        value if isinstance(value, int | str) else value[0]
        for value in (how["origin"], how["dilation"])
    )
    if isinstance(origin, str):
        origin = 0 if origin == "corner" else (taps - 1) // 2 if flip else taps // 2
    start = window(how["mode"], length, taps, origin, 1, int(dilation), flip).start
    return int(start + (taps - 1 - origin if flip else origin) * int(dilation))


def check_pictures(plot: str | None, plot_f: str | None, slide: str | None) -> None:
    """Raise for endings that cannot be drawn."""
    from striate.common.figure_files import kind_of
    from striate.recordings import RecordingError
    from striate.recordings.plot import check_picture

    for path in (plot, plot_f):
        if path is not None:
            check_picture(path)
    if slide is not None:
        from striate.teaching.sliding.slide import SLIDE_KINDS

        kind_of(slide, "a sliding kernel", SLIDE_KINDS, RecordingError)


def plotted(runs: Sequence[Convolved], path: str) -> bytes:
    """The picture of --plot: the result, or of --at one sum of it, of one or of two runs."""
    from striate.common.figure_files import figure_bytes
    from striate.recordings import plot

    kind = plot.check_picture(path)
    one = runs[0]
    plot.check_real(one.recording.values, *(run.result for run in runs), *one.kernel.arrays)
    if one.steps is not None and len(one.steps) == 1:
        from striate.teaching.sliding.matrix_sum import draw_matrix_sums
        from striate.teaching.sliding.signal_sum import draw_signal_sum, view_of

        if one.steps.f.ndim == 1 and len(runs) == 1:
            figure = draw_signal_sum(view_of(one.steps, one.result), one.steps[0])
        else:
            figure = draw_matrix_sums([(run.steps, run.result) for run in runs if run.steps])
        return figure_bytes(figure, kind)
    if one.recording.grid:
        return _grids(runs, kind)
    colours = (plot.RED, plot.BLUE)
    curves = [
        plot.Curve(run.result, run.formula, run.first, run.step, colour)
        for run, colour in zip(runs, colours, strict=False)
    ]
    return plot.plot(one.recording, curves, kind)


def _grids(runs: Sequence[Convolved], kind: str) -> bytes:
    """Matrices with their numbers where they are small, else as grays."""
    from striate.common.figure_files import figure_bytes
    from striate.recordings import plot
    from striate.teaching.sliding.matrix_sum import WHOLE, draw_matrices

    f, kernels = runs[0].recording.values, runs[0].kernel.arrays
    largest = max(max(array.shape) for array in (f, *kernels, *(run.result for run in runs)))
    if largest <= WHOLE and len(kernels) == 1:
        results = [(run.result, run.flips) for run in runs]
        return figure_bytes(draw_matrices(f, kernels[0], results), kind)
    names = ["g"] if len(kernels) == 1 else [f"g, {n} of {len(kernels)}" for n in
                                             range(1, len(kernels) + 1)]  # fmt: skip
    shown = [("f", f), *zip(names, kernels, strict=True)]
    return plot.plot_grids([*shown, *((run.formula, run.result) for run in runs)], kind)


def plotted_signal(recording: Recording, path: str) -> bytes:
    """The picture of --plot-f: the signal by itself."""
    from striate.common.figure_files import figure_bytes
    from striate.recordings import plot

    kind = plot.check_picture(path)
    f = recording.values
    plot.check_real(f)
    if not recording.grid:
        return plot.plot(recording, (), kind)
    from striate.teaching.sliding.matrix_sum import WHOLE, draw_matrix

    if max(f.shape) <= WHOLE:
        return figure_bytes(draw_matrix(f), kind)
    return plot.plot_grids([("f", f)], kind)


def slid(run: Convolved, steps: Steps, path: str) -> bytes:
    """The file of --slide: the kernel at each place in turn."""
    from pathlib import Path

    from striate.recordings import plot
    from striate.teaching.sliding.slide import slide_bytes

    plot.check_real(run.recording.values, run.result)
    return slide_bytes(steps, run.result, Path(path).suffix.lower().lstrip("."))
