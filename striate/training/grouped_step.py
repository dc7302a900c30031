"""A training step over the groups of a batch.

Each group is one run of the engine, with weights that are those of the whole batch, so that losses
and gradients of the groups add up to those of the batch. Batch normalisation is over a group, as it
is over the part of a batch that one machine has elsewhere; but how large a group is, is a number of
the training and not of the machines. Each group begins with the running statistics of before the
step; the new ones are their means, weighted by images.

All sums are in the order of `striate.ranks.sum_tree`, whichever rank computes which group. With one
group nothing is added, and a step is the engine's. Gradients may be added in bfloat16, with half as
many bytes for ranks to exchange; losses and running statistics are not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from striate.common.arrays import Array
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange
from striate.ranks.shared_sum import SharedSum
from striate.ranks.sum_tree import VectorPart
from striate.training.batches import Batch
from striate.training.epoch_metrics import right_answers

if TYPE_CHECKING:
    from striate.engines.engine import Engine
    from striate.model.model import Model

# What ranks tell each other of a step: of each group its loss and right answers, then their signal.
_GROUP = np.dtype([("loss", "<f8"), ("right", "<i8")])
_SIGNAL = np.dtype("<i8")


class StepOutcome(NamedTuple):
    """What a step has found.

    Attributes:
        loss: of the batch.
        outputs: of its images that are here, (n, outputs).
        right: for how many images of the batch the largest output is at the true class; None where
            `outputs` are those of all images, and tell.
        signal: the number of the signal that asks one of many ranks to stop; None if none does.
    """

    loss: float
    outputs: Array
    right: int | None
    signal: int | None


def _no_signal() -> int | None:
    return None


class GroupedStep:
    """The forward and backward passes of a batch: fills the engine's `gradient`, and changes the
    network's running statistics.

    Args:
        engine: made for the largest group.
        network: that of the engine.
        exchange: connects the ranks that share the groups.
        signal: tells which signal asks this one of many ranks to stop; None for none.
        reduce_dtype: in which gradients are added: "float32", or "bfloat16", to which that of each
            group is rounded, and each sum of two, whoever computes it.
    """

    def __init__(
        self,
        engine: Engine,
        network: Model,
        exchange: Exchange = ALONE,
        signal: Callable[[], int | None] = _no_signal,
        reduce_dtype: str = "float32",
    ) -> None:
        self._engine, self._network = engine, network
        self._exchange, self._signal = exchange, signal
        self._is_rounded = reduce_dtype == "bfloat16"
        self._sum: SharedSum | None = None

    def __call__(self, batch: Batch) -> StepOutcome:
        """Compute a batch."""
        if self._exchange.is_alone and len(batch.groups) == 1 and not self._is_rounded:
            (group,) = batch.groups
            loss, outputs = self._engine.step(
                group.images, group.targets, group.weights, group.keys
            )
            return StepOutcome(loss, outputs, None, None)
        if self._sum is None:
            gradient = VectorPart(self._network.flat.size, self._is_rounded)
            rest = VectorPart(self._network.state_flat.size)
            self._sum = SharedSum(self._exchange, [gradient, rest])
            # What is compiled by one of a machine's ranks, the others find on its disk.
            found = self._exchange.leaders_first(lambda: self._groups(batch))
        else:
            found = self._groups(batch)
        outcome = self._tell(batch, *found)
        statistics = self._network.state_flat
        told = np.empty_like(statistics)
        self._sum.total(batch.count, (self._engine.gradient, told))
        if batch.count == 1:
            statistics[...] = told
        else:
            statistics += told
        return outcome

    def _groups(self, batch: Batch) -> tuple[list[float], list[Array]]:
        """Compute the groups that are here, and hand on their gradients; losses and outputs."""
        assert self._sum is not None
        statistics = self._network.state_flat
        before = statistics.copy()
        losses, outputs = [], []
        for place, group in enumerate(batch.groups, batch.first):
            loss, found = self._engine.step(group.images, group.targets, group.weights, group.keys)
            losses.append(loss)
            outputs.append(found.copy())
            if batch.count == 1:
                told = statistics
            else:
                # What they change by: statistics that are kept stay what they are, to the bit.
                told = (statistics - before) * np.float32(len(group.keys) / batch.size)
            self._sum.add(place, self._engine.gradient, told)
            statistics[...] = before
        return losses, outputs

    def _tell(self, batch: Batch, losses: list[float], outputs: list[Array]) -> StepOutcome:
        """Put together what the ranks have found."""
        if self._exchange.is_alone:
            return StepOutcome(sum(losses), np.concatenate(outputs), None, None)
        own = np.zeros(len(losses), _GROUP)
        own["loss"] = losses
        own["right"] = [
            right_answers(found, group.targets)
            for found, group in zip(outputs, batch.groups, strict=True)
        ]
        told = self._exchange.meet(np.int64(self._signal() or 0).tobytes() + own.tobytes())
        groups = np.frombuffer(b"".join(one[_SIGNAL.itemsize :] for one in told), _GROUP)
        signals = [int(np.frombuffer(one, _SIGNAL, 1)[0]) for one in told]
        return StepOutcome(
            loss=sum(groups["loss"].tolist()),
            outputs=np.concatenate(outputs) if outputs else np.empty((0, 0), np.float32),
            right=int(groups["right"].sum()),
            signal=next((number for number in signals if number), None),
        )
