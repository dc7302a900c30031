"""Parts of a plan: blocks that are treated alike, from their rows in the source to the output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.nest.algebra import Nest
from striate.nest.compiler import CompiledNest, compile_nest
from striate.nest.ir import BYTES
from striate.nest.program import Argument, Job, KernelCall
from striate.signal.algorithms import RECIPES
from striate.signal.blocks import Blocks
from striate.signal.nests import (
    Finish,
    NestStage,
    Rows,
    adding,
    checking,
    copying,
    gather,
    rolling,
    sharing,
    suspicion,
    sweeping,
)

if TYPE_CHECKING:
    from striate.signal.compiled_sweep import CompiledSweep

_SHARDS = 64  # runs of blocks that each thread may take: the last ones even out the work


class Region:
    """Some columns and rows of a problem.

    With `gathered`, blocks are copied into a scratch buffer first, borders included; otherwise the
    first step reads the source itself.
    """

    def __init__(self, plan: CompiledSweep, blocks: Blocks, *, gathered: bool) -> None:
        self._plan, self.blocks, self.gathered = plan, blocks, gathered
        self.problem, self.recipe, self.lanes = plan.problem, plan.recipe, plan.lanes
        self.finish: Finish = plan.finish(blocks)
        self._steps: list[tuple[CompiledNest, dict[str, Argument]]] = []
        self._count = blocks.planes * blocks.rows * self.recipe.together
        if gathered:
            pitch = blocks.pitch * blocks.phases
            self.scratch = self.buffer(self._count * pitch)
            self.rows = Rows(pitch, blocks.rows * pitch, blocks.reach_x)
        else:
            self.rows = Rows(self.problem.y.source // BYTES[self.problem.source], inside=True)
        RECIPES[self.recipe.name](self)

    # --- for recipes ---------------------------------------------------------------------------

    def buffer(self, count: int) -> Argument:
        """Room for `count` numbers for each thread."""
        return self._plan.buffer(count)

    def weights(self, number: int, count: int) -> Argument:
        """The weights of that number, `count` of them, in the order in which a plan takes them."""
        return self._plan.weights(number, count)

    def fixed(self, values: Array) -> Argument:
        """Numbers that are the same for all weights."""
        return self._plan.fixed(values)

    def swept(self, nest: Nest) -> CompiledNest:
        """The kernel of a sum of products."""
        return self._compiled(sweeping(nest, self._plan.target, self.problem.element))

    def rounded(self, nest: Nest) -> CompiledNest:
        """The kernel of a sum of products that are rounded before they are added."""
        return self._compiled(sweeping(nest, self._plan.target, self.problem.element), fused=False)

    def copied(self, nest: Nest) -> CompiledNest:
        """The kernel of a nest that runs as it is written."""
        return self._compiled(copying(nest, self._plan.target, self.problem.element))

    def rolled(self, nest: Nest) -> CompiledNest:
        """The kernel of `stages.one_row`."""
        return self._compiled(rolling(nest, self._plan.target, self.problem.element))

    def added(self, nest: Nest) -> CompiledNest:
        """The kernel of `stages.gathered_sums`."""
        return self._compiled(adding(nest, self._plan.target, self.problem.element))

    def shared(self, nest: Nest) -> CompiledNest:
        """The kernel of `stages.along_rows`."""
        return self._compiled(sharing(nest, self._plan.target, self.problem.element))

    def check(self, numbers: Argument, count: int) -> None:
        """After a run, cast doubt on the result if not all of these numbers are finite."""
        self._steps.append(self._check(numbers, (1, count), len(self.blocks.x.starts)))

    def step(self, kernel: CompiledNest, **buffers: Argument) -> None:
        """What follows for each block, and where its buffers are.

        The scratch buffer of the part and the tables "source" and "out" need not be given.
        """
        self._steps.append((kernel, buffers))

    def _compiled(self, stage: NestStage, *, fused: bool = True) -> CompiledNest:
        element, target = self.problem.element, self._plan.target
        target = replace(target, fused=target.fused and fused)
        return compile_nest(stage.nest, stage.schedule, element=element, target=target)

    # --- the program ---------------------------------------------------------------------------

    def jobs(self) -> list[Job] | None:
        """Calls for all blocks; None if a border must be unfolded first."""
        if not self.gathered:
            return [self._source_job()]
        blocks, size = self.blocks, BYTES[self.problem.source]
        groups = blocks.groups()
        if groups is None:
            return None
        rows, filled = blocks.source_rows()
        pitch = blocks.pitch * blocks.phases
        jobs = []
        for group in groups:
            calls: list[KernelCall] = []
            for piece, firsts in zip(group.pieces, group.firsts, strict=True):
                nest = gather(
                    self._count,
                    piece.count,
                    piece.step,
                    piece.channels,
                    pitch,
                    piece.offset,
                    self.problem.source,
                )
                starts = [n if n is None else n * size for n in firsts]
                source = self._table(RowTable(rows, starts, self.recipe.together, filled))
                calls.append(
                    self._call(self.copied(nest), {"scratch": self.scratch, "source": source})
                )
            if self._plan.mixes:
                kernel, buffers = self._check(self.scratch, (self._count, pitch), len(group.starts))
                calls.append(self._call(kernel, buffers))
            jobs.append(self._job(calls, group.starts, {"scratch": self.scratch}))
        return jobs

    def _check(
        self, numbers: Argument, size: tuple[int, int], across: int
    ) -> tuple[CompiledNest, dict[str, Argument]]:
        """Find out whether all rows of a buffer are finite, for so many blocks along x."""
        nest = suspicion(*size)
        kernel = self._compiled(checking(nest, self._plan.target, self.problem.element))
        flags = self._plan.flag(self.blocks.count * across, nest.extent("u"))
        return kernel, {"scratch": numbers, "flags": flags}

    def _source_job(self) -> Job:
        """Blocks that read the source itself: from the address of the first row, or of each."""
        window, channels = self.problem.x.window, self.problem.channels
        size = BYTES[self.problem.source]
        rows, filled = self.blocks.source_rows()
        starts = [(start + window.start * channels) * size for start in self.blocks.x.starts]
        last = self.problem.y.taps - 1
        each = last + self.blocks.y.size if self.recipe.name == "box" else 1
        source = self._table(RowTable(rows[:, :each], starts, 1, filled[:, :each]))
        ahead = Argument(source.base + 8 * last, task=source.task)
        return self._job([], self.blocks.x.starts, {"source": source, "ahead": ahead})

    def _job(
        self, calls: list[KernelCall], starts: Sequence[int], given: dict[str, Argument]
    ) -> Job:
        """The steps, for blocks that begin at these columns of the output."""
        plan, together = self._plan, self.recipe.together
        offsets = [start * BYTES[self.problem.target] for start in starts]
        out = self._table(RowTable(self.blocks.target_rows(), offsets, together))
        calls += [
            self._call(kernel, {**given, "out": out, **buffers}) for kernel, buffers in self._steps
        ]
        tasks = -(-self.blocks.count * len(starts) // together)
        return Job(tuple(calls), tasks, min(tasks, _SHARDS * plan.threads), barrier=False)

    def _call(self, kernel: CompiledNest, buffers: dict[str, Argument]) -> KernelCall:
        self._plan.check(kernel, buffers)
        return KernelCall(kernel, tuple(buffers[name] for name in kernel.nest.buffers))

    def _table(self, table: RowTable) -> Argument:
        self._plan.tables.append(table)
        return Argument(table.addresses.ctypes.data, task=8 * table.addresses.shape[1])


class RowTable:
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


def _paired(rows: Array, together: int) -> Array:
    """(blocks, rows) as (tasks, together · rows)."""
    missing = -len(rows) % together
    rows = np.concatenate([rows, rows[-1:].repeat(missing, 0)])
    return rows.reshape(-1, together * rows.shape[1])
