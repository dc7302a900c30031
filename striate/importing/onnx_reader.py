"""Reads an ONNX file into a network: files, constants and patterns first, then node by node."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import MOST_CHARACTERS, StriateError
from striate.common.text import counted, cut, reason
from striate.importing.atoms import ViewError
from striate.importing.axis_view import AxisView
from striate.importing.graph_writer import Foreign
from striate.importing.image_preparation import ImagePreparation, prepare
from striate.importing.onnx_activations import recognise
from striate.importing.onnx_constants import Folder, fold_graph
from striate.importing.onnx_convolutions import WINDOWS
from striate.importing.onnx_file import read_file
from striate.importing.onnx_input import check_image, input_letters, the_input, write_input
from striate.importing.onnx_layout import LAYOUT
from striate.importing.onnx_matrices import MATRICES
from striate.importing.onnx_metadata import apply_metadata
from striate.importing.onnx_own_forms import OWN_FORMS, join_own_forms
from striate.importing.onnx_own_network import own_network
from striate.importing.onnx_patterns import drop_identities, join
from striate.importing.onnx_pointwise import POINTWISE
from striate.importing.onnx_reading import Reader, Reading
from striate.importing.operation_graph import OnnxFileError, OnnxOperation, OperationGraph
from striate.model.preprocessing import Preprocessing
from striate.network import Network

OPERATORS: dict[str, Reader] = {**WINDOWS, **MATRICES, **POINTWISE, **LAYOUT, **OWN_FORMS}
"""The operators that are carried over, each with what reads it."""

_PROBABILITIES = ("Softmax", "LogSoftmax")
_VIEWS = ("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")
# Why some operators are never carried over; others are simply not known.
_REASONS = {
    "DequantizeLinear": "values of the image are quantised; only weights are dequantised",
    "If": "what is computed depends on the image",
    "Loop": "what is computed depends on the image",
    "QuantizeLinear": "values of the image are quantised; only weights are dequantised",
    "Scan": "what is computed depends on the image",
}
_UNKNOWN = "striate has no layer for it"
_LEFT_OUT = (
    "the {} at its end is left out: predict_proba has probabilities, predict_logits what enters it"
)


@dataclass(frozen=True)
class ImportedNetwork:
    """A network that was read, and how.

    Attributes:
        network: the network.
        image: how the axes of the file's input lie in the network's.
        output: how the axes of the file's output lie in the network's.
        notes: what was found, folded or left out, for people.
    """

    network: Network
    image: AxisView
    output: AxisView
    notes: list[str] = field(default_factory=list)


def read_onnx(
    path: str | os.PathLike[str],
    *,
    output: str | None = None,
    image: tuple[int, int] | None = None,
    preparation: ImagePreparation | None = None,
) -> ImportedNetwork:
    """Read an ONNX file: see `striate.importing.from_onnx`."""
    found, described = _imported(path, output, image)
    told = prepare(found.network, preparation or ImagePreparation(), usual=not described)
    return replace(found, notes=found.notes + told)


def _imported(
    path: str | os.PathLike[str], output: str | None, image: tuple[int, int] | None
) -> tuple[ImportedNetwork, bool]:
    """The network, with what its file says; whether that is all that striate knew of it."""
    size = check_image(image)
    graph = read_file(path)
    _choose_output(graph, output)
    own = own_network(graph)
    if own is not None and size in (None, own.network.input_shape[:2]):
        notes = ["its layers are those of the network that striate exported"]
        if own.form.probabilities:
            is_labels = own.network.answers.kind == "labels"
            notes.append(_LEFT_OUT.format("Sigmoid" if is_labels else "Softmax"))
        notes += apply_metadata(own.network, graph.metadata, graph.path)
        return ImportedNetwork(own.network, own.image, own.output, notes), True
    before = len(graph.operations)
    folder = Folder(graph.size)
    graph.operations = fold_graph(graph.operations, graph.constants, folder)
    graph.keep_ancestors([tensor.name for tensor in graph.outputs])
    the_input(graph)
    drop_identities(graph)
    join_own_forms(graph)
    found = recognise(graph)
    drop_identities(graph)
    join(graph)
    notes = [f"{counted(before, 'node')} of the file, {len(graph.operations):,} after folding"]
    if found:
        notes.append(f"{counted(found, 'activation function')} written as several operators")
    reading, value = _read(graph, folder, size)
    entered = reading.writer.image
    if entered is None or value.node is entered.node:
        raise OnnxFileError(
            f"{graph.path}: has no layer: its output is its input, viewed otherwise"
        )
    network = reading.writer.network(value)
    network.preprocessing = _preprocessing(reading)
    if not network.preprocessing.is_identity:
        notes.append("the constants at its input became the preprocessing")
    notes += apply_metadata(network, graph.metadata, graph.path)
    return ImportedNetwork(network, entered.view, value.view, notes + reading.notes), False


def _choose_output(graph: OperationGraph, name: str | None) -> None:
    """Leave one output in the graph."""
    names = [tensor.name for tensor in graph.outputs]
    shown = ", ".join(f'"{one}"' for one in names[:10])
    if name is None and len(names) > 1:
        raise OnnxFileError(f"{graph.path}: has {len(names)} outputs; choose one, output={shown}")
    if name is not None and name not in names:
        raise OnnxFileError(f'{graph.path}: has no output "{name}"; it has {shown}')
    chosen = names[0] if name is None else name
    graph.outputs = [next(tensor for tensor in graph.outputs if tensor.name == chosen)]
    graph.keep_ancestors([chosen])


@dataclass(frozen=True)
class _Problem:
    kind: str
    name: str
    why: str


def _read(
    graph: OperationGraph, folder: Folder, size: tuple[int, int] | None
) -> tuple[Reading, Foreign]:
    """Read all operations; the output.

    Where no operator tells which axis has the channels, the likeliest order is tried first: with
    another one, constants for each channel would differ from pixel to pixel.

    Raises:
        OnnxFileError: some cannot be carried over; all that are in the way are named.
    """
    constants = dict(graph.constants)
    refused: list[OnnxFileError] = []
    for letters in input_letters(graph):
        for layers_only in (False, True):
            graph.constants = dict(constants)
            try:
                reading, value = _attempt(graph, folder, size, letters, layers_only=layers_only)
            except OnnxFileError as error:
                refused.append(error)
                break
            entered = reading.writer.image
            if layers_only or entered is None or value.node is not entered.node:
                return reading, value
            # All that it does would be preprocessing: then make layers of it.
    raise refused[0]


def _attempt(
    graph: OperationGraph,
    folder: Folder,
    size: tuple[int, int] | None,
    letters: str,
    *,
    layers_only: bool,
) -> tuple[Reading, Foreign]:
    """Read all operations, with the axes of the input called by `letters`: see `_read`."""
    reading = Reading(graph, layers_only=layers_only)
    entered = write_input(graph, reading.writer, size, letters)
    name = the_input(graph).name
    reading.values[name] = entered
    if reading.readers.get(name) == 1:
        reading.sole.add(name)
    problems: list[_Problem] = []
    unknown: set[str] = set()
    for op in graph.operations:
        if unknown.intersection(op.inputs):
            unknown.update(op.outputs)
            continue
        try:
            results = _results(reading, op, folder)
            for output, result in zip(op.outputs, results, strict=False):
                if isinstance(result, Foreign):
                    reading.values[output] = result
                    _follow(reading, op, output, result, entered)
                else:
                    graph.constants[output] = result
        except StriateError as error:
            why = str(error).split("\n")[0]
            problems.append(_Problem(op.kind.removeprefix("striate."), op.name, why))
            unknown.update(op.outputs)
        except (ValueError, TypeError, IndexError, ArithmeticError) as error:
            why = f"its inputs or attributes do not fit: {cut(reason(error), 80)}"
            problems.append(_Problem(op.kind, op.name, why))
            unknown.update(op.outputs)
    end = graph.outputs[0].name
    if problems:
        raise OnnxFileError(_told(graph.path, problems))
    if end not in reading.values:
        raise OnnxFileError(f'{graph.path}: its output "{end}" does not depend on the image')
    try:
        return reading, _finished(reading, reading.values[end])
    except ViewError as error:
        raise OnnxFileError(f'{graph.path}: its output "{end}": {error}') from None


def _results(reading: Reading, op: OnnxOperation, folder: Folder) -> Sequence[Foreign | Array]:
    """The outputs of an operation."""
    if not any(name in reading.values for name in op.inputs):
        return folder.fold(op, reading.constants(op))
    if op.kind in _PROBABILITIES:
        return [_probabilities(reading, op)]
    reader = OPERATORS.get(op.kind)
    if reader is None:
        raise ViewError(_REASONS.get(op.kind, _UNKNOWN))
    found = reader(reading, op)
    return [found] if isinstance(found, Foreign | np.ndarray) else found


def _follow(
    reading: Reading, op: OnnxOperation, output: str, result: Foreign, entered: Foreign
) -> None:
    """Note that a tensor is still the only way that the input takes, before any layer."""
    if (
        result.node is entered.node
        and reading.readers.get(output) == 1
        and reading.sole.intersection(op.inputs)
    ):
        reading.sole.add(output)


def _probabilities(reading: Reading, op: OnnxOperation) -> Foreign:
    """What enters a softmax at the very end: networks end in logits."""
    value = reading.value(op)
    ends = {tensor.name for tensor in reading.graph.outputs}
    name = op.outputs[0]
    consumers = reading.graph.consumers()
    while name not in ends:
        after = consumers.get(name, [])
        if len(after) != 1 or after[0].kind not in _VIEWS:
            raise ViewError("it is not the end of the network, and only there it is left out")
        name = after[0].outputs[0]
    rank = len(value.shape)
    axis = value.view.position(op.attribute("axis", -1 if op.opset >= 13 else 1))
    over = [axis] if op.opset >= 13 else range(axis, rank)
    value = reading.writer.features_in(value, axis)
    classes = {value.view.last} if value.shape[-1] > 1 or value.view.stored_shape[-1] > 1 else set()
    if value.view.covered(over) != classes:
        raise ViewError("it is not over the classes")
    reading.notes.append(_LEFT_OUT.format(op.kind))
    return value


def _finished(reading: Reading, value: Foreign) -> Foreign:
    """The output as the network's: a vector where it has no height and width."""
    value = reading.writer.in_order(value)
    stored = value.view.stored_shape
    entered = reading.writer.image
    if value.view.is_image and stored[:2] == (1, 1) and entered is not None:
        if value.node is not entered.node:
            value = reading.writer.as_vector(value)
    elif value.view.is_image and len(value.shape) == 2:
        reading.notes.append(
            f"its output is the image {stored}, (height, width, channels), which the file flattens"
        )
    return value


