"""Operations: what is computed, what is fused into it, what is only a view, and what nobody
reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from striate.common.cached_property import cached_property
from striate.layers import (
    Add,
    AvgPool2D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GroupedDense,
    Layer,
    MaxPool2D,
    SumPool2D,
    ZeroPad2D,
)
from striate.layers.layer import WindowLayer
from striate.ops.shapes import Pads, Shape, extent
from striate.plan.analysis.activations import ACTIVATIONS, fusible, rises
from striate.plan.analysis.zero_borders import NO_BORDER, around, padding_nodes, within

if TYPE_CHECKING:
    from striate.model.model import Model

INPUT = -1
# Of these any part of the output can be computed alone.
_WINDOWS = (Conv2D, MaxPool2D, AvgPool2D, SumPool2D)
# The part of a value that must be spared, for a size that suits vectors less well.
_SPARED = 1 / 16


@dataclass
class Operation:
    """One layer to compute, with the activation that is applied as its result is stored.

    Values are named by the node that first makes them (`INPUT` is the network's input).  `shapes`
    and `shape` are what is there of the inputs and of the output, which may be less than the layer
    would make: see `_trim`.  `pads` is the layer's padding, (top, bottom, left, right), and that of
    borders of zeros before it, which `shapes` are without.
    """

    node: int
    layer: Layer
    inputs: tuple[int, ...]
    shapes: tuple[Shape, ...]
    shape: Shape
    multiply_adds: float
    pads: Pads = (0, 0, 0, 0)
    activation: Layer | None = None
    addend: int | None = None

    @property
    def reads(self) -> tuple[int, ...]:
        """The values that it reads."""
        return self.inputs if self.addend is None else (*self.inputs, self.addend)


@dataclass(frozen=True)
class Graph:
    """Operations in order, the value that is the network's output, and for each auxiliary head its
    value and the weight of its loss.
    """

    operations: tuple[Operation, ...]
    output: int
    output_shape: Shape
    heads: tuple[tuple[int, float], ...] = ()

    @cached_property
    def outputs(self) -> frozenset[int]:
        """The values that leave the network: its output, and those of heads."""
        return frozenset([self.output, *(value for value, _ in self.heads)])

    @cached_property
    def makers(self) -> Mapping[int, Operation]:
        """The operation that makes each value; none makes the input."""
        return {operation.node: operation for operation in self.operations}

    @cached_property
    def readers_of(self) -> Mapping[int, Sequence[Operation]]:
        """The operations that read each value that is read, in order."""
        found: dict[int, list[Operation]] = {}
        for operation in self.operations:
            for value in dict.fromkeys(operation.reads):
                found.setdefault(value, []).append(operation)
        return found

    def readers(self) -> Counter[int]:
        """How often each value is read; being an output counts once."""
        counts = Counter(value for operation in self.operations for value in operation.reads)
        counts.update([self.output, *(value for value, _ in self.heads)])
        return counts


def analyse(network: Model, training: bool, backward: bool | None = None) -> Graph:
    """Drop what is only a view, and fuse activations into what precedes them.

    Args:
        network: the network.
        training: whether layers behave as in training.
        backward: whether gradients are wanted; by default in training.

    - Flatten before Dense and GroupedDense changes nothing; Dropout does nothing outside training.
    - A border of zeros is padding of the convolutions that read it.
    - An activation whose input nobody else reads is applied where that input is stored.
    - max(f(x)) = f(max(x)) for a rising f, so an activation before max-pooling is moved behind
      it, where there are fewer numbers.  (Gradients agree too: where a tie is new, f is flat.)
    - Where no gradients are wanted, the sum of a convolution and another value is made as the
      convolution's result is stored.
    - Rows and columns that no window reads are not computed.
    """
    backward = training if backward is None else backward
    plain, borders = _without_views(network, training)
    nodes = [i for i, value in plain.items() if i == value and i != INPUT]
    sources = {i: tuple(plain[source] for source in network.nodes[i].inputs) for i in nodes}
    readers = Counter(value for i in nodes for value in sources[i])
    output = plain[len(network.nodes) - 1]
    heads = [(plain[head.node], head.weight) for head in network.heads.values()]
    readers.update([output, *(value for value, _ in heads)])
    pooled = {sources[i][0] for i in nodes if type(network.nodes[i].layer) is MaxPool2D}

    fused: dict[int, int] = {INPUT: INPUT}
    moved: dict[int, Layer] = {}
    made: dict[int, Operation] = {}
    for i in nodes:
        layer, before = network.nodes[i].layer, sources[i][0]
        if fusible(layer, backward) and readers[before] == 1:
            previous = made.get(fused[before])
            if rises(layer) and readers[i] == 1 and i in pooled and before not in moved:
                fused[i], moved[i] = fused[before], layer
                continue
            # An activation as such needs its own output for its derivative.
            if previous and not previous.activation and type(previous.layer) not in ACTIVATIONS:
                fused[i], previous.activation = fused[before], layer
                continue
        if not backward and type(layer) is Add and len(sources[i]) == 2:
            last = _ends_in_sum(sources[i], fused, made, readers)
            if last is not None:
                fused[i] = last
                continue
        fused[i] = i
        inputs = tuple(fused[source] for source in sources[i])
        shapes, shape = network.input_shapes(i), network.nodes[i].shape
        pads = layer.pads(shapes[0]) if isinstance(layer, WindowLayer) else NO_BORDER
        work = layer.multiply_adds(*shapes)
        border = borders[network.nodes[i].inputs[0]]
        if border != NO_BORDER:
            pads, shapes = around(pads, border), (within(shapes[0], border),)
        made[i] = Operation(i, layer, inputs, shapes, shape, work, pads, moved.get(before))
    graph = Graph(
        tuple(made.values()),
        fused[output],
        network.output_shape,
        tuple((fused[value], weight) for value, weight in heads),
    )
    _trim(graph)
    return graph


def _ends_in_sum(
    sources: tuple[int, ...],
    fused: dict[int, int],
    made: dict[int, Operation],
    readers: Counter[int],
) -> int | None:
    """Let the convolution that makes the later one of two values add the other; return the value
    that holds the sum, or None where there is no such convolution.
    """
    order = {value: place for place, value in enumerate((INPUT, *made))}
    other, later = sorted(sources, key=lambda source: order[fused[source]])
    last = made.get(fused[later])
    if (
        last is None
        or type(last.layer) is not Conv2D
        or last.activation is not None
        or last.addend is not None
        or readers[later] != 1
        or fused[other] == fused[later]
    ):
        return None
    last.addend = fused[other]
    return last.node


def _trim(graph: Graph) -> None:
    """Leave out the rows and columns at the bottom and right of a value that no reader's windows
    reach: ``uncovered="drop"`` leaves some, and what makes them then reads less in its turn.

    11×11 outputs of a convolution, pooled by 2×2, are 10×10.
    """
    for operation in reversed(graph.operations):
        readers = graph.readers_of.get(operation.node, ())
        windows = all(type(o.layer) in _WINDOWS for o in (operation, *readers))
        windows = windows and all(reader.addend != operation.node for reader in readers)
        if operation.node in graph.outputs or not windows:
            continue
        rows, columns, channels = operation.shape
        read = [_read(reader) for reader in readers]
        height, width = max(y for y, _ in read), max(x for _, x in read)
        if height * width > (1 - _SPARED) * rows * columns:
            continue
        operation.multiply_adds *= height * width / (rows * columns)
        operation.shape = (height, width, channels)
        for reader in readers:
            reader.shapes = (operation.shape,)


def _read(operation: Operation) -> tuple[int, int]:
    """How many rows and columns of its input an operation's windows reach."""
    layer = operation.layer
    if not isinstance(layer, WindowLayer):
        raise TypeError(f"{layer.who} has no windows")
    top, _, left, _ = operation.pads
    reached = [
        max((outputs - 1) * stride + extent(size, dilation) - before, 1)
        for outputs, stride, size, dilation, before in zip(
            operation.shape, layer.stride, layer.size, layer.dilation, (top, left), strict=False
        )
    ]
    height, width, _ = operation.shapes[0]
    return min(height, reached[0]), min(width, reached[1])


def _without_views(network: Model, training: bool) -> tuple[dict[int, int], dict[int, Pads]]:
    """For each node the value that holds its numbers: another node's, if it is only a view; and the
    zeros around that value.

    A flattened image is only a view for dense layers, which take its numbers in the same order,
    and as the output; other readers would see another height, width and channels.
    """
    last = len(network.nodes) - 1
    readers: dict[int, list[int]] = {i: [] for i in range(INPUT, last + 1)}
    for i, vertex in enumerate(network.nodes):
        for source in vertex.inputs:
            readers[source].append(i)

    def idle(i: int) -> bool:
        layer = network.nodes[i].layer
        return type(layer) is Dropout and not (training and layer.rate > 0)

    def dense_only(i: int) -> bool:
        return all(
            type(network.nodes[reader].layer) in (Dense, GroupedDense)
            or (idle(reader) and dense_only(reader))
            for reader in readers[i]
        )

    ends = {last, *(head.node for head in network.heads.values())}
    padding = padding_nodes(network, readers, ends, idle)
    plain, borders = {INPUT: INPUT}, {INPUT: NO_BORDER}
    for i, vertex in enumerate(network.nodes):
        layer, source = vertex.layer, vertex.inputs[0]
        view = idle(i) or i in padding or (type(layer) is Flatten and dense_only(i))
        plain[i] = plain[source] if view else i
        borders[i] = borders[source] if view else NO_BORDER
        if i in padding and isinstance(layer, ZeroPad2D):
            borders[i] = around(borders[i], layer.border)
    return plain, borders
