"""`striate export`: writes a trained network as files that other programs run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from striate.cli import options
from striate.cli.output import json_line, one_line
from striate.common.text import in_bytes, listed, sizes
from striate.exporting import onnx_export
from striate.freestanding.named_targets import NAMED_TARGETS
from striate.network import load


@click.command(
    short_help="Write a network for phones, browsers, microcontrollers and other programs."
)
@click.argument("model", metavar="MODEL")
@click.option(
    "--to",
    "kind",
    type=click.Choice(["onnx", "object"]),
    required=True,
    help="An ONNX file, or a folder with an object file, a header and an example in C.",
)
@click.option(
    "--out",
    "-o",
    metavar="FILE|FOLDER",
    help="The file, which ends in .onnx, or the folder to make.  [default: named after MODEL, in "
    "this folder]",
)
@click.option(
    "--layout",
    type=click.Choice(onnx_export.LAYOUTS),
    default=onnx_export.LAYOUTS[0],
    show_default=True,
    help="ONNX: of the images that the file takes: channels first, or last as images are stored.",
)
@click.option(
    "--pixels",
    type=click.Choice(onnx_export.PIXELS),
    default=onnx_export.PIXELS[0],
    show_default=True,
    help="ONNX: the type of their numbers, which are raw: the preprocessing is inside.",
)
@click.option(
    "--probabilities",
    is_flag=True,
    help="ONNX: end with a softmax, so that the outputs add up to 1.",
)
@click.option(
    "--opset",
    type=click.IntRange(onnx_export.OLDEST_OPSET, onnx_export.NEWEST_OPSET),
    default=onnx_export.OPSET,
    show_default=True,
    metavar="N",
    help="ONNX: the version of its operators; older programs want a smaller one.",
)
@click.option(
    "--target",
    metavar="PROCESSOR",
    help=f"Object: {listed(list(NAMED_TARGETS), len(NAMED_TARGETS))}.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Object: images of a run.",
)
@options.output_options
@click.pass_context
def export(
    context: click.Context,
    /,
    model: str,
    kind: str,
    out: str | None,
    target: str | None,
    batch: int,
    as_json: bool,
    quiet: bool,
    **of_onnx: Any,
) -> None:
    """Write the network in the file MODEL for other programs.

    An ONNX file is run by onnxruntime and many others: on phones, in browsers, in C# or C++. It
    takes any number of raw images of the network's size, and standardises them itself; the class
    names, and how images are resized, are in its metadata.

    An object file is code for one processor, such as a microcontroller's, with the weights inside:
    it calls nothing and allocates nothing. The folder has a header, an example in C with test
    vectors, and a README that says how to compile it and what it takes.
    """
    _refuse_others(context, kind)
    if kind == "object":
        _write_object(model, out, target, batch, as_json=as_json)
    else:
        _write_onnx(model, out, as_json=as_json, **of_onnx)


_OF_KIND = {"onnx": ("layout", "pixels", "probabilities", "opset"), "object": ("target", "batch")}


def _refuse_others(context: click.Context, kind: str) -> None:
    """Refuse options that are for another kind of file."""
    for other, names in _OF_KIND.items():
        for name in names:
            given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
            if other != kind and given:
                raise click.ClickException(
                    f"--{name} is for --to {other}; leave it out with --to {kind}"
                )


def _write_object(
    model: str, out: str | None, target: str | None, batch: int, *, as_json: bool
) -> None:
    from striate.freestanding.object_export import c_name

    if target is None:
        raise click.ClickException(
            "--to object needs --target: " + listed(list(NAMED_TARGETS), len(NAMED_TARGETS))
        )
    folder = Path(f"{Path(model).stem}-{target}" if out is None else out)
    found = load(model).to_object(
        folder, target=target, name=c_name(Path(model).stem), batch_size=batch
    )
    if as_json:
        json_line({"model": model, "folder": str(folder), **asdict(found)})
        return
    for what, much in found.rows():
        click.echo(f"{what}: {much}")
    files = listed(list(found.files), len(found.files))
    click.echo(f"Wrote {files} to {one_line(str(folder))}")


def _write_onnx(
    model: str,
    out: str | None,
    *,
    layout: str,
    pixels: str,
    probabilities: bool,
    opset: int,
    as_json: bool,
) -> None:
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
