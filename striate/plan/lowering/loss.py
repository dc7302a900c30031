"""Losses, with the classes (or outputs) along one axis and the images in the lanes.

With logits z, targets t that sum to one, and a weight w for every image:

    softmax cross-entropy:  w * (log(sum(exp(z - m))) - sum(t * (z - m))),   m = max(z)
                            gradient  w * (exp(z - m) / sum(exp(z - m)) - t)
    sigmoid cross-entropy:  w * mean((1 - t) * max(z, 0) + p * t * max(-z, 0)
                                     + a * log(1 + exp(-|z|))),  a = 1 - t + p * t,
                            with a weight p of each label that is 1 by default;
                            gradient  w / outputs * (a * s - p * t),   s = 1 / (1 + exp(-z))
    mean squared error:     w * mean((z - t)**2),   gradient  w * 2 / outputs * (z - t)

The gradient is that of the sum over the batch. Where there are auxiliary heads, each adds its loss,
multiplied by its weight, to that of the image.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from striate.common.errors import StriateValueError
from striate.nest.algebra import (
    Accumulator,
    Constant,
    Expression,
    Nest,
    Reduction,
    Store,
    Tensor,
    strides_of,
    tensors_in,
)
from striate.nest.elementary import exp, log, maximum, sigmoid, where
from striate.plan.layout import EVERY_PIXEL, Axes, Image, Location, pixels, vector
from striate.plan.lowering.builder import Builder


class LossLowering:
    """Records a loss on an output of the network.

    Args:
        builder: of the plan.
        places: of "targets", "weights" and "losses".
        output: the value that the loss is of.
        share: of an auxiliary head, what its loss is multiplied by before it is added to the loss
            that is there; None for the output itself, whose loss is the first.
    """

    def __init__(
        self,
        builder: Builder,
        places: dict[str, Location],
        output: int,
        share: float | None = None,
    ) -> None:
        self.builder, self.places, self.output, self.share = builder, places, output, share
        self.z: Image = builder.values[self.output]
        self.axes: Axes = pixels(self.z, builder.lanes)
        row = self.z.width * self.z.channels
        # Targets come image by image, each like the output.
        self.targets = Tensor(
            "targets",
            strides_of({"v": self.z.features, "y": row, "x": self.z.channels, "c": 1}),
        )
        self.weights = vector("weights", v=1)

    def record(self, kind: str) -> None:
        """The loss of every image and the gradient of the output."""
        kinds = {
            "softmax_cross_entropy": self._softmax_cross_entropy,
            "sigmoid_cross_entropy": self._sigmoid_cross_entropy,
            "mean_squared_error": self._mean_squared_error,
            "given": self._given,
            "called": self._given,
        }
        if kind not in kinds:
            raise StriateValueError(
                f'the compiled engine has no loop nests for the loss {kind!r}; use engine="numpy"'
            )
        kinds[kind]()

    def _softmax_cross_entropy(self) -> None:
        z = self.z.tensor("z", EVERY_PIXEL)
        largest, total = vector("largest", v=1), vector("total", v=1)
        scratch = {
            name: Location(self.builder.buffer(name, self.builder.lanes))
            for name in ("largest", "total", "dot")
        }
        grown = exp(z - largest)
        self._reduce("max", z, "largest", scratch)
        self._reduce("sum", grown, "total", scratch)
        self._reduce("sum", self.targets * (z - largest), "dot", scratch)
        loss = self.weights * (log(total) - vector("dot", v=1))
        self._each_image(loss, scratch)
        self._gradient(self.weights * (grown / total - self.targets), scratch)

    def _sigmoid_cross_entropy(self) -> None:
        z, t = self.z.tensor("z", EVERY_PIXEL), self.targets
        scratch = {"dot": Location(self.builder.buffer("dot", self.builder.lanes))}
        above, below = maximum(z, 0.0), maximum(Constant(0.0) - z, 0.0)
        both = _log1p(exp(Constant(0.0) - (above + below)))
        chance, lacking = sigmoid(z), Constant(1.0) - t
        having: Expression = t
        if positive := self.builder.settings.positive_weight:
            # A table of p, as long as the outputs.
            table = np.broadcast_to(np.array(positive, np.float64), (self.z.features,))
            scratch["positive"] = Location(self.builder.constant("positive weight", table))
            form = {"y": self.z.width * self.z.channels, "x": self.z.channels, "c": 1}
            having = Tensor("positive", strides_of(form)) * t
            both, chance = both * (lacking + having), chance * (lacking + having)
        self._reduce("sum", lacking * above + having * below + both, "dot", scratch)
        share = 1.0 / self.z.features
        self._each_image(self.weights * vector("dot", v=1) * share, scratch)
        self._gradient(self.weights * (chance - having) * share, scratch)

    def _mean_squared_error(self) -> None:
        difference = self.z.tensor("z", EVERY_PIXEL) - self.targets
        scratch = {"dot": Location(self.builder.buffer("dot", self.builder.lanes))}
        self._reduce("sum", difference * difference, "dot", scratch)
        self._each_image(self.weights * vector("dot", v=1) * (1.0 / self.z.features), scratch)
        self._gradient(self.weights * difference * (2.0 / self.z.features), scratch)

    def _given(self) -> None:
        self._gradient(self.targets, {})

    def _reduce(
        self, reduction: Reduction, term: Expression, name: str, scratch: dict[str, Location]
    ) -> None:
        """A reduction over the outputs, image by image."""
        height, width, channels, lanes = self.axes
        nest = Nest(
            (lanes, height, width, channels),
            stores=(Store(vector(name, v=1), Accumulator()),),
            terms=(term,),
            reduce=("y", "x", "c"),
            reduction=reduction,
        )
        self.builder.recorder.blockwise(nest, self._used(nest.tensors(), scratch))

    def _each_image(self, loss: Expression, scratch: dict[str, Location]) -> None:
        losses = vector("losses", v=1)
        if self.share is not None:
            loss = losses + loss * self.share
        nest = Nest((self.axes[-1],), stores=(Store(losses, loss),))
        self.builder.recorder.blockwise(nest, self._used(nest.tensors(), scratch))

    def _gradient(self, term: Expression, scratch: dict[str, Location]) -> None:
        if not self.builder.needs_gradient(self.output):
            return
        if self.share is not None:
            term = term * self.share
        places = self._used(tensors_in(term), scratch)
        with self.builder.writing_gradient(self.output) as writer:
            writer.nest(self.axes, term, places)

    def _used(self, tensors: Iterable[Tensor], scratch: dict[str, Location]) -> dict[str, Location]:
        """The memory of the roles that occur."""
        known = {**self.places, **scratch, "z": Location(self.z.buffer)}
        return {tensor.buffer: known[tensor.buffer] for tensor in tensors}


def _log1p(small: Expression) -> Expression:
    """log(1 + x) for x of 0 to 1, exact to the last bits near 0 too: what rounding takes from 1 + x
    goes into log(u) and u - 1 alike (HP-15C Advanced Functions Handbook, 1982).
    """
    u = small + 1.0
    return where(u, "==", 1.0, small, log(u) * (small / (u - 1.0)))
