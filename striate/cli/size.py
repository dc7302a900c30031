"""`striate size`: solves the size rule of a window."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from striate.cli.options import output_options
from striate.cli.output import json_line, note, one_line
from striate.common.figure_files import kind_of

if TYPE_CHECKING:
    from striate.teaching.size_answer import Fit
    from striate.teaching.size_calculator import SizeError
    from striate.teaching.size_volume import VolumeSizes

PICTURES = ("svg", "png", "pdf")


def quantity(value: Any) -> Any:
    """Read "3", "10x5" (height x width), or "any"."""
    text = str(value).strip().lower()
    if text == "any":
        return text
    if re.fullmatch("[0-9]{1,9}", text):
        return int(text)
    if re.fullmatch("[0-9]{1,9}[x×][0-9]{1,9}", text):
        down, across = re.split("[x×]", text)
        return (int(down), int(across))
    raise click.BadParameter(f'{value!r} is not a number, HxW such as 10x5, or "any"')


def volume_quantity(value: Any) -> Any:
    """Read what `quantity` reads, or a volume "7x7x3" (height x width x depth)."""
    text = str(value).strip().lower()
    if re.fullmatch("[0-9]{1,9}([x×][0-9]{1,9}){2}", text):
        return tuple(map(int, re.split("[x×]", text)))
    try:
        return quantity(text)
    except click.BadParameter:
        raise click.BadParameter(
            f'{value!r} is not a number, HxW such as 10x5, HxWxDEPTH such as 7x7x3, or "any"'
        ) from None


def padding_quantity(value: Any) -> Any:
    """Read "1", "1x2" (vertical x horizontal), "0,1,0,1", "same", "valid", or "any"."""
    text = str(value).strip().lower()
    if text in ("same", "valid"):
        return text
    if re.fullmatch("[0-9]{1,9}(,[0-9]{1,9}){3}", text):
        return tuple(map(int, text.split(",")))
    try:
        return quantity(text)
    except click.BadParameter:
        raise click.BadParameter(
            f"{value!r} is not a number, VERTICALxHORIZONTAL, TOP,BOTTOM,LEFT,RIGHT, same, valid "
            "or any"
        ) from None


padding_option = click.option(
    "--padding",
    "-p",
    type=padding_quantity,
    default=0,
    metavar="P",
    help="On each side: 1, 1x2 (vertical x horizontal), TOP,BOTTOM,LEFT,RIGHT, same or valid.",
)
"""Of commands that compute with a padding, unlike `size`, which may look for one."""


@click.command(short_help="Calculate input, filter, stride, padding or output of a window.")
@click.option(
    "--input",
    "-i",
    "pixels",
    type=volume_quantity,
    metavar="I",
    help="Pixels: 13, 10x5, or with a depth 7x7x3.",
)
@click.option("--filter", "-f", "taps", type=quantity, metavar="F", help="Taps of the window.")
@click.option("--stride", "-s", type=quantity, metavar="S", help="Step of the window.  [usually 1]")
@click.option(
    "--padding",
    "-p",
    type=padding_quantity,
    metavar="P",
    help="On each side: 1, 1x2 (vertical x horizontal), TOP,BOTTOM,LEFT,RIGHT, same or valid.  "
    "[usually 0]",
)
@click.option(
    "--dilation",
    "-d",
    type=quantity,
    metavar="N",
    help="Distance of the taps; the article's D is the depth: --filters.  [usually 1]",
)
@click.option(
    "--output",
    "-o",
    type=volume_quantity,
    metavar="O",
    help="Positions of the window; with the depth, 3x3x2.",
)
@click.option(
    "--filters",
    type=click.IntRange(min=1),
    metavar="D",
    help="How many filters there are: the depth of the output, O_d.",
)
@click.option(
    "--why", is_flag=True, help="Say why: half a filter, fence posts, and who reads which pixel."
)
@click.option(
    "--out",
    metavar="FILE",
    help="Draw the windows true to size, with padding and what is never read: .svg, .png, .pdf.",
)
@output_options
def size(
    pixels: Any,
    taps: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    output: Any,
    filters: int | None,
    why: bool,
    out: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find what is not given of the size rule O = (I - R + 2P)/S + 1, where the window spans
    R = dilation·(F - 1) + 1 pixels.

    Each is a number, or HxW for two axes; "any" asks for what would else be the usual. With
    input, filter and output, stride and padding are found. What is impossible is explained, with
    the nearest values that fit. Of a volume HxWxDEPTH the depth of the output is the number of
    filters.

    Start with:  striate size --input 13 --filter 3 --stride 2 --why --out stride.svg
    """
    from striate.teaching import size_calculator

    kind = None if out is None else kind_of(out, "a size", PICTURES)
    try:
        found = size_calculator.size(
            pixels, taps, stride=stride, padding=padding, dilation=dilation, output=output,
            filters=filters,
        )  # fmt: skip
    except size_calculator.SizeError as error:
        _show_misfit(error, why, out, kind, quiet)
        raise
    if kind is not None and out is not None:
        _draw(out, kind, [axis.fits[0] for axis in found.axes], found.volume, True, quiet)
    if as_json:
        json_line(found.to_dict())
        return
    click.echo(str(found))
    if why:
        from striate.teaching.size_reason import reason

        click.echo(f"\n{reason(found)}")


def _show_misfit(
    error: SizeError, why: bool, out: str | None, kind: str | None, quiet: bool
) -> None:
    """Show what sizes that do not fit leave over, before the error says how they would."""
    if not error.dropped:
        return
    if why:
        from striate.teaching.size_reason import misfit

        click.echo(misfit(error.dropped))
    if kind is not None and out is not None:
        _draw(out, kind, error.dropped, None, False, quiet)


def _draw(
    path: str, kind: str, laid: Sequence[Fit], volume: VolumeSizes | None, fits: bool, quiet: bool
) -> None:
    from striate.pictures.figures import write_figure
    from striate.teaching.size_drawing import size_figure

    write_figure(path, kind, lambda: size_figure(laid, volume, fits))
    note(f"Drawn in {one_line(path)}", quiet=quiet)
