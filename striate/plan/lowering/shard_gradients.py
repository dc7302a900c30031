"""Shard gradients: each shard of images sums up its own, and they are added in a fixed order.

They are added in an order that never changes, whichever thread has found which.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import accumulate

from striate.layers import Conv2D, ConvTranspose2D
from striate.model.model import Model
from striate.model.parameters import Slot
from striate.nest.algebra import Accumulator, Nest, Store, Tensor, strides_of
from striate.plan.analysis.operations import Graph
from striate.plan.layout import Buffer, Location
from striate.plan.lowering.place_gradients import PlaceGradients
from striate.plan.lowering.recorder import Recorder
from striate.plan.stage import Stage, When, in_tasks

# As many threads at most work on the images of a training step; and on those of a step of fewer
# multiply-adds, which more of them would hardly make shorter.
MOST_SHARDS, _FEW_SHARDS, _LITTLE = 16, 8, 640e6
# Filters of more numbers than this have one gradient, summed over the whole batch at once; if they
# take steps over large images, of more than twice as many.
_HUGE = 1 << 17
# Filters of more numbers than this have memory that is needed only until their shards are added.
_LARGE = 1 << 14
# Elements that one task takes.
_SUM = 4096


@dataclass(frozen=True)
class _Span:
    """Numbers in the buffer of each shard, from `start` on, and where their sums go: to the
    elements `begin` to `stop` of `target`.
    """

    buffer: Buffer
    start: int
    target: Buffer
    begin: int
    stop: int


def shards_of(graph: Graph, images: int) -> int:
    """Into how many shards a training step of so many images is dealt.

    Each sums up gradients of its own, so more of them cost memory and longer sums.
    """
    work = 3 * images * sum(operation.multiply_adds for operation in graph.operations)
    return _FEW_SHARDS if work < _LITTLE else MOST_SHARDS


class Shards:
    """Where the gradients lie that shards sum up.

    The small ones share a buffer, and are added at the end of a run, all together.  A large one has
    memory of its own only until it is added, which is as soon as all shards have it.
    """

    def __init__(self, network: Model, recorder: Recorder, places: PlaceGradients) -> None:
        self._recorder = recorder
        self._places: dict[tuple[int, str], Location] = {}
        self._runs: list[_Span] = []
        self._large: dict[Buffer, _Span] = {}
        self._filled: set[Buffer] = set()
        summed = [
            (node, slot)
            for slot in network.slots
            for node in places.of(slot)
            if _is_summed(network, node, slot)
        ]
        small = [(node, slot) for node, slot in summed if not _is_large(slot)]
        ends = [*accumulate(-(-(slot.stop - slot.start) // 16) * 16 for _, slot in small)]
        common = Buffer("shard gradient", ends[-1] if ends else 0, "real", "shard")
        for (node, slot), start, end in zip(small, [0, *ends], ends, strict=False):
            self._places[node, slot.parameter.name] = Location(common, start)
            target = places.place(node, slot)
            begin = target.offset
            self._add(_Span(common, start, target.buffer, begin, begin + end - start))
        for node, slot in summed:
            if _is_large(slot):
                size = slot.stop - slot.start
                buffer = Buffer(f"shard gradient {node}", size, "real", "partial")
                self._places[node, slot.parameter.name] = Location(buffer)
                target = places.place(node, slot)
                begin = target.offset
                self._large[buffer] = _Span(buffer, 0, target.buffer, begin, begin + size)

    def _add(self, run: _Span) -> None:
        """A run, or more of the last one, which it follows in both buffers."""
        last = self._runs[-1] if self._runs else None
        if last is not None and last.target is run.target and last.stop == run.begin:
            self._runs[-1] = replace(last, stop=run.stop)
        else:
            self._runs.append(run)

    def has(self, node: int, name: str) -> bool:
        """Whether shards sum up the gradient of a parameter."""
        return (node, name) in self._places

    def place(self, node: int, name: str) -> Location:
        """Where it lies, for a step that fills it."""
        found = self._places[node, name]
        self._filled.add(found.buffer)
        return found

    def add_finished(self) -> None:
        """Steps that add the large gradients of which all shards are done."""
        recorder = self._recorder
        at_hand = recorder.stage() if recorder.stage_is_open else None
        for buffer in [buffer for buffer in self._large if buffer in self._filled]:
            stage = _stage_of(buffer, recorder)
            if stage is not at_hand:
                self._record(self._large.pop(buffer), stage, "before")

    def add_all(self) -> None:
        """Steps that add all other gradients."""
        for buffer, run in self._large.items():
            self._record(run, _stage_of(buffer, self._recorder), "now")
        for run in self._runs:
            self._record(run, None, "now")

    def _record(self, run: _Span, stage: Stage | None, when: When) -> None:
        """A step that adds in the order of the shards.

        Of a buffer with a stage of its own only those shards that have tasks in it; the common
        buffer holds zeros for the others.
        """
        for first, count, size in in_tasks(run.stop - run.begin, _SUM):
            self._recorder.tasks(
                Nest(
                    (("e", size), ("s", self._recorder.shards)),
                    stores=(Store(Tensor("out", strides_of({"e": 1})), Accumulator()),),
                    terms=(Tensor("shards", strides_of({"e": 1, "s": run.buffer.span})),),
                    reduce=("s",),
                    reduction="sum",
                ),
                count,
                {"out": size, "shards": size},
                {
                    "shards": Location(run.buffer, run.start + first),
                    "out": Location(run.target, run.begin + first),
                },
                barrier=False,
                when=when,
                shards_of=stage,
            )


def _stage_of(buffer: Buffer, recorder: Recorder) -> Stage:
    """The last stage that uses it."""
    return next(
        stage
        for stage in reversed(recorder.stages)
        if any(place.buffer is buffer for s in stage.all_steps for place in s.places.values())
    )


def _is_summed(network: Model, node: int, slot: Slot) -> bool:
    learns = node not in network.frozen_nodes
    convolution = isinstance(network.nodes[node].layer, Conv2D | ConvTranspose2D)
    return learns and convolution and not _is_huge(network, node, slot)


def _is_huge(network: Model, node: int, slot: Slot) -> bool:
    """Whether a gradient is too large for every shard to have its own.

    Sums over the whole batch read all images once for each of their tasks.  A convolution that
    takes steps, and so has only direct sums, gains by memory for more of them if its images are
    larger than its filters.
    """
    most = _HUGE
    if getattr(network.nodes[node].layer, "stride", None) != (1, 1):
        most = max(most, min(math.prod(network.input_shapes(node)[0]), 2 * _HUGE))
    return slot.stop - slot.start > most


def _is_large(slot: Slot) -> bool:
    return slot.stop - slot.start > _LARGE
