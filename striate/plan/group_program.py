"""The groups of a batch through one plan, one after the other, in a single program.

A group takes a plan for as many images as it has, and what it finds is added up: for the vectors
g[0], g[1], … of the gradient, in the order of `striate.ranks.sum_tree`,

    T(place, place + 1) = g[place]
    T(lo, hi)           = T(lo, mid) + T(mid, hi)

Each group has memory of its own for what belongs to its images (`BatchMemory`) and for the running
statistics; all else is that of the plan, which every group uses anew. So threads go from group to
group without Python, which would take as long as a small network does, and they share the sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from striate.common.arrays import Array, Floats
from striate.common.memory import aligned_zeros
from striate.nest.algebra import Expression, Nest, Store, Tensor
from striate.nest.program import Job, Move, Program
from striate.nest.thread_pool import thread_pool
from striate.plan.batch_memory import BatchMemory, buffers_of_batch, first_images
from striate.plan.build.assembly import Assembly
from striate.plan.inputs import BatchInput
from striate.plan.layout import Buffer, Location
from striate.plan.lowering.recorder import Recorder
from striate.plan.memory.placement import Memory
from striate.plan.plan import Plan
from striate.plan.stage import in_tasks
from striate.ranks.sum_tree import Joining, joinings, largest_blocks

# Numbers that one task adds up.
_CHUNK = 4096
_ALONG = (("e", 1),)


class GroupResult(NamedTuple):
    """What a group has found.

    Attributes:
        loss: its part of the batch's.
        outputs: of its images, (n, *output shape).
        statistics: what the running statistics become by this group alone; valid until the next
            run.
    """

    loss: float
    outputs: Array
    statistics: Floats


class GroupProgram:
    """A plan with a loss that is no call, made to run several groups.

    Args:
        plan: for the largest group.
        threads: how many work.
        places: those of the groups among all of their batch.
        are_all: whether the batch has no others: `plan.gradient` is their sum then.

    Attributes:
        sums: if not `are_all`, the gradients of the largest blocks that the places have, each added
            up: see `striate.ranks.sum_tree.largest_blocks`.
    """

    def __init__(self, plan: Plan, threads: int, places: range, *, are_all: bool) -> None:
        self._plan = plan
        self._found = [_GroupMemory(plan) for _ in places]
        steps = list(joinings(places, are_all=are_all))
        waiting = 0 if are_all else len(largest_blocks(places))
        # The sum of all groups is no slot's: it stays where the last one's gradient is.
        slots = max(waiting, *(step.slot + 1 for step in steps[: len(steps) - are_all]), 0)
        self._slots = [aligned_zeros(plan.gradient.size) for _ in range(slots)]
        self.sums: list[Floats] = self._slots[:waiting]
        additions = _Additions(plan, self._slots)
        jobs: list[Job] = []
        for number, (group, step) in enumerate(zip(self._found, steps, strict=True)):
            jobs += (job.moved(group.moves) for job in plan.program.jobs)
            jobs += additions.jobs(step, stays=are_all and number == len(steps) - 1)
        self._program = Program(jobs, threads, plan.settings.target, flushes=True)

    @property
    def bytes(self) -> int:
        """Memory beside that of the plan."""
        return sum(a.nbytes for a in self._slots) + sum(group.bytes for group in self._found)

    def run(self, groups: Sequence[BatchInput]) -> list[GroupResult]:
        """Run the groups, one for each place; the running statistics stay as they are."""
        statistics = self._plan.memory.arrays[self._plan.builder.statistics]
        for memory, group in zip(self._found, groups, strict=True):
            memory.batch.enter(*group)
            memory.statistics[...] = statistics
        thread_pool().run(self._program)
        return [
            GroupResult(
                memory.batch.loss,
                first_images(memory.batch.outputs, len(group.images)),
                memory.statistics,
            )
            for memory, group in zip(self._found, groups, strict=True)
        ]


class _GroupMemory:
    """What a group has of its own.

    Attributes:
        batch: of its images.
        statistics: the running statistics.
        moves: from the plan's memory to this.
        bytes: of it.
    """

    def __init__(self, plan: Plan) -> None:
        kept = {buffer: plan.memory.array(buffer) for buffer in buffers_of_batch(plan)}
        statistics = plan.builder.statistics
        kept[statistics] = plan.memory.arrays[statistics]
        own = {buffer: aligned_zeros(array.size, array.dtype) for buffer, array in kept.items()}
        self.batch, self.statistics = BatchMemory(plan, own), own[statistics]
        self.bytes = sum(array.nbytes for array in own.values())
        self.moves = [_move(array, own[buffer]) for buffer, array in kept.items()]


def _move(before: Array, after: Array) -> Move:
    start = before.ctypes.data
    return Move(start, start + before.nbytes, after.ctypes.data - start)


class _Additions:
    """Jobs that add the gradient to what waits in slots, or put it there."""

    def __init__(self, plan: Plan, slots: Sequence[Array]) -> None:
        self._target, self._element = plan.settings.target, plan.settings.element
        arrays = {"gradient": plan.gradient, **{_slot(i): a for i, a in enumerate(slots)}}
        self._given = {Buffer(name, a.size, "real", "global"): a for name, a in arrays.items()}
        self._size = plan.gradient.size

    def jobs(self, joining: Joining, *, stays: bool) -> list[Job]:
        """After a group: its gradient, and what waits to its left, go to a slot, or stay."""
        value: Expression = Tensor("gradient", _ALONG)
        for slot in reversed(joining.left):
            value = Tensor(_slot(slot), _ALONG) + value
        to = "gradient" if stays else _slot(joining.slot)
        if stays and not joining.left:
            return []
        recorder = Recorder(1, 1)
        recorder.label = "sum of groups"
        places = {buffer.name: buffer for buffer in self._given}
        for start, count, size in in_tasks(self._size, _CHUNK):
            nest = Nest((("e", size),), (Store(Tensor(to, _ALONG), value),))
            recorder.tasks(
                nest,
                count,
                dict.fromkeys(nest.buffers, size),
                {role: Location(places[role], start) for role in nest.buffers},
                barrier=False,
            )
        # The next group writes where this one's gradient is.
        recorder.stages[-1].barrier = True
        memory = Memory(recorder, self._element, self._target, 1, self._given)
        assembly = Assembly(memory, self._target)
        return [assembly.job(stage) for stage in recorder.all_stages]


def _slot(number: int) -> str:
    return f"sum {number}"
