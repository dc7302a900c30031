"""The compiled engine: a sweep as one native call per thread.

A plan is made once for all sweeps of equal shape, and kept: kernels, tables, scratch buffers and
the program that calls one after the other, block by block.  A call fills in addresses and weights.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.nest.algebra import Nest
from striate.nest.crew import crew
from striate.nest.ir import BYTES
from striate.nest.kernel import Kernel, compile_nest
from striate.nest.tape import Argument, Call, Job, Program
from striate.nest.target import host
from striate.signal.blocks import Blocks, Group
from striate.signal.problem import Array, Problem
from striate.signal.recipes import RECIPES, Recipe
from striate.signal.stages import Finish, Stage, copying, gather, sharing, sweeping

_ALIGN = 64
_APART = 4096 + 64  # bytes between buffers of two threads, so that neither disturbs the other
_SHARDS = 16  # runs of blocks that each thread may take: the last ones even out the work
_TYPES = {
    f"{kind}{bits}": np.dtype(f"{kind}{bits // 8}")
    for kind in "fiu"
    for bits in (8, 16, 32, 64)
    if bits > 16 or kind != "f"
}


class Unfit(Exception):
    """A border turns around more than once: unfold the array first."""


class Plan:
    """A problem ready to run.

    `streaming`: rows of the output are aligned and there are too many to stay in the caches.
    """

    def __init__(self, problem: Problem, recipe: Recipe, streaming: bool, threads: int) -> None:
        self._lock = threading.Lock()
        self.problem, self.recipe, self._target = problem, recipe, host()
        self.lanes = self._target.lanes(BYTES[problem.element])
        self.blocks = Blocks(problem, self.lanes, recipe.name == "direct", recipe.length)
        groups = self.blocks.groups()
        if groups is None:
            raise Unfit
        self.threads = threads
        self.finish = Finish(problem.target, problem.clip, streaming)
        self._kept: list[Array] = []
        self._weights: list[Array] = []
        self._tables: list[_Table] = []
        self._steps: list[tuple[Kernel, dict[str, Argument]]] = []
        self._rows = self.blocks.planes * self.blocks.rows * recipe.together
        self.scratch = self.buffer(self._rows * self.blocks.pitch * self.blocks.phases)
        # Rows of fill values may be read forwards and backwards from any pixel.
        reach = (self.blocks.reach_x + problem.x.length) * problem.channels * self.blocks.phases
        self._fill = np.zeros(2 * reach, _TYPES[problem.source])
        self._fill_address = self._fill.ctypes.data + reach * self._fill.itemsize
        RECIPES[recipe.name](self)
        jobs = [self._job(group, last=group is groups[-1]) for group in groups]
        self.program = Program(jobs, threads)

    def run(self, source: int, target: int, weights: Sequence[Array], fill: Any) -> None:
        """Sweep the array at address `source` into that at `target`."""
        with self._lock:
            for own, given in zip(self._weights, weights, strict=True):
                own[...] = given.reshape(own.shape)
            self._fill[...] = fill
            for table in self._tables:
                table.point(source if table.reads else target, self._fill_address)
            crew().run(self.threads, self.program.run, self.program.prepare)

    # --- for recipes ---------------------------------------------------------------------------

    def buffer(self, count: int) -> Argument:
        """Room for `count` numbers for each thread."""
        size = BYTES[self.problem.element]
        stride = -(-count * size // _ALIGN) * _ALIGN + _APART
        room = np.zeros(stride * self.threads + _ALIGN, np.uint8)
        self._kept.append(room)
        return Argument(room.ctypes.data + -room.ctypes.data % _ALIGN, thread=stride)

    def constant(self, count: int) -> Argument:
        """Room for `count` weights, in the order in which `run` takes them."""
        weights = np.zeros(count, _TYPES[self.problem.element])
        self._weights.append(weights)
        return Argument(weights.ctypes.data)

    def fixed(self, values: Array) -> Argument:
        """Numbers that are the same for all weights."""
        numbers = np.ascontiguousarray(values, _TYPES[self.problem.element])
        self._kept.append(numbers)
        return Argument(numbers.ctypes.data)

    def swept(self, nest: Nest) -> Kernel:
        """The kernel of a sum of products."""
        return self._compiled(sweeping(nest, self._target, self.problem.element))

    def copied(self, nest: Nest) -> Kernel:
        """The kernel of a nest that runs as it is written."""
        return self._compiled(copying(nest, self._target, self.problem.element))

    def shared(self, nest: Nest) -> Kernel:
        """The kernel of `stages.along_rows`."""
        return self._compiled(sharing(nest, self._target, self.problem.element))

    def step(self, kernel: Kernel, **buffers: Argument) -> None:
        """What follows for each block, and where its buffers are."""
        self._steps.append((kernel, buffers))

    # --- the program ---------------------------------------------------------------------------

    def _job(self, group: Group, *, last: bool) -> Job:
        """Blocks that lie alike: gather the pieces of each, then take the steps."""
        problem, blocks = self.problem, self.blocks
        rows, filled = blocks.source_rows()
        calls = []
        for piece, firsts in zip(group.pieces, group.firsts, strict=True):
            nest = gather(
                self._rows,
                piece.count,
                piece.step,
                piece.channels,
                blocks.pitch * blocks.phases,
                piece.offset,
                problem.source,
            )
            starts = [n if n is None else n * BYTES[problem.source] for n in firsts]
            source = self._table(_Table(rows, starts, self.recipe.together, filled))
            calls.append(_call(self.copied(nest), {"scratch": self.scratch, "source": source}))
        starts = [start * BYTES[problem.target] for start in group.starts]
        out = self._table(_Table(blocks.target_rows(), starts, self.recipe.together))
        calls += [_call(kernel, {**buffers, "out": out}) for kernel, buffers in self._steps]
        tasks = -(-blocks.count * len(group.starts) // self.recipe.together)
        return Job(tuple(calls), tasks, min(tasks, _SHARDS * self.threads), barrier=last)

    def _compiled(self, stage: Stage) -> Kernel:
        element, target = self.problem.element, self._target
        return compile_nest(stage.nest, stage.schedule, element=element, target=target)

    def _table(self, table: _Table) -> Argument:
        self._tables.append(table)
        rows = table.addresses.shape[1]
        return Argument(table.addresses.ctypes.data, task=8 * rows)


class _Table:
    """Addresses of rows, (tasks, rows): for each block along x, all blocks along the others.

    Some neighbours may be one task; the last block then makes up for those that are missing.
    """

    def __init__(
        self,
        rows: npt.NDArray[np.int64],
        starts: Sequence[int | None],
        together: int,
        filled: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        self.reads = filled is not None
        first = np.array([0 if start is None else start for start in starts], np.int64)
        self._offsets = _paired((first[:, None, None] + rows).reshape(-1, rows.shape[1]), together)
        self.addresses = np.empty_like(self._offsets)
        empty = np.zeros(rows.shape, bool) if filled is None else filled
        outside = np.array([start is None for start in starts])
        outside = (outside[:, None, None] | empty).reshape(-1, rows.shape[1])
        self._filled = np.flatnonzero(_paired(outside, together))

    def point(self, base: int, fill: int) -> None:
        """Fill in the table for an array at address `base`."""
        np.add(self._offsets, base, out=self.addresses)
        if len(self._filled):
            self.addresses.reshape(-1)[self._filled] = fill


def _paired(rows: npt.NDArray[Any], together: int) -> npt.NDArray[Any]:
    """(blocks, rows) as (tasks, together · rows)."""
    missing = -len(rows) % together
    rows = np.concatenate([rows, rows[-1:].repeat(missing, 0)])
    return rows.reshape(-1, together * rows.shape[1])


def _call(kernel: Kernel, buffers: dict[str, Argument]) -> Call:
    return Call(kernel, tuple(buffers[name] for name in kernel.nest.buffers))


_PLANS: OrderedDict[tuple[Problem, Recipe, bool, int], Plan] = OrderedDict()
_KEPT = 64
_LOCK = threading.Lock()


def plan(problem: Problem, recipe: Recipe, streaming: bool, threads: int) -> Plan:
    """The plan of a problem: a new one, or that of an earlier call."""
    key = (problem, recipe, streaming, threads)
    with _LOCK:
        if key not in _PLANS:
            _PLANS[key] = Plan(*key)
            while len(_PLANS) > _KEPT:
                _PLANS.popitem(last=False)
        _PLANS.move_to_end(key)
        return _PLANS[key]
