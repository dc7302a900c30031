"""Types of arguments, and options that several commands have."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from striate.engines.views import VIEWS

Command = TypeVar("Command", bound=Callable[..., Any])


def number(
    minimum: float = -math.inf,
    below: float = math.inf,
    *,
    above: bool = False,
    or_equal: bool = False,
) -> Callable[[Any], float]:
    """Return the type of a finite number that is at least `minimum` and below `below`.

    It exists because click's own range accepts "nan".

    Args:
        minimum, below: the bounds.
        above: whether the number must be above `minimum`.
        or_equal: whether the number may be `below` itself.
    """
    bounds = f"{'above' if above else 'at least'} {minimum:g}"
    if math.isfinite(below):
        bounds += f" and {'at most' if or_equal else 'below'} {below:g}"

    def convert(value: Any) -> float:
        try:
            given = float(value)
        except ValueError:
            given = math.nan
        enough = given > minimum if above else given >= minimum
        if not (
            math.isfinite(given) and enough and (given < below or (or_equal and given == below))
        ):
            raise click.BadParameter(f"{value!r} is not a number {bounds}")
        return given

    return convert


def image_size(value: Any) -> tuple[int, int]:
    """Read height and width of images: "32" or "32x48"."""
    given = sides(value)
    if len(given) not in (1, 2):
        raise click.BadParameter(f"{value!r} is not a size such as 32 or 32x48 (height x width)")
    return given[0], given[-1]


def image_shape(value: Any) -> tuple[int, int, int]:
    """Read height, width and channels of images: "28x28x1"."""
    given = sides(value)
    if len(given) != 3:
        raise click.BadParameter(
            f"{value!r} is not a shape such as 28x28x1 (height x width x channels)"
        )
    return given[0], given[1], given[2]


def sides(value: Any) -> tuple[int, ...]:
    """Read whole numbers with "x" between them: "28x28x1"; () for anything else."""
    if isinstance(value, tuple):
        return value
    parts = re.split("[x×]", str(value).strip().lower())
    if not all(re.fullmatch("[0-9]{1,5}", part) and int(part) for part in parts):
        return ()
    return tuple(map(int, parts))


def byte_count(value: Any) -> int:
    """Read a number of bytes: "2GB", "500MiB", "1.5G", "1000000"; GB and GiB are 1024³ here."""
    if isinstance(value, int):
        return value
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([kmgt]?)(?:i?b)?", str(value).lower())
    if match is None:
        raise click.BadParameter(f"{value!r} is not a size such as 2GB, 500MB or 1000000 (bytes)")
    return int(float(match[1]) * 1024 ** ("kmgt".find(match[2]) + 1 if match[2] else 0))


def engine_options(command: Command) -> Command:
    """Add --engine and --threads."""
    command = click.option(
        "--threads",
        type=click.IntRange(min=1),
        help="Threads to compute with.  [default: one per core]",
    )(command)
    return engine_option("llvm: compiled kernels; numpy: readable, slow.  ")(command)


def engine_option(help: str = "") -> Callable[[Command], Command]:
    """Add --engine; `help` stands before its default."""
    return click.option(
        "--engine",
        type=click.Choice(["llvm", "numpy"]),
        help=f"{help}[default: llvm where llvmlite is installed]",
    )


def views_option(command: Command) -> Command:
    """Add --views."""
    return click.option(
        "--views",
        type=click.Choice([*VIEWS]),
        default="plain",
        show_default=True,
        help="Average over views of each image: mirrored takes 2 times, moved 6 times as long.",
    )(command)


def network_file_options(command: Command) -> Command:
    """Add --input-shape and --classes, which a network file may leave open."""
    command = click.option(
        "--classes",
        type=click.IntRange(min=2),
        metavar="N",
        help='What "classes" stands for in a network file.  [default: 10; of an architecture its '
        "paper's]",
    )(command)
    return click.option(
        "--input-shape",
        type=image_shape,
        metavar="HxWxC",
        help="The shape of the images, for an architecture or a network file that does not say it.",
    )(command)


def plan_options(command: Command) -> Command:
    """Add the options of a network file and of its compiled plan."""
    command = network_file_options(command)
    for option in reversed(
        (
            click.option(
                "--batch-size",
                type=click.IntRange(min=1),
                default=64,
                show_default=True,
                metavar="N",
                help="Images of a batch: each size has a plan of its own.",
            ),
            click.option(
                "--training/--inference",
                default=True,
                help="A training step, or what Network.compile makes.  [default: training]",
            ),
            click.option("--exact", is_flag=True, help="No Winograd: sums as they are written."),
            click.option("--bfloat16", is_flag=True, help="Products in bfloat16 where faster."),
            click.option(
                "--threads",
                type=click.IntRange(min=1),
                metavar="N",
                help="Threads to compute with.  [default: one per core]",
            ),
        )
    ):
        command = option(command)
    return command


def output_options(command: Command) -> Command:
    """Add --json and --quiet."""
    command = click.option(
        "--quiet", "-q", is_flag=True, help="No progress and no notes on standard error."
    )(command)
    return click.option(
        "--json", "as_json", is_flag=True, help="Print the result as one line of JSON."
    )(command)


def part_option(command: Command) -> Command:
    """Add --part."""
    return click.option(
        "--part",
        type=click.Choice(["test", "train", "all"]),
        help="Which images of SOURCE.  [default: its test images, without those that the network "
        "was trained on; all, where it has none of its own and the network was not trained on it]",
    )(command)


def skip_bad_option(command: Command) -> Command:
    """Add --skip-bad."""
    return click.option(
        "--skip-bad", is_flag=True, help="Go on without images that cannot be read; name them."
    )(command)


def max_pixels_option(command: Command) -> Command:
    """Add --max-pixels."""
    return click.option(
        "--max-pixels",
        type=click.IntRange(min=1),
        metavar="N",
        help="Refuse image files with more pixels to decode.  [default: 100000000]",
    )(command)


def default_engine() -> str:
    """Return "llvm", or "numpy" where llvmlite is not installed."""
    from importlib.util import find_spec

    return "llvm" if find_spec("llvmlite") else "numpy"


class ResumableCommand(click.Command):
    """A command whose option --resume may stand alone, and anywhere."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give the option that stands alone a value, which click would take from what follows."""
        found: list[str] = []
        for index, argument in enumerate(args):
            if argument == "--":
                return super().parse_args(ctx, found + args[index:])
            if argument == "--resume":
                found.append("--resume=yes")
            elif argument == "any" and found and found[-1] == "--resume=yes":
                found[-1] = "--resume=any"
            else:
                found.append(argument)
        return super().parse_args(ctx, found)
