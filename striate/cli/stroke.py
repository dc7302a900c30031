"""`striate stroke`: the experiment with the "2" of *From Convolution to Neural Network*."""

from __future__ import annotations

import click

from striate.cli import options
from striate.cli.output import json_line, note
from striate.common.progress import Counting


@click.command(short_help='Alter a stroke of each "2", and see what survives max-pooling.')
@click.argument("source", metavar="[SOURCE]", default="digits")
@click.option("--digit", metavar="CLASS", default="2", show_default=True, help="Which class.")
@click.option(
    "--amount",
    type=options.number(0),
    default=0.5,
    show_default=True,
    metavar="A",
    help="How far the upper left stroke is brought towards level; 1 is level.",
)
@click.option(
    "--images",
    "most",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    metavar="N",
    help="Of how many digits at most.",
)
@click.option("--out", "-o", metavar="FILE", help="Draw one of them: .png, .svg, .pdf.")
@options.engine_option()
@options.output_options
def stroke(
    source: str, digit: str, amount: float, most: int, out: str | None, engine: str | None,
    as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Make the upper left stroke of each "2" of SOURCE more level, let Sobel's kernel for level
    edges answer to both, and count what survives: of the strong answers near that stroke those
    that are still there, without and with max-pooling. SOURCE is what `striate train` takes, gray;
    by default the bundled digits.

    Start with:  striate stroke --out stroke.png
    """
    from striate import data
    from striate.inspect import altered_stroke

    if out is not None:
        from striate.inspect.drawings import check_picture

        check_picture(out)
    dataset = data.load(
        source, test_fraction=0, colour=None, progress=None if quiet else Counting()
    )
    if digit not in dataset.classes:
        raise click.ClickException(
            f"{source}: has no class {digit!r}; its classes are {', '.join(dataset.classes)}"
        )
    chosen = dataset.train_labels == dataset.classes.index(digit)
    found = altered_stroke(
        dataset.train_images[chosen][:most], amount=amount,
        engine=engine or options.default_engine(),
    )  # fmt: skip
    if out is not None:
        from striate.inspect.drawings import draw_stroke, write_picture

        write_picture(out, draw_stroke(found))
        note(f"Drawn in {out}", quiet=quiet)
    if as_json:
        json_line({"source": source, "class": digit, **found.to_dict()})
    else:
        click.echo(str(found))
