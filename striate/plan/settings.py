"""What a plan is made for: a batch, a purpose, a machine."""

from __future__ import annotations

from dataclasses import dataclass

from striate.nest.ir import BYTES, Number
from striate.nest.target import Target
from striate.plan.inputs import COPIED, InputFormat


@dataclass(frozen=True)
class Settings:
    """What a plan is made for.

    Attributes:
        batch_size: the most images of one run.
        lanes: images of a block: the lanes of a vector.
        element: the type of all numbers: "f32" or "f64".
        target: the machine that the plan is made for, which need not be this one.
        training: whether layers behave as in training and gradients are computed.
        loss: "softmax_cross_entropy", "sigmoid_cross_entropy", "mean_squared_error", "given" (the
            output's gradient comes from outside), "called" (the same, but it is computed from the
            outputs, between two programs: forward and backward) or None (no backward pass).
        input_gradient: whether the gradient of the input is wanted too.
        loading: how images come in.
        exact: whether sums are computed as they are written, without Winograd's algorithm.
        frozen: whether weights never change, so that what depends on nothing else is done once.
        bfloat16: whether convolutions may multiply in bfloat16.
        positive_weight: of the sigmoid cross-entropy: for each output, or one for all; () for ones.
    """

    batch_size: int
    lanes: int
    element: Number
    target: Target
    training: bool
    loss: str | None
    input_gradient: bool = False
    loading: InputFormat = COPIED
    exact: bool = False
    frozen: bool = False
    bfloat16: bool = False
    positive_weight: tuple[float, ...] = ()

    @property
    def vector(self) -> int:
        """Numbers that a vector of the target holds; if it is portable, of `Target.order`."""
        return self.target.order.lanes(BYTES[self.element])

    @property
    def blocks(self) -> int:
        """How many blocks of images a batch has."""
        return -(-self.batch_size // self.lanes)
