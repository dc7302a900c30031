"""What an algorithm for convolution must tell: its cost, its halos, and three passes as nests.

A new algorithm is a class like those in this folder, and a line in `choice.ALGORITHMS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

from striate.ops.shapes import Pads
from striate.plan.analysis.operations import Operation
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.convolution.conv_geometry import ConvGeometry
from striate.plan.settings import Settings

Pass = Literal["forward", "input_gradient", "filter_gradient"]
PASSES: tuple[Pass, ...] = ("forward", "input_gradient", "filter_gradient")


class Algorithm(ABC):
    """One way to compute a convolution and its gradients."""

    name: ClassVar[str]
    """For people: "direct", "Winograd"."""
    is_winograd: ClassVar[bool] = False
    """Whether its sums are not those that are written, so that ``exact=True`` forbids it."""

    @abstractmethod
    def costs(self, settings: Settings, operation: Operation) -> Mapping[Pass, float]:
        """Vector operations of each pass that it can compute and is allowed to, for a block of
        images; what makes it less welcome than its operations say (rounding, memory) included.
        """

    @abstractmethod
    def input_halo(self, settings: Settings, operation: Operation) -> Pads:
        """Zeros that its passes read around the input: (top, bottom, left, right)."""

    @abstractmethod
    def gradient_halo(self, settings: Settings, operation: Operation, name: Pass) -> Pads:
        """Zeros that a pass reads around the gradient of the output."""

    @abstractmethod
    def forward(self, builder: Builder, operation: Operation) -> None:
        """Record O, with the bias as first addend and the activation applied as it is stored."""

    @abstractmethod
    def input_gradient(self, builder: Builder, operation: Operation) -> None:
        """Record dX."""

    @abstractmethod
    def filter_gradient(self, builder: Builder, operation: Operation) -> None:
        """Record dF, summed into the shard's own; of very many filters into the batch's."""

    def gradients(self, builder: Builder, operation: Operation) -> None:
        """Record dX and dF, where both are wanted: once what both read."""
        self.input_gradient(builder, operation)
        self.filter_gradient(builder, operation)

    def products(self, settings: Settings, operation: Operation) -> float:
        """Multiply-adds of the forward pass over an image, as recomputation weighs them."""
        g = ConvGeometry(operation)
        return g.taps * g.rows * g.columns * g.depth * g.outputs

    @abstractmethod
    def described(self, settings: Settings, operation: Operation) -> tuple[str, str]:
        """What it is called with its numbers, and what it saves; "" for nothing."""
