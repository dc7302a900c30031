"""`striate gradients`: writes out the gradients of a small convolution, term by term."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from striate.cli import options
from striate.cli.chained_layers import chained_layers, in_then
from striate.cli.cures import as_options, in_options
from striate.cli.output import json_line, note, writing
from striate.cli.size import padding_option, quantity
from striate.cli.typed_planes import HOW, read_filters, read_names, read_planes

if TYPE_CHECKING:
    from striate.teaching.chainrule.gradients import ChainGradients, Gradients

FORMS = {
    ".md": "markdown", ".markdown": "markdown", ".tex": "latex", ".txt": "text", ".html": "html",
}  # fmt: skip
"""The format by the ending of a file's name."""
PICTURES = (".svg", ".png", ".pdf")


@click.command(short_help="Write out the gradients of a small convolution, and check them.")
@click.option(
    "--input",
    "-i",
    "image",
    type=options.image_size,
    metavar="HxW",
    help="Rows and columns of the input X.  [default: 3x3, or those of --x]",
)
@click.option(
    "--filter",
    "-f",
    "taps",
    type=options.image_size,
    metavar="HxW",
    help="Rows and columns of the filter F.  [default: 2x2, or those of --weights]",
)
@click.option("--stride", "-s", type=quantity, default=1, metavar="S", help="Such as 2, or 2x1.")
@padding_option
@click.option("--dilation", "-d", type=quantity, default=1, metavar="D", help="Distance of taps.")
@click.option(
    "--channels",
    type=click.IntRange(min=1),
    metavar="N",
    help="Channels of X.  [default: 1, or those of --x]",
)
@click.option(
    "--filters",
    type=click.IntRange(min=1),
    metavar="N",
    help="Filters F.  [default: 1, or those of --weights]",
)
@click.option(
    "--x",
    "x",
    metavar="NUMBERS|FILE",
    help='X itself, such as "1 2; 3 4 | 5 6; 7 8" with two channels. ' + HOW,
)
@click.option("--weights", "f", metavar="NUMBERS|FILE", help="F itself, written in the same way.")
@click.option(
    "--bias", "b", metavar="NUMBERS", help='A bias for each filter, such as "1 0"; none without.'
)
@click.option(
    "--then",
    multiple=True,
    metavar="LAYER",
    help='The next layer behind F; may be repeated: a filter such as 3x3 or "3x3 stride=2 '
    'padding=1 filters=2", relu, or pool=2x2. A filter may have dilation, weights and bias, too.',
)
@click.option(
    "--output-gradient",
    "gradient",
    metavar="NUMBERS|FILE",
    help="∂L/∂O itself, of the last layer, a plane for each filter.",
)
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
    help='These sums only, such as O_11, F_12 (for ∂L/∂F_12) or, of several filters, "O^2_11"; '
    "with --then O2_11 of layer 2.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "latex", "html"]),
    help="[default: what the ending of --out says, else text]",
)
@click.option(
    "--out",
    metavar="FILE",
    help="Write it there: .txt, .md, .tex, .html; or draw it: .svg, .png, .pdf.",
)
@options.engine_option("Whose kernels to check against.  ")
@options.output_options
def gradients(
    image: Any, taps: Any, stride: Any, padding: Any, dilation: Any, channels: int | None,
    filters: int | None,
    x: str | None, f: str | None, b: str | None, then: tuple[str, ...], gradient: str | None,
    lr: float, seed: int, only: str | None, form: str | None, out: str | None,
    engine: str | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Write out a small convolution: each output, the gradients of filter and input as symbols and
    as numbers, and one step of gradient descent, as article 003 does. All numbers are compared
    with the compiled kernels and with finite differences. With --then several layers follow each
    other, and ∂L/∂X of each is the ∂L/∂O of the one before.

    Start with:  striate gradients --input 3x3 --filter 2x2
    """
    from striate.teaching.chainrule import gradients

    for name, value in (("--stride", stride), ("--dilation", dilation), ("--padding", padding)):
        if value == "any":
            raise click.UsageError(f'{name} must be a number here, not "any"')
    if out is not None:
        _check_ending(out, form)
    xs = read_planes(x, "--x")
    depth = channels if xs is None else xs.shape[2]
    with as_options(in_then if then else in_options):
        written = gradients.gradients(
            image, taps, stride=stride, padding=padding, dilation=dilation, channels=channels,
            filters=filters, x=xs, f=read_filters(f, "--weights", depth),
            b=read_planes(b, "--bias"), gradient=read_planes(gradient, "--output-gradient"),
            then=chained_layers(then), learning_rate=lr, seed=seed,
            engine=engine or options.default_engine(),
        )  # fmt: skip
    names = read_names(only)
    if out is not None:
        _write(Path(out), written, form, names)
        note(f"Written to {out}", quiet=quiet)
    if as_json:
        json_line(written.to_dict())
    elif out is None:
        click.echo(written.text(form or "text", names))


def _check_ending(out: str, form: str | None) -> None:
    """Refuse a file of which nobody could say what it is.

    Raises:
        click.BadParameter: the ending is unknown, or is a picture's, and a format is asked for.
    """
    ending = Path(out).suffix.lower()
    if ending in PICTURES:
        if form is not None:
            raise click.BadParameter(f"--out {out}: a picture has no format {form}")
    elif ending and ending not in FORMS and form is None:
        endings = ", ".join([*FORMS, *PICTURES])
        raise click.BadParameter(f"--out {out}: it must end in {endings}")


def _write(
    path: Path, written: Gradients | ChainGradients, form: str | None, names: tuple[str, ...]
) -> None:
    from striate.common.atomic import write_atomically

    ending = path.suffix.lower()
    if ending in PICTURES:
        from striate.pictures.figures import write_figure
        from striate.teaching.chainrule import contents
        from striate.teaching.chainrule.gradient_drawing import gradient_figure

        chosen = contents.chosen(written, names)
        write_figure(path, ending[1:], lambda: gradient_figure(written, chosen))
        return
    text = written.text(form or FORMS.get(ending, "text"), names)
    with writing(path):
        write_atomically(path, [f"{text}\n".encode()])
