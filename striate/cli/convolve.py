"""`striate convolve`: convolves a signal with a kernel, and can write out every sum."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from striate.cli import options
from striate.cli.convolve_pictures import Convolved, check_pictures, plotted, plotted_signal, slid
from striate.cli.convolve_texts import result_json, result_texts, summary_line
from striate.cli.output import json_line, note, one_line, writing
from striate.common.arrays import Array
from striate.common.text import counted

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
@click.option(
    "--both", is_flag=True, help="The convolution and below it the correlation, to be compared."
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
@click.option(
    "--plot",
    metavar="FILE",
    help="Draw f and y: .png, .svg, .pdf. With --at that one sum: g, flipped and put at its place, "
    "the products, and y.",
)
@click.option("--plot-f", metavar="FILE", help="Draw f by itself.")
@click.option(
    "--slide",
    metavar="FILE",
    help="Draw g at each place in turn: .gif moves; .png, .svg, .pdf show all places on one sheet.",
)
@options.output_options
def convolve(
    signal: str,
    kernel: str,
    size: int | None,
    column: str | None,
    out: str | None,
    plot: str | None,
    plot_f: str | None,
    slide: str | None,
    both: bool,
    steps: bool,
    at: int | tuple[int, ...] | None,
    as_json: bool,
    quiet: bool,
    **how: Any,
) -> None:
    """Convolve a signal with a kernel and print the result.

    By default that is the textbook's causal sum y(n) = Σ f(i)·g(n - i): the kernel is flipped,
    g(0) is its first element, and beyond their ends both are 0.

    Of a file with several columns or channels, a kernel of one row goes down each of them. Numbers
    typed in rows, and a .npy file of two dimensions, are convolved along both.
    """
    from striate import recordings

    paths = {"--out": out, "--plot": plot, "--plot-f": plot_f, "--slide": slide}
    _check_paths(paths)
    _check_both(both, how, paths)
    recording = recordings.find(signal)
    if column is not None:
        recording = recording.channel(column)
    recording, chosen = _kernel(recording, kernel, size)
    runs = []
    for correlates in (False, True) if both else (how["correlate"],):
        settings = {**how, "correlate": correlates}
        written = _steps(recording, chosen, settings, at) if steps or at is not None else None
        result = _result(recording, chosen, settings)
        runs.append(Convolved(recording, chosen, settings, result, written))
    files, clipped = _files(runs, paths)
    shown = result_json(runs) if as_json else None
    _write(files)
    for run in runs:
        note(summary_line(run), quiet=quiet)
    if clipped:
        note(f"{counted(clipped, 'sample')} clipped to the range of {out}", quiet=quiet)
    for path, _ in files:
        note(f"Written to {one_line(path)}", quiet=quiet)
    if shown is not None:
        json_line(shown)
    else:
        click.echo("\n\n".join(result_texts(runs)))


def _check_paths(paths: Mapping[str, str | None]) -> None:
    """Raise for files that could not be written, before any work is done."""
    from striate import recordings

    if (out := paths["--out"]) is not None:
        recordings.check_name(out)
    check_pictures(paths["--plot"], paths["--plot-f"], paths["--slide"])
    for path in filter(None, paths.values()):
        if Path(path).is_dir():
            raise click.ClickException(f"{path}: is a folder; name a file in it")
        if not Path(path).parent.is_dir():
            raise click.ClickException(f"{path}: there is no folder {Path(path).parent}")
    options_of: dict[Path, str] = {}
    for option, name in paths.items():
        if name is None:
            continue
        before = options_of.setdefault(Path(name).resolve(), option)
        if before != option:
            raise click.ClickException(f"{name}: is named twice, by {before} and by {option}")


def _check_both(both: bool, how: Mapping[str, Any], paths: Mapping[str, str | None]) -> None:
    """Raise for what only one result can have."""
    if not both:
        return
    if how["correlate"]:
        raise click.ClickException("--both has the correlation already; leave out --correlate")
    for option in ("--out", "--slide"):
        if paths[option] is not None:
            raise click.ClickException(
                f"{option} takes one result, and --both makes two; leave out --both, "
                "or run it once without and once with --correlate"
            )


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

    _check_single(recording, kernel, "--steps")
    f, g = recording.values, kernel.arrays[0]
    return steps(f.astype(np.result_type(f, g)), g, at=at, **how)


def _check_single(recording: Recording, kernel: Kernel, option: str) -> None:
    """Raise for several kernels or columns, where `option` shows the sums of one."""
    if len(kernel.arrays) > 1:
        raise click.ClickException(
            f"{kernel.name} combines {len(kernel.arrays)} kernels; {option} shows one of them, "
            "such as sobel-x"
        )
    if not recording.grid and recording.values.ndim == 2:
        names = ", ".join(recording.channel_names()[:20])
        raise click.ClickException(f"{option} shows one column: choose it by --column ({names})")


def _files(
    runs: list[Convolved], paths: Mapping[str, str | None]
) -> tuple[list[tuple[str, bytes]], int]:
    """Return the files to write with their content, and how many samples had to be clipped."""
    from striate import recordings

    one = runs[0]
    recording = one.recording
    files: list[tuple[str, bytes]] = []
    clipped = 0
    if (out := paths["--out"]) is not None:
        rate = recording.rate and max(round(recording.rate / one.step), 1)
        after = dataclasses.replace(recording, values=one.result, rate=rate)
        content, clipped = recordings.encode(out, after)
        files.append((out, content))
    if (plot := paths["--plot"]) is not None:
        files.append((plot, plotted(runs, plot)))
    if (plot_f := paths["--plot-f"]) is not None:
        files.append((plot_f, plotted_signal(recording, plot_f)))
    if (slide := paths["--slide"]) is not None:
        files.append((slide, _slide(one, slide)))
    return files, clipped


def _slide(run: Convolved, path: str) -> bytes:
    """The kernel at each place in turn: all sums of a result that is small enough."""
    from striate.teaching.sliding.slide import check_slide

    _check_single(run.recording, run.kernel, "--slide")
    check_slide(run.recording.values, run.result)
    first, *others = (
        _steps(run.recording, run.kernel, run.how, at) for at in np.ndindex(run.result.shape)
    )
    each = tuple(step for one in (first, *others) for step in one)
    return slid(run, dataclasses.replace(first, steps=each), path)


def _write(files: list[tuple[str, bytes]]) -> None:
    from striate.common.atomic import write_all_atomically

    if files:
        with writing(files[0][0]):
            write_all_atomically([(path, [content]) for path, content in files])
