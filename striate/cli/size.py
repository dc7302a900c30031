"""`striate size`: solves the size rule of a window."""

from __future__ import annotations

import re
from typing import Any

import click

from striate.cli.options import output_options
from striate.cli.output import json_line


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


@click.command(short_help="Calculate input, filter, stride, padding or output of a window.")
@click.option("--input", "-i", "pixels", type=quantity, metavar="I", help="Pixels: 13, or 10x5.")
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
    "--dilation", "-d", type=quantity, metavar="D", help="Distance of the taps.  [usually 1]"
)
@click.option("--output", "-o", type=quantity, metavar="O", help="Positions of the window.")
@output_options
def size(
    pixels: Any,
    taps: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    output: Any,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find what is not given of the size rule O = (I - R + 2P)/S + 1, with R = D·(F - 1) + 1.

    Each is a number, or HxW for two axes; "any" asks for what would else be the usual. With
    input, filter and output, stride and padding are found. What is impossible is explained, with
    the nearest values that fit.

    Start with:  striate size --input 13 --filter 3 --stride 2
    """
    from striate.teaching import size_calculator

    found = size_calculator.size(
        pixels, taps, stride=stride, padding=padding, dilation=dilation, output=output
    )
    if as_json:
        json_line(found.to_dict())
        return
    click.echo(str(found))
