"""What `striate convolve` prints: what it computes, the numbers, or all of it as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from striate.cli.output import one_line
from striate.common.arrays import Array
from striate.common.tables import ROWS, VALUES, columns, grid, line
from striate.common.text import counted, sizes

if TYPE_CHECKING:
    from striate.cli.convolve_pictures import Convolved
    from striate.recordings import Recording


def result_texts(runs: list[Convolved]) -> Iterator[str]:
    """What is printed of each run; of two, with a line that says which it is."""
    for run in runs:
        text = _numbers(run.recording, run.result) if run.steps is None else str(run.steps)
        if len(runs) == 1 or run.steps is not None:
            yield text
        else:
            kind = "convolution, g flipped" if run.flips else "correlation, g as it is"
            yield f"{kind}:\n{text}"


def summary_line(run: Convolved) -> str:
    """What is computed, in a line that always names the flip and the border."""
    recording, kernel, how = run.recording, run.kernel, run.how
    values = recording.values
    if recording.grid:
        what = sizes(values.shape)
    else:
        what = counted(len(values), "sample")
        if values.ndim == 2:
            what += f" of {counted(recording.channels, 'channel')}"
        if recording.rate:
            what += f", {len(values) / recording.rate:.4g} s"
    border = how["border"] if isinstance(how["border"], str) else ",".join(how["border"])
    if border == "fill":
        border = f"fill with {how['fill_value']:g}"
    act, turned = ("correlated", "not flipped") if how["correlate"] else ("convolved", "flipped")
    taps = sizes(kernel.shape) + (" taps" if kernel.shape != (1,) else " tap")
    return (
        f"{one_line(recording.name)} ({what}) {act} with {one_line(kernel.name)} "
        f"({taps}, {turned}), mode {how['mode']}, origin {how['origin']}, border {border}"
    )


def _numbers(recording: Recording, result: Array) -> str:
    """The result as text; of a long one, the first and the last values and their number."""
    if result.ndim == 1:
        return line(result)
    if not recording.grid:
        names = [one_line(name) for name in recording.channel_names()]
        values = (line(channel, most=12) for channel in result.T)
        lines = columns([*zip(names, values, strict=True)], left=2)
        hidden = len(names) - ROWS
        return "\n".join([*lines[:ROWS], *[f"… {hidden:,} more"] * (hidden > 0)])
    rows = result if len(result) <= ROWS else np.concatenate([result[:6], result[-6:]])
    lines = [line(row) for row in rows] if rows.shape[1] > VALUES else grid(rows)
    if len(rows) < len(result):
        lines.insert(6, f"… {len(result) - 12:,} more rows …")
    return "\n".join(lines)


def result_json(runs: list[Convolved]) -> dict[str, Any]:
    """The results as JSON: one as it is, two by their names."""
    if len(runs) == 1:
        return _one_json(runs[0])
    return {"convolution" if run.flips else "correlation": _one_json(run) for run in runs}


def _one_json(run: Convolved) -> dict[str, Any]:
    recording, result = run.recording, run.result
    if np.iscomplexobj(result):
        raise click.ClickException("--json cannot hold complex numbers; write --out FILE.npy")
    answer: dict[str, Any] = {
        "signal": recording.name,
        "kernel": run.kernel.name,
        **run.how,
        "shape": result.shape,
        "values": result,
    }
    if recording.rate:
        answer["rate"] = recording.rate
    if run.steps is not None:
        answer["steps"] = [
            {
                "at": step.position,
                "terms": [
                    {"f": term.index, "source": term.source, "g": term.tap,
                     "value": term.value, "weight": term.weight}
                    for term in step.terms
                ],
                "value": step.value,
            }
            for step in run.steps
        ]  # fmt: skip
    return answer
