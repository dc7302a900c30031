"""Regions of a sweep: blocks that are treated alike, from their rows in the source to the output.

A region collects the steps of an algorithm (`Region.step`), then makes the jobs that run them for
each of its blocks (`Region.jobs`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.nest.algebra import COUNTS, Nest
from striate.nest.compiler import CompiledNest, compile_nest
from striate.nest.ir import BYTES
from striate.nest.program import Argument, Job, KernelCall
from striate.signal.blocks import Addresses, Blocks, Group
from striate.signal.buffers import Buffers, RowTable
from striate.signal.nest_schedules import Scheduler, as_written, independent_sums
from striate.signal.nests import CHECKED, BlockStrides, Epilogue, finite_check, gather
from striate.signal.run_time_extents import with_counts
from striate.signal.sweep_spec import SweepSpec

_SHARDS = 64  # runs of blocks that each thread may take: the last ones even out the work


@dataclass(frozen=True)
class _BlockCall:
    """What is done for each block.

    Attributes:
        nest: what is computed, with the extents that it has here.
        kernel: its code.
        buffers: where its buffers are, but for those that the block has.
    """

    nest: Nest
    kernel: CompiledNest
    buffers: Mapping[str, Argument]


class Region:
    """Some rows and columns of a sweep's output.

    Attributes:
        spec: what the sweep is made for.
        blocks: the blocks of the region.
        gathered: whether blocks are copied into a scratch buffer first, borders included;
            otherwise the first step reads the source itself.
        strides: where the numbers lie that the first step reads.
        epilogue: what is done to finished sums.
    """

    def __init__(
        self,
        spec: SweepSpec,
        blocks: Blocks,
        buffers: Buffers,
        *,
        gathered: bool,
        of_one_pitch: bool = False,
    ) -> None:
        self.spec, self.blocks, self.gathered = spec, blocks, gathered
        self._buffers = buffers
        self.descriptor, self.algorithm, self.lanes = spec.descriptor, spec.algorithm, spec.lanes
        self.epilogue = self._epilogue()
        self._steps: list[_BlockCall] = []
        rows = blocks.planes_read * blocks.rows_read
        self._rows_gathered = rows * self.algorithm.blocks_per_task
        if gathered:
            pitch = blocks.pitch * blocks.phases
            self.scratch = self.buffer(self._rows_checked * pitch)
            self.strides = BlockStrides(pitch, blocks.rows_read * pitch, blocks.pitch)
        else:
            row = self.descriptor.y.source_stride // BYTES[self.descriptor.source_element]
            self.strides = BlockStrides(row if of_one_pitch else 0, inside=True)

    @property
    def _row(self) -> tuple[int, int]:
        """Numbers of a row of the scratch buffer, in whole vectors and one more; of its pitch."""
        return (-(-self.blocks.width_read // self.lanes) + 1) * self.lanes, self.blocks.pitch

    @property
    def _rows_checked(self) -> int:
        """Rows of the scratch buffer: as `finite_check` wants them, the last ones zero."""
        return -(-self._rows_gathered // CHECKED) * CHECKED

    def _epilogue(self) -> Epilogue:
        """Finished sums are written past the caches, if that is possible."""
        descriptor, blocks = self.descriptor, self.blocks
        size, placement = BYTES[descriptor.output_element], self.spec.placement
        run = blocks.run
        starts = [start + run * i for start in blocks.x.starts for i in range(blocks.fold)]
        begins = placement.begins_vectors(starts, self.lanes * size, size)
        begins = begins and run % self.lanes == 0
        return Epilogue(descriptor.output_element, descriptor.clip, placement.large and begins)

    # --- for algorithms ------------------------------------------------------------------------

    def buffer(self, count: int) -> Argument:
        """Room for `count` numbers for each thread."""
        return self._buffers.scratch(count)

    def weights(self, number: int, count: int) -> Argument:
        """The weights of that number, `count` of them, in the order in which a sweep takes them."""
        return self._buffers.weights(number, count)

    def constants(self, values: Array) -> Argument:
        """Numbers that are the same for all weights."""
        return self._buffers.constants(values)

    def step(
        self, nest: Nest, schedule: Scheduler, /, *, fused: bool = True, **buffers: Argument
    ) -> None:
        """What is done next for each block.

        Args:
            nest: what is computed.
            schedule: how.
            fused: whether products may be added without being rounded first.
            buffers: where its buffers are.  The scratch buffer of the region and the tables
                "source" and "out" need not be given.
        """
        self._steps.append(self._compiled(nest, schedule, buffers, fused=fused))

    def check_finite(self, numbers: Argument, count: int) -> None:
        """After a run, cast doubt on the result if not all of these numbers are finite."""
        self._steps.append(self._check(numbers, 1, count, 0, len(self.blocks.x.starts)))

    def _compiled(
        self,
        nest: Nest,
        schedule: Scheduler,
        buffers: Mapping[str, Argument],
        *,
        fused: bool = True,
    ) -> _BlockCall:
        """A nest as a kernel for any number of rows and columns, with how many this one has."""
        element, target = self.descriptor.element, self.spec.target
        chosen = schedule(nest, target, element)
        general, counts = with_counts(nest, chosen)
        target = replace(target, fused=target.fused and fused)
        kernel = compile_nest(general, chosen, element=element, target=target)
        given = {COUNTS: self._buffers.words(counts)} if counts else {}
        return _BlockCall(nest, kernel, {**buffers, **given})

    def _check(
        self, numbers: Argument, rows: int, width: int, pitch: int, across: int
    ) -> _BlockCall:
        """Find out whether all rows of a buffer are finite, for so many blocks along x."""
        nest = finite_check(rows, width, pitch)
        flags = self._buffers.flags(self.blocks.count * across, nest.extent("u"))
        return self._compiled(nest, independent_sums, {"scratch": numbers, "flags": flags})

    # --- the program ---------------------------------------------------------------------------

    def jobs(self) -> list[Job] | None:
        """Calls for all blocks; None if a border must be padded in memory first."""
        if not self.gathered:
            return [self._job_in_place()]
        groups = self.blocks.groups()
        if groups is None:
            return None
        rows, filled = self.blocks.source_rows()
        return [self._gathering_job(group, rows, filled) for group in groups]

    def _gathering_job(self, group: Group, rows: Addresses, filled: npt.NDArray[np.bool_]) -> Job:
        """Blocks that are copied into the scratch buffer, piece by piece, before the steps."""
        source_element = self.descriptor.source_element
        pitch = self.blocks.pitch * self.blocks.phases
        size = BYTES[self.descriptor.element]
        calls: list[KernelCall] = []
        for piece, firsts in zip(group.pieces, group.firsts, strict=True):
            nest = gather(
                self._rows_gathered,
                piece.count,
                piece.step,
                piece.channels,
                pitch,
                source_element,
            )
            starts = [n if n is None else n * BYTES[source_element] for n in firsts]
            table = RowTable(rows, starts, self.algorithm.blocks_per_task, filled)
            source = self._buffers.table(table)
            scratch = self._buffers.part(self.scratch, piece.offset, size)
            buffers = {"scratch": scratch, "source": source}
            calls.append(self._call(self._compiled(nest, as_written, buffers), {}))
        if self.spec.spreads_nonfinite:
            rows_checked, (width, each) = self._rows_checked * self.blocks.phases, self._row
            check = self._check(self.scratch, rows_checked, width, each, len(group.starts))
            calls.append(self._call(check, {}))
        return self._job(calls, group.starts, {"scratch": self.scratch})

    def _job_in_place(self) -> Job:
        """Blocks that read the source itself."""
        window, channels = self.descriptor.x.window, self.descriptor.channels
        size = BYTES[self.descriptor.source_element]
        rows, filled = self.blocks.source_rows()
        starts = [(start + window.start * channels) * size for start in self.blocks.x.starts]
        if self.blocks.fold > 1:
            runs = self.blocks.run * size * np.arange(self.blocks.fold)
            rows, filled = rows + runs, np.repeat(filled, self.blocks.fold, 1)
        last = self.descriptor.y.taps - 1
        source = self._buffers.table(RowTable(rows, starts, 1, filled))
        ahead = Argument(source.base + 8 * last, task=source.task)
        return self._job([], self.blocks.x.starts, {"source": source, "ahead": ahead})

    def _job(
        self, calls: list[KernelCall], starts: Sequence[int], given: dict[str, Argument]
    ) -> Job:
        """The steps, for blocks that begin at these columns of the output."""
        together = self.algorithm.blocks_per_task
        offsets = [start * BYTES[self.descriptor.output_element] for start in starts]
        out = self._buffers.table(RowTable(self.blocks.output_rows(), offsets, together))
        calls += [self._call(step, {**given, "out": out}) for step in self._steps]
        tasks = -(-self.blocks.count * len(starts) // together)
        return Job(tuple(calls), tasks, min(tasks, _SHARDS * self.spec.threads), barrier=False)

    def _call(self, step: _BlockCall, given: Mapping[str, Argument]) -> KernelCall:
        buffers = {**given, **step.buffers}
        self._buffers.check(step.nest, buffers)
        return KernelCall(step.kernel, tuple(buffers[name] for name in step.kernel.nest.buffers))
