"""A training step over the groups of a batch.

Each group goes through the engine with weights that are those of the whole batch, so that losses
and gradients of the groups add up to those of the batch. Batch normalisation is over a group, as it
is over the part of a batch that one machine has elsewhere; but how large a group is, is a number of
the training and not of the machines. Each group begins with the running statistics of before the
step; the new ones are their means, weighted by images.

All sums are in the order of `striate.ranks.sum_tree`, whichever rank computes which group. With one
group nothing is added, and a step is the engine's. Gradients may be added in bfloat16, with half as
many bytes for ranks to exchange; losses and running statistics are not.

Ranks exchange what they have found after the backward pass or, where that is faster, what is there
of it meanwhile, by a thread of its own: see `striate.training.overlap_trial`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from striate.common.arrays import Array, Floats
from striate.common.stop_signals import held
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange
from striate.ranks.shared_sum import SharedSum
from striate.ranks.sum_beside import SumBeside
from striate.ranks.sum_tree import Block, SumTree, VectorPart, largest_blocks, sum_of
from striate.training.batches import Batch
from striate.training.epoch_metrics import right_answers
from striate.training.gradient_parts import GradientParts
from striate.training.overlap_trial import OverlapTrial

if TYPE_CHECKING:
    from striate.engines.engine import Engine, GroupResults, SumsUnderWay
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


class _FoundHere(NamedTuple):
    """What a rank has found for its groups: of each its loss and outputs; and the largest blocks of
    all that is to be added, if the step has not handed on one vector after the other.
    """

    losses: list[float]
    outputs: list[Array]
    blocks: list[Block] | None


def _told(statistics: Floats, before: Floats, images: int, batch: Batch) -> Floats:
    """What a group of so many images adds to the running statistics; of a batch that has one group,
    what they become.
    """
    if batch.count == 1:
        return statistics
    # What they change by: statistics that are kept stay what they are, to the bit.
    return (statistics - before) * np.float32(images / batch.size)


def _places(batch: Batch) -> range:
    """Those of the groups that are here."""
    return range(batch.first, batch.first + len(batch.groups))


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

    Attributes:
        overlap: chooses the steps in which ranks exchange while they compute; None before the first
            step whose vectors are added.
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
        may_be_early = not (exchange.is_alone or self._is_rounded)
        self._parts = parts = GradientParts(network, are_sent_early=may_be_early)
        whole = [VectorPart(len(part), self._is_rounded) for part in parts.whole]
        self._adder = SharedSum(exchange, [*whole, VectorPart(parts.rest)])
        self.overlap: OverlapTrial | None = None

    def __call__(self, batch: Batch) -> StepOutcome:
        """Compute a batch."""
        if self._exchange.is_alone and len(batch.groups) == 1 and not self._is_rounded:
            (group,) = batch.groups
            loss, outputs = self._engine.step(
                group.images, group.targets, group.weights, group.keys
            )
            return StepOutcome(loss, outputs, None, None)
        if self.overlap is None:
            self.overlap = OverlapTrial(self._exchange, is_possible=self._can_overlap())
            # What is compiled by one of a machine's ranks, the others find on its disk.
            found = self._exchange.leaders_first(lambda: self._groups(batch))
            return self._then_exchange(batch, found)
        start = time.perf_counter()
        overlaps = self.overlap.is_next(batch.size)
        if overlaps:
            outcome = self._exchanging(batch)
        else:
            outcome = self._then_exchange(batch, self._groups(batch))
        self.overlap.took(overlaps, batch.size, time.perf_counter() - start)
        return outcome

    def _can_overlap(self) -> bool:
        """Whether all ranks can exchange while they compute, and have what is worth it."""
        if not self._parts.early:
            return False
        return all(self._exchange.meet(b"yes" if self._exchange.allows_threads else b""))

    def _exchanging(self, batch: Batch) -> StepOutcome:
        """Compute the groups that are here, and meanwhile put together what ranks have found."""
        adder, parts = self._adder, self._parts
        rest = np.empty(parts.rest, np.float32)
        rests = [np.empty_like(rest) for _ in largest_blocks(_places(batch))]
        beside: SumBeside | None = None

        def begin(sums: SumsUnderWay) -> None:
            nonlocal beside
            self._exchange.meet()
            moving.enter_context(self._exchange.moving())  # whoever fails now ends all
            out = parts.cut(self._engine.gradient, rest)
            blocks = [
                Block(places.start, len(places), parts.cut(total, own))
                for places, total, own in zip(
                    largest_blocks(_places(batch)), sums.sums, rests, strict=True
                )
            ]
            beside = SumBeside(
                sums,
                len(parts.early),
                lambda readiness: adder.total(batch.count, out, blocks, readiness),
            )

        with held(), ExitStack() as moving:
            found = self._groups(batch, begin)
            if beside is None:  # no groups are here, or they came one by one
                self._exchange.meet()
                adder.total(batch.count, parts.cut(self._engine.gradient, rest), found.blocks)
            else:
                assert found.blocks is not None
                for own, block in zip(rests, found.blocks, strict=True):
                    own[...] = block.total[-1]
                beside.end()
        outcome = self._tell(batch, found)
        self._take_rest(batch, rest)
        return outcome

    def _then_exchange(self, batch: Batch, found: _FoundHere) -> StepOutcome:
        """Put together what ranks have found for their groups."""
        outcome = self._tell(batch, found)
        rest = np.empty(self._parts.rest, np.float32)
        out = self._parts.cut(self._engine.gradient, rest)
        self._adder.total(batch.count, out, found.blocks)
        self._take_rest(batch, rest)
        return outcome

    def _take_rest(self, batch: Batch, rest: Floats) -> None:
        """Take the last part of the sum for what it is."""
        told = self._parts.put_rest(rest, self._engine.gradient)
        statistics = self._network.state_flat
        if batch.count == 1:
            statistics[...] = told
        else:
            statistics += told

    def _groups(
        self, batch: Batch, begun: Callable[[SumsUnderWay], None] | None = None
    ) -> _FoundHere:
        """Compute the groups that are here; `begun` is called before, if it is done at once."""
        if batch.groups and not self._is_rounded:
            given = [(one.images, one.targets, one.weights, one.keys) for one in batch.groups]
            results = self._engine.step_groups(
                given,
                _places(batch),
                are_all=self._exchange.is_alone,
                parts=self._parts.early,
                begun=begun,
            )
            if results is not None:
                return self._with_statistics(batch, results)
        return self._one_by_one(batch)

    def _with_statistics(self, batch: Batch, results: GroupResults) -> _FoundHere:
        """What the engine has added up, and the statistics beside it."""
        sums, blocks = results.sums, self._statistics(batch, results)
        if self._exchange.is_alone:
            sums, blocks = [self._engine.gradient], [Block(0, batch.count, sum_of(blocks))]
        return _FoundHere(
            [one.loss for one in results.groups],
            [one.outputs for one in results.groups],
            [
                Block(block.start, block.size, self._vector(gradient, *block.total))
                for gradient, block in zip(sums, blocks, strict=True)
            ],
        )

    def _vector(self, gradient: Floats, statistics: Floats) -> tuple[Floats, ...]:
        """What is added of a group, or of several, by its parts."""
        return self._parts.cut(gradient, self._parts.rest_of(gradient, statistics))

    def _statistics(self, batch: Batch, results: GroupResults) -> list[Block]:
        """The blocks of what groups add to the running statistics."""
        before, places = self._network.state_flat, _places(batch)
        if not before.size:
            return [Block(one.start, len(one), (before,)) for one in largest_blocks(places)]
        tree = SumTree([VectorPart(before.size)])
        found = zip(places, batch.groups, results.groups, strict=True)
        for place, group, result in found:
            tree.add(place, _told(result.statistics, before, len(group.keys), batch))
        return tree.take_blocks()

    def _one_by_one(self, batch: Batch) -> _FoundHere:
        """Compute one group after the other, and hand on their gradients."""
        statistics = self._network.state_flat
        before = statistics.copy()
        losses, outputs = [], []
        for place, group in zip(_places(batch), batch.groups, strict=True):
            loss, found = self._engine.step(group.images, group.targets, group.weights, group.keys)
            losses.append(loss)
            outputs.append(found.copy())
            told = _told(statistics, before, len(group.keys), batch)
            self._adder.add(place, *self._vector(self._engine.gradient, told))
            statistics[...] = before
        return _FoundHere(losses, outputs, None)

    def _tell(self, batch: Batch, here: _FoundHere) -> StepOutcome:
        """Put together what the ranks have found."""
        losses, outputs, _ = here
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
