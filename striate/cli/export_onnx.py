"""`striate export --to onnx`: a file for ONNX Runtime and others."""

from __future__ import annotations

from pathlib import Path

import click

from striate.cli.output import json_line, one_line
from striate.common.text import in_bytes, sizes
from striate.exporting import onnx_export
from striate.network import load


def write_onnx(
    model: str,
    out: str | None,
    *,
    layout: str,
    pixels: str,
    probabilities: bool,
    opset: int,
    as_json: bool,
) -> None:
    """Write the file, and say what is in it; the options are those of `Network.to_onnx`."""
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
