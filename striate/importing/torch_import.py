"""Networks from modules of PyTorch: `striate.from_torch`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.optional import require
from striate.common.text import listed
from striate.common.warn import warn_user
from striate.importing.axis_view import ViewError
from striate.importing.graph_writer import Foreign, GraphWriter
from striate.network import Network

if TYPE_CHECKING:
    from torch import fx, nn

    from striate.importing.torch_reader import TorchReader
    from striate.importing.torch_trace import TracedModule

# These end a classifier, and are no part of a network, which has logits: `predict_proba` has them.
_SOFTMAX = ("softmax", "log_softmax", "_softmax", "_log_softmax")

# Modules that drop whole branches in training, as torchvision, timm and transformers name them.
_BRANCH_DROPPERS = ("StochasticDepth", "DropPath")


def from_torch(
    module: nn.Module,
    example: Any,
    *,
    output: str | int | None = None,
    heads: Mapping[str | int, float] | None = None,
) -> Network:
    """The network of a module of PyTorch, with its weights, to train further or to run.

        network = striate.from_torch(torchvision.models.resnet18(), (1, 3, 224, 224))

    Layers are named after the module's: "layer1.0.conv1" has the weights of that.  Weights keep
    their bits; those of other precisions become float32.  Batch normalisation in evaluation mode
    inside a module in training mode keeps its statistics, parameters without `requires_grad` are
    frozen, weights that are used twice are shared.  What is added to, and divided out of, the
    images first becomes the preprocessing.  A softmax at the end is left out: networks have logits,
    and `predict_proba` their softmax.  Warns of what would train otherwise than in PyTorch.

    Args:
        module: any module that reads images; of which it is made does not matter, because it is
            `torch.export` that reads it.  It is not changed.
        example: images (n, channels, height, width), signals (n, channels, length) or vectors
            (n, features): a tensor, an array, or only their shape.  The network reads that size.
        output: which of several values, by its name ("logits") or number; None for the only one
            that is no head.
        heads: values that become auxiliary heads, by name or number, each with the weight of its
            loss: ``{"aux_logits": 0.4}``. They may be there in training only. Training adds their
            losses to that of the output, predictions are without them.

    Returns:
        The network, channels-last: (height, width, channels) in.

    Raises:
        ValueError: some operators are no layers of striate, all of which the message tells; or
            the module cannot be traced.
        TypeError: the arguments are of other kinds.
        ImportError: PyTorch is not installed.
    """
    require("torch", "torch", "from_torch")
    from striate.importing.torch_preprocessing import read_preprocessing
    from striate.importing.torch_reader import TorchReader
    from striate.importing.torch_trace import trace

    if output is not None and (isinstance(output, bool) or not isinstance(output, (str, int))):
        raise StriateTypeError(
            f"from_torch: output must be the name or number of a value, got {output!r}"
        )
    if heads is not None and not isinstance(heads, Mapping):
        raise StriateTypeError(
            f'from_torch: heads must be a mapping such as {{"aux_logits": 0.4}}, got {heads!r}'
        )
    for name in heads or ():
        if isinstance(name, bool) or not isinstance(name, (str, int)):
            raise StriateTypeError(
                f"from_torch: heads must have names or numbers of values, got {name!r}"
            )
    traced = trace(module, example, list(heads or ()))
    weights = _heads(traced, heads or {})
    chosen = traced.chosen(output, weights)
    writer = GraphWriter()
    image = _image(writer, traced)
    reader = TorchReader(traced, writer, _operators())
    first, preprocessing = read_preprocessing(traced)
    reader.values[first] = image
    reader.read(image)
    end = _end(reader, traced.outputs[chosen])
    branches = {
        name: (_end(reader, traced.outputs[name]), weight) for name, weight in weights.items()
    }
    network = writer.network(end, branches)
    names = {node.name for node in network.nodes}
    if preprocessing is not None:
        network.preprocessing = preprocessing
    if frozen := reader.frozen & names:
        network.freeze(*sorted(frozen))
    if keeping := reader.keeping & names:
        network.keep_statistics(*sorted(keeping))
    _tell(traced, reader.told)
    return network


def _heads(traced: TracedModule, heads: Mapping[str | int, float]) -> dict[str, float]:
    """The weights of the heads by the names of the values.

    Raises:
        ValueError: there is no such value, or it is named twice.
    """
    found: dict[str, float] = {}
    for given, weight in heads.items():
        name = traced.name_of(given)
        if name is None:
            raise StriateValueError(traced.unknown(f"the head {given!r}"))
        if name in found:
            raise StriateValueError(f'from_torch: the head "{name}" is named twice')
        found[name] = weight
    return found


def _end(reader: TorchReader, node: fx.Node) -> Foreign:
    """The value of an output, without the softmax that it may end in."""
    last, softmax = _before_softmax(node)
    if softmax:
        reader.told.append("the softmax at its end is left out: predict_proba has it")
    return _ended(reader.writer, reader.result(last))


def _operators() -> dict[str, Any]:
    from striate.importing.torch_arithmetic import ARITHMETIC
    from striate.importing.torch_axes import AXES
    from striate.importing.torch_weighted import WEIGHTED

    return {**ARITHMETIC, **AXES, **WEIGHTED}


def _image(writer: GraphWriter, traced: TracedModule) -> Foreign:
    """The input of the network."""
    batch, *shape = traced.image.meta["val"].shape
    if len(shape) == 1:
        return writer.vector_input(batch, shape[0])
    channels, height, width = (shape[0], 1, shape[1]) if len(shape) == 2 else shape
    letters = "NCW" if len(shape) == 2 else "NCHW"
    return writer.image_input(batch, (height, width, channels), letters)


def _ended(writer: GraphWriter, value: Foreign) -> Foreign:
    """The output as the network gives it: a vector of what is one there, in the same order."""
    value = writer.in_order(value)
    if len(value.shape) != 2 and value.view.is_image:
        value.view.image_letters()  # or refuse
        return value
    value = writer.as_vector(value)
    if not value.view.is_part(1, 0):
        raise ViewError(
            "from_torch: the output is a flattened image, whose numbers are in another order here, "
            "by rows and columns; let the module end before it is flattened"
        )
    return value


def _before_softmax(node: fx.Node) -> tuple[fx.Node, bool]:
    """What a softmax over the classes at the end reads, and whether there is one."""
    from striate.importing.torch_values import operator_name

    if operator_name(node) in _SOFTMAX and len(node.meta["val"].shape) == 2:
        source = node.args[0]
        if node.args[1] in (1, -1):
            return source, True  # type: ignore[return-value]
    return node, False


def _tell(traced: TracedModule, told: list[str]) -> None:
    """Warn of what would train otherwise."""
    for name, part in traced.module.named_modules():
        if type(part).__name__ in _BRANCH_DROPPERS and _rate(part) > 0:
            told.append(f"{name} drops whole branches in training there")
    if told:
        warn_user(f"from_torch: {listed(list(dict.fromkeys(told)), 4)}")


def _rate(part: nn.Module) -> float:
    for name in ("p", "drop_prob"):
        rate = getattr(part, name, None)
        if isinstance(rate, (int, float)):
            return float(rate)
    return 0.0