def _preprocessing(reading: Reading) -> Preprocessing:
    """(raw - mean) / std, from scale · raw + shift."""
    if reading.scale is None or reading.shift is None:
        return Preprocessing()
    scale, shift = reading.scale, reading.shift
    # In float32, as they are used: so a file's own mean and deviation come out as they were.
    mean = np.where(shift == 0, 0.0, -shift / scale).astype(np.float32)
    std = (1 / scale).astype(np.float32)
    return Preprocessing(tuple(map(float, mean)), tuple(map(float, std)))


def _told(path: str, problems: Iterable[_Problem]) -> str:
    """One sentence that names all operators in the way, with as many nodes as there is room for."""
    groups: dict[tuple[str, str], list[str]] = {}
    for problem in problems:
        groups.setdefault((problem.kind, problem.why), []).append(f'"{problem.name}"')
    for most, words in ((10**6, 400), (3, 200), (1, 120), (1, 60), (0, 40), (0, 0)):
        parts = []
        for (kind, why), names in groups.items():
            rest = f" and {len(names) - most} more" if 0 < most < len(names) else ""
            shown = ", ".join(names[:most]) + rest
            parts.append(
                " ".join(filter(None, [kind, shown, f"({cut(why, words)})" * bool(words)]))
            )
        text = f"{path}: cannot be carried over: {', '.join(parts)}"
        if len(text) <= MOST_CHARACTERS:
            return text
    kinds = ", ".join(dict.fromkeys(kind for kind, _ in groups))
    return cut(f"{path}: cannot be carried over: {kinds}", MOST_CHARACTERS)
