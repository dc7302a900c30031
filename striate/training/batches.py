"""The mini-batches of all epochs: shuffled, gathered, augmented and weighted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.common.arrays import Floats, Images
from striate.common.short_repr import short_repr
from striate.data.shard_streams import ShardStreams
from striate.plan.inputs import ImagesInPlace
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange
from striate.ranks.shared_sum import own_share
from striate.training.loading import Augmentation, Loader
from striate.training.prefetch import Prefetch
from striate.training.random_streams import Stream, generator, image_keys
from striate.training.sample_weights import Weights, normalised
from striate.training.targets import Targets


@short_repr
@dataclass(frozen=True)
class BatchGroup:
    """The part of a batch that an engine takes at once.

    Attributes:
        images: uint8 or float32 (n, height, width, channels).
        targets: (n, outputs).
        weights: (n,): those of all groups of a batch sum to 1.
        keys: one random key per image (n,), for dropout.
    """

    images: Images | ImagesInPlace
    targets: Floats
    weights: Floats
    keys: NDArray[np.uint32]


@short_repr
@dataclass(frozen=True)
class Batch:
    """The data of one training step.

    Attributes:
        epoch, index: of the epoch and of the batch in it, from 0.
        groups: its images, in order; of many ranks' those of this one, if there are any.
        total_weight: the sum of the weights before they were divided by it.
        size: how many images there are, those of all ranks.
        count: how many groups.
        first: the number among these of the first one in `groups`.
    """

    epoch: int
    index: int
    groups: tuple[BatchGroup, ...]
    total_weight: float
    size: int
    count: int
    first: int = 0

    @property
    def targets(self) -> Floats:
        """Those of the groups that are here, (n, outputs)."""
        if len(self.groups) == 1:
            return self.groups[0].targets
        return np.concatenate([group.targets for group in self.groups])


@short_repr
@dataclass(frozen=True)
class TrainingSet:
    """The images to train on.

    Attributes:
        images: (n, height, width, channels), of which some may be held back for validation.
        targets, weights: of all of them.
        rows: the indices of the images to train on.
    """

    images: Images
    targets: Targets
    weights: Weights
    rows: NDArray[np.intp]

    def batches(
        self,
        *,
        epochs: int,
        batch_size: int,
        seed: int,
        augment: Augmentation | None = None,
        reads_in_place: bool = False,
        start: int = 0,
        groups: int = 1,
        exchange: Exchange = ALONE,
        streams: ShardStreams | None = None,
    ) -> AbstractContextManager[Iterator[Batch]]:
        """All batches of all epochs, as a context manager; each epoch is shuffled anew.

        Args:
            epochs: how many epochs.
            batch_size: images per batch.
            seed: of the order, the augmentation and dropout.
            augment: changes the images of each batch.
            reads_in_place: whether the engine reads images from the user's array and augments
                them itself. Then little is left to prepare; otherwise a background thread
                prepares the next batches while one is used.
            start: how many batches to leave out; the others are as they would be without that.
            groups: into how many a batch of `batch_size` images is cut.
            exchange: says of which groups the images are loaded: those of this rank.
            streams: the order follows these shards.
        """
        load = Loader(self.images, augment, seed, reads_in_place)
        source = self._each(epochs, batch_size, seed, load, start, groups, exchange, streams)
        return nullcontext(source) if load.is_light else Prefetch(source)

    def _each(
        self,
        epochs: int,
        batch_size: int,
        seed: int,
        load: Loader,
        start: int,
        groups: int,
        exchange: Exchange,
        streams: ShardStreams | None,
    ) -> Iterator[Batch]:
        sizes = batch_sizes(len(self.rows), batch_size)
        ends = np.cumsum(sizes)[:-1]
        # Usually all weights are equal: then those of a batch depend on its size alone.
        used = self.weights[self.rows]
        same = {size: _shares(used[:size]) for size in set(sizes)} if _are_equal(used) else None
        of_groups = [group_sizes(size, batch_size, groups) for size in sizes]
        first, left_out = divmod(start, len(sizes))
        for epoch in range(first, epochs):
            rng = generator(seed, Stream.ORDER, epoch)
            if streams is None:
                order = rng.permutation(self.rows)
            else:
                order = streams.order(self.rows, of_groups, rng)
            keys = np.split(image_keys(seed, Stream.DROPOUT, epoch, order), ends)
            for index, rows in enumerate(np.split(order, ends)):
                if epoch == first and index < left_out:
                    continue
                cuts = np.cumsum(of_groups[index])[:-1]
                parts = np.split(rows, cuts)
                own = own_share(len(parts), exchange.rank, exchange.size)
                targets, given, images = [], [], []
                for place, part in enumerate(parts):
                    if place not in own and same:
                        continue  # nothing that the others have is needed here
                    mixing = load.mixing(epoch, index * groups + place, len(part))
                    aims, theirs = self.targets[part], self.weights[part]
                    if mixing is not None:
                        aims, theirs = mixing.targets(aims, theirs)
                    given.append(theirs)
                    if place in own:
                        targets.append(aims)
                        images.append(load(epoch, index * groups + place, part, mixing))
                weights, total = same[len(rows)] if same else _shares(np.concatenate(given))
                found = zip(
                    images,
                    targets,
                    np.split(weights, cuts)[own.start : own.stop],
                    np.split(keys[index], cuts)[own.start : own.stop],
                    strict=True,
                )
                made = tuple(BatchGroup(*one) for one in found)
                yield Batch(epoch, index, made, total, len(rows), len(parts), own.start)


def _are_equal(weights: Weights) -> bool:
    return bool((weights == weights[0]).all())


def _shares(weights: Weights) -> tuple[Floats, float]:
    """The weights of a batch divided by their sum, and their sum."""
    return normalised(weights), float(weights.sum())


def largest_group(batch_size: int, groups: int) -> int:
    """The most images that a group of a batch has: what an engine is made for."""
    return -(-batch_size // groups)


def group_sizes(images: int, batch_size: int, groups: int) -> list[int]:
    """The sizes of the groups of a batch of some images; they differ by one image at most.

    A batch of `batch_size` has all groups; one of fewer images, the last of an epoch, has as many
    as it fills.
    """
    filled = -(-images // largest_group(batch_size, groups))
    each, more = divmod(images, filled)
    return [each + 1] * more + [each] * (filled - more)


def batch_sizes(images: int, batch_size: int) -> list[int]:
    """The sizes of the batches of one epoch; the last one takes the remaining images.

    A batch of a single image would have no variance for batch normalisation and a very noisy
    gradient, so the batch before it gives it one of its images.
    """
    whole, rest = divmod(images, batch_size)
    sizes = [batch_size] * whole + ([rest] if rest else [])
    if rest == 1 and whole and batch_size > 2:
        sizes[-2:] = [batch_size - 1, 2]
    return sizes
