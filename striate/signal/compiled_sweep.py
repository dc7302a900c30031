"""A compiled sweep: kernels, memory and the program that calls one after the other, block by block.

It is made once for all sweeps of equal specification, and kept; see `plan`.  A run fills in
addresses and weights, and is one native call per thread.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from striate.common.arrays import Array
from striate.common.fork import renewed_lock
from striate.common.recent import Recent
from striate.nest.program import Job, Program
from striate.nest.target import Target, host
from striate.nest.thread_pool import thread_pool
from striate.signal.algorithm_steps import ADD_STEPS
from striate.signal.block_choice import doubling_blocks, running_sum_blocks, split_interior
from striate.signal.blocks import Blocks
from striate.signal.buffers import Buffers
from striate.signal.descriptor import SweepDescriptor
from striate.signal.region import Region
from striate.signal.sweep_spec import Placement, SweepAlgorithm, SweepSpec


class BorderTooWide(Exception):
    """A border repeats or mirrors the array more than once: it must be padded in memory first."""


class CompiledSweep:
    """A sweep ready to run, for arrays at any address.

    Attributes:
        spec: what it is made for.
        nbytes: bytes of its own memory.
    """

    def __init__(self, spec: SweepSpec) -> None:
        """Compile all kernels and allocate all memory.

        Raises:
            BorderTooWide: a border must be padded in memory first.
        """
        self._lock = renewed_lock(self, "_lock")
        self.spec, self._runs = spec, 0
        self._make(of_one_pitch=False)
        self.nbytes: int = self._buffers.nbytes

    def _make(self, *, of_one_pitch: bool) -> None:
        """Compile and allocate; code for images whose rows all are as far apart is a little faster,
        but serves no others.
        """
        self._buffers = Buffers(self.spec)
        self._of_one_pitch = of_one_pitch
        regions = self._regions()
        jobs: list[Job] = []
        for region in regions:
            found = region.jobs()
            if found is None:
                raise BorderTooWide
            jobs += found
        reach = max(region.blocks.width_read * region.blocks.phases for region in regions)
        self._buffers.fill_row(reach)
        jobs[-1] = replace(jobs[-1], barrier=True)
        self.program = Program(jobs, self.spec.threads, self.spec.target)
        self._in_place = any(not region.gathered for region in regions)

    def run(self, source: int, output: int, weights: Sequence[Array], fill: Any) -> bool:
        """Sweep the array at address `source` into that at `output`.

        Returns:
            False if an infinity or a NaN may have reached outputs that do not depend on it.
        """
        with self._lock:
            self._runs += 1
            if self._runs == _OFTEN and self._in_place and self.spec.algorithm.name != "box":
                self._make(of_one_pitch=True)
            self._buffers.load(weights, fill)
            self._buffers.point(source, output)
            thread_pool().run(self.program)
            return not self._buffers.flagged

    def _regions(self) -> list[Region]:
        """What lies inside the image, where the image itself is read, and what at its edges."""
        spec, descriptor, algorithm = self.spec, self.spec.descriptor, self.spec.algorithm
        lanes = spec.lanes
        if algorithm.name == "box":
            strips = running_sum_blocks(descriptor, lanes)
            blocks = strips or doubling_blocks(descriptor, lanes)
            return [self._region(blocks, gathered=strips is None)]
        in_place = algorithm.name in ("direct", "separable") and not algorithm.spreads_nonfinite
        first_aligned = spec.placement.first_aligned(descriptor)
        split = split_interior(descriptor, lanes, first_aligned) if in_place else None
        if split is None:
            foldable = algorithm.name == "direct"
            blocks = Blocks(descriptor, lanes, foldable=foldable, length=algorithm.length)
            return [self._region(blocks, gathered=True)]
        blocks = Blocks(descriptor, lanes, foldable=True, columns=split.columns, rows=split.rows)
        regions = [self._region(blocks, gathered=False)]
        if split.edge_rows is not None:
            blocks = Blocks(descriptor, lanes, columns=split.columns, rows=split.edge_rows)
            regions.append(self._region(blocks, gathered=True))
        if split.edge_columns is not None:
            blocks = Blocks(descriptor, lanes, columns=split.edge_columns)
            regions.append(self._region(blocks, gathered=True))
        return regions

    def _region(self, blocks: Blocks, *, gathered: bool) -> Region:
        """Some blocks, with the steps of the algorithm."""
        region = Region(
            self.spec,
            blocks,
            self._buffers,
            gathered=gathered,
            of_one_pitch=self._of_one_pitch,
        )
        ADD_STEPS[self.spec.algorithm.name](region)
        return region


_OFTEN = 20  # runs after which code of its own is worth its compilation
MOST_PLANS, MOST_BYTES = 256, 64 << 20
"""How many compiled sweeps are kept for arrays of the same shapes, and bytes of their memory."""
_PLANS: Recent[CompiledSweep] = Recent(MOST_PLANS, MOST_BYTES, lambda sweep: sweep.nbytes)
_LOCK = renewed_lock(sys.modules[__name__], "_LOCK")


def plan(
    descriptor: SweepDescriptor,
    algorithm: SweepAlgorithm,
    placement: Placement,
    threads: int,
    target: Target | None = None,
) -> CompiledSweep:
    """The compiled sweep of a specification: a new one, or that of an earlier call.

    Args:
        descriptor, algorithm, placement, threads: as in `SweepSpec`.
        target: the machine that code is made for; by default the one that this runs on.

    Raises:
        BorderTooWide: a border must be padded in memory first.
    """
    spec = SweepSpec(descriptor, algorithm, placement, threads, target or host())
    with _LOCK:
        return _PLANS.get(spec) or _PLANS.keep(spec, CompiledSweep(spec))
