"""Why the size rule gives this number of outputs, with the windows drawn true to size as text.

The reasons are those of *From Convolution to Neural Network* (section Hyperparameters): half a
filter is lost on each side, padding is added on each side, a step is S wide, "and +1 because of
fence posts".
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from striate.common.tables import ROWS, VALUES, columns, grid
from striate.common.text import counted, decimal, sizes
from striate.ops.shapes import AXES, extent
from striate.teaching.number_text import WIDTH
from striate.teaching.size_answer import Fit, Sizes
from striate.teaching.size_windows import AxisWindows

_WINDOWS, _PLACES = 12, 80
"""Windows that are drawn at most, and places of a line."""
_READ, _SKIPPED, _OTHER = "█", "░", "·"


def reason(found: Sizes) -> str:
    """Why the first solution is one: the rule in words, its windows, how often pixels are read."""
    lines: list[str] = []
    if any(len(axis.fits) > 1 for axis in found.axes):
        lines += ["Of the first of them:", ""]
    fits = [axis.fits[0] for axis in found.axes]
    alike = len(set(fits)) == 1
    for name, fit in zip(AXES, fits[:1] if alike else fits, strict=False):
        along = f" along the {name}" * (not alike)
        verb = "is" if fit.output == 1 else "are"
        lines += [f"Why there {verb} {counted(fit.output, 'output')}{along}", ""]
        for step in _steps(AxisWindows(fit)):
            lines += textwrap.wrap(step, WIDTH, subsequent_indent="    ")
        lines += ["", *_drawn(AxisWindows(fit)), ""]
    lines += [*_reads(fits), *_stride(fits, found)]
    return "\n".join(lines).rstrip()


def misfit(laid: Sequence[Fit]) -> str:
    """The windows of sizes that do not fit, with what is left over."""
    lines: list[str] = []
    for name, fit in zip(AXES, laid, strict=False):
        axis = AxisWindows(fit)
        if axis.room % fit.stride:
            lines += [f"The windows along the {name}" if len(laid) > 1 else "The windows", ""]
            lines += [*_drawn(axis), ""]
    return "\n".join(lines).rstrip()


def _steps(axis: AxisWindows) -> list[str]:
    fit, reach = axis.fit, axis.reach
    before, after = fit.padding
    half = decimal(Fraction(reach - 1, 2))
    lines = []
    if fit.dilation > 1:
        lines.append(
            f"The {fit.filter} taps lie {fit.dilation} apart, so the window spans R = dilation·"
            f"(F - 1) + 1 = {fit.dilation}·({fit.filter} - 1) + 1 = {reach} places."
        )
    pads = f" and {before} + {after} zeros of padding" if before + after else ""
    lines.append(
        f"I + P_before + P_after = {fit.input} + {before} + {after} = {axis.places}: the line has "
        f"{counted(fit.input, 'pixel')}{pads}."
    )
    lines.append(
        f"- R = - {reach}: the middle of a window keeps half a window, (R - 1)/2 = {half}, away "
        f"from both ends. So it begins at place 0 at the earliest, and at place {axis.places} - "
        f"{reach} = {axis.room} at the latest."
    )
    steps = fit.output - 1
    exact = axis.room == steps * fit.stride
    divided = f"{axis.room}/{fit.stride}"
    lines.append(
        f"/S = /{fit.stride}: a step is {fit.stride} wide, so that {divided} = {steps} "
        f"{'step fits' if steps == 1 else 'steps fit'} in."
        if exact
        else f'/S = /{fit.stride}: padding "same" takes ceil(I/S) windows, which are {steps} steps.'
    )
    lines.append(
        f"+ 1: {counted(steps, 'step')} {'joins' if steps == 1 else 'join'} "
        f"{counted(fit.output, 'window')}, as {counted(steps, 'rail')} of a fence "
        f"{'joins' if steps == 1 else 'join'} {counted(fit.output, 'post')}."
        if steps
        else "+ 1: the window stands where it is, without a step; that is one output."
    )
    return lines


def _drawn(axis: AxisWindows) -> list[str]:
    """The windows below the line that they lie on, true to size."""
    if axis.places > _PLACES:
        return [f"({counted(axis.places, 'place')} are too many to be drawn in a line.)"]
    line = "".join("0" if axis.is_padding(place) else "□" for place in range(axis.places))
    legend = "□ a pixel" + ", 0 padding" * bool(sum(axis.fit.padding))
    rows = [["", line, legend]]
    for window in axis.shown(_WINDOWS):
        if window is None:
            rows.append(["…", "", f"{axis.fit.output - _WINDOWS:,} more windows"])
            continue
        taps = set(axis.taps(window))
        span = range(axis.start(window), axis.start(window) + axis.reach)
        cells = [
            _READ if place in taps else _SKIPPED if place in span else _OTHER
            for place in range(axis.places)
        ]
        rows.append([f"O_{window + 1}", "".join(cells), ""])
    counts = axis.reads
    if counts.max() <= 9:
        pads = [" " * pad for pad in axis.fit.padding]
        told = "windows read each pixel" + "; a 0 is never read" * bool((counts == 0).any())
        rows.append(["", pads[0] + "".join(map(str, counts)) + pads[1], told])
    return columns(rows, left=3)


def _reads(fits: Sequence[Fit]) -> list[str]:
    """How many windows read each pixel of an image, with its padding and without."""
    if len(fits) == 1 or fits[0].input > ROWS or fits[1].input > VALUES:
        return []
    lines: list[str] = []
    cases = [fits]
    if any(sum(fit.padding) for fit in fits):
        bare = [_without_padding(fit) for fit in fits]
        cases = [[fit for fit in bare if fit is not None], fits]
    for case in cases:
        if len(case) < 2:
            continue
        padded = any(sum(fit.padding) for fit in case)
        told = "with the padding" if padded else "without padding"
        reads = np.outer(*(AxisWindows(fit).reads for fit in case))
        lines += [f"How many windows read each pixel, {told}:", "", *grid(reads), ""]
    return lines


def _without_padding(fit: Fit) -> Fit | None:
    """The same window on the bare image; None if it is larger than that."""
    room = fit.input - extent(fit.filter, fit.dilation)
    if room < 0:
        return None
    return replace(fit, padding=(0, 0), output=room // fit.stride + 1)


def _stride(fits: Sequence[Fit], found: Sizes) -> list[str]:
    """That a stride makes fewer outputs, and not fewer parameters."""
    if all(fit.stride == 1 for fit in fits):
        return []
    ones = [AxisWindows(fit).room + 1 for fit in fits]
    now = [fit.output for fit in fits]
    weights = "the filter's weights are the same"
    if found.volume is not None and found.volume.parameters is not None:
        weights = f"the layer has {found.volume.parameters:,} parameters with any stride"
    step = " and ".join(dict.fromkeys(str(fit.stride) for fit in fits))
    return [
        f"A stride of {step} leaves {sizes(now)} outputs of the {sizes(ones)} at stride 1; "
        f"{weights}."
    ]
