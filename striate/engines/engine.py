"""The protocol of engines: a network's forward pass, training step and update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array, Floats
from striate.ranks.shared_sum import Readiness

if TYPE_CHECKING:
    from striate.optim.losses import Loss
    from striate.optim.optimizers import Optimizer
    from striate.plan.group_program import GroupResult


GroupInput: TypeAlias = tuple[Any, Array, Array, npt.NDArray[np.uint32]]
"""The arguments of `Engine.step`."""


class GroupResults(NamedTuple):
    """What steps of several groups of a batch have found.

    Attributes:
        groups: of each its loss, outputs, and running statistics.
        sums: the gradients of the largest blocks that the groups make, each added up, valid until
            the next steps; none if all groups of the batch are here, whose sum is in `gradient`.
    """

    groups: list[GroupResult]
    sums: list[Floats]


class SumsUnderWay(Readiness, Protocol):
    """Sums of gradients that an engine is about to compute, on other threads than those that look
    at them.

    Attributes:
        sums: see `GroupResults`.
    """

    sums: list[Floats]


class Engine(Protocol):
    """Runs a network on batches of up to a fixed size.

    An engine reads and updates the network's own parameters. It has buffers of its own, so one
    engine must not be used from two threads at once.

    Attributes:
        gradient: the gradient of the last step, float32 (P,), laid out like ``network.flat``.
        loss: that of `step`; None for an engine that can only run forward.
        reads_in_place: whether images may also come as `striate.plan.inputs.ImagesInPlace`: rows
            of the user's array, which are read and augmented without a copy.
    """

    gradient: Array
    loss: Loss | None
    reads_in_place: ClassVar[bool]

    def forward(self, images: Any) -> Array:
        """Outputs (n, *output_shape) for raw images (n, *input_shape), as in prediction.

        The engine applies the network's preprocessing. Batch normalisation uses the running
        statistics and does not change them.
        """

    def step(
        self, images: Any, targets: Array, weights: Array, keys: npt.NDArray[np.uint32]
    ) -> tuple[float, Array]:
        """Forward pass in training mode, loss and backward pass; fills `gradient`.

        Running statistics change, parameters do not.

        Args:
            images: raw images, uint8 or float32, n ≤ the batch size given at construction.
            targets: float32 (n, outputs), as the loss's `targets` makes them.
            weights: float32 (n,), which sum to 1, or to less where the images are a part of a
                batch: the loss is Σ weight·loss of the image.
            keys: uint32 (n,), one random key per image, for dropout.

        Returns:
            The loss and the outputs (n, outputs).
        """

    def step_groups(
        self,
        groups: Sequence[GroupInput],
        places: range,
        *,
        are_all: bool,
        parts: tuple[range, ...] = (),
        begun: Callable[[SumsUnderWay], object] | None = None,
    ) -> GroupResults | None:
        """Steps of several groups of a batch, each with the running statistics as they are now,
        which do not change; their gradients are added in the order of `striate.ranks.sum_tree`.

        Args:
            groups: one or more, each as for `step`.
            places: theirs among the groups of the batch.
            are_all: whether there are no others.
            parts: of the gradient, which are wanted before the last group has ended, if there are
                others; always the same for a network.
            begun: called when nothing is left to do but to compute; what it raises keeps the engine
                from that.

        Returns:
            None if this engine can only take one group after the other: nothing was done then.
        """

    def update(self, optimizer: Optimizer, learning_rate: float) -> None:
        """Update the parameters ``network.flat`` in place, by the optimizer and `gradient`."""

    def fingerprint(self) -> str:
        """What the bits of its results depend on besides the network and the batches."""

    def close(self) -> None:
        """Free buffers and threads; the engine cannot be used afterwards."""
