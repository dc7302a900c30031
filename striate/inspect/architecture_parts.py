"""A network as the parts of a drawing: layers with what is fused to them, repeated runs once.

A *part* is a layer that changes what flows (a convolution, pooling, a dense layer, a sum of
branches), together with the activations, normalisations and the like that follow it alone. A *run*
of parts that comes several times in a row, with the same layers, sizes and shapes, is kept once,
with the number of times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from striate.common.text import sizes
from striate.layers import Layer
from striate.layers.layer import WindowLayer
from striate.layers.reads import Pointwise
from striate.ops.shapes import Shape

if TYPE_CHECKING:
    from striate.model.graph import Vertex
    from striate.model.model import Model

INPUT = -1
"""The index of the input's part, as graphs number it."""
LONGEST_RUN = 6
"""Parts between cuts that a repeated run has at most."""


@dataclass(frozen=True)
class ArchitecturePart:
    """A box of the drawing.

    Attributes:
        name: of its layer; of the input "input".
        kind: the class of its layer; of the input "".
        words: what the layer is, such as "Conv2D 5×5", then what is fused to it, "+ ReLU".
        shape: of its output.
        reads: the places of the parts that it reads in the list of parts.
    """

    name: str
    kind: type[Layer] | None
    words: tuple[str, ...]
    shape: Shape
    reads: tuple[int, ...]


@dataclass(frozen=True)
class RepeatedRun:
    """Parts that stand for several such runs in a row.

    Attributes:
        first, last: their places in the list of parts, both included.
        times: how often they come in the network.
    """

    first: int
    last: int
    times: int


@dataclass(frozen=True)
class ArchitectureParts:
    """The parts of a network in order, the input first.

    Attributes:
        parts: each reads earlier ones only.
        runs: which of them stand for several.
    """

    parts: tuple[ArchitecturePart, ...]
    runs: tuple[RepeatedRun, ...] = ()


def architecture_of(network: Model, repeat: bool = True) -> ArchitectureParts:
    """The parts of a network.

    Args:
        network: any.
        repeat: keep runs of equal parts once; without it every part is there.
    """
    parts = _parts(network.nodes, network.input_shape)
    return _once(parts) if repeat else ArchitectureParts(parts)


def cut_places(parts: Sequence[ArchitecturePart]) -> list[int]:
    """The places of parts behind which nothing reads what comes before them; the last is one."""
    least = len(parts)
    found = []
    for place in reversed(range(len(parts))):
        if least >= place:
            found.append(place)
        least = min(least, *parts[place].reads, len(parts))
    return found[::-1]


def _parts(nodes: Sequence[Vertex], shape: Shape) -> tuple[ArchitecturePart, ...]:
    """The parts of a graph."""
    readers: dict[int, int] = {}
    for vertex in nodes:
        for source in vertex.inputs:
            readers[source] = readers.get(source, 0) + 1
    parts = [ArchitecturePart("input", None, ("input",), shape, ())]
    of_node = {INPUT: 0}
    for index, vertex in enumerate(nodes):
        alone = len(vertex.inputs) == 1 and readers[vertex.inputs[0]] == 1
        before = of_node[vertex.inputs[0]]
        if alone and before and _follows(vertex, nodes):
            part = parts[before]
            words = (*part.words, f"+ {type(vertex.layer).__name__}")
            parts[before] = ArchitecturePart(part.name, part.kind, words, vertex.shape, part.reads)
            of_node[index] = before
            continue
        of_node[index] = len(parts)
        reads = tuple(of_node[source] for source in vertex.inputs)
        layer = vertex.layer
        parts.append(
            ArchitecturePart(vertex.name, type(layer), (words_of(layer),), vertex.shape, reads)
        )
    return tuple(parts)


def _follows(vertex: Vertex, nodes: Sequence[Vertex]) -> bool:
    """Whether a layer is drawn as a word of the one before: it treats each number alone."""
    shapes = (nodes[vertex.inputs[0]].shape,)
    return vertex.shape == shapes[0] and isinstance(vertex.layer.reads(*shapes), Pointwise)


def words_of(layer: Layer) -> str:
    """A layer as the drawing calls it: its class, its window and what of it is unusual."""
    name = type(layer).__name__
    if not isinstance(layer, WindowLayer):
        return name
    words = f"{name} {sizes(layer.size)}"
    usual = (1, 1) if hasattr(layer, "filters") else layer.size
    if layer.stride != usual:
        step = layer.stride[0] if layer.stride[0] == layer.stride[1] else sizes(layer.stride)
        words += f", stride {step}"
    if layer.dilation != (1, 1):
        words += f", dilation {sizes(layer.dilation)}"
    if getattr(layer, "groups", 1) > 1:
        words += f", {layer.groups} groups"  # type: ignore[attr-defined]
    return words


def _once(parts: Sequence[ArchitecturePart]) -> ArchitectureParts:
    """The parts with each run of equal ones kept once."""
    cut = cut_places(parts)
    # What lies between two cuts is one segment: a layer of a chain, a block with its shortcut.
    segments = [range(a + 1, b + 1) for a, b in zip((-1, *cut), cut, strict=False)]
    signs = [_sign(parts, segment) for segment in segments]
    kept: list[int] = []
    runs: list[tuple[int, int, int]] = []
    place = 0
    while place < len(segments):
        length, times = _repeats(signs, place)
        own = [part for segment in segments[place : place + length] for part in segment]
        if times > 1:
            runs.append((own[0], own[-1], times))
        kept += own
        place += length * times
    return _renumbered(parts, kept, runs)


def _repeats(signs: Sequence[Any], place: int) -> tuple[int, int]:
    """(segments of a run that begins there, how often it comes): the run that leaves most out."""
    best, spared = (1, 1), 0
    for length in range(1, LONGEST_RUN + 1):
        run, times = signs[place : place + length], 1
        while signs[place + times * length : place + (times + 1) * length] == run:
            times += 1
        if (times - 1) * length > spared:
            best, spared = (length, times), (times - 1) * length
    return best


def _sign(parts: Sequence[ArchitecturePart], segment: range) -> Any:
    """What two segments have in common that are drawn alike."""
    before = segment[0] - 1
    entering = parts[before].shape if before >= 0 else None
    return (
        entering,
        [(part.words, part.shape, [source - segment[0] for source in part.reads])
         for part in (parts[index] for index in segment)],
    )  # fmt: skip


def _renumbered(
    parts: Sequence[ArchitecturePart], kept: Sequence[int], runs: Sequence[tuple[int, int, int]]
) -> ArchitectureParts:
    """The parts that are kept. What reads the end of a repeated run reads that of the kept one."""
    places = {index: place for place, index in enumerate(kept)}
    # A part that was left out stands where the last one before it that was kept stands.
    stands, last = {}, 0
    for index in range(len(parts)):
        last = places.get(index, last)
        stands[index] = last
    made = [
        ArchitecturePart(
            parts[index].name, parts[index].kind, parts[index].words, parts[index].shape,
            tuple(stands[source] for source in parts[index].reads),
        )
        for index in kept
    ]  # fmt: skip
    return ArchitectureParts(
        tuple(made),
        tuple(RepeatedRun(places[first], places[last], times) for first, last, times in runs),
    )
