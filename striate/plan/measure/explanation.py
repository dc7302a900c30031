"""What a plan decided, as data and as a table to read."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from striate.common.short_repr import short_repr
from striate.common.tables import columns
from striate.common.text import counted, cut, in_bytes, percent

_WIDTH = 108
# Buffers that the table lists one by one, the largest first.
_LISTED = 12


@dataclass(frozen=True)
class LanesExplained:
    """What fills the vectors.

    Attributes:
        fill: "images" or "channels".
        images_of_a_block, blocks: how the batch is cut.
        by_images, by_channels: estimated vector operations of a pass over the batch, either way.
        chosen_by: "estimate", "striate tune" (measured), or "caller".
    """

    fill: str
    images_of_a_block: int
    blocks: int
    by_images: float
    by_channels: float
    chosen_by: str


@short_repr
@dataclass(frozen=True)
class LayerExplained:
    """One operation of the plan.

    Attributes:
        fused: the activation applied as results are stored, or "".
        passes: what is computed: "forward", "again" if its values are also computed once more where
            they are read instead of being kept, "input gradient", "parameter gradient".
        algorithm, why: how, and the reason.
        part: how much of the output, where nobody reads the rest: "10×10 of 11×11", or "".
        costs: of a convolution: vector operations of the forward pass by each algorithm that can
            compute it, as parts of those of the direct one, the least first.
    """

    name: str
    kind: str
    fused: str
    passes: tuple[str, ...]
    algorithm: str
    why: str
    part: str = ""
    costs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StageExplained:
    """Kernels that some blocks of images, or some parts, are taken through together.

    Attributes:
        grain: blocks of images a task; 0 where tasks are not blocks.
        barrier: whether all threads wait for each other behind it.
    """

    number: int
    tasks: int
    grain: int
    shards: int
    barrier: bool


@short_repr
@dataclass(frozen=True)
class KernelExplained:
    """One call of one nest.

    Attributes:
        stage, step, when: where: "task", or the "start" or "end" of a shard.
        label: the layer, and what is done for it.
        writes: the names of the buffers that it stores to.
        axes, reduced: the nest's axes with their extents, and the names of those that it sums (or
            maximises) over.
        lane, lanes, tile, unroll, tuned: the schedule, and whether it was measured rather than
            estimated.
        multiply_adds: of all turns of a run; 0 where nothing is multiplied and summed.
        turns: how often it is called in a run.
        expected: the share of the multiply-add peak that the cost model expects: 0 to 1; None
            without multiply-adds.
        seconds, gflops: of all turns on one thread, where it was measured.
    """

    stage: int
    step: int
    when: str
    label: str
    writes: tuple[str, ...]
    axes: tuple[tuple[str, int], ...]
    reduced: tuple[str, ...]
    lane: str
    lanes: int
    tile: tuple[tuple[str, int], ...]
    unroll: tuple[str, ...]
    tuned: bool
    multiply_adds: int
    turns: int
    expected: float | None
    seconds: float | None
    gflops: float | None


@dataclass(frozen=True)
class BufferExplained:
    """Memory of one name.

    Attributes:
        bytes: of all instances; of what every thread has for itself, of one thread.
        threads: how many threads have it for themselves, or 0.
        first, last: the steps between which it holds something; 0 is before the first.
        shares_with: how many other buffers lie, at other times, where it lies.
    """

    name: str
    scope: str
    bytes: int
    threads: int
    first: int
    last: int
    shares_with: int


@short_repr
@dataclass(frozen=True)
class Explanation:
    """Everything that a plan decided.  ``str()`` is a table, `to_dict` is for programs.

    Attributes:
        bytes: all memory of the plan.
        unshared_bytes: what it would be if every buffer had its own.
        thread_bytes: what each thread has for itself, as part of `bytes`.
        peak_gflops: the multiply-add peak of one thread, if measured.
    """

    purpose: str
    element: str
    batch_size: int
    threads: int
    vector: int
    exact: bool
    bfloat16: bool
    lanes: LanesExplained
    layers: tuple[LayerExplained, ...]
    stages: tuple[StageExplained, ...]
    kernels: tuple[KernelExplained, ...]
    buffers: tuple[BufferExplained, ...]
    bytes: int
    unshared_bytes: int
    thread_bytes: int
    peak_gflops: float | None

    @property
    def seconds(self) -> float | None:
        """Of a whole run on one thread, where it was measured."""
        times = [kernel.seconds for kernel in self.kernels if kernel.seconds is not None]
        return sum(times) if times else None

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        return {**_plain(asdict(self)), "seconds": self.seconds}

    def __str__(self) -> str:
        parts = (self._head(), self._layers(), self._kernels(), self._memory())
        return "\n\n".join("\n".join(part) for part in parts)

    # --- the parts of the table -----------------------------------------------------------------

    def _head(self) -> Iterator[str]:
        yield (
            f"Plan for {self.purpose}: batches of {self.batch_size}, {self.element}, vectors of "
            f"{self.vector}, {counted(self.threads, 'thread')}"
            + (", exact" if self.exact else "")
            + (", bfloat16" if self.bfloat16 else "")
        )
        lanes = self.lanes
        blocks = f"{counted(lanes.blocks, 'block')} of {counted(lanes.images_of_a_block, 'image')}"
        why = {
            "estimate": "the cheaper by estimate",
            "striate tune": "the faster as measured by striate tune",
        }.get(lanes.chosen_by, "asked for")
        yield f"{lanes.fill.capitalize()} fill the lanes, in {blocks}: {why}."
        yield (
            f"Estimated vector operations of a pass: {lanes.by_images:,.0f} with images in the "
            f"lanes, {lanes.by_channels:,.0f} with channels."
        )
        if self.seconds is not None and self.peak_gflops is not None:
            work = 2e-9 * sum(kernel.multiply_adds for kernel in self.kernels)
            yield (
                f"Measured on one thread: {1e3 * self.seconds:.3g} ms, "
                f"{work / self.seconds:.0f} GFLOP/s of a multiply-add peak of "
                f"{self.peak_gflops:.0f}."
            )

    def _layers(self) -> Iterator[str]:
        short = {"input gradient": "dX", "parameter gradient": "dF"}
        rows = [("layer", "passes", "algorithm")]
        for layer in self.layers:
            kind = layer.kind + (f" + {layer.fused}" if layer.fused else "")
            how = layer.algorithm + (f": {layer.why}" if layer.why else "")
            passes = ", ".join(short.get(name, name) for name in layer.passes)
            rows.append((cut(f"{layer.name} ({kind})", 46), passes, how))
        yield from _wrapped(rows)
        for layer in self.layers:
            if layer.part:
                yield f"{layer.name}: {layer.part} outputs are computed, nobody reads the others"
        for layer in self.layers:
            if len(layer.costs) > 1:
                costs = (
                    f"{name} {cost:.2f}" if cost != 1 else f"{name} 1"
                    for name, cost in layer.costs.items()
                )
                yield f"{layer.name}: {', '.join(costs)} (vector operations of the forward pass)"
        if any(name in short for layer in self.layers for name in layer.passes):
            yield "dX: the gradient of what the layer reads; dF: that of its parameters"
        if any("again" in layer.passes for layer in self.layers):
            yield "again: computed once more where it is read, instead of being kept in memory"

    def _kernels(self) -> Iterator[str]:
        measured = self.seconds is not None
        for stage in self.stages:
            yield from self._stage(stage, measured)
        yield "turns: calls in a run; expected: share of the multiply-add peak; *: summed over"
        if measured:
            yield "measured on one thread, each kernel where it is in a run, among the others"

    def _stage(self, stage: StageExplained, measured: bool) -> Iterator[str]:
        grain = f" of {counted(stage.grain, 'block')}" if stage.grain else ""
        wait = "then all threads meet" if stage.barrier else "no barrier behind it"
        yield (
            f"stage {stage.number}: {counted(stage.tasks, 'task')}{grain} in "
            f"{counted(stage.shards, 'shard')}, {wait}"
        )
        head: tuple[str, ...] = ("step", "layer: writes", "turns", "multiply-adds", "expected")
        rows = [(*head, "GFLOP/s", "ms", "of all") if measured else head]
        own = [kernel for kernel in self.kernels if kernel.stage == stage.number]
        for kernel in own:
            row = (
                f"{kernel.step}",
                cut(_told(kernel), 40),
                f"{kernel.turns:,}",
                f"{kernel.multiply_adds:,}" if kernel.multiply_adds else "",
                percent(kernel.expected, ".0f") if kernel.expected is not None else "",
            )
            rows.append((*row, *self._times(kernel)) if measured else row)
        lines = columns(rows, left=2)
        yield "  " + lines[0]
        for kernel, line in zip(own, lines[1:], strict=True):
            yield "  " + line
            yield from textwrap.wrap(
                _described(kernel), _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 10
            )

    def _times(self, kernel: KernelExplained) -> tuple[str, str, str]:
        seconds, total = kernel.seconds or 0.0, self.seconds or 1.0
        speed = f"{kernel.gflops:.0f}" if kernel.gflops is not None else ""
        return speed, f"{1e3 * seconds:.3f}", percent(seconds / total, ".1f")

    def _memory(self) -> Iterator[str]:
        yield (
            f"Memory: {in_bytes(self.bytes, 'bytes')}, of which each thread has "
            f"{in_bytes(self.thread_bytes, 'bytes')} for itself; without sharing "
            f"{in_bytes(self.unshared_bytes, 'bytes')}."
        )
        rows = [("buffer", "instances", "bytes", "steps", "shares with")]
        ordered = sorted(self.buffers, key=lambda buffer: -buffer.bytes)
        for buffer in ordered[:_LISTED]:
            rows.append(
                (
                    cut(buffer.name, 48),
                    "each thread" if buffer.threads else buffer.scope,
                    f"{buffer.bytes:,}",
                    f"{buffer.first}-{buffer.last}",
                    counted(buffer.shares_with, "other") if buffer.shares_with else "",
                )
            )
        yield from columns(rows, left=2)
        rest = ordered[_LISTED:]
        if rest:
            size = sum(buffer.bytes for buffer in rest)
            yield f"and {len(rest)} smaller ones: {in_bytes(size, 'bytes')}"


def _told(kernel: KernelExplained) -> str:
    """For whom a kernel works, and what it writes."""
    when = "" if kernel.when == "task" else f" (shard's {kernel.when})"
    return f"{kernel.label}: {', '.join(kernel.writes)}{when}"


def _described(kernel: KernelExplained) -> str:
    """The axes and the schedule of a kernel, in words."""
    axes = " ".join(
        f"{name}{'*' if name in kernel.reduced else ''}={extent}" for name, extent in kernel.axes
    )
    parts = [f"{axes} | {kernel.lanes} lanes along {kernel.lane}"]
    if kernel.tile:
        parts.append("tile " + " ".join(f"{axis}:{size}" for axis, size in kernel.tile))
    if kernel.unroll:
        parts.append("unroll " + " ".join(kernel.unroll))
    return ", ".join(parts) + (" (tuned)" if kernel.tuned else "")


def _wrapped(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table aligned left whose last column is wrapped to the width."""
    heads = columns([row[:-1] for row in rows], left=len(rows[0]))
    indent = max(map(len, heads)) + 2
    for head, row in zip(heads, rows, strict=True):
        lines = textwrap.wrap(row[-1], max(_WIDTH - indent, 24)) or [""]
        yield (head.ljust(indent) + lines[0]).rstrip()
        yield from (" " * indent + line for line in lines[1:])


def _plain(value: Any) -> Any:
    """Tuples as lists, all the way down."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
