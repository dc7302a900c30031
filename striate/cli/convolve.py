"""`striate convolve`: convolves a signal with a kernel, and can write out every sum."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from striate.cli import options
from striate.cli.output import json_line, note, one_line, writing
from striate.common.arrays import Array
from striate.common.tables import ROWS, VALUES, columns, grid, line
from striate.common.text import counted, sizes

if TYPE_CHECKING:
    from striate.kernels import Kernel
    from striate.recordings import Recording
    from striate.signal.written_steps import Steps


def _indices(value: Any) -> int | tuple[int, ...]:
    """Read one whole number or several: "2", "1,1"."""
    words = str(value).replace("x", ",").strip("() ").split(",")
    try:
        numbers = tuple(int(word) for word in words)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a whole number, or one for each axis such as 1,1"
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers


def _origin(value: Any) -> Any:
    """Read "corner", "center" or an index; other words are refused by the library."""
    text = str(value).strip().lower().replace("centre", "center")
    return text if text.isalpha() else _indices(value)


def _names(value: Any) -> Any:
    """Read a name, or one for each axis: "mirror", "wrap,fill"."""
    words = tuple(str(value).strip().lower().split(","))
    return words[0] if len(words) == 1 else words


@click.command(short_help="Convolve a signal with a kernel and show every sum.")
@click.option(
    "--signal",
    "-s",
    default="article",
    show_default=True,
    metavar="NUMBERS|FILE|NAME",
    help='The signal f: numbers such as 10,9,10 or "1 2 3; 4 5 6"; a .wav, .csv, .tsv, .txt or '
    ".npy file; or article, noisy-sine or recording, which come along.",
)
@click.option(
    "--kernel",
    "-k",
    default="mean3",
    show_default=True,
    metavar="NAME|NUMBERS|FILE",
    help='The kernel g: a name such as mean3 or gaussian9, numbers such as "1 0 -1" or '
    '"1/3 1/3 1/3", or a file.',
)
@click.option("--size", type=click.IntRange(min=1), help="The size of a kernel given by name.")
@click.option(
    "--mode",
    default="same",
    show_default=True,
    metavar="full|same|valid",
    help="full: wherever f and g meet; same: as many outputs as f has; valid: where all of g lies "
    "on f.",
)
@click.option(
    "--origin",
    type=_origin,
    default="corner",
    show_default=True,
    metavar="corner|center|INDEX",
    help="Which element of g is g(0) in mode same. With corner no output looks ahead.",
)
@click.option(
    "--border",
    type=_names,
    default="fill",
    show_default=True,
    metavar="NAME",
    help="What lies beyond the ends: fill K|abcd|K, nearest a|abcd|d, reflect a|abcd|d, mirror "
    "b|abcd|c, wrap d|abcd|a.",
)
@click.option(
    "--fill-value",
    type=options.number(),
    default="0",
    metavar="K",
    help="What the border fill has.  [default: 0]",
)
@click.option("--stride", type=_indices, default="1", metavar="N", help="Every N-th output only.")
@click.option(
    "--dilation", type=_indices, default="1", metavar="N", help="Spread the kernel N apart."
)
@click.option("--correlate", is_flag=True, help="Do not flip the kernel.")
@click.option(
    "--column",
    metavar="NAME|NUMBER",
    help="The one column or channel of the file to take.  [default: each]",
)
@click.option("--steps", is_flag=True, help="Write out each sum term by term, with the flip.")
@click.option("--at", type=_indices, metavar="N", help='The one sum to write out: "2", "1,1".')
@click.option(
    "--out",
    "-o",
    metavar="FILE",
    help="Write the result: .wav, .csv, .tsv, .txt or .npy. A WAV file keeps the rate and the "
    "coding of the signal's; samples are rounded and clipped.",
)
@click.option("--plot", metavar="FILE", help="Draw the signal and the result: .png, .svg, .pdf.")
@options.output_options
def convolve(
    signal: str,
    kernel: str,
    size: int | None,
    column: str | None,
    out: str | None,
    plot: str | None,
    steps: bool,
    at: int | tuple[int, ...] | None,
    as_json: bool,
    quiet: bool,
    **how: Any,
) -> None:
    """Convolve a signal with a kernel and print the result.

    By default that is the textbook's causal sum y(n) = Σ f(i)·g(n - i): the kernel is flipped,
    g(0) is its first element, and beyond its ends the signal is 0.

    Of a file with several columns or channels, a kernel of one row goes down each of them. Numbers
    typed in rows, and a .npy file of two dimensions, are convolved along both.
    """
    from striate import recordings

    _check_paths(signal, out, plot)
    recording = recordings.find(signal)
    if column is not None:
        recording = recording.channel(column)
    recording, chosen = _kernel(recording, kernel, size)
    written = _steps(recording, chosen, how, at) if steps or at is not None else None
    result = _result(recording, chosen, how)
    files, clipped = _files(recording, chosen, result, how, out, plot)
    shown = _json(recording, chosen, result, how, written) if as_json else None
    _write(files)
    note(_summary(recording, chosen, how), quiet=quiet)
    if clipped:
        note(f"{counted(clipped, 'sample')} clipped to the range of {out}", quiet=quiet)
    for path, _ in files:
        note(f"Written to {one_line(path)}", quiet=quiet)
    if shown is not None:
        json_line(shown)
    else:
        click.echo(_numbers(recording, result) if written is None else str(written))


def _check_paths(signal: str, out: str | None, plot: str | None) -> None:
    """Raise for files that could not be written, before any work is done."""
    from striate import recordings

    if out is not None:
        recordings.check_name(out)
    if plot is not None:
        from striate.recordings.plot import check_picture

        check_picture(plot)
    for path in filter(None, (out, plot)):
        if Path(path).is_dir():
            raise click.ClickException(f"{path}: is a folder; name a file in it")
        if not Path(path).parent.is_dir():
            raise click.ClickException(f"{path}: there is no folder {Path(path).parent}")


def _kernel(recording: Recording, text: str, size: int | None) -> tuple[Recording, Kernel]:
    """Return the signal and the kernel; a kernel of two dimensions makes a table a matrix."""
    from striate import kernels

    if recording.values.ndim > 2:
        raise click.ClickException(
            f"{recording.name}: signals have one or two dimensions, got {recording.values.shape}"
        )
    if recording.grid:
        return recording, kernels.resolve(text, size, 2)
    try:
        return recording, kernels.resolve(text, size, 1)
    except ValueError:
        # A table of numbers is a matrix too; a sound is not.
        if recording.channels == 1 or recording.rate is not None:
            raise
        matrix = dataclasses.replace(recording, grid=True)
        return matrix, kernels.resolve(text, size, 2)


def _result(recording: Recording, kernel: Kernel, how: dict[str, Any]) -> Array:
    """Return the convolution or correlation, in float64 or in the signal's own float type."""
    from striate.signal import convolution

    settings = dict(how)
    run = convolution.correlate if settings.pop("correlate") else convolution.convolve
    f = recording.values
    if f.dtype.kind not in "fc" or f.dtype.itemsize < 4:
        f = f.astype(np.float64)
    axes = None if kernel.dimensions == f.ndim else 0
    kind = f.dtype if f.dtype.kind == "f" else np.dtype(np.float64)
    answers = [
        run(f, array.astype(kind, copy=False), **settings, axes=axes) for array in kernel.arrays
    ]
    return kernel.combined(answers)


