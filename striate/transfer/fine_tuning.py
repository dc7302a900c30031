"""Training the last stages of a network on, from what the first ones see, or all of it.

The stages before a cut stay as they are, so what they see in each view of an image is computed
once and kept in memory; each epoch then costs the stages behind the cut only.  These are trained
with batch normalisation on its averages, since a few images say little about those of all, and
slower the nearer they are to the image: what they see is more general (Yosinski et al.,
arXiv:1411.1792).  Where all is trained, what is seen are the images themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array, Floats
from striate.common.budget import available_memory
from striate.common.text import counted, percent
from striate.model.cuts import WHOLE, copy_weights, cuts, extended, rest, shape_behind
from striate.model.preprocessing import Preprocessing
from striate.model.work import multiply_adds_of_nodes
from striate.network import Network
from striate.optim.losses import Loss
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange
from striate.transfer.image_views import image_views
from striate.transfer.kept_features import OnProgress
from striate.transfer.rows_by_ranks import BATCH, rows_by_ranks

if TYPE_CHECKING:
    from striate.training.history import History

FEWEST_STEPS, FEWEST_IN_BATCH = 8, 8
"""Steps of an epoch, as long as batches have more than so many images."""
# Of the memory that is free, what the first stages see may take so much.
_OF_FREE = 0.3
# Cuts whose share of the work is that much larger than asked for are as good; of them the one
# behind which least is to be kept.
_NEAR = 0.12


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """How the last stages are trained.

    Attributes:
        share: of the multiply-adds of the network, those of the stages that are trained, above 0;
            1 for the whole network.
        epochs: passes over all views of the images.
        learning_rate: the highest one, of the last layer.
        slowest: the rate of the first layer that is trained, as a part of that of the last one;
            those between have rates between, in geometric steps of the work behind them.
        batch_size: images per step.
        label_smoothing: of the loss; None for the usual one: 0.1 of classes, none of labels, which
            would make rare ones look likely.
        weight_decay: of AdamW.
        groups: into how many each batch is cut, as `Network.fit` says.
    """

    share: float = 0.6
    epochs: int = 10
    learning_rate: float = 1e-3
    slowest: float = 0.5
    batch_size: int = 32
    label_smoothing: float | None = None
    weight_decay: float = 0.01
    groups: int = 1

    @property
    def description(self) -> str:
        """In words, for people."""
        smoothing = self.label_smoothing
        return (
            f"{counted(self.epochs, 'epoch')}, batches of {self.batch_size}"
            + f" in {self.groups} groups" * (self.groups > 1)
            + f", adamw at "
            f"{self.learning_rate:g}, down to {self.slowest:g} of it"
            + ("" if smoothing is None else f", label smoothing {smoothing:g}")
        )


def work_behind(network: Network) -> Floats:
    """Of each node the share of the network's multiply-adds that come after it."""
    work = np.array(multiply_adds_of_nodes(network), np.float64)
    total = work.sum() or 1.0
    return np.asarray((total - np.cumsum(work)) / total, np.float32)


def choose_cut(network: Network, share: float, images: int, sharers: int = 1) -> int | None:
    """The node behind which a network is trained; `WHOLE` if all of it is.

    Args:
        network: the network.
        share: of its multiply-adds that are to come after the node, at least; 1 for all.
        images: how many images, counting all views, are kept as they are there.
        sharers: how many processes keep as much in the same memory.

    Returns:
        Of the cuts with nearly that share behind them the one with the smallest output; of those
        with less, where that takes too much memory, the first that does not. None if there is none.
    """
    if share >= 1:
        return WHOLE
    behind = work_behind(network)
    sizes = {node: int(np.prod(network.nodes[node].shape)) for node in cuts(network.nodes)}
    room = _OF_FREE * available_memory() / (4 * max(images, 1) * sharers)
    for least in np.arange(share, 0.0, -0.05):
        near = [n for n in sizes if least <= behind[n] <= least + _NEAR and sizes[n] <= room]
        if near:
            return min(near, key=lambda node: (sizes[node], -node))
    return None


class TunedStages:
    """The stages of a network behind a cut, and what the ones before it see.

    Args:
        network: with a head that has been trained on what the whole network sees.
        node: where it is cut; `WHOLE` for nowhere: then the images are what is seen.
        threads: None for all processors.
    """

    def __init__(self, network: Network, node: int, *, threads: int | None = None) -> None:
        self.network, self.node, self.threads = network, node, threads
        self._shape = shape_behind(network, node)

    def seen(
        self,
        images: Array,
        views: Sequence[bool],
        rows: Sequence[int],
        progress: OnProgress | None = None,
        exchange: Exchange = ALONE,
    ) -> Array:
        """What the stages before the cut see: (views · rows, …), one view after the other; the
        images in these views, made as they are needed, if there is no cut.

        Args:
            images: raw, (n, height, width, channels).
            views: of each whether it is of the mirror images.
            rows: of the images that are looked at.
            progress: called with (done, total, text).
            exchange: connects the ranks, each of which looks at some of the images.
        """
        every = image_views(images, views, rows)
        if self.node == WHOLE:
            return every
        before = extended(self.network, self.node).compile(
            batch_size=BATCH, threads=self.threads, dtype=every.dtype
        )

        def compute(places: range) -> Floats:
            return before(np.ascontiguousarray(every[places.start : places.stop]))

        def tell(done: int) -> None:
            if progress is not None:
                progress(done, len(every), "looking at the images")

        return rows_by_ranks(exchange, len(every), self._shape, compute, tell)

    def untrained(self, settings: FineTuning) -> Network:
        """The stages behind the cut, as they are, with the rates of their layers."""
        stages = rest(self.network, self.node)
        if self.node != WHOLE:
            channels = stages.input_shape[-1]
            # What they read is used as it is.
            stages.preprocessing = Preprocessing((0.0,) * channels, (1.0,) * channels)
        stages.keep_statistics()
        behind = work_behind(stages)
        owners = {slot.node for slot in stages.slots}
        for index in owners:
            factor = float(settings.slowest ** float(behind[index]))
            stages.set_rate(factor, stages.nodes[index].name)
        return stages

    def train(
        self,
        stages: Network,
        seen: Array,
        targets: Array,
        loss: Loss,
        settings: FineTuning,
        **options: Any,
    ) -> History:
        """Train the stages on what the ones before them see, targets in the order of `seen`.

        Options are further ones of `Network.fit`.
        """
        return stages.fit(
            seen,
            targets,
            epochs=settings.epochs,
            batch_size=_batch_size(settings.batch_size, len(seen)),
            groups=settings.groups,
            optimizer="adamw",
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            loss=loss,
            threads=self.threads,
            **options,
        )

    def put_back(self, stages: Network) -> None:
        """Take the weights of trained stages over into the whole network."""
        copy_weights(stages, self.network)

    @property
    def description(self) -> str:
        """Which stages they are, in words."""
        if self.node == WHOLE:
            return "all of its layers"
        first = next(
            self.network.nodes[slot.node].name
            for slot in self.network.slots
            if slot.node > self.node
        )
        share = percent(float(work_behind(self.network)[self.node]), ".0f")
        return f"from {first} on, {share} of the work"


def _batch_size(wanted: int, images: int) -> int:
    """The batch size wanted, halved until an epoch has some steps: so few sizes are compiled."""
    while wanted > FEWEST_IN_BATCH and images < FEWEST_STEPS * wanted:
        wanted = max(wanted // 2, FEWEST_IN_BATCH)
    return wanted
