"""`striate gradients`: writes out the gradients of a small convolution, term by term."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from striate.cli import options
from striate.cli.output import json_line, note, writing
from striate.cli.size import padding_quantity, quantity

if TYPE_CHECKING:
    from striate.common.arrays import Array

# The format by the ending of a file's name.
FORMS = {".md": "markdown", ".markdown": "markdown", ".tex": "latex", ".txt": "text"}


@click.command(short_help="Write out the gradients of a small convolution, and check them.")
@click.option(
    "--input",
    "-i",
    "image",
    type=options.image_size,
    default="3x3",
    show_default=True,
    metavar="HxW",
    help="Rows and columns of the input X.",
)
@click.option(
    "--filter",
    "-f",
    "taps",
    type=options.image_size,
    default="2x2",
    show_default=True,
    metavar="HxW",
    help="Rows and columns of the filter F.",
)
@click.option("--stride", "-s", type=quantity, default=1, metavar="S", help="Such as 2, or 2x1.")
@click.option(
    "--padding",
    "-p",
    type=padding_quantity,
    default=0,
    metavar="P",
    help="On each side: 1, 1x2 (vertical x horizontal), TOP,BOTTOM,LEFT,RIGHT, same or valid.",
)
@click.option("--dilation", "-d", type=quantity, default=1, metavar="D", help="Distance of taps.")
@click.option(
    "--channels", type=click.IntRange(min=1), default=1, metavar="N", help="Channels of X."
)
@click.option("--filters", type=click.IntRange(min=1), default=1, metavar="N", help="Filters F.")
@click.option("--x", "x", metavar="NUMBERS", help='X itself, such as "1 2 3; 4 5 6; 7 8 9".')
@click.option("--weights", "f", metavar="NUMBERS", help="F itself.")
@click.option(
    "--bias", "b", metavar="NUMBERS", help='A bias for each filter, such as "1 0"; none without.'
)
@click.option("--output-gradient", "gradient", metavar="NUMBERS", help="∂L/∂O itself.")
@click.option(
    "--lr",
    type=options.number(),
    default=0.1,
    show_default=True,
    metavar="A",
    help="The step of gradient descent.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Of the numbers that are not given.",
)
@click.option(
    "--only",
    metavar="NAME[,NAME…]",
    help='These sums only, such as O_11, F_12 (for ∂L/∂F_12) or, of several filters, "O^2_11".',
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "latex"]),
    help="[default: what the ending of --out says, else text]",
)
@click.option("--out", metavar="FILE", help="Write it there.")
@options.engine_option("Whose kernels to check against.  ")
@options.output_options
def gradients(
    image: Any, taps: Any, stride: Any, padding: Any, dilation: Any, channels: int, filters: int,
    x: str | None, f: str | None, b: str | None, gradient: str | None, lr: float, seed: int,
    only: str | None, form: str | None, out: str | None, engine: str | None, as_json: bool,
    quiet: bool,
) -> None:  # fmt: skip
    """Write out a small convolution: each output, the gradients of filter and input as symbols and
    as numbers, and one step of gradient descent, as article 003 does. All numbers are compared
    with the compiled kernels and with finite differences.

    Start with:  striate gradients --input 3x3 --filter 2x2
    """
    from striate.teaching.chainrule import gradients

    for name, value in (("--stride", stride), ("--dilation", dilation), ("--padding", padding)):
        if value == "any":
            raise click.UsageError(f'{name} must be a number here, not "any"')
    written = gradients.gradients(
        image, taps, stride=stride, padding=padding, dilation=dilation, channels=channels,
        filters=filters, x=_matrix(x, "--x"), f=_matrix(f, "--weights"),
        b=_matrix(b, "--bias"), gradient=_matrix(gradient, "--output-gradient"),
        learning_rate=lr, seed=seed, engine=engine or options.default_engine(),
    )  # fmt: skip
    # Of a name such as F^1,2_11 the comma belongs to it.
    names = re.findall(r"[^,^\s]+(?:\^[\d,]+_[\d,]*\d|\^\d+)?", only) if only else []
    if out is not None:
        chosen = form or FORMS.get(Path(out).suffix.lower(), "text")
        _write(Path(out), written.text(chosen, names))
        note(f"Written to {out}", quiet=quiet)
    if as_json:
        json_line(written.to_dict())
    elif out is None:
        click.echo(written.text(form or "text", names))


def _matrix(typed: str | None, name: str) -> Array | None:
    if typed is None:
        return None
    from striate.kernels.typed_numbers import parse

    numbers = parse(typed, name)
    return numbers.reshape(1, -1) if numbers.ndim == 1 else numbers


def _write(path: Path, text: str) -> None:
    from striate.common.atomic import write_atomically

    with writing(path):
        write_atomically(path, [f"{text}\n".encode()])
