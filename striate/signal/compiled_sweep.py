"""The compiled engine: a sweep as one native call per thread.

A plan is made once for all sweeps of equal shape, and kept: kernels, tables, scratch buffers and
the program that calls one after the other, block by block.  A call fills in addresses and weights.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.nest.compiler import CompiledNest
from striate.nest.ir import BYTES
from striate.nest.program import Argument, Job, Program
from striate.nest.target import host
from striate.nest.thread_pool import thread_pool
from striate.signal.algorithms import SweepAlgorithm
from striate.signal.blocks import Blocks, is_long, near, split, stripes
from striate.signal.nests import Finish
from striate.signal.parts import Region, RowTable
from striate.signal.problem import Problem

_ALIGN = 64
_APART = 4096 + 64  # bytes between buffers of two threads, so that neither disturbs the other
_TYPES = {
    f"{kind}{bits}": np.dtype(f"{kind}{bits // 8}")
    for kind in "fiu"
    for bits in (8, 16, 32, 64)
    if bits > 16 or kind != "f"
}


class Spoilt(Exception):
    """Zeros met an infinity or a NaN: nothing but NumPy can do this sum."""


class Unfit(Exception):
    """A border turns around more than once: unfold the array first."""


@dataclass(frozen=True)
class Placement:
    """How an output lies in memory.

    Attributes
    ----------
    offset
        Where in a cache line each of its rows begins, in bytes; None if they differ.
    large
        Whether no cache would keep it until it is read.
    """

    offset: int | None
    large: bool

    def lead(self, problem: Problem) -> int:
        """Numbers of a row before the first that begins a cache line."""
        size = BYTES[problem.target]
        return 0 if self.offset is None or self.offset % size else -self.offset % _ALIGN // size

    def begins_vectors(self, starts: Iterable[int], vector: int, size: int) -> bool:
        """Whether these numbers of a row all begin a vector of so many bytes."""
        offset = self.offset
        return offset is not None and all((offset + n * size) % vector == 0 for n in starts)


class CompiledSweep:
    """A problem ready to run."""

    def __init__(
        self, problem: Problem, recipe: SweepAlgorithm, placement: Placement, threads: int
    ) -> None:
        self._lock = threading.Lock()
        self.problem, self.recipe, self.threads = problem, recipe, threads
        self.target = host()
        self.lanes = self.target.lanes(BYTES[problem.element])
        #: Whether an infinity or a NaN would spoil outputs that do not depend on it.
        self.mixes = recipe.mixes or _padded(problem, recipe, self.lanes)
        self._placement = placement
        self.tables: list[RowTable] = []
        self._kept: list[Array] = []
        self._flags: list[Array] = []
        self._sizes: dict[Argument, int] = {}
        self._weights: list[Array] = []
        parts = self._parts()
        jobs: list[Job] = []
        for part in parts:
            found = part.jobs()
            if found is None:
                raise Unfit
            jobs += found
        # Rows of fill values may be read forwards and backwards.
        reach = max(part.blocks.reach_x * part.blocks.phases for part in parts)
        self._fill = np.zeros(2 * reach, _TYPES[problem.source])
        self._fill_address = self._fill.ctypes.data + reach * self._fill.itemsize
        jobs[-1] = replace(jobs[-1], barrier=True)
        self.program = Program(jobs, threads)

    def run(self, source: int, target: int, weights: Sequence[Array], fill: Any) -> bool:
        """Sweep the array at address `source` into that at `target`.

        Returns False if the result may be spoilt: see `mixes`.
        """
        with self._lock:
            for own, given in zip(self._weights, weights, strict=True):
                own[: given.size] = given.ravel()  # zeros stay behind it
            if self._fill[0] != fill:
                self._fill[...] = fill
            for table in self.tables:
                table.point(source if table.reads else target, self._fill_address)
            thread_pool().run(self.threads, self.program.run, self.program.prepare)
            return not any(flags.any() for flags in self._flags)

    def _parts(self) -> list[Region]:
        """What lies inside the image, and what at its edges, where the image itself is read."""
        problem, recipe, lanes = self.problem, self.recipe, self.lanes
        reads = recipe.name in ("direct", "separable") and not recipe.mixes
        found = split(problem, lanes, self._placement.lead(problem)) if reads else None
        if recipe.name == "box":
            down = stripes(problem, lanes)
            return [Region(self, down or near(problem, lanes), gathered=down is None)]
        if found is None:
            foldable = recipe.name == "direct"
            blocks = Blocks(problem, lanes, foldable=foldable, length=recipe.length)
            return [Region(self, blocks, gathered=True)]
        blocks = Blocks(problem, lanes, foldable=True, columns=found.columns, lines=found.lines)
        parts = [Region(self, blocks, gathered=False)]
        if found.edge_lines is not None:
            blocks = Blocks(problem, lanes, columns=found.columns, lines=found.edge_lines)
            parts.append(Region(self, blocks, gathered=True))
        if found.edge_columns is not None:
            blocks = Blocks(problem, lanes, columns=found.edge_columns)
            parts.append(Region(self, blocks, gathered=True))
        return parts

    def finish(self, blocks: Blocks) -> Finish:
        """How the output of these blocks is written: past the caches, if that is possible."""
        problem, size = self.problem, BYTES[self.problem.target]
        run = blocks.x.size // blocks.fold
        starts = [start + run * i for start in blocks.x.starts for i in range(blocks.fold)]
        begins = self._placement.begins_vectors(starts, self.lanes * size, size)
        return Finish(problem.target, problem.clip, self._placement.large and begins)

    def buffer(self, count: int) -> Argument:
        """Room for `count` numbers for each thread."""
        size = BYTES[self.problem.element]
        stride = -(-count * size // _ALIGN) * _ALIGN + _APART
        room = np.zeros(stride * self.threads + _ALIGN, np.uint8)
        self._kept.append(room)
        return self._sized(
            Argument(room.ctypes.data + -room.ctypes.data % _ALIGN, thread=stride), count
        )

    def flag(self, tasks: int, count: int) -> Argument:
        """Room for `count` numbers of each task: any but 0 after a run casts doubt on it."""
        flags = np.zeros((tasks, count), _TYPES[self.problem.element])
        self._flags.append(flags)
        return Argument(flags.ctypes.data, task=flags.strides[0])

    def weights(self, number: int, count: int) -> Argument:
        """Room for the weights that `run` takes as that number."""
        if number == len(self._weights):
            self._weights.append(np.zeros(count, _TYPES[self.problem.element]))
        return self._sized(Argument(self._weights[number].ctypes.data), count)

    def fixed(self, values: Array) -> Argument:
        """Numbers that never change."""
        numbers = np.ascontiguousarray(values, _TYPES[self.problem.element])
        self._kept.append(numbers)
        return self._sized(Argument(numbers.ctypes.data), numbers.size)

    def check(self, kernel: CompiledNest, buffers: Mapping[str, Argument]) -> None:
        """Make sure that a kernel stays within its buffers (not: in the rows behind a table)."""
        for tensor in kernel.nest.tensors():
            size = self._sizes.get(buffers[tensor.buffer])
            low, high = kernel.nest.reach(tensor)
            if size is not None and not 0 <= low <= high < size:
                raise IndexError(f"{tensor} reaches {low} to {high} of {size} numbers")

    def _sized(self, argument: Argument, count: int) -> Argument:
        self._sizes[argument] = count
        return argument


def _padded(problem: Problem, recipe: SweepAlgorithm, lanes: int) -> bool:
    """Whether the weights are laid out with zeros that meet numbers outside of the window."""
    x = problem.x
    if recipe.name != "direct" or problem.element not in ("f32", "f64"):
        return False
    if is_long(problem, lanes):
        return recipe.order == "any" and x.taps % lanes > 0
    stride = x.window.stride
    return stride > 1 and (x.window.dilation > 1 or x.taps % stride > 0)


_PLANS: OrderedDict[tuple[Problem, SweepAlgorithm, Placement, int], CompiledSweep] = OrderedDict()
_KEPT = 64
_LOCK = threading.Lock()


def plan(
    problem: Problem, recipe: SweepAlgorithm, placement: Placement, threads: int
) -> CompiledSweep:
    """The plan of a problem: a new one, or that of an earlier call."""
    key = (problem, recipe, placement, threads)
    with _LOCK:
        if key not in _PLANS:
            _PLANS[key] = CompiledSweep(*key)
            while len(_PLANS) > _KEPT:
                _PLANS.popitem(last=False)
        _PLANS.move_to_end(key)
        return _PLANS[key]
