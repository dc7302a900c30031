"""`striate filter`: convolves photos with kernels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from striate.cli import options
from striate.cli.output import json_line, note, one_line
from striate.common.tables import table
from striate.common.text import sizes

if TYPE_CHECKING:
    from striate.cli.output_paths import InputAndOutput
    from striate.common.arrays import Array
    from striate.kernels import Kernel
    from striate.pictures import Picture

    # The pixels that were written, and notes on what the file lacks.
    Written = tuple[Array, list[str]]

SAMPLE = "grace-hopper"


@dataclass(frozen=True)
class PhotoFilter:
    """How photos are filtered; the attributes are the arguments of `striate.filter_image`."""

    chain: tuple[Kernel, ...]
    border: str
    fill_value: float
    offset: float
    gray: bool

    def apply(self, pixels: Array) -> Array:
        """Return the filtered pixels."""
        from striate.signal.filter_image import filter_image

        return filter_image(
            pixels,
            self.chain,
            border=self.border,
            fill_value=self.fill_value,
            offset=self.offset,
            gray=self.gray,
        )

    def labels(self, rows: int | None) -> list[str]:
        """Return a name for each kernel, for the names of files."""
        from striate.kernels.registry import is_name
        from striate.pictures.comparison import label

        names = []
        for kernel in self.chain:
            sized = rows is not None and is_name(kernel.name) and not kernel.name[-1].isdigit()
            names.append(f"{label(kernel)}{rows if sized else ''}")
        return names

    def footer(self) -> str:
        """Return the text below a comparison: all settings but the kernels."""
        parts = ["convolution: the kernel is turned by 180° and laid on every pixel"]
        border = f"border: {self.border}"
        parts.append(f"{border} {self.fill_value:g}" if self.border == "fill" else border)
        if self.gray:
            parts.append("gray first")
        if self.offset:
            parts.append(f"{self.offset:+g}".replace("-", "−"))
        return "   ·   ".join(parts)


@click.command(name="filter", short_help="Filter photos: blur, sharpen, find edges.")
@click.argument("photos", metavar="[PHOTO]...", nargs=-1)
@click.option(
    "--kernel",
    "-k",
    "given",
    multiple=True,
    metavar="NAME|NUMBERS|FILE",
    help='A name (see --list), numbers such as "0 -1 0; -1 5 -1; 0 -1 0", or a file of numbers. '
    "Several make a chain, in this order; a number alone multiplies.",
)
@click.option(
    "--size",
    "-s",
    "rows",
    type=click.IntRange(min=1),
    metavar="N",
    help="Rows and columns of the kernels given by name.",
)
@click.option(
    "--border",
    default="reflect",
    show_default=True,
    metavar="NAME",
    help="What lies beyond the edge: reflect, mirror, nearest, wrap, or fill (a frame).",
)
@click.option(
    "--fill-value",
    type=options.number(),
    default=0,
    metavar="V",
    help="The brightness beyond the edge with --border fill.  [default: 0, black]",
)
@click.option(
    "--offset",
    type=options.number(),
    default=0,
    metavar="V",
    help="Add this to the result: 128 shows what is negative in 8-bit photos.",
)
@click.option("--gray", is_flag=True, help="Turn colours to gray first.")
@click.option(
    "--compare",
    is_flag=True,
    help="Write photo, kernels and result side by side in one picture.",
)
@click.option(
    "--out",
    "-o",
    metavar="OUT",
    help="File to write, or folder for several photos.  [default: beside the photo, named after "
    "it and the kernels]",
)
@click.option("--list", "listing", is_flag=True, help="List the kernels and end.")
@options.skip_bad_option
@options.max_pixels_option
@options.output_options
def filter_command(
    photos: tuple[str, ...],
    given: tuple[str, ...],
    rows: int | None,
    border: str,
    fill_value: float,
    offset: float,
    gray: bool,
    compare: bool,
    out: str | None,
    listing: bool,
    skip_bad: bool,
    max_pixels: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Convolve each PHOTO with a kernel and print the name of the file that is written.

    A PHOTO is an image file, a folder (its image files, at any depth) or a pattern such as
    "scans/*.png"; without one it is the photograph of Grace Hopper that matplotlib ships. Photos
    come out upright, animations frame by frame, and 16 bits, alpha and colour profile are kept.

    Start with:  striate filter --kernel laplace --compare
    """
    if listing:
        _list(as_json)
        return
    if not given:
        raise click.UsageError(
            "give a kernel, such as --kernel laplace; --list shows those with a name"
        )
    from striate.cli.bar import FileBar
    from striate.cli.output_paths import plan
    from striate.pictures.comparison import ENDINGS
    from striate.signal.filter_image import resolve_chain
    from striate.signal.geometry import BORDERS, check_name

    check_name("--border", border, BORDERS)
    chain = resolve_chain(list(given), rows)
    settings = PhotoFilter(chain, border, fill_value, offset, gray)
    suffix = "".join(f"-{name}" for name in settings.labels(rows))
    jobs = plan(photos, out, suffix, sample=SAMPLE, compare=ENDINGS if compare else ())
    written: list[dict[str, Any]] = []
    skipped: list[str] = []
    notes: list[str] = []
    with FileBar(len(jobs), "filtering", quiet=quiet) as bar:
        for job in jobs:
            try:
                picture = _read(job.source, max_pixels)
            except ValueError as error:
                if not skip_bad:
                    raise
                skipped.append(str(error))
            else:
                frame, lost = (_compare if compare else _filter)(picture, job, settings)
                notes += lost
                written.append(
                    {"photo": _name(job), "written": str(job.target), "shape": frame.shape}
                )
                if not as_json:
                    bar.print(f"{job.target}: {sizes(frame.shape)}")
            bar.advance()
    for sentence in notes:
        note(one_line(sentence), quiet=quiet)
    for reason in skipped:
        note(f"skipped {one_line(reason)}", quiet=quiet)
    if not written:
        raise click.ClickException("none of the photos can be read")
    if as_json:
        kernels = [kernel.name for kernel in chain]
        json_line({"kernels": kernels, "border": border, "photos": written, "skipped": skipped})


