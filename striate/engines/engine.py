"""What an engine does: run a network's forward pass, training step and update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array

if TYPE_CHECKING:
    from striate.optim.optimizers import Optimizer


class Engine(Protocol):
    """A network made ready to run on batches of up to a fixed size.

    An engine reads and writes the network's own parameters; it has buffers of its own, so one
    engine must not be used from two threads at once.

    Attributes:
        gradient: float32 (P,), laid out like ``network.flat``: the gradient of the last step.
        picks: whether images may also come as `Picked`: rows of an array, read where they lie.
    """

    gradient: Array
    picks: ClassVar[bool]

    def forward(self, images: Any) -> Array:
        """Outputs (n, *output_shape) for raw images (n, *input_shape), uint8 or float32.

        The engine applies the network's preprocessing. Running statistics are used, not changed.
        """

    def step(
        self, images: Any, targets: Array, weights: Array, keys: npt.NDArray[np.uint32]
    ) -> tuple[float, Array]:
        """Forward in training mode, loss and backward; fills `gradient`, changes no parameter.

        Args:
            images: raw images, n ≤ the batch size given at construction.
            targets: float32 (n, outputs), as the loss's `targets` makes them.
            weights: float32 (n,), divided by their sum: the loss is Σ weight·loss of the image.
            keys: uint32 (n,), one random key per image, for dropout.

        Returns:
            The loss and the outputs (n, outputs).
        """

    def update(self, optimizer: Optimizer, learning_rate: float) -> None:
        """Move ``network.flat`` by the optimizer's rule and the last gradient, in place."""

    def close(self) -> None:
        """Give back buffers and threads; the engine cannot be used afterwards."""
