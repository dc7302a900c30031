"""The NumPy engine: the layers' own readable code, node by node, in any float dtype."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from striate.common.arguments import whole_number
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.engines.engine import GroupInput, GroupResults, SumsUnderWay
from striate.engines.numpy_update import update_in_numpy
from striate.layers import PassContext
from striate.model.image_arrays import check_images
from striate.model.traversal import backward_pass, forward_pass

if TYPE_CHECKING:
    from striate.model.model import Model
    from striate.optim.losses import Loss
    from striate.optim.optimizers import Optimizer


class NumPyEngine:
    """Runs a network in NumPy: see `striate.engines.engine.Engine`.

    Args:
        network: the network, whose parameters are read at every call and changed by `update` only.
        batch_size: images of a batch at most.
        loss: needed by `step`.
        threads: ignored; the compiled engine has the same argument.
        dtype: of all computations; float64 to check gradients.
    """

    reads_in_place: ClassVar[bool] = False

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
        """Outputs (n, *output_shape) for raw images, as in prediction; any number of images."""
        images = check_images(images, self.network.input_shape)
        network = self.network.branch()
        last = len(network.nodes) - 1
        return self._forward(network, images, PassContext(), (last,), keep=False)[0][last]

    def step(
        self, images: Array, targets: Array, weights: Array, keys: npt.NDArray[np.uint32]
    ) -> tuple[float, Array]:
        """Loss and outputs in training mode; fills `gradient`: see `Engine.step`."""
        if self.loss is None:
            raise StriateValueError("this engine was made without a loss: it can only run forward")
        images = check_images(images, self.network.input_shape)
        if len(images) > self.batch_size:
            raise StriateValueError(
                f"this engine was made for batches of {self.batch_size}, got {len(images)} images"
            )
        main = len(self.network.nodes) - 1
        shares = {main: 1.0}
        for head in self.network.heads.values():  # two may have one node
            shares[head.node] = shares.get(head.node, 0.0) + head.weight
        run = PassContext(training=True, keys=keys)
        outputs, saved = self._forward(self.network, images, run, shares, keep=True)
        targets = targets.astype(self.dtype, copy=False)
        weights = weights.astype(self.dtype, copy=False)
        total, gradients = 0.0, {}
        for node, share in shares.items():
            loss, gradient = self.loss.value_and_gradient(outputs[node], targets, weights)
            total += share * float(loss)
            gradients[node] = gradient if node == main else gradient * gradient.dtype.type(share)
        self._backward(gradients, saved)
        return total, outputs[main]

    def step_groups(
        self,
        groups: Sequence[GroupInput],
        places: range,
        *,
        are_all: bool,
        parts: tuple[range, ...] = (),
        begun: Callable[[SumsUnderWay], object] | None = None,
    ) -> GroupResults | None:
        """Not here: see `Engine.step_groups`."""
        return None

    def update(self, optimizer: Optimizer, learning_rate: float) -> None:
        """Update ``network.flat`` in place by the optimizer."""
        gradient = self.gradient.astype(np.float32, copy=False)
        update_in_numpy(self.network, optimizer, gradient, learning_rate)

    def fingerprint(self) -> str:
        """What the bits of its results depend on: the version of NumPy."""
        return f"numpy {np.__version__} {self.dtype}"

    def close(self) -> None:
        """Nothing to free."""

    def _forward(
        self,
        network: Model,
        images: Array,
        run: PassContext,
        wanted: Collection[int],
        keep: bool,
    ) -> tuple[dict[int, Array], list[Any]]:
        """The outputs of some nodes, and for `keep` what each layer saves for the backward pass."""
        steady = network.steady_nodes  # batch normalisation keeps its statistics there
        saved: list[Any] = []

        def compute(index: int, inputs: tuple[Array, ...]) -> Array:
            output, kept = network.nodes[index].layer.forward(
                inputs,
                self._parameters(network, index),
                network.state_of(index),
                PassContext(run.training and index not in steady, run.keys, salt=index),
            )
            saved.append(kept if keep else None)
            return output

        inputs = network.preprocessing.apply(images).astype(self.dtype, copy=False)
        passed = forward_pass(network, inputs, compute)
        return {index: output for index, output in passed if index in wanted}, saved

    def _backward(self, gradients: Mapping[int, Array], saved: list[Any]) -> None:
        """Fill `self.gradient` from the gradients of the network's outputs, by their nodes."""
        network = self.network
        slots = {(slot.node, slot.parameter.name): slot for slot in network.slots}

        frozen = network.frozen_nodes
        reached: set[int] = set()

        def input_gradients(index: int, arriving: Array) -> tuple[Array, ...]:
            if index in frozen:
                layer, parameters = network.nodes[index].layer, self._parameters(network, index)
                return layer.input_gradients(arriving, saved[index], parameters)
            shares, own = network.nodes[index].layer.backward(
                arriving, saved[index], self._parameters(network, index)
            )
            owner = network.owner(index)
            for name, value in own.items():
                slot = slots[owner, name]
                part = self.gradient[slot.start : slot.stop]
                # The gradients of all places of a layer add up.
                part[:] = part + value.ravel() if owner in reached else value.ravel()
            reached.add(owner)
            return shares

        backward_pass(network, gradients, input_gradients)

    def _parameters(self, network: Model, node: int) -> dict[str, Array]:
        return {
            name: value.astype(self.dtype, copy=False)
            for name, value in network.parameters_of(node).items()
        }
