"""Kernels in all the forms that they take on their way through the compiler.

A kernel begins as a nest, textbook loops; a schedule says how these run; LLVM's intermediate
representation is written from both, and becomes the processor's instructions. Beside them stands
the same nest as C.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.common.text import did_you_mean, listed
from striate.freestanding.c.c_emitter import emit_c
from striate.freestanding.program.frozen_program import FrozenProgram
from striate.nest.algebra import Nest
from striate.nest.emit import emit_function
from striate.nest.ir import BYTES, Number
from striate.nest.kernel_module import emit
from striate.nest.loops_text import textbook
from striate.nest.schedule import Schedule, choose, expected_share
from striate.nest.scheduled_text import scheduled_text
from striate.nest.target import Target, assembly_text, host
from striate.plan.build.assembly import Assembly
from striate.plan.measure.explain import explain, products
from striate.plan.measure.trial import trial

if TYPE_CHECKING:
    from striate.model.model import Model
    from striate.plan.measure.explanation import KernelExplained
    from striate.plan.plan import Plan
    from striate.plan.stage import BoundNest

FORMS = ("nest", "schedule", "ir", "assembly", "c")
"""What a kernel can be shown as, in the order of its way."""


@short_repr
@dataclass(frozen=True)
class KernelView:
    """A kernel of a plan.

    Attributes:
        label: the layer, and what is computed for it: "conv2d_1 forward".
        nest, schedule: what is computed, and how.
        target: for which processor.
        element: the type of its numbers.
        turns: how often it is called in a run.
        multiply_adds: of all turns; 0 where nothing is multiplied and summed.
        bytes: of what it reads and writes, of all turns; what it meets twice in one counts once.
        expected: the share of the processor's multiply-add peak that the cost model expects; None
            without multiply-adds.
        seconds, peak_gflops: of all turns on one thread, and the peak, where they were measured.
    """

    label: str
    nest: Nest
    schedule: Schedule
    target: Target
    element: Number
    turns: int
    multiply_adds: int
    bytes: int
    expected: float | None
    seconds: float | None = None
    peak_gflops: float | None = None

    @property
    def measured(self) -> float | None:
        """The share of the multiply-add peak that it reached."""
        if not self.seconds or not self.peak_gflops or not self.multiply_adds:
            return None
        return 2e-9 * self.multiply_adds / self.seconds / self.peak_gflops

    def text(self, form: str) -> str:
        """The kernel in one of `FORMS`.

        Raises:
            ValueError: it cannot be shown so: there is no C for pairs of bfloat16 numbers.
        """
        return _WRITERS[form](self)

    @property
    def instructions(self) -> int:
        """How many instructions its code has."""
        return sum(line.startswith("\t") for line in self.text("assembly").splitlines())


def kernel_views(
    network: Model,
    *,
    layer: str | None = None,
    target: Target | None = None,
    batch_size: int = 64,
    training: bool = True,
    threads: int | None = None,
    exact: bool = False,
    bfloat16: bool = False,
    portable: bool = False,
    measure: bool = False,
) -> list[KernelView]:
    """The kernels of a plan, in the order in which they run.

    Args:
        network: the network.
        layer: only those of this layer.
        target: a processor that the network is exported for: inference in the order of sums that
            all processors share, as `export` does; None for a plan of this processor.
        batch_size, training, threads, exact, bfloat16, portable, measure: those of
            `Network.explain`, which a plan for another processor has no use for but `batch_size`.

    Raises:
        ValueError: no kernel is of such a layer.
    """
    if target is not None:
        views = list(_views(FrozenProgram(network, target, batch_size).plan))
    else:
        plan = trial(
            network,
            batch_size,
            training=training,
            threads=threads,
            exact=exact,
            bfloat16=bfloat16,
            portable=portable,
        ).plan
        explained = explain(plan, measure)
        views = list(_views(plan, explained.kernels, explained.peak_gflops))
    return views if layer is None else _of_layer(views, layer)


def _of_layer(views: list[KernelView], layer: str) -> list[KernelView]:
    """Those of a layer, or of one label."""
    found = [view for view in views if layer in (view.label, _layer(view))]
    if found:
        return found
    names = [name for name in dict.fromkeys(map(_layer, views)) if name and " " not in name]
    raise StriateValueError(
        f"no kernel is of a layer {layer!r}{did_you_mean(layer, names)}; there are "
        f"{listed(names, 20)}"
    )


def _layer(view: KernelView) -> str:
    """The name in front of what is computed: "conv2d_1" of "conv2d_1 forward"."""
    return view.label.rpartition(" ")[0]


def _views(
    plan: Plan,
    explained: tuple[KernelExplained, ...] = (),
    peak_gflops: float | None = None,
) -> Iterator[KernelView]:
    """The kernels of a plan, with what was measured of each."""
    settings = plan.settings
    assembly, number = Assembly(plan.memory, settings.target), 0
    for stage in plan.stages:
        final, tasks = assembly.final(stage), stage.tasks // stage.grain
        shards = min(stage.used_shards, tasks)
        for steps, turns in ((final.starts, shards), (final.steps, tasks), (final.ends, shards)):
            for step in steps:
                own = explained[number] if explained else None
                number += 1
                yield _view(plan, step, turns, own, peak_gflops)


def _view(
    plan: Plan,
    step: BoundNest,
    turns: int,
    own: KernelExplained | None,
    peak_gflops: float | None,
) -> KernelView:
    target, element, nest = plan.settings.target, plan.settings.element, step.nest
    schedule = step.schedule or choose(nest, target, element)
    if own is not None:  # the one that was kept as the fastest, perhaps
        schedule = Schedule(own.lane, own.lanes, own.tile, own.unroll)
    work = products(nest) * turns
    return KernelView(
        step.label,
        nest,
        schedule,
        target,
        element,
        turns,
        work,
        turns * _touched(nest, element),
        expected_share(nest, schedule, target) if work else None,
        own.seconds if own is not None else None,
        peak_gflops,
    )


def _touched(nest: Nest, element: Number) -> int:
    """Bytes from the first to the last element of each buffer that a nest reads or writes."""
    spans: dict[str, tuple[int, int, int]] = {}
    for tensor in nest.tensors():
        low, high = nest.reach(tensor)
        size = BYTES[element if tensor.element == "real" else tensor.element]
        first, last, _ = spans.get(tensor.buffer, (low, high, size))
        spans[tensor.buffer] = (min(first, low), max(last, high), size)
    return sum((last - first + 1) * size for first, last, size in spans.values())


# --- forms -----------------------------------------------------------------------------------


def _name(view: KernelView) -> str:
    return re.sub(r"\W+", "_", view.label, flags=re.ASCII).strip("_").lower() or "kernel"


def _ir(view: KernelView) -> str:
    made = emit_function(view.nest, view.schedule, _name(view), view.target, view.element)
    return "\n".join([*sorted(made.declarations), made.text])


def _assembly(view: KernelView) -> str:
    """The instructions of the function, with their labels, without what is said to the linker."""
    alone = view.target.portable or view.target.triple != host().triple
    source = emit(view.nest, view.schedule, "kernel", view.element, view.target)
    # The body has a function of its own, which the kernel calls.
    lines = assembly_text(source, view.target, alone=alone).splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith("body:"))
    found = []
    for line in lines[begin:]:
        if re.match(r"\.Lfunc_end|\s+\.size\s|\s+\.cfi_endproc|\s+\.fnend", line):
            break
        if _is_code(line):
            found.append(line.rstrip())
    return "\n".join([f"{_name(view)}:", *found[1:]])


def _is_code(line: str) -> bool:
    """Whether a line of assembly is a label or an instruction."""
    text = line.strip()
    if line.startswith((".L", "L")) and text.endswith(":"):
        return True
    return bool(text) and not text.startswith((".", "#", "@", "//", ";")) and text != "}"


def _c(view: KernelView) -> str:
    return emit_c(_name(view), (view.nest, view.schedule)).text


_WRITERS: dict[str, Callable[[KernelView], str]] = {
    "nest": lambda view: textbook(view.nest),
    "schedule": lambda view: scheduled_text(view.nest, view.schedule),
    "ir": _ir,
    "assembly": _assembly,
    "c": _c,
}
