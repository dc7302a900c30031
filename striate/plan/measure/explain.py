"""What a plan decided and why: collected from the plan, its stages and its programs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from striate.layers import Conv2D, ConvTranspose2D, Dense, GroupedDense, LocallyConnected2D
from striate.nest.algebra import Binary, Nest, PairProduct
from striate.nest.schedule import choose, expected_share
from striate.ops.shapes import Shape
from striate.plan.analysis.operations import Operation
from striate.plan.lowering.convolution.algorithm import PASSES
from striate.plan.lowering.convolution.bfloat16 import LEAST, Bfloat16
from striate.plan.lowering.convolution.choice import algorithms_for, costs
from striate.plan.lowering.convolution.conv_geometry import ConvGeometry
from striate.plan.lowering.convolution.direct import Direct
from striate.plan.lowering.convolution.winograd import tiling
from striate.plan.lowering.lanes import estimate, lanes_for
from striate.plan.measure import explanation
from striate.plan.measure.profiling import CallProfiler, peak
from striate.plan.memory.allocation import dtype_of
from striate.plan.memory.placement import base_of
from striate.plan.settings import Settings

if TYPE_CHECKING:
    from striate.nest.program import KernelCall
    from striate.plan.plan import Plan
    from striate.plan.stage import BoundNest

# How often each kernel is timed, and for how long in all that goes on.
_ROUNDS, _SECONDS = 15, 2.0


def explain(plan: Plan, measure: bool = False) -> explanation.Explanation:
    """Everything that `plan` decided; with `measure` its kernels are timed too.

    Measuring runs the plan some times on what is in its memory, and then puts back all that was
    there, weights and statistics included.  Nothing else may use the plan meanwhile.
    """
    settings = plan.settings
    times = _measured(plan) if measure else None
    buffers = tuple(_buffers(plan))
    purpose = "inference" if settings.loss is None else "training"
    return explanation.Explanation(
        purpose=purpose + (" with fixed weights" if settings.frozen else ""),
        element={"f32": "float32", "f64": "float64"}[settings.element],
        batch_size=settings.batch_size,
        threads=plan.threads,
        vector=settings.vector,
        exact=settings.exact,
        bfloat16=settings.bfloat16,
        lanes=_lanes(plan),
        layers=tuple(_layer(plan, operation) for operation in plan.builder.graph.operations),
        stages=tuple(
            explanation.StageExplained(
                number,
                job.tasks,
                stage.grain if stage.by_block else 0,
                min(job.shards, job.tasks),
                job.barrier,
            )
            for number, (stage, job) in enumerate(
                zip(plan.stages, plan.program.jobs, strict=True), 1
            )
        ),
        kernels=tuple(_kernels(plan, times)),
        buffers=buffers,
        bytes=plan.memory.bytes,
        unshared_bytes=sum(buffer.bytes * max(buffer.threads, 1) for buffer in buffers),
        thread_bytes=_thread_bytes(plan),
        peak_gflops=peak(settings.element, settings.target) / 1e9 if measure else None,
    )


# --- lanes and layers ----------------------------------------------------------------------------


def _lanes(plan: Plan) -> explanation.LanesExplained:
    settings, network = plan.settings, plan.builder.network
    found, kept = estimate(network, settings), lanes_for(network, settings)
    by = "caller"
    if settings.lanes == kept:
        by = "estimate" if kept == found.lanes else "striate tune"
    return explanation.LanesExplained(
        "images" if settings.lanes > 1 else "channels",
        settings.lanes,
        settings.blocks,
        found.images,
        found.channels,
        by,
    )


def _layer(plan: Plan, operation: Operation) -> explanation.LayerExplained:
    layer, builder = operation.layer, plan.builder
    passes = ["forward"]
    again = f"{builder.name(operation.node)} again"
    if any(step.label == again for stage in plan.stages for step in stage.all_steps):
        passes.append("again")
    if builder.needs_gradient(operation.node):
        if any(builder.needs_gradient(value) for value in operation.inputs):
            passes.append("input gradient")
        if layer.parameters(*operation.shapes):
            passes.append("parameter gradient")
    algorithm, why = _algorithm(plan.settings, operation)
    return explanation.LayerExplained(
        builder.name(operation.node),
        type(layer).__name__,
        type(operation.activation).__name__ if operation.activation else "",
        tuple(passes),
        algorithm,
        why,
        _part(operation.shape, builder.network.nodes[operation.node].shape),
        _costs(plan.settings, operation),
    )


def _costs(settings: Settings, operation: Operation) -> dict[str, float]:
    """What each algorithm would cost in the forward pass of a convolution, the least first."""
    if not isinstance(operation.layer, Conv2D):
        return {}
    offers = costs(settings, operation)
    direct = offers[Direct.name]["forward"]
    found = {name: cost["forward"] / direct for name, cost in offers.items() if "forward" in cost}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _part(made: Shape, whole: Shape) -> str:
    if made == whole:
        return ""
    return f"{made[0]}×{made[1]} of {whole[0]}×{whole[1]}"


def _algorithm(settings: Settings, operation: Operation) -> tuple[str, str]:
    if isinstance(operation.layer, Dense):
        return "matrix product", ""
    if isinstance(operation.layer, GroupedDense):
        return "matrix product", "one column for each group"
    if isinstance(operation.layer, LocallyConnected2D):
        return "loops", "filters of its own at each position"
    if isinstance(operation.layer, ConvTranspose2D):
        return Direct.name, "the passes of a convolution, exchanged"
    if not isinstance(operation.layer, Conv2D):
        return "loops", ""
    chosen = algorithms_for(settings, operation)
    transformed = [name for name in PASSES if chosen[name].is_winograd]
    if not transformed:
        direct = chosen["forward"]
        few = f"; fewer than {LEAST} channels: no bfloat16" * settings.bfloat16
        why = _why_not_winograd(settings, operation)
        return direct.name, why + few * (direct.name == Direct.name)
    first = chosen[transformed[0]]
    name, saved = first.described(settings, operation)
    if len(transformed) < len(PASSES):
        others = {chosen[name].name for name in PASSES} - {first.name}
        passes = ", ".join(name.replace("_", " ") for name in transformed)
        name += f" ({passes}{', else bfloat16' * (Bfloat16.name in others)})"
    return name, saved


def _why_not_winograd(settings: Settings, operation: Operation) -> str:
    g = ConvGeometry(operation)
    if settings.exact:
        return "exact=True"
    if g.groups > 1:
        return f"{g.groups} groups"
    if g.stride != (1, 1) or g.dilation != (1, 1):
        what, pair = ("stride", g.stride) if g.stride != (1, 1) else ("dilation", g.dilation)
        return f"{what} {pair[0]}×{pair[1]}"
    if g.size[0] != g.size[1] or g.size[0] not in (3, 5):
        return f"filters of {g.size[0]}×{g.size[1]}, Winograd's are 3×3 or 5×5"
    if max(g.pads) >= g.size[0]:
        return f"a padding of {max(g.pads)} is not less than the filter's {g.size[0]}"
    if settings.lanes > 1:
        return "rows in strips would cost what they save, or leave the cache"
    if settings.bfloat16 and tiling(operation, settings.vector, settings.batch_size):
        return "faster than Winograd"
    return "Winograd's transforms would cost what they save"


# --- kernels -------------------------------------------------------------------------------------


def _kernels(plan: Plan, times: list[float] | None) -> Iterator[explanation.KernelExplained]:
    number = 0
    for place, (stage, job) in enumerate(zip(plan.stages, plan.program.jobs, strict=True), 1):
        shards = min(job.shards, job.tasks)
        for when, steps, calls, turns in (
            ("start", stage.starts, job.starts, shards),
            ("task", stage.steps, job.calls, job.tasks),
            ("end", stage.ends, job.ends, shards),
        ):
            for step, call in zip(steps, calls, strict=True):
                seconds = times[number] if times is not None else None
                number += 1
                where = (place, number, when)
                yield _kernel(plan, where, step, call, turns, seconds)


def _kernel(
    plan: Plan,
    where: tuple[int, int, str],
    step: BoundNest,
    call: KernelCall,
    turns: int,
    seconds: float | None,
) -> explanation.KernelExplained:
    nest = call.kernel.nest
    schedule = call.kernel.schedule or choose(nest, plan.settings.target, plan.settings.element)
    work = products(nest) * turns
    return explanation.KernelExplained(
        *where,
        step.label,
        tuple(dict.fromkeys(step.places[s.target.buffer].buffer.name for s in nest.stores)),
        nest.axes,
        nest.reduce,
        schedule.lane,
        schedule.lanes,
        schedule.tile,
        schedule.unroll,
        step.tuned if step.schedule else call.kernel.schedule is not None,
        work,
        turns,
        expected_share(nest, schedule, plan.settings.target) if work else None,
        seconds,
        2e-9 * work / seconds if seconds and work else None,
    )


def products(nest: Nest) -> int:
    """Multiply-adds: only sums of products count."""
    if nest.reduction != "sum":
        return 0
    multiplied = sum(isinstance(t, Binary) and t.operation == "mul" for t in nest.terms)
    pairs = sum(isinstance(t, PairProduct) for t in nest.terms)
    return nest.multiply_adds // len(nest.terms) * (multiplied + 2 * pairs)


def _measured(plan: Plan) -> list[float]:
    """Seconds of each call of the program: medians."""
    walk = CallProfiler(plan.program)
    found: list[list[float]] = []
    with _undisturbed(plan):
        walk.run()
        end = time.perf_counter() + _SECONDS
        while len(found) < 3 or (len(found) < _ROUNDS and time.perf_counter() < end):
            found.append(walk.run())
    return [statistics.median(times) for times in zip(*found, strict=True)]


@contextmanager
def _undisturbed(plan: Plan) -> Iterator[None]:
    """All memory of a plan holds afterwards what it held before."""
    arrays = {(array.ctypes.data, array.nbytes): array for array in plan.memory.arrays.values()}
    # Views overlap, so all are copied before any is put back.
    copies = [(array, array.copy()) for array in arrays.values()]
    try:
        yield
    finally:
        for array, copy in copies:
            array[...] = copy


# --- memory --------------------------------------------------------------------------------------


def _buffers(plan: Plan) -> Iterator[explanation.BufferExplained]:
    memory = plan.memory
    uses = memory.uses()
    places = []
    for use in uses:
        begin = memory.arrays[use.buffer].ctypes.data
        size = use.elements * np.dtype(dtype_of(use.buffer, memory.element)).itemsize
        places.append((begin, begin + min(size, memory.arrays[use.buffer].nbytes)))
    # The steps of a frozen plan are counted from where those end that are done once.
    done = sum(len(stage.all_steps) for stage in plan.recording.preparation)
    before = done if plan.settings.frozen else 0
    ordered = np.sort(np.array(places, np.int64).reshape(-1, 2), axis=0)
    for use, (begin, end) in zip(uses, places, strict=True):
        # Those that begin before this one's end, but for those that end before it begins.
        meeting = np.searchsorted(ordered[:, 0], end) - np.searchsorted(
            ordered[:, 1], begin, side="right"
        )
        yield explanation.BufferExplained(
            use.buffer.name,
            use.buffer.scope,
            end - begin,
            use.threads,
            max(use.start + 1 - before, 0),
            max(use.stop + 1 - before, 0),
            int(meeting) - 1,
        )


def _thread_bytes(plan: Plan) -> int:
    """What each thread has for itself: the stretches of memory in which such buffers lie."""
    stretches: dict[int, int] = {}
    for use in plan.memory.uses():
        if use.threads:
            base = base_of(plan.memory.arrays[use.buffer])
            stretches[base.ctypes.data] = base.nbytes // use.threads
    return sum(stretches.values())
