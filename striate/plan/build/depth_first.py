"""Depth-first order: strips of rows go through several layers, each while it is in the cache.

Layer by layer, an image that is larger than a core's own cache is written to memory by each layer
and read from there by the next.  Here the first rows go through some layers, then the next rows.  A
layer that reads rows above and below (a window of 3 × 3) follows one strip behind the one before,
so that nothing is computed twice.  Also known as layer fusion or cascading.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from striate.nest.algebra import Index, Tensor, forms_in
from striate.nest.ir import BYTES
from striate.plan.layout import Buffer, Location
from striate.plan.lowering.recorder import ALIKE
from striate.plan.settings import Settings
from striate.plan.stage import BoundNest, Stage

_ROWS = "y"
# What is written between two layers that is worth it, and the strips of a chain that are at hand
# together, as parts of a core's own cache.
_LARGE, _NEAR = 1 / 2, 1
# Rows of a strip, at least: with fewer, windows are read again too often.
_ROWS_OF_STRIP = 4
# Blocks that a step may want together and not have.
_FEW = 2
# Strips of a layer at hand: the one that is written, and the one before, which is read.
_AT_HAND = 2


def depth_first(stage: Stage, settings: Settings) -> list[Stage]:
    """A stage over blocks whose steps, where there are large images between them, go in strips of
    rows, one image after the other: those of several would take the cache from each other.  What
    comes behind the last strips is a stage of its own if it wants many more blocks together.
    """
    if not stage.by_block or stage.starts or stage.ends:
        return [stage]
    steps, behind = _in_strips(stage.steps, settings)
    if not behind:
        return [stage]
    before = max(step.wanted for step in steps[:behind])
    if before <= _FEW:
        before = 1
    if stage.wanted <= ALIKE * before:
        return [replace(stage, steps=steps, wanted=before)]
    rest = max(step.wanted for step in steps[behind:])
    return [
        replace(stage, steps=steps[:behind], wanted=before, barrier=True),
        replace(stage, steps=steps[behind:], wanted=rest),
    ]


def _in_strips(steps: Sequence[BoundNest], settings: Settings) -> tuple[list[BoundNest], int]:
    """The steps in their new order, and how many there are up to the end of the last strip."""
    found: list[BoundNest] = []
    place = behind = 0
    while place < len(steps):
        chain = _Chain.from_first_of(steps[place:], settings)
        count = chain.strips(settings) if chain else 1
        while chain and count == 1 and len(chain.layers) > 1:
            chain = _Chain(chain.layers[:-1])
            count = chain.strips(settings)
        if chain and count > 1:
            found.extend(chain.in_strips(count))
            place += len(chain.layers)
            behind = len(found)
        else:
            found.append(steps[place])
            place += 1
    return found, behind


@dataclass(frozen=True)
class _Layer:
    """A step that writes the rows of one buffer in order.

    Attributes:
        rows: how many.
        strides: elements from row to row, by role.
        first, row: the buffer's element where the first row begins, and the elements from one to
            the next.
    """

    step: BoundNest
    buffer: Buffer
    rows: int
    strides: Mapping[str, int]
    first: int
    row: int

    @classmethod
    def of(cls, step: BoundNest) -> _Layer | None:
        """The step as a layer, if it is one that can be taken through some rows at a time."""
        nest = step.nest
        targets = {store.target.buffer for store in nest.stores}
        if _ROWS not in nest.outputs or len(targets) != 1 or step.band is not None:
            return None
        strides: dict[str, int] = {}
        for expression in nest.expressions():
            for form in forms_in(expression):
                stride = dict(form.strides).get(_ROWS, 0)
                if isinstance(form, Index):
                    moves_otherwise = stride != 0
                elif form.rows is not None or form.shift:
                    moves_otherwise = True
                else:
                    moves_otherwise = strides.setdefault(form.buffer, stride) != stride
                if moves_otherwise:
                    return None
        (target,) = targets
        lows = [nest.reach(store.target)[0] for store in nest.stores]
        if min(strides.values()) < 0 or strides[target] == 0:
            return None
        place = step.places[target]
        first = place.offset + min(lows)
        return cls(step, place.buffer, nest.extent(_ROWS), strides, first, strides[target])

    @property
    def size(self) -> int:
        """Elements of all rows."""
        return self.rows * self.row

    @property
    def buffers(self) -> set[Buffer]:
        """All memory that is read or written."""
        return {place.buffer for place in self.step.places.values()}

    def reads(self, rows: int) -> Iterator[tuple[Buffer, int]]:
        """Buffers, and the last element that the first `rows` read there."""
        nest = self.step.nest
        for tensor in nest.tensors():
            if tensor.buffer in nest.inputs:
                place = self.step.places[tensor.buffer]
                last = self._last(tensor) - (self.rows - rows) * self.strides[tensor.buffer]
                yield place.buffer, place.offset + last

    def _last(self, tensor: Tensor) -> int:
        return self.step.nest.reach(tensor)[1]

    def rows_up_to(self, element: int) -> int:
        """How many rows begin at or before an element of the buffer."""
        return min(max((element - self.first) // self.row + 1, 0), self.rows)

    def strip(self, number: int, count: int) -> BoundNest:
        """The step for one of so many strips."""
        rows = self.rows // count
        axes = tuple((axis, rows if axis == _ROWS else n) for axis, n in self.step.nest.axes)
        places = {
            role: Location(place.buffer, place.offset + number * rows * self.strides.get(role, 0))
            for role, place in self.step.places.items()
        }
        return replace(self.step, nest=replace(self.step.nest, axes=axes), places=places)


@dataclass(frozen=True)
class _Chain:
    """Layers that follow each other; each but the first reads a large image of one before."""

    layers: Sequence[_Layer]

    @classmethod
    def from_first_of(cls, steps: Sequence[BoundNest], settings: Settings) -> _Chain | None:
        """The longest chain that begins with the first of some steps."""
        large = _LARGE * settings.target.core_cache / BYTES[settings.element]
        layers: list[_Layer] = []
        for step in steps:
            layer = _Layer.of(step)
            if layer is None:
                break
            written = {other.buffer for other in layers if other.size >= large}
            touched = {buffer for other in layers for buffer in other.buffers}
            follows = not layers or written & (layer.buffers - {layer.buffer})
            if not follows or layer.buffer in touched:
                break
            layers.append(layer)
        return cls(layers) if len(layers) > 1 else None

    def strips(self, settings: Settings) -> int:
        """The fewest equal strips of all layers that stay in the cache; 1 if none do."""
        near = _NEAR * settings.target.core_cache / BYTES[settings.element]
        most = math.gcd(*(layer.rows for layer in self.layers))
        largest = min(layer.rows for layer in self.layers) // _ROWS_OF_STRIP
        size = _AT_HAND * sum(layer.size for layer in self.layers)
        for count in range(2, most + 1):
            if most % count == 0 and size / count <= near and count <= largest:
                return count
        return 1

    def in_strips(self, count: int) -> list[BoundNest]:
        """All steps, strip by strip: each as late as those allow that read it."""
        done = [0] * len(self.layers)
        makers = {layer.buffer: number for number, layer in enumerate(self.layers)}
        found: list[BoundNest] = []

        def make(number: int, rows: int) -> None:
            layer = self.layers[number]
            strip = layer.rows // count
            while done[number] * strip < rows:
                for buffer, last in layer.reads((done[number] + 1) * strip):
                    maker = makers.get(buffer, number)
                    if maker < number:
                        make(maker, self.layers[maker].rows_up_to(last))
                found.append(layer.strip(done[number], count))
                done[number] += 1

        for strip in range(1, count + 1):
            make(len(self.layers) - 1, strip * (self.layers[-1].rows // count))
        for number, layer in enumerate(self.layers):
            make(number, layer.rows)
        return found