def _steps(
    recording: Recording, kernel: Kernel, how: dict[str, Any], at: int | tuple[int, ...] | None
) -> Steps:
    from striate.signal.steps import steps

    if len(kernel.arrays) > 1:
        raise click.ClickException(
            f"{kernel.name} combines {len(kernel.arrays)} kernels; --steps shows one of them, "
            "such as sobel-x"
        )
    f = recording.values
    if not recording.grid and f.ndim == 2:
        names = ", ".join(recording.channel_names()[:20])
        raise click.ClickException(f"--steps shows one column: choose it by --column ({names})")
    g = kernel.arrays[0]
    return steps(f.astype(np.result_type(f, g)), g, at=at, **how)


def _files(
    recording: Recording,
    kernel: Kernel,
    result: Array,
    how: dict[str, Any],
    out: str | None,
    plot: str | None,
) -> tuple[list[tuple[str, bytes]], int]:
    """Return the files to write with their content, and how many samples had to be clipped."""
    from striate import recordings

    files: list[tuple[str, bytes]] = []
    clipped = 0
    stride = how["stride"] if isinstance(how["stride"], int) else how["stride"][0]
    if out is not None:
        rate = recording.rate and max(round(recording.rate / stride), 1)
        after = dataclasses.replace(recording, values=result, rate=rate)
        content, clipped = recordings.encode(out, after)
        files.append((out, content))
    if plot is not None:
        files.append((plot, _picture(recording, kernel, result, how, plot, stride)))
    if len({Path(path).resolve() for path, _ in files}) < len(files):
        raise click.ClickException(f"{out}: is named twice, by --out and by --plot")
    return files, clipped


def _picture(
    recording: Recording,
    kernel: Kernel,
    result: Array,
    how: dict[str, Any],
    path: str,
    stride: int,
) -> bytes:
    from striate.recordings import plot

    kind = plot.check_picture(path)
    name = kernel.name if re.fullmatch(r"[\w.-]{1,24}", kernel.name) else "g"
    formula = f"y = f {'⋆' if how['correlate'] else '*'} {name}"
    if recording.grid:
        return plot.plot_grids(
            recording.values, kernel.arrays[0], result, formula=formula, kind=kind
        )
    return plot.plot(
        recording,
        result,
        first=_first(len(recording.values), len(kernel.arrays[0]), how),
        step=stride,
        formula=formula,
        kind=kind,
    )


def _first(length: int, taps: int, how: dict[str, Any]) -> int:
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


def _write(files: list[tuple[str, bytes]]) -> None:
    from striate.common.atomic import write_all_atomically

    if files:
        with writing(files[0][0]):
            write_all_atomically([(path, [content]) for path, content in files])


def _summary(recording: Recording, kernel: Kernel, how: dict[str, Any]) -> str:
    """What is computed, in a line that always names the flip and the border."""
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
    """The result as text; of a long one the first and the last values and how many there are."""
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


def _json(
    recording: Recording,
    kernel: Kernel,
    result: Array,
    how: dict[str, Any],
    written: Steps | None,
) -> dict[str, Any]:
    if np.iscomplexobj(result):
        raise click.ClickException("--json cannot hold complex numbers; write --out FILE.npy")
    answer: dict[str, Any] = {
        "signal": recording.name,
        "kernel": kernel.name,
        **how,
        "shape": result.shape,
        "values": result,
    }
    if recording.rate:
        answer["rate"] = recording.rate
    if written is not None:
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
            for step in written
        ]  # fmt: skip
    return answer
