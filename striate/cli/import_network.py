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
@options.output_options
def import_network(
    file: str,
    out: str | None,
    output: str | None,
    image: tuple[int, int] | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Read the network in an ONNX file, as layers of striate with its weights, and save it as a
    model, which all other commands take.

    Operators that no layer computes are named, and nothing is written.
    """
    from striate.importing.onnx_reader import read_onnx

    target = out or f"{Path(file).stem or 'model'}.safetensors"
    replaced = check_model_file(target)
    found = read_onnx(file, output=output, image=image)
    network = found.network
    files.save(network, target, {"imported_from": Path(file).name})
    lines = [
        f"{len(network.nodes):,} layers, {network.parameter_count:,} parameters: "
        f"{sizes(network.input_shape)} → {sizes(network.output_shape)}",
        *found.notes,
    ]
    if not network.preprocessing.is_identity:
        kept = network.preprocessing
        mean, std = (", ".join(f"{x:.4g}" for x in numbers) for numbers in (kept.mean, kept.std))
        lines.append(f"preprocessing: (image - ({mean})) / ({std})")
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
