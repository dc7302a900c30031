"""`striate pool`: pools numbers or an image, and says why each output is what it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from striate.cli import options
from striate.cli.cures import as_options, in_options_with_uncovered
from striate.cli.output import json_line, note, one_line
from striate.cli.size import padding_option, quantity
from striate.cli.typed_planes import HOW, read_names, read_planes

if TYPE_CHECKING:
    from striate.common.arrays import Array

PICTURES = ("svg", "png", "pdf")


@click.command(short_help="Max, average and sum pooling, window by window, and the way back.")
@click.option(
    "--kind",
    "-k",
    type=click.Choice(["max", "average", "sum"]),
    default="max",
    show_default=True,
    help="What an output is of the numbers of its window.",
)
@click.option(
    "--window",
    "-w",
    type=options.image_size,
    default="2x2",
    show_default=True,
    metavar="HxW",
    help="Rows and columns of a window.",
)
@click.option(
    "--stride",
    "-s",
    type=quantity,
    metavar="S",
    help="Step of the window, such as 2, or 2x1.  [default: the window's size, side by side]",
)
@padding_option
@click.option(
    "--dilation", "-d", type=quantity, default=1, metavar="N", help="Distance of a window's pixels."
)
@click.option(
    "--count-padding", is_flag=True, help="Means count padding as zeros; else only real numbers."
)
@click.option(
    "--uncovered",
    type=click.Choice(["error", "drop", "overhang"]),
    default="error",
    show_default=True,
    help="Rows and columns at the end that no window reaches: refuse the size, leave them unread, "
    "or let a last window hang over.",
)
@click.option(
    "--x", "x", metavar="NUMBERS|FILE", help='X itself, such as "1 3 2 4; 5 6 7 8". ' + HOW
)
@click.option("--on", "picture", metavar="FILE", help="An image file as X, with values 0 to 255.")
@click.option(
    "--input",
    "-i",
    "image",
    type=options.image_size,
    metavar="HxW",
    help="Rows and columns of a random X, or to which the image is stretched.  [default: 4x4]",
)
@click.option("--channels", type=click.IntRange(min=1), metavar="N",
              help="Channels of a random X.  [default: 1]")  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, metavar="N", help="Of random numbers."
)
@click.option("--gradient", "backward", is_flag=True, help="Say where ∂L/∂O goes, too.")
@click.option(
    "--output-gradient",
    "gradient",
    metavar="NUMBERS|FILE",
    help="∂L/∂O itself, a plane for each channel; --gradient alone draws it at random.",
)
@click.option("--only", metavar="NAME[,NAME…]", help="These windows only, such as O_11 or O^2_11.")
@click.option(
    "--out", "-o", "--plot", "out", metavar="FILE",
    help="Draw it: a window has a colour, winners are circled (.svg, .png, .pdf).",
)  # fmt: skip
@options.engine_option("Whose kernels pool.  ")
@options.output_options
def pool(
    kind: str, window: Any, stride: Any, padding: Any, dilation: Any, count_padding: bool,
    uncovered: str, x: str | None, picture: str | None, image: Any, channels: int | None,
    seed: int, backward: bool, gradient: str | None, only: str | None, out: str | None,
    engine: str | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Pool X: of each window its largest number, its mean or its sum. Every window is written out,
    with the winner, and with --gradient where the gradient of its output goes. All numbers are
    those of the layers MaxPool2D, AvgPool2D and SumPool2D.

    Start with:  striate pool --x "1 3 2 4; 5 6 7 8; 3 2 1 0; 1 2 3 4" --gradient --out pool.svg
    """
    from striate.teaching.pooling.pooled import pooled

    for name, value in (("--stride", stride), ("--dilation", dilation), ("--padding", padding)):
        if value == "any":
            raise click.UsageError(f'{name} must be a number here, not "any"')
    if x is not None and picture is not None:
        raise click.UsageError("--x and --on are both X; give one of them")
    if out is not None:
        from striate.common.figure_files import kind_of

        kind_of(out, "a pooling", PICTURES)
    values = read_planes(x, "--x") if picture is None else _image(picture, image)
    source = "" if picture is None else one_line(Path(picture).name)
    with as_options(in_options_with_uncovered):
        made = pooled(
            kind, window, stride=stride, padding=padding, dilation=dilation,
            count_padding=count_padding, uncovered=uncovered, input=image, channels=channels,
            x=values, source=source, gradient=read_planes(gradient, "--output-gradient"),
            backward=backward, seed=seed, engine=engine or options.default_engine(),
        )  # fmt: skip
    names = read_names(only)
    text = made.text(names)
    if out is not None:
        from striate.pictures.figures import write_figure
        from striate.teaching.pooling.pooling_drawing import pooling_figure

        write_figure(out, kind_of(out, "a pooling", PICTURES), lambda: pooling_figure(made, names))
        note(f"Drawn in {one_line(out)}", quiet=quiet)
    if as_json:
        json_line(made.to_dict())
    else:
        click.echo(text)


def _image(path: str, size: tuple[int, int] | None) -> Array:
    """The pixels (height, width, channels) of an image file, without alpha, stretched to `size`."""
    if size is not None:
        from striate.data.images import decode_images

        decoded: Array = decode_images([path], size=size, mode="stretch").images[0]
        return decoded
    from striate.pictures.picture import has_alpha
    from striate.pictures.reading import read_picture

    pixels = read_picture(path).frames[0]
    pixels = pixels[..., :-1] if has_alpha(pixels) else pixels
    return pixels if pixels.ndim == 3 else pixels[..., None]
