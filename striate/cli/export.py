"""`striate export`: writes a trained network as a file that other programs run."""

from __future__ import annotations

from pathlib import Path

import click

from striate.cli import options
from striate.cli.output import json_line, one_line
from striate.common.text import in_bytes, sizes
from striate.exporting import onnx_export
from striate.network import load


@click.command(short_help="Write a network for phones, browsers and other programs.")
@click.argument("model", metavar="MODEL")
@click.option(
    "--to", "kind", type=click.Choice(["onnx"]), required=True, help="The kind of file to write."
)
@click.option(
    "--out",
    "-o",
    metavar="FILE",
    help="The file, which ends in .onnx.  [default: named after MODEL, in this folder]",
)
@click.option(
    "--layout",
    type=click.Choice(onnx_export.LAYOUTS),
    default=onnx_export.LAYOUTS[0],
    show_default=True,
    help="Of the images that the file takes: channels first, or last as images are stored.",
)
@click.option(
    "--pixels",
    type=click.Choice(onnx_export.PIXELS),
    default=onnx_export.PIXELS[0],
    show_default=True,
    help="The type of their numbers, which are raw: the preprocessing is inside.",
)
@click.option(
    "--probabilities", is_flag=True, help="End with a softmax, so that the outputs add up to 1."
)
@click.option(
    "--opset",
    type=click.IntRange(onnx_export.OLDEST_OPSET, onnx_export.NEWEST_OPSET),
    default=onnx_export.OPSET,
    show_default=True,
    metavar="N",
    help="The version of ONNX's operators; older programs want a smaller one.",
)
@options.output_options
def export(
    model: str,
    kind: str,
    out: str | None,
    layout: str,
    pixels: str,
    probabilities: bool,
    opset: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write the network in the file MODEL as one ONNX file, which onnxruntime and many other
    programs run: on phones, in browsers, in C# or C++.

    The file takes any number of raw images of the network's size, and standardises them itself;
    the class names, and how images are resized, are in its metadata.
    """
    path = _checked(Path(model).stem + ".onnx" if out is None else out)
    network = load(model)
    network.to_onnx(path, layout=layout, pixels=pixels, probabilities=probabilities, opset=opset)
    size = path.stat().st_size
    taken, given = (
        onnx_export.sides(s, layout) for s in (network.input_shape, network.output_shape)
    )
    if as_json:
        json_line(
            {
                "model": model,
                "file": str(path),
                "bytes": size,
                "opset": opset,
                "input": {
                    "name": onnx_export.input_name(network), "shape": ["batch", *taken],
                    "type": pixels, "layout": layout,
                },
                "output": {
                    "name": onnx_export.output_name(probabilities), "shape": ["batch", *given],
                },
                "classes": network.classes,
            }
        )  # fmt: skip
        return
    click.echo(
        f"Input {onnx_export.input_name(network)}: n×{sizes(taken)}, {pixels}; "
        f"output {onnx_export.output_name(probabilities)}: n×{sizes(given)}"
    )
    click.echo(f"Wrote {one_line(str(path))} ({in_bytes(size)})")


def _checked(out: str) -> Path:
    """The file to write, refused before any work is done if it cannot be meant."""
    path = Path(out)
    if path.suffix.lower() != ".onnx":
        raise click.ClickException(f"--out {out}: give a name that ends in .onnx")
    if path.is_dir():
        raise click.ClickException(f"--out {out} is a folder; give the name of a file in it")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise click.ClickException(f"--out {out}: the folder {folder} does not exist")
    return path
