"""Depth-first order: strips of rows go through several layers, each while it is in the cache.

Layer by layer, an image that is larger than a core's own cache is written to memory by each layer
and read from there by the next.  Here the first rows go through some layers, then the next rows.  A
layer that reads rows above and below (a window of 3 × 3) follows one strip behind the one before,
so that nothing is computed twice.  Also known as layer fusion or cascading.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from striate.nest.ir import BYTES
from striate.plan.build.row_step import RowStep
from striate.plan.lowering.recorder import ALIKE
from striate.plan.settings import Settings
from striate.plan.stage import BoundNest, Stage

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
class _Chain:
    """Layers that follow each other; each but the first reads a large image of one before."""

    layers: Sequence[RowStep]

    @classmethod
    def from_first_of(cls, steps: Sequence[BoundNest], settings: Settings) -> _Chain | None:
        """The longest chain that begins with the first of some steps."""
        large = _LARGE * settings.target.core_cache / BYTES[settings.element]
        layers: list[RowStep] = []
        for step in steps:
            layer = RowStep.of(step)
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

        def make(number: int, stop: int) -> None:
            layer = self.layers[number]
            strip = layer.rows // count
            while done[number] * strip < stop:
                rows = range(done[number] * strip, (done[number] + 1) * strip)
                for buffer, low, high in layer.reads(rows):
                    maker = makers.get(buffer, number)
                    if maker < number:
                        make(maker, self.layers[maker].rows_between(low, high).stop)
                found.append(layer.part(rows))
                done[number] += 1

        for strip in range(1, count + 1):
            make(len(self.layers) - 1, strip * (self.layers[-1].rows // count))
        for number, layer in enumerate(self.layers):
            make(number, layer.rows)
        return found
