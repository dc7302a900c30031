"""The batch normalisation layer."""

from __future__ import annotations

from typing import Any

from striate.common.arguments import real_number
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.layers.layer import Arrays, Gradients, Inputs, Parameter, PassContext
from striate.layers.scaled_layer import NormalisingLayer
from striate.ops import batchnorm
from striate.ops.shapes import Shape


class BatchNorm(NormalisingLayer):
    """Normalise every channel to mean 0 and variance 1, then apply a learned scale and shift.

    Training uses the batch's mean and biased variance, and updates running averages of them
    (state = momentum·state + (1 - momentum)·batch, with the unbiased variance as in PyTorch);
    prediction uses the running averages.

    Its parameters are scale (channels,) and shift (channels,), its state mean and variance.

    Args:
        momentum: the share of the running averages that each step keeps, 0 ≤ momentum < 1.
        eps: added to the variance, > 0.
    """

    kind = "batch_norm"

    def __init__(
        self, *, momentum: float = 0.9, eps: float = 1e-5, name: str | None = None
    ) -> None:
        super().__init__(eps, name)
        self.momentum = real_number(momentum, "momentum", self.who)
        if not 0 <= self.momentum < 1:
            raise StriateValueError(
                f"{self.who}: momentum must be at least 0 and below 1, got {self.momentum}"
            )

    def state(self, *inputs: Shape) -> tuple[Parameter, ...]:
        channels = inputs[0][-1:]
        return (
            Parameter("mean", channels, "zeros", decay=False),
            Parameter("variance", channels, "ones", decay=False),
        )

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        if run.training:
            mean, variance = batchnorm.batch_statistics(x)
            count = x.size // x.shape[-1]
            unbiased = variance * (count / max(count - 1, 1))
            for name, batch in (("mean", mean), ("variance", unbiased)):
                state[name][...] = self.momentum * state[name] + (1 - self.momentum) * batch
        else:
            mean, variance = state["mean"], state["variance"]
        normal, inverse = batchnorm.normalise(x, mean, variance, self.eps)
        output = parameters["scale"] * normal + parameters["shift"]
        return output, (normal, inverse, run.training)

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        normal, inverse, training = saved
        x_gradient, scale_gradient, shift_gradient = batchnorm.batch_norm_gradients(
            gradient, normal, inverse, parameters["scale"], training
        )
        return (x_gradient,), {"scale": scale_gradient, "shift": shift_gradient}
