"""Non-temporal stores: how large values leave a core for memory.

A store to a line that is in no cache first reads the line, and waits for it where lines do not
follow each other, as those of a tile of outputs do not.  Two ways round it:

- Where nothing in the stage reads what is stored, the stores go past the caches, line by line.
- Where the stage reads it (the statistics of what a convolution gives, say), it is made in memory
  of the thread's own, read there, and copied out when the stage ends, line after line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from striate.common.memory import LINE
from striate.nest.algebra import Nest, Store, Tensor, strides_of
from striate.nest.ir import BYTES
from striate.nest.target import Target
from striate.plan.layout import Buffer, Location
from striate.plan.settings import Settings
from striate.plan.stage import BoundNest, Stage

# Bytes of a value, of all images, that are worth a copy, and one past the caches, as measured: they
# hold what else such a stage goes through.
_AWAY, _PAST = 1 << 20, 4 << 20
# Buffers of more bytes than this part of the last cache are not there any more when they are read.
_FAR = 3 / 4


def copy_out(stages: Sequence[Stage], settings: Settings) -> None:
    """Let stages make the large values that they read themselves in memory at hand.

    Only those that they begin: what is there already is read and written where it is.
    """
    last = {buffer: i for i, stage in enumerate(stages) for buffer in _buffers(stage)}
    begun: set[Buffer] = set()
    for number, stage in enumerate(stages):
        for buffer in _made_and_read(stage):
            size = buffer.span * stage.tasks * BYTES[settings.element]
            if size >= _AWAY and buffer not in begun and last[buffer] > number:
                whole = buffer.size * BYTES[settings.element] % LINE == 0
                _copy_out(stage, buffer, streaming=size >= _PAST and whole)
        begun.update(_buffers(stage))


def _buffers(stage: Stage) -> Iterator[Buffer]:
    return (place.buffer for step in stage.all_steps for place in step.places.values())


def _made_and_read(stage: Stage) -> list[Buffer]:
    """The values of each block that steps of a stage write before others read them."""
    written: set[Buffer] = set()
    found: dict[Buffer, None] = {}  # in the order of the steps
    for step in stage.steps if stage.by_block else ():
        for buffer in (step.places[role].buffer for role in sorted(step.nest.inputs)):
            alike = buffer.scope == "auto" and buffer.element == "real" and buffer.step is None
            if alike and buffer in written:
                found[buffer] = None
        written |= {step.places[store.target.buffer].buffer for store in step.nest.stores}
    return [*found]


def _copy_out(stage: Stage, buffer: Buffer, *, streaming: bool) -> None:
    """Replace a buffer by one at hand, and copy that at the end, its halo too.

    So every number of the buffer is written before it is read, and its memory may be anyone's.
    """
    near = replace(buffer, name=f"{buffer.name} at hand")
    buffer.form = None
    label = ""
    for i, step in enumerate(stage.steps):
        if any(place.buffer is buffer for place in step.places.values()):
            places = {
                role: Location(near, place.offset) if place.buffer is buffer else place
                for role, place in step.places.items()
            }
            stage.steps[i] = replace(step, places=places)
            label = label or step.label
    here, there = Tensor("near", strides_of({"e": 1})), Tensor("out", strides_of({"e": 1}))
    nest = Nest((("e", buffer.size),), (Store(there, here, streaming),))
    stage.steps.append(
        BoundNest(nest, {"near": Location(near), "out": Location(buffer)}, label=label)
    )


def with_non_temporal_stores(
    step: BoundNest, array: npt.NDArray[np.generic], place: Location, target: Target
) -> BoundNest:
    """The step, whose stores all go to `place` in `array` and are not read again soon, past the
    caches; as it is where the caches may hold them, where they are no whole lines, or sums in
    rounds, which it reads itself.
    """
    far = array.nbytes > _FAR * target.shared_cache and not step.nest.rounds
    if not far or not _fills_lines(step.nest, place, array):
        return step
    stores = tuple(replace(store, streaming=True) for store in step.nest.stores)
    return replace(step, nest=replace(step.nest, stores=stores))


def _fills_lines(nest: Nest, place: Location, array: npt.NDArray[np.generic]) -> bool:
    """Whether every vector stored is a whole, aligned cache line, and nothing is read there."""
    line = LINE // array.itemsize
    targets = {store.target for store in nest.stores}
    reads = [t for t in nest.tensors() if t.buffer in {target.buffer for target in targets}]
    if set(reads) != targets or place.offset % line:
        return False
    steps = [(t.offset, t.strides) for t in targets]
    return all(
        offset % line == 0
        and all(
            stride % line == 0 or (stride == 1 and nest.extent(axis) % line == 0)
            for axis, stride in strides
            if nest.extent(axis) > 1
        )
        for offset, strides in steps
    )
