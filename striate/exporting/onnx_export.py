"""One ONNX file of a network: its input and preprocessing, its layers, its output and metadata.

The file's metadata have, as JSON, what no operator says:

    classes    the class names in the order of the outputs; absent if there are none
    resize     how images are resized before they come in: {"height", "width", "mode", …}
    colour     "gray" or "rgb": what the channels are
    striate    the network's layers, how its outputs become answers, and how all is written, for
               striate itself to read it back

Every weight keeps its bits; only its axes are put into the order of ONNX.  Batch normalisation is
not folded into what precedes it.  The same network gives the same bytes, with the same version of
striate and of onnx.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arguments import true_or_false, whole_number
from striate.common.atomic import write_atomically
from striate.common.budget import need
from striate.common.errors import StriateValueError
from striate.common.optional import require
from striate.common.text import choices, in_gibibytes, quoted, reason
from striate.common.version import __version__
from striate.exporting.onnx_features import TO_CHANNELS_FIRST, TO_CHANNELS_LAST
from striate.exporting.onnx_graph import OnnxGraph
from striate.exporting.onnx_network import write_network
from striate.exporting.own_layers import check_layers
from striate.model.answers import Answers
from striate.model.container import ModelFileError
from striate.model.model import Model
from striate.ops.shapes import Shape

if TYPE_CHECKING:
    from onnx import ModelProto

LAYOUTS = ("nchw", "nhwc")
PIXELS = ("float32", "uint8")
OLDEST_OPSET, OPSET, NEWEST_OPSET = 11, 17, 22
MOST_BYTES = 2**31 - 2**20
"""What one file may hold, by the format that ONNX files are in; a mebibyte is for the rest."""
OWN_KEY = "striate"
"""The entry of the metadata that `striate.importing.onnx_own_network` reads."""
_BATCH = "batch"


def to_onnx(
    model: Model,
    path: str | Path,
    *,
    layout: str = "nchw",
    pixels: str = "float32",
    probabilities: bool = False,
    opset: int = OPSET,
) -> None:
    """Write the network to the ONNX file `path`, for other programs to run.

    The file takes any number of raw images, on the scale of those that the network was trained on:
    the preprocessing's mean and deviation are inside.  Resizing is not; its numbers and the class
    names are in the metadata ("resize", "colour", "classes", each as JSON).

    The input is called "images" ("features" if the network reads vectors), the output "outputs" or
    "probabilities".  Weights keep their bits, and batch normalisation stays a node of its own, so
    that a program which reads the file can train it further.  Dropout, which does nothing in
    prediction, and what only training knows (frozen layers, heads) stay behind.

    Args:
        model: the network.
        path: the file; its folder must exist.  It is replaced in one step.
        layout: of the input, and of the output if that is an image: "nchw" (channels first, as
            other libraries have it) or "nhwc" (as images are stored, and as striate has it).
        pixels: the type of the input, "float32" or "uint8".
        probabilities: end with a softmax, or a sigmoid of each label, of the outputs divided by the
            temperature of `answers`: the probabilities of `predict_proba`; else the outputs are
            those of `predict_logits`.  A rejection stays behind: the file names a class of every
            image.
        opset: the version of ONNX's operators, 11 to 22.  Older runtimes want a smaller one.

    Raises:
        ValueError, TypeError: an option is none of these, a weight is not finite, a layer is not
            one of striate's, or the network is larger than an ONNX file may be (2 GiB).
        ImportError: the package onnx is missing.
        ModelFileError: the file cannot be written.
    """
    made = onnx_model(model, layout=layout, pixels=pixels, probabilities=probabilities, opset=opset)
    content = made.SerializeToString(deterministic=True)
    try:
        write_atomically(path, [content])
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be written: {reason(error)}") from error


def onnx_model(
    model: Model,
    *,
    layout: str = "nchw",
    pixels: str = "float32",
    probabilities: bool = False,
    opset: int = OPSET,
) -> ModelProto:
    """The network as a model of the package onnx, which has been checked: see `to_onnx`."""
    _check_options(model, layout, pixels, probabilities, opset)
    check_network(model)
    from onnx import TensorProto, checker, helper

    written = WrittenForm(layout, pixels, probabilities)
    came_in, goes_out = input_name(model), output_name(probabilities)
    graph = written_graph(model, written, opset)
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "striate",
            [
                helper.make_tensor_value_info(
                    came_in,
                    TensorProto.FLOAT if pixels == "float32" else TensorProto.UINT8,
                    [_BATCH, *sides(model.input_shape, layout)],
                    doc_string=_told(model, layout),
                )
            ],
            [
                helper.make_tensor_value_info(
                    goes_out, TensorProto.FLOAT, [_BATCH, *sides(model.output_shape, layout)]
                )
            ],
            graph.initializers(),
        ),
        producer_name="striate",
        producer_version=__version__,
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=_format_version(opset),
    )
    helper.set_model_props(made, metadata(model, written))
    checker.check_model(made, full_check=True)
    return made


@dataclass(frozen=True)
class WrittenForm:
    """How a network is written: see `to_onnx`."""

    layout: str
    pixels: str
    probabilities: bool


def written_graph(
    model: Model, written: WrittenForm, opset: int, room: int | None = None
) -> OnnxGraph:
    """The whole graph of a file, from raw images to the output.

    Args:
        model: the network.
        written: how it is written.
        opset: the version of ONNX's operators.
        room: see `OnnxGraph`.
    """
    came_in, goes_out = input_name(model), output_name(written.probabilities)
    graph = OnnxGraph(opset, taken=(came_in, goes_out), room=room)
    value = write_preprocessing(
        graph, model, came_in, layout=written.layout, cast=written.pixels != "float32"
    )
    value = write_network(graph, model, value)
    if written.probabilities:
        value = write_temperature(graph, model, value)
    if written.probabilities and model.answers.kind == "labels":
        value = graph.op("Sigmoid", [value], "output/sigmoid")
    elif written.probabilities:
        value = graph.op("Softmax", [value], "output/softmax", axis=1)
    if len(model.output_shape) == 3 and written.layout == "nhwc":
        value = graph.transpose(value, TO_CHANNELS_LAST, "output/channels_last")
    if value == came_in or not graph.nodes:
        value = graph.op("Identity", [value], "output/identity")
    graph.rename(value, goes_out)
    return graph


def metadata(model: Model, written: WrittenForm) -> dict[str, str]:
    """What the file says beside the graph, as text."""
    known = {
        "classes": model.classes,
        "resize": model.preprocessing.resize,
        "colour": model.preprocessing.colour,
        OWN_KEY: {
            "architecture": model.branch().get_config(),  # heads stay behind
            "mean": model.preprocessing.mean,
            "std": model.preprocessing.std,
            **asdict(written),
            **_answers(model),
        },
    }
    return {name: json.dumps(value) for name, value in known.items() if value is not None}


def _answers(model: Model) -> dict[str, Any]:
    """How outputs become answers, where that is not as usual; a rejection stays behind."""
    answers = replace(model.answers, rejection=None)
    return {} if answers == Answers() else {"answers": answers.to_dict()}


def write_temperature(graph: OnnxGraph, model: Model, value: str) -> str:
    """Write how the outputs, `value`, are divided before they become probabilities."""
    temperature = model.answers.temperature
    if temperature == 1:
        return value
    constant = graph.constant(np.asarray(temperature, np.float32), "output/temperature")
    return graph.op("Div", [value, constant], "output/scaled")


def write_preprocessing(
    graph: OnnxGraph, model: Model, value: str, *, layout: str, cast: bool
) -> str:
    """Write the way from raw images to the network's input, channels first.

    Args:
        graph: where it is written.
        model: the network.
        value: the name of the raw images.
        layout: of these.
        cast: whether they are of another type than float32.
    """
    from onnx import TensorProto

    is_image = len(model.input_shape) == 3
    if cast:
        value = graph.op("Cast", [value], "preprocessing/float", to=int(TensorProto.FLOAT))
    if is_image and layout == "nhwc":
        value = graph.transpose(value, TO_CHANNELS_FIRST, "preprocessing/channels_first")
    known = model.preprocessing
    if known.is_identity:
        return value
    for what, operator, numbers, result in (
        ("mean", "Sub", known.mean, "centred"),
        ("std", "Div", known.std, "standardised"),
    ):
        array = np.asarray(numbers, np.float32)
        name = f"preprocessing/{what}"
        constant = graph.constant(array[:, None, None] if is_image else array, name)
        value = graph.op(operator, [value, constant], f"preprocessing/{result}")
    return value


def check_network(model: Model) -> None:
    """Raise if a network cannot be written as ONNX, before much work is done.

    Raises:
        ValueError: it has a layer of the user's own, a number that is not finite, or too many.
        ImportError: the package onnx is missing; the message says how to install it.
    """
    check_layers(model, "to_onnx", "ONNX")
    for name, values in {**model.parameters, **model.state}.items():
        if not np.isfinite(values).all():
            raise StriateValueError(
                f"to_onnx: {name} holds numbers that are not finite; training has diverged, so use "
                "a lower learning rate"
            )
    size = 4 * sum(values.size for values in (*model.parameters.values(), *model.state.values()))
    if size > MOST_BYTES:
        raise StriateValueError(
            f"to_onnx: the weights take {in_gibibytes(size, 2)}, and one ONNX file may have "
            f"{in_gibibytes(MOST_BYTES, 2)}: the format ends there; use fewer or smaller layers"
        )
    # The tensors, the model, and its bytes.
    need(3 * size, "to_onnx: to write the file", "use fewer or smaller layers")
    require("onnx", "onnx", "to_onnx")


def _check_options(
    model: Model, layout: object, pixels: object, probabilities: object, opset: object
) -> None:
    for what, value, known in (("layout", layout, LAYOUTS), ("pixels", pixels, PIXELS)):
        if value not in known:
            raise StriateValueError(
                f"to_onnx: {what} must be {choices([quoted(k) for k in known])}, got {value!r}"
            )
    if true_or_false(probabilities, "probabilities", "to_onnx") and len(model.output_shape) != 1:
        raise StriateValueError(
            f"to_onnx: probabilities are of classes, and the output {model.output_shape} is an "
            "image, not one number per class; leave probabilities=False"
        )
    if probabilities and model.answers.kind == "numbers":
        raise StriateValueError(
            "to_onnx: the network's outputs are numbers, which have no probabilities; leave "
            "probabilities=False"
        )
    number = whole_number(opset, "opset", "to_onnx")
    if not OLDEST_OPSET <= number <= NEWEST_OPSET:
        raise StriateValueError(
            f"to_onnx: opset must be from {OLDEST_OPSET} to {NEWEST_OPSET}, got {number}"
        )


def _format_version(opset: int) -> int:
    """The oldest version of the file's format that may have these operators."""
    from onnx import helper

    return helper.find_min_ir_version_for([helper.make_opsetid("", opset)])


def input_name(model: Model) -> str:
    """What the input of the file is called."""
    return "images" if len(model.input_shape) == 3 else "features"


def output_name(probabilities: bool) -> str:
    """What the output of the file is called."""
    return "probabilities" if probabilities else "outputs"


def sides(shape: Shape, layout: str) -> Shape:
    """A shape of the network in the order of axes that the file has, without the batch axis."""
    if len(shape) == 3 and layout == "nchw":
        return (shape[2], *shape[:2])
    return shape


def _told(model: Model, layout: str) -> str:
    """What a person should know of the input."""
    parts = [f"raw, {layout.upper()}"] if len(model.input_shape) == 3 else ["raw"]
    if model.preprocessing.colour is not None:
        parts.append(model.preprocessing.colour)
    return ", ".join(parts)
