"""The readable engine: the layers' own NumPy code, one node after the other, in any float dtype."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from striate.common.arguments import whole_number
from striate.common.arrays import Array
from striate.layers import PassContext
from striate.model.image_arrays import check_images

if TYPE_CHECKING:
    from striate.model.model import Model
    from striate.optim.losses import Loss
    from striate.optim.optimizers import Optimizer


class NumPyEngine:
    """Runs a network in NumPy.

    Args:
        network: its parameters are read at every call and changed by `update` only.
        batch_size: the largest batch of a step.
        loss: needed by `step`.
        threads: accepted for the other engine's sake; NumPy decides by itself.
        dtype: of all computations; float64 for checks of gradients.
    """

    picks: ClassVar[bool] = False

    def __init__(
        self,
        network: Model,
        *,
        batch_size: int,
        loss: Loss | None = None,
        threads: int | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.network = network
        self.batch_size = whole_number(batch_size, "batch_size", "NumPyEngine")
        self.loss = loss
        self.dtype = np.dtype(dtype)
        self.gradient: Array = np.zeros(network.flat.size, self.dtype)

    def forward(self, images: Array) -> Array:
        """Outputs (n, *output_shape) for raw images, by the running statistics."""
        images = check_images(images, self.network.input_shape)
        return self._forward(images, PassContext(training=False), keep=False)[0]

    def step(
        self, images: Array, targets: Array, weights: Array, keys: npt.NDArray[np.uint32]
    ) -> tuple[float, Array]:
        """Loss and outputs in training mode; fills `gradient` (see Engine.step)."""
        if self.loss is None:
            raise ValueError("this engine was made without a loss: it can only run forward")
        images = check_images(images, self.network.input_shape)
        if len(images) > self.batch_size:
            raise ValueError(
                f"this engine was made for batches of {self.batch_size}, got {len(images)} images"
            )
        outputs, saved = self._forward(images, PassContext(training=True, keys=keys), keep=True)
        loss, gradient = self.loss.value_and_gradient(
            outputs, targets.astype(self.dtype, copy=False), weights.astype(self.dtype, copy=False)
        )
        self._backward(gradient, saved)
        return float(loss), outputs

    def update(self, optimizer: Optimizer, learning_rate: float) -> None:
        """Apply the optimizer to ``network.flat`` in place."""
        gradient = self.gradient.astype(np.float32, copy=False)
        optimizer.apply(self.network.flat, gradient, self.network.decay_mask, learning_rate)

    def close(self) -> None:
        """Nothing to give back."""

    def _forward(self, images: Array, run: PassContext, keep: bool) -> tuple[Array, list[Any]]:
        network = self.network
        values = {-1: network.preprocessing.apply(images).astype(self.dtype, copy=False)}
        readers = [0] * len(network.nodes)
        for vertex in network.nodes:
            for source in vertex.inputs:
                readers[source] += source >= 0
        saved: list[Any] = []
        for index, vertex in enumerate(network.nodes):
            values[index], kept = vertex.layer.forward(
                tuple(values[source] for source in vertex.inputs),
                self._parameters(index),
                network.state_of(index),
                PassContext(run.training, run.keys, salt=index),
            )
            saved.append(kept if keep else None)
            for source in vertex.inputs:  # let go of what nobody will read again
                readers[source] -= source >= 0
                if source >= 0 and not readers[source]:
                    values.pop(source, None)
        return values[len(network.nodes) - 1], saved

    def _backward(self, gradient: Array, saved: list[Any]) -> None:
        network = self.network
        arriving: dict[int, Array] = {len(network.nodes) - 1: gradient}
        slots = {(slot.node, slot.parameter.name): slot for slot in network.slots}
        for index in reversed(range(len(network.nodes))):
            vertex = network.nodes[index]
            shares, gradients = vertex.layer.backward(
                arriving.pop(index), saved[index], self._parameters(index)
            )
            for source, share in zip(vertex.inputs, shares, strict=True):
                # Where a value is read twice, the gradients of its readers add up.
                arriving[source] = arriving[source] + share if source in arriving else share
            for name, value in gradients.items():
                slot = slots[index, name]
                self.gradient[slot.start : slot.stop] = value.ravel()

    def _parameters(self, node: int) -> dict[str, Array]:
        return {
            name: value.astype(self.dtype, copy=False)
            for name, value in self.network.parameters_of(node).items()
        }
