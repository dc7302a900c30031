"""What enters an ONNX graph: images or vectors, of which size, and how their axes lie."""

from __future__ import annotations

from collections.abc import Sequence

from striate.common.arguments import whole_number
from striate.common.budget import check_activations
from striate.importing.graph_writer import Foreign, GraphWriter
from striate.importing.onnx_own_network import described_layout
from striate.importing.onnx_pointwise import POINTWISE
from striate.importing.operation_graph import (
    OnnxFileError,
    OnnxOperation,
    OnnxTensor,
    OperationGraph,
)

# Operators for which axis 1 is that of the channels.
_CHANNELS_FIRST = {
    "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "GlobalAveragePool",
    "GlobalMaxPool", "InstanceNormalization", "LRN", "MaxPool",
}  # fmt: skip
_COLOURS = (1, 3, 4)
"""How many channels an image has that is read from a file."""


def the_input(graph: OperationGraph) -> OnnxTensor:
    """The one input of a graph.

    Raises:
        OnnxFileError: there are several, or none.
    """
    if len(graph.inputs) == 1:
        return graph.inputs[0]
    names = ", ".join(f'"{tensor.name}"' for tensor in graph.inputs[:8])
    raise OnnxFileError(
        f"{graph.path}: reads {len(graph.inputs)} inputs, {names}; a network reads one image, so "
        "export it with all others as constants"
        if graph.inputs
        else f"{graph.path}: its output depends on no input; export it with the image as its input"
    )


def write_input(
    graph: OperationGraph, writer: GraphWriter, image: tuple[int, int] | None, letters: str
) -> Foreign:
    """The input as a value of striate.

    Args:
        graph: the graph, with one input.
        writer: makes it.
        image: (height, width), for a file that leaves them open.
        letters: one of `input_letters`.

    Raises:
        OnnxFileError: the file leaves open what it must say, or says something else than `image`.
    """
    tensor = the_input(graph)
    who = f'{graph.path}: the input "{tensor.name}"'
    sizes = dict(zip(letters, tensor.shape or (), strict=True))
    batch = _batch(sizes["N"], who)
    if len(letters) <= 2:
        features = _fixed(sizes.get("F", 1), "features", who)
        check_activations((features,), who)
        value = writer.vector_input(batch, features)
        return value if len(letters) == 2 else Foreign(value.node, value.view.squeezed([1]))
    height, width = (_side(sizes, letter, image, who) for letter in "HW")
    shape = (height, width, _fixed(sizes["C"], "channels", who))
    check_activations(shape, who)
    return writer.image_input(batch, shape, letters)


def _batch(extent: int | str | None, who: str) -> int:
    if not isinstance(extent, int):
        return 1
    if not 0 < extent < 2**31:
        raise OnnxFileError(
            f"{who} is a batch of {extent} images; export it with one, or leave their number open"
        )
    return extent


def _fixed(extent: int | str | None, what: str, who: str) -> int:
    if not isinstance(extent, int):
        raise OnnxFileError(f"{who} leaves open how many {what} it has; export it with a number")
    if extent < 1:
        raise OnnxFileError(f"{who} has {extent} {what}; export it with at least one")
    return extent


def _side(
    sizes: dict[str, int | str | None], letter: str, image: tuple[int, int] | None, who: str
) -> int:
    """The height or width of the image."""
    extent = sizes.get(letter, 1)
    given = None if image is None else image["HW".index(letter)]
    side = {"H": "height", "W": "width"}[letter]
    if isinstance(extent, int):
        if extent < 1:
            raise OnnxFileError(f"{who} has a {side} of {extent}; export it with at least one")
        if given is not None and given != extent:
            raise OnnxFileError(
                f"{who} is fixed to a {side} of {extent}, not {given}; leave image out, or export "
                "it for that size"
            )
        return extent
    if given is None:
        raise OnnxFileError(
            f"{who} leaves the size of the image open: say which, such as image=(224, 224) for "
            "height and width (--image 224x224 at the command line)"
        )
    return given


def check_image(image: object) -> tuple[int, int] | None:
    """`image` as (height, width), None if it is left out.

    Raises:
        ValueError, TypeError: it is something else.
    """
    if image is None:
        return None
    if not isinstance(image, (tuple, list)) or len(image) != 2:
        raise OnnxFileError(
            f"from_onnx: image must be (height, width), such as (224, 224), got {image!r}"
        )
    height, width = (whole_number(side, "image", "from_onnx") for side in image)
    return height, width


def input_letters(graph: OperationGraph) -> list[str]:
    """What the axes of the input may be, the likeliest first: "NCHW", "NHWC", "NCW", "NF", "N".

    Raises:
        OnnxFileError: it has too few axes or too many.
    """
    tensor = the_input(graph)
    if tensor.shape is None or not 1 <= len(tensor.shape) <= 4:
        told = "any shape" if tensor.shape is None else f"{len(tensor.shape)} axes"
        raise OnnxFileError(
            f'{graph.path}: the input "{tensor.name}" has {told}; export it with images '
            "(n, c, h, w) or (n, h, w, c), signals (n, c, l) or vectors (n, f)"
        )
    shape = tensor.shape
    if len(shape) < 3:
        return ["NF"[: len(shape)]]
    plain = "NCHW" if len(shape) == 4 else "NCW"
    order = _order_at_first_window(graph, tensor.name, len(shape))
    if order is not None:
        # Axis i of what the operator reads is axis order[i] of the input.
        return ["".join(plain[order.index(axis)] for axis in range(len(shape)))]
    last = plain.replace("C", "") + "C"
    noted = described_layout(graph.metadata) if len(shape) == 4 else None
    if noted == "nhwc" or (noted is None and shape[1] not in _COLOURS and shape[-1] in _COLOURS):
        return [last, plain]
    return [plain, last]


def _order_at_first_window(graph: OperationGraph, name: str, rank: int) -> list[int] | None:
    """How the input's axes have been permuted where the first operator asks for channels."""
    orders = {name: list(range(rank))}
    for op in graph.operations:
        known = next((orders[n] for n in op.inputs if n in orders), None)
        if known is None:
            continue
        if op.kind in _CHANNELS_FIRST:
            return known
        if op.kind == "Transpose":
            known = _permuted(op, known)
        elif op.kind not in POINTWISE and op.kind not in (
            "Pad",
            "Concat",
            "Slice",
            "Dropout",
            "PRelu",
        ):
            continue
        if known is not None:
            orders[op.outputs[0]] = known
    return None


def _permuted(op: OnnxOperation, order: Sequence[int]) -> list[int] | None:
    moved = op.attributes.get("perm", list(range(len(order)))[::-1])
    if not isinstance(moved, list) or sorted(moved) != list(range(len(order))):
        return None
    return [order[axis] for axis in moved]