def _read(source: Path | None, max_pixels: int | None) -> Picture:
    from striate import pictures
    from striate.data.dataset import MAX_PIXELS

    if source is None:
        return pictures.grace_hopper()
    return pictures.read_picture(source, max_pixels=max_pixels or MAX_PIXELS)


def _name(job: InputAndOutput) -> str:
    return f"{SAMPLE} (the sample)" if job.source is None else str(job.source)


def _filter(
    picture: Picture, job: InputAndOutput, settings: PhotoFilter
) -> tuple[Array, list[str]]:
    """Write the filtered picture; return its first frame, and notes on what the file lacks."""
    from striate.pictures import write_picture

    result = picture.map(settings.apply)
    job.target.parent.mkdir(parents=True, exist_ok=True)
    return result.frames[0], write_picture(job.target, result)


def _compare(
    picture: Picture, job: InputAndOutput, settings: PhotoFilter
) -> tuple[Array, list[str]]:
    """Write the comparison; return the filtered pixels, and a note on frames left out."""
    from striate.pictures.comparison import write_comparison

    before = picture.frames[0]
    after = settings.apply(before)
    job.target.parent.mkdir(parents=True, exist_ok=True)
    title = "Grace Hopper" if job.source is None else job.source.name
    write_comparison(
        job.target, before, settings.chain, after, title=title, footer=settings.footer()
    )
    count = len(picture.frames)
    lost = f"{_name(job)}: the comparison shows the first of {count} frames"
    return after, [lost] if count > 1 else []


def _list(as_json: bool) -> None:
    """Print the kernels for images."""
    from striate import kernels

    found = {name: kernels.describe(name, 2) for name in kernels.names(2)}
    if as_json:
        json_line({"kernels": found})
        return
    click.echo(table(list(found.items()), left=2))
    click.echo("\nDigits behind a name are the size: mean5 is the mean of 5×5 pixels.")
