"""The groups of a batch through one plan, one after the other, in a single program.

A group takes a plan for as many images as it has, and what it finds is added up: for the vectors
g[0], g[1], … of the gradient, in the order of `striate.ranks.sum_tree`,

    T(place, place + 1) = g[place]
    T(lo, hi)           = T(lo, mid) + T(mid, hi)

Each group has memory of its own for what belongs to its images (`BatchMemory`) and for the running
statistics; all else is that of the plan, which every group uses anew. So threads go from group to
group without Python, which would take as long as a small network does, and they share the sums.

The backward pass finds the gradient of the last layer first. So parts of the sum can be had while
the last group is still under way, to be sent elsewhere meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from striate.common.arrays import Array, Floats
from striate.common.memory import aligned_zeros
from striate.common.ranges import gaps
from striate.nest.algebra import Expression, Nest, Store, Tensor
from striate.nest.program import Job, Move, Program
from striate.nest.thread_pool import thread_pool
from striate.plan.batch_memory import BatchMemory, buffers_of_batch, first_images
from striate.plan.build.assembly import Assembly
from striate.plan.inputs import BatchInput
from striate.plan.layout import Buffer, Location
from striate.plan.lowering.recorder import Recorder
from striate.plan.memory.liveness import last_touches
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
        parts: of the gradient, which are wanted before the last group has ended, if not `are_all`.

    Attributes:
        sums: if not `are_all`, the gradients of the largest blocks that the places have, each added
            up: see `striate.ranks.sum_tree.largest_blocks`.
    """

    def __init__(
        self,
        plan: Plan,
        threads: int,
        places: range,
        *,
        are_all: bool,
        parts: Sequence[range] = (),
    ) -> None:
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
        self._known: list[int | None] = []
        for number, (group, step) in enumerate(zip(self._found, steps, strict=True), 1):
            own = [job.moved(group.moves) for job in plan.program.jobs]
            is_last = number == len(steps)
            if is_last and parts and not are_all:
                own, known = _with_early_sums(plan, own, additions, step, parts)
                self._known = [None if job is None else len(jobs) + job for job in known]
                jobs += own
            else:
                jobs += own + additions.jobs(step, stays=are_all and is_last)
        self._program = Program(jobs, threads, plan.settings.target, flushes=True)
        self._state = _State.ENDED

    @property
    def bytes(self) -> int:
        """Memory beside that of the plan."""
        return sum(a.nbytes for a in self._slots) + sum(group.bytes for group in self._found)

    def run(
        self, groups: Sequence[BatchInput], begun: Callable[[GroupProgram], object] | None = None
    ) -> list[GroupResult]:
        """Run the groups, one for each place; the running statistics stay as they are.

        Args:
            groups: what is to be learnt from.
            begun: called when nothing is left to do but to run; what it raises keeps it from that.
        """
        statistics = self._plan.memory.arrays[self._plan.builder.statistics]
        for memory, group in zip(self._found, groups, strict=True):
            memory.batch.enter(*group)
            memory.statistics[...] = statistics

        def begin() -> None:
            self._state = _State.RUNNING

        self._state = _State.WAITING
        try:
            if begun is not None:
                begun(self)
            thread_pool().run(self._program, begin)
        finally:
            self._state = _State.ENDED
        return [
            GroupResult(
                memory.batch.loss,
                first_images(memory.batch.outputs, len(group.images)),
                memory.statistics,
            )
            for memory, group in zip(self._found, groups, strict=True)
        ]

    def is_there(self, part: int) -> bool:
        """Whether a part of `sums` is final, in the run that is under way or was the last one; any
        thread may ask.
        """
        if self._state is not _State.RUNNING:
            return self._state is _State.ENDED
        known = self._known[part]
        return known is not None and self._program.has_begun(known)

    def has_ended(self) -> bool:
        """Whether no run is under way."""
        return self._state is _State.ENDED


class _State(Enum):
    """How far a run is: before it begins, its jobs still tell of the run before."""

    WAITING, RUNNING, ENDED = range(3)


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

    def jobs(
        self,
        joining: Joining,
        parts: Sequence[range] | None = None,
        *,
        stays: bool = False,
        barrier: bool = True,
    ) -> list[Job]:
        """After a group: its gradient, and what waits to its left, go to a slot, or stay.

        Args:
            joining: which slots these are.
            parts: of the gradient; None for all of it.
            stays: whether the sum is put where the gradient is.
            barrier: whether what follows needs the sum, or writes to the gradient.
        """
        if stays and not joining.left:
            return []
        value: Expression = Tensor("gradient", _ALONG)
        for slot in reversed(joining.left):
            value = Tensor(_slot(slot), _ALONG) + value
        to = "gradient" if stays else _slot(joining.slot)
        recorder = Recorder(1, 1)
        recorder.label = "sum of groups"
        places = {buffer.name: buffer for buffer in self._given}
        for part in [range(self._size)] if parts is None else parts:
            for start, count, size in in_tasks(len(part), _CHUNK):
                nest = Nest((("e", size),), (Store(Tensor(to, _ALONG), value),))
                recorder.tasks(
                    nest,
                    count,
                    dict.fromkeys(nest.buffers, size),
                    {role: Location(places[role], part.start + start) for role in nest.buffers},
                    barrier=False,
                )
        if recorder.stages:
            recorder.stages[-1].barrier = barrier
        memory = Memory(recorder, self._element, self._target, 1, self._given)
        assembly = Assembly(memory, self._target)
        return [assembly.job(stage) for stage in recorder.all_stages]


def _with_early_sums(
    plan: Plan, own: Sequence[Job], additions: _Additions, joining: Joining, parts: Sequence[range]
) -> tuple[list[Job], list[int | None]]:
    """The jobs of the last group, and what adds up each part of the gradient as soon as no other
    job touches it; and for each part a job that begins when its sum is there, if one does.
    """
    last = last_touches(plan.stages, plan.builder.gradient, parts)
    barriers = [number for number, job in enumerate(own) if job.barrier]
    ready = [next(number for number in barriers if number >= touch) for touch in last]
    jobs: list[Job] = []
    added = [0] * len(parts)
    for number, job in enumerate(own):
        jobs.append(job)
        for i, part in enumerate(parts):
            if ready[i] == number:
                jobs += additions.jobs(joining, [part], barrier=False)
                added[i] = len(jobs) - 1
    jobs += additions.jobs(joining, gaps(parts, plan.gradient.size))
    jobs[-1] = replace(jobs[-1], barrier=True)
    ends = [number for number, job in enumerate(jobs) if job.barrier]
    nexts = [1 + next(number for number in ends if number >= job) for job in added]
    return jobs, [job if job < len(jobs) else None for job in nexts]


def _slot(number: int) -> str:
    return f"sum {number}"
