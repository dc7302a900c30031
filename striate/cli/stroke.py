"""`striate stroke`: the experiment with the "2" of *From Convolution to Neural Network*."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from striate.cli import options
from striate.cli.output import json_line, note
from striate.common.progress import Counting

if TYPE_CHECKING:
    from striate.inspect import AlteredStroke

DRAWN = "drawn"
MOST = 500  # digits of a data set


@click.command(short_help='Alter a stroke of a "2", and see what survives max-pooling.')
@click.argument("source", metavar="[SOURCE]", default=DRAWN)
@click.option("--digit", metavar="CLASS", default="2", show_default=True, help="Which class.")
@click.option(
    "--change",
    type=click.Choice(["hook", "slant"]),
    default="hook",
    show_default=True,
    help="hook: the upper left line is brought towards level; slant: the whole digit leans to the "
    "right, which only a drawn one can.",
)
@click.option(
    "--amount",
    type=options.number(0),
    default=0.5,
    show_default=True,
    metavar="A",
    help="How far: a hook of 1 is level, a slant of 1 moves the top by a quarter of the height. "
    "Images move by whole pixels, at most an eighth of their height: on 8×8 pixels half of a "
    "slope of one is nothing. Digits that do not change are left out, and counted.",
)
@click.option(
    "--images",
    "most",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"How many are drawn, or taken of SOURCE at most.  [default: 1 drawn, {MOST} of SOURCE]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help='By which hand a "2" is drawn; of several the next ones have the numbers after it.',
)
@click.option("--out", "-o", metavar="FILE", help="Draw one of them: .png, .svg, .pdf.")
@options.engine_option()
@options.output_options
def stroke(
    source: str, digit: str, change: str, amount: float, most: int | None, seed: int,
    out: str | None, engine: str | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Alter a "2", let Sobel's kernel for level edges answer to it before and after, and count
    what survives: of the strong answers near what changed those that are still there, without and
    with max-pooling. SOURCE is drawn, a "2" of 28×28 pixels that the command draws itself; or what
    `striate train` takes, gray, such as digits, the 8×8 ones that come along.

    Start with:  striate stroke --out stroke.png
    """
    if out is not None:
        from striate.inspect.drawings import check_picture

        check_picture(out)
    engine = engine or options.default_engine()
    if source == DRAWN:
        found = _drawn(digit, change, amount, most or 1, seed, engine)
    else:
        found = _of_images(source, digit, change, amount, most or MOST, engine, quiet)
    if out is not None:
        from striate.inspect.drawings import write_picture
        from striate.inspect.stroke_drawing import draw_stroke

        write_picture(out, draw_stroke(found))
        note(f"Drawn in {out}", quiet=quiet)
    if as_json:
        json_line({"source": source, "class": digit, **found.to_dict()})
    else:
        click.echo(str(found))


def _drawn(
    digit: str, change: str, amount: float, count: int, seed: int, engine: str
) -> AlteredStroke:
    from striate.inspect import altered_two

    if digit != "2":
        raise click.ClickException(f'{DRAWN}: only the digit 2 is drawn, got "{digit}"')
    return altered_two(count, seed=seed, change=change, amount=amount, engine=engine)


def _of_images(
    source: str, digit: str, change: str, amount: float, most: int, engine: str, quiet: bool
) -> AlteredStroke:
    from striate import data
    from striate.inspect import altered_stroke

    if change != "hook":
        raise click.ClickException(
            f"--change {change} needs a digit that is drawn anew; leave out {source}, or --change"
        )
    dataset = data.load(
        source, test_fraction=0, colour=None, progress=None if quiet else Counting()
    )
    if digit not in dataset.classes:
        raise click.ClickException(
            f"{source}: has no class {digit!r}; its classes are {', '.join(dataset.classes)}"
        )
    chosen = dataset.train_labels == dataset.classes.index(digit)
    return altered_stroke(dataset.train_images[chosen][:most], amount=amount, engine=engine)
