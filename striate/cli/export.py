"""`striate export`: writes a trained network as files that other programs run."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from striate.cli import options
from striate.cli.export_onnx import write_onnx
from striate.common.text import choices, listed
from striate.exporting import onnx_export
from striate.freestanding.targets.named_targets import NAMED_TARGETS
from striate.freestanding.weights.rounded_weights import WEIGHTS


@click.command(
    short_help="Write a network for phones, browsers, microcontrollers and other programs."
)
@click.argument("model", metavar="MODEL")
@click.option(
    "--to",
    "kind",
    type=click.Choice(["onnx", "object", "c", "wasm", "page"]),
    required=True,
    help="An ONNX file; or a folder: with an object file or a file of C, a header and an example, "
    "or with WebAssembly and a module of JavaScript that calls it; or one page that classifies "
    "pictures.",
)
@click.option(
    "--out",
    "-o",
    metavar="FILE|FOLDER",
    help="The file, which ends in .onnx or .html, or the folder to make.  [default: named after "
    "MODEL, in this folder]",
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
    help=f"Object, C: {listed(list(NAMED_TARGETS), len(NAMED_TARGETS))}, or "
    "TRIPLE[:CPU][:+FEATURES] as LLVM has them. C needs none: it suits processors with vectors.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Object, C, wasm: images of a run, or at most of a step of training.",
)
@click.option(
    "--weights",
    type=click.Choice(WEIGHTS),
    default=WEIGHTS[0],
    show_default=True,
    help="Object, C, wasm, page: store weights in 32 bits, in 16, or in 8 with a scale for each "
    "output channel. They are multiplied in 32 bits all the same.",
)
@click.option(
    "--measure",
    metavar="SOURCE",
    help="With --weights: labelled images, as `striate evaluate` takes them, on which to say what "
    "the smaller weights cost in accuracy.",
)
@click.option(
    "--train",
    is_flag=True,
    help="Object, wasm: code that goes on learning where it runs.",
)
@click.option(
    "--frozen-until",
    metavar="LAYER",
    help="With --train: the first layer that learns; all before it stay as they are.",
)
@click.option(
    "--optimizer",
    type=click.Choice(["sgd", "adamw"]),
    help="With --train.  [default: adamw]",
)
@click.option("--weight-decay", type=options.number(0), metavar="X", help="With --train.")
@click.option(
    "--max-ram",
    type=options.byte_count,
    metavar="SIZE",
    help="Object, C, wasm: refuse a network that needs more for values, images, outputs and stack, "
    "such as 192KB.",
)
@click.option(
    "--max-flash",
    type=options.byte_count,
    metavar="SIZE",
    help="Object, C, wasm: refuse a network that needs more for code and weights, such as 1MB.",
)
@click.option(
    "--verify",
    metavar="SOURCE",
    help="Object, C, wasm: run the code on the images of SOURCE, which is what `striate evaluate` "
    "takes, here, on an emulated processor or in Node, and compare it with the network.",
)
@click.option(
    "--verify-images",
    type=click.IntRange(min=1),
    metavar="N",
    help="With --verify: on the first N of them only.",
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
    max_ram: int | None,
    max_flash: int | None,
    verify: str | None,
    verify_images: int | None,
    as_json: bool,
    quiet: bool,
    weights: str,
    measure: str | None,
    train: bool,
    frozen_until: str | None,
    optimizer: str | None,
    weight_decay: float | None,
    **of_onnx: Any,
) -> int:
    """Write the network in the file MODEL for other programs.

    An ONNX file is run by onnxruntime and many others: on phones, in browsers, in C# or C++. It
    takes any number of raw images of the network's size, and standardises them itself; the class
    names, and how images are resized, are in its metadata.

    An object file is code for one processor, such as a microcontroller's, with the weights inside:
    it calls nothing and allocates nothing. The folder has a header, an example in C with test
    vectors, and a README that says how to compile it and what it takes.

    C is the same as one file of C99, to be read and to be compiled anywhere: a function for each
    layer, with its loops over rows, columns and channels, and the weights.

    WebAssembly runs in browsers and in Node, with vectors where they have them. The folder has a
    module of JavaScript that loads and calls it, with types, an example with test vectors, and a
    README.

    A page is one HTML file that runs in any browser, offline, on phones: it tells what is in
    pictures that are dropped, pasted, taken with the camera or drawn, as `striate predict` does,
    and which part of them tells most.

    With --train the code also learns from labelled images where it runs: the learning rate is given
    with each step.

    With --verify the exit code is 1 if the code does not do what it should.
    """
    _refuse_others(context, kind)
    if kind == "onnx":
        write_onnx(model, out, as_json=as_json, **of_onnx)
        return 0
    # What makes code takes longer to import than all other commands do.
    from striate.cli.export_code import CodeOptions, learning_options, write_code
    from striate.cli.weights_measured import SmallerWeights

    learning = learning_options(
        train, frozen_until=frozen_until, optimizer=optimizer, weight_decay=weight_decay
    )
    asked = CodeOptions(
        model,
        kind,
        target,
        batch,
        SmallerWeights(weights, measure),
        learning,
        max_ram,
        max_flash,
        verify,
        verify_images,
    )
    return write_code(asked, out, as_json=as_json, quiet=quiet)


_KINDS_OF = {
    **dict.fromkeys(("layout", "pixels", "probabilities", "opset"), ("onnx",)),
    "target": ("object", "c"),
    **dict.fromkeys(("weights", "measure"), ("object", "c", "wasm", "page")),
    **dict.fromkeys(
        ("batch", "max_ram", "max_flash", "verify", "verify_images"), ("object", "c", "wasm")
    ),
    **dict.fromkeys(("train", "frozen_until", "optimizer", "weight_decay"), ("object", "wasm")),
}
"""The kinds of files that options are for."""


def _refuse_others(context: click.Context, kind: str) -> None:
    """Refuse options that are for other kinds of files."""
    for name, kinds in _KINDS_OF.items():
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if kind not in kinds and given:
            option = name.replace("_", "-")
            raise click.ClickException(
                f"--{option} is for --to {choices(kinds, 'and')}; leave it out with --to {kind}"
            )
