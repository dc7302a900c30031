"""`striate derive`: derives a convolution from a fully connected layer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from striate.cli import options
from striate.cli.output import json_line, note, one_line, writing


def _image(value: Any) -> tuple[int, ...]:
    """Read the shape of an image: "3x3", "32x32x3"."""
    sides = options.sides(value)
    if len(sides) not in (2, 3):
        raise click.BadParameter(
            f"{value!r} is not the size of an image such as 3x3 or 32x32x3 (height x width, x "
            "channels)"
        )
    return sides


def _neurons(value: Any) -> tuple[int, ...]:
    """Read the neurons of one layer or of several: "16", "90,50"."""
    if isinstance(value, tuple):
        return value
    words = str(value).split(",")
    if not all(re.fullmatch(" *[0-9]{1,9} *", word) and int(word) for word in words):
        raise click.BadParameter(
            f"{value!r} is not a number of neurons such as 16, or of several layers such as 90,50"
        )
    return tuple(int(word) for word in words)


def _padding(value: Any) -> Any:
    """Read one number, or "1,2" or "1,2,0,3"; other words, such as "same", stay text."""
    text = str(value).strip().lower()
    if not re.fullmatch("[0-9, ]+", text):
        return text
    numbers = tuple(int(word) for word in text.split(",") if word.strip())
    return numbers[0] if len(numbers) == 1 else numbers


def _names(value: Any) -> tuple[str, str]:
    """Read the letters of inputs and neurons: "x,s"."""
    if isinstance(value, tuple):
        return value
    words = [word.strip() for word in str(value).split(",")]
    if len(words) != 2 or not all(re.fullmatch("[A-Za-z]{1,3}", word) for word in words):
        raise click.BadParameter(
            f"{value!r} are not the letters of inputs and neurons, such as x,s"
        )
    return words[0], words[1]


def _numbers(typed: str, name: str) -> Any:
    from striate.kernels.typed_numbers import parse

    return parse(typed, name)


def _own_filters(typed: str) -> Any:
    """Filters of one channel, parted by "|", as (height, width, 1, filters)."""
    import numpy as np

    made = [np.atleast_2d(_numbers(part, "--weights")) for part in typed.split("|")]
    if len({one.shape for one in made}) > 1:
        shapes = ", ".join("×".join(map(str, one.shape)) for one in made)
        raise click.UsageError(f"--weights: the filters have unequal sizes {shapes}")
    return np.stack(made, axis=-1)[:, :, None]


@click.command(short_help="Walk from a fully connected layer to a convolution.")
@click.option(
    "--image",
    type=_image,
    default="3x3",
    show_default=True,
    metavar="HxW[xC]",
    help="Height, width and channels of the image.",
)
@click.option(
    "--neurons",
    type=_neurons,
    default="16",
    show_default=True,
    metavar="N[,N…]",
    help="Neurons of the layer; of several dense layers, the first of which is derived.",
)
@click.option(
    "--group",
    type=click.IntRange(min=1),
    metavar="N",
    help="Successive neurons that share weights.  [default: as many as a window has positions]",
)
@click.option(
    "--window",
    type=options.image_size,
    metavar="HxW",
    help="What a neuron looks at.  [default: near to 3x3, with a position for each neuron of a "
    "group]",
)
@click.option("--stride", type=options.image_size, metavar="N", help="The step between windows.")
@click.option(
    "--padding",
    type=_padding,
    metavar="P",
    help="Zeros around the image: a number, top,bottom,left,right, valid or same.",
)
@click.option(
    "--on",
    "picture",
    metavar="FILE",
    help="The image to look at, stretched to that size.  [default: a handwritten digit]",
)
@click.option(
    "--values",
    metavar="NUMBERS",
    help='The image itself, such as "1 2 3; 4 5 6; 7 8 9", as many as --image has.',
)
@click.option(
    "--weights",
    metavar="NUMBERS",
    help='The filter itself, such as "1 0; 0 -1", not flipped; of several "1 0; 0 -1 | 2 1; '
    '0 3", of one channel.',
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Of the random weights.")  # fmt: skip
@click.option("--measure", is_flag=True, help="Run each stage, and tell time and memory.")
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    metavar="N",
    help="Images of a batch for --measure.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads for --measure.  [default: one per core]",
)
@click.option(
    "--out",
    "-o",
    metavar="FILE",
    help="Write it all with drawings: .html, .png, .svg or .pdf; or .json.",
)
@click.option(
    "--stage",
    metavar="NAME|1…12",
    help="Draw this figure only, by its name or its number in the article: pixels, vector, "
    "neurons, dense, grouped, one-pixel, unique, one-neuron, correlation, patch, weights, slide; "
    "or local, convolution, planes, depth, volume, sigma.",
)
@click.option("--pixel", type=int, metavar="N", help="The pixel that --stage singles out, from 0.")
@click.option("--neuron", type=int, metavar="N", help="The neuron that it singles out, from 0.")
@click.option(
    "--names",
    type=_names,
    metavar="X,S",
    help="Letters of its inputs and neurons, numbered from 1, such as x,s in the article 002.",
)
@options.output_options
def derive(
    image: tuple[int, ...],
    neurons: tuple[int, ...],
    group: int | None,
    window: tuple[int, int] | None,
    stride: tuple[int, int] | None,
    padding: Any,
    picture: str | None,
    values: str | None,
    weights: str | None,
    seed: int,
    measure: bool,
    batch_size: int,
    threads: int | None,
    out: str | None,
    stage: str | None,
    pixel: int | None,
    neuron: int | None,
    names: tuple[str, str] | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Walk from a fully connected layer to a convolution, for any image and number of neurons:
    neurons that are grouped to share weights, then look at patches only, and so are a convolution.

    Each stage is counted, computed on a real image with random weights, and compared.
    """
    from striate.teaching.derivation import derive as derivation_of

    if stage is None and (pixel is not None or neuron is not None):
        raise click.UsageError("--pixel and --neuron say what --stage singles out; name a --stage")
    if stage is None and names is not None:
        raise click.UsageError("--names are those of --stage; name a --stage")
    if stage is not None:
        from striate.teaching.derivation.figure_connections import figure_called

        figure_called(stage)
    if stage is not None and out is None:
        raise click.UsageError("--stage says what --out draws; give --out FILE.png too")
    _check_places(picture, out)
    derived = derivation_of(
        image,
        neurons,
        group,
        window,
        stride=stride,
        padding=padding,
        on=picture,
        values=None if values is None else _numbers(values, "--values"),
        weights=None if weights is None else _own_filters(weights),
        seed=seed,
        engine=options.default_engine(),
        measure=measure,
        batch_size=batch_size,
        threads=threads,
    )
    if out is not None:
        with writing(out):
            derived.save(out, stage, pixel=pixel, neuron=neuron, names=names)
        note(f"Written to {one_line(out)}", quiet=quiet)
    if as_json:
        json_line(derived.to_dict())
    else:
        click.echo(str(derived))


def _check_places(picture: str | None, out: str | None) -> None:
    """What can be found out before any work is done."""
    from striate.teaching.derivation.files import check_kind

    """Raise for files that cannot be read or written, before any work is done."""

    if picture is not None and not Path(picture).is_file():
        raise click.ClickException(f"{picture}: there is no such file")
    if out is not None:
        check_kind(out)
        if not Path(out).parent.is_dir():
            raise click.ClickException(f"{out}: there is no folder {Path(out).parent}")
        if Path(out).is_dir():
            raise click.ClickException(f"{out}: is a folder")
