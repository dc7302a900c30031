"""`striate export`: writes a trained network as files that other programs run."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from striate.cli import options
from striate.cli.export_code import write_code
from striate.cli.export_onnx import write_onnx
from striate.common.text import listed
from striate.exporting import onnx_export
from striate.freestanding.named_targets import NAMED_TARGETS


@click.command(
    short_help="Write a network for phones, browsers, microcontrollers and other programs."
)
@click.argument("model", metavar="MODEL")
@click.option(
    "--to",
    "kind",
    type=click.Choice(["onnx", "object", "c"]),
    required=True,
    help="An ONNX file, or a folder with an object file or a file of C, a header and an example in "
    "C.",
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
    help=f"Object, C: {listed(list(NAMED_TARGETS), len(NAMED_TARGETS))}. C needs none: it suits "
    "processors with vectors.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Object, C: images of a run.",
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

    C is the same as one file of C99, to be read and to be compiled anywhere: a function for each
    layer, with its loops over rows, columns and channels, and the weights.
    """
    _refuse_others(context, kind)
    if kind == "onnx":
        write_onnx(model, out, as_json=as_json, **of_onnx)
    else:
        write_code(model, out, kind, target, batch, as_json=as_json)


_KINDS_OF = {
    **dict.fromkeys(("layout", "pixels", "probabilities", "opset"), ("onnx",)),
    "target": ("object", "c"),
    "batch": ("object", "c"),
}
"""The kinds of files that options are for."""


def _refuse_others(context: click.Context, kind: str) -> None:
    """Refuse options that are for other kinds of files."""
    for name, kinds in _KINDS_OF.items():
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if kind not in kinds and given:
            raise click.ClickException(
                f"--{name} is for --to {' and '.join(kinds)}; leave it out with --to {kind}"
            )
