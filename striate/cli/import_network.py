"""`striate import`: reads the network of another library's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from striate.cli import options
from striate.cli.model_output import check_model_file
from striate.cli.output import json_line, note, one_line
from striate.common.text import cut, sizes
from striate.model import files

COLOURS = ("gray", "rgb", "bgr")


def resized_size(value: Any) -> int | tuple[int, int]:
    """Read the shorter side, or height and width: "256" or "256x320"."""
    given = options.sides(value)
    if len(given) not in (1, 2):
        raise click.BadParameter(f"{value!r} is not a size such as 256 or 256x320 (height x width)")
    return given[0] if len(given) == 1 else (given[0], given[1])


def channel_numbers(value: Any) -> list[float]:
    """Read one number, or one for each channel: "127.5" or "123.7,116.3,103.5"."""
    if isinstance(value, list):
        return value
    try:
        return [float(part) for part in str(value).split(",")]
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a number, or several such as 124,116,104"
        ) from None


@click.command("import", short_help="Make a model of an ONNX file.")
@click.argument("file", metavar="FILE.onnx")
@click.option(
    "-o", "--out", metavar="FILE", help="The model file; by default FILE.safetensors, here."
)
@click.option("--output", metavar="NAME", help="The output to take, where the file has several.")
@click.option(
    "--image",
    type=options.image_size,
    metavar="SIZE",
    help="Height and width of the images, such as 224x224, where the file leaves them open.",
)
@click.option(
    "--size",
    type=resized_size,
    metavar="N|HxW",
    help="Resize photographs to this first, the shorter side or both; then the network's size is "
    "cut out of the centre.  [default: the network's size]",
)
@click.option(
    "--fit",
    type=click.Choice(["crop", "pad", "stretch"]),
    help="How images of another aspect become one size: the centre is cut out, black is added, or "
    "the aspect is not kept.  [default: crop]",
)
@click.option(
    "--colour",
    "--color",
    "colour",
    type=click.Choice(COLOURS),
    help="What the channels are; bgr: blue first.",
)
@click.option(
    "--mean",
    type=channel_numbers,
    metavar="X|X,X,X",
    help="Taken from pixels of 0...255, before what the file does.",
)
@click.option(
    "--deviation", type=channel_numbers, metavar="X|X,X,X", help="By which they are divided then."
)
@click.option(
    "--classes",
    metavar="FILE",
    help="The class names in the order of the outputs: one in each line, or a list in JSON.",
)
@options.output_options
def import_network(
    file: str,
    out: str | None,
    output: str | None,
    image: tuple[int, int] | None,
    size: int | tuple[int, int] | None,
    fit: str | None,
    colour: str | None,
    mean: list[float] | None,
    deviation: list[float] | None,
    classes: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Read the network in an ONNX file, as layers of striate with its weights, and save it as a
    model, which all other commands take.

    Operators that no layer computes are named, and nothing is written.
    """
    from striate.importing.image_preparation import ImagePreparation
    from striate.importing.onnx_reader import read_onnx

    target = out or f"{Path(file).stem or 'model'}.safetensors"
    replaced = check_model_file(target)
    preparation = ImagePreparation(size, fit, colour, mean, deviation, classes)
    found = read_onnx(file, output=output, image=image, preparation=preparation)
    network = found.network
    files.save(network, target, {"imported_from": Path(file).name})
    lines = [
        f"{len(network.nodes):,} layers, {network.parameter_count:,} parameters: "
        f"{sizes(network.input_shape)} → {sizes(network.output_shape)}",
        *found.notes,
    ]
    if not network.preprocessing.is_identity:
        kept = network.preprocessing
        centre, spread = (
            ", ".join(f"{x:.4g}" for x in numbers) for numbers in (kept.mean, kept.std)
        )
        lines.append(f"preprocessing: (image - ({centre})) / ({spread})")
    if as_json:
        told: dict[str, Any] = {
            "file": file,
            "out": target,
            "layers": len(network.nodes),
            "parameters": network.parameter_count,
            "input_shape": list(network.input_shape),
            "output_shape": list(network.output_shape),
            "classes": network.classes,
            "preprocessing": network.preprocessing.to_dict(),
            "notes": found.notes,
        }
        json_line(told)
        return
    for line in lines:
        click.echo(cut(one_line(line), 300))
    note(f"{'Replaced' if replaced else 'Saved'} {target}", quiet=quiet)
