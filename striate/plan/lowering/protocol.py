"""The protocol of lowering: what each kind of layer must tell the plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from striate.ops.shapes import Pads
from striate.plan.analysis.operations import Operation
from striate.plan.lowering.builder import Builder
from striate.plan.settings import Settings

NO_HALO: Pads = (0, 0, 0, 0)


def _nothing(builder: Builder, operation: Operation) -> None:
    pass


def _no_halo(_: Settings, __: Operation) -> Pads:
    return NO_HALO


@dataclass(frozen=True)
class Lowering:
    """How a layer is computed.

    Attributes:
        forward, backward: record the nests of an operation. `backward` is called only where the
            operation or something before it learns; so a layer without parameters and with one
            input need not ask whether that input's gradient is needed.
        input_halo: zeros that the layer reads around its input.
        gradient_halo: zeros that its input gradient reads around the gradient of its output.
        rereads: whether the backward pass reads the inputs.
        prepare: records what depends on no image, before all else.
    """

    forward: Callable[[Builder, Operation], None]
    backward: Callable[[Builder, Operation], None]
    input_halo: Callable[[Settings, Operation], Pads] = _no_halo
    gradient_halo: Callable[[Settings, Operation], Pads] = _no_halo
    rereads: bool = False
    prepare: Callable[[Builder, Operation], None] = _nothing


def larger(first: Pads, second: Pads) -> Pads:
    """A halo that holds both."""
    top, bottom, left, right = (max(pair) for pair in zip(first, second, strict=True))
    return (top, bottom, left, right)
