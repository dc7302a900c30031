"""The mini-batches of all epochs: shuffled, gathered, augmented and weighted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.common.arrays import Floats, Images
from striate.common.short_repr import short_repr
from striate.plan.inputs import ImagesInPlace
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
        groups: its images, in order.
        total_weight: the sum of the weights before they were divided by it.
    """

    epoch: int
    index: int
    groups: tuple[BatchGroup, ...]
    total_weight: float

    @property
    def targets(self) -> Floats:
        """Those of all groups, (n, outputs)."""
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
        """
        load = Loader(self.images, augment, seed, reads_in_place)
        source = self._each(epochs, batch_size, seed, load, start, groups)
        return nullcontext(source) if load.is_light else Prefetch(source)

    def _each(
        self, epochs: int, batch_size: int, seed: int, load: Loader, start: int, groups: int
    ) -> Iterator[Batch]:
        sizes = batch_sizes(len(self.rows), batch_size)
        ends = np.cumsum(sizes)[:-1]
        # Usually all weights are equal: then those of a batch depend on its size alone.
        used = self.weights[self.rows]
        same = {size: _shares(used[:size]) for size in set(sizes)} if _are_equal(used) else None
        first, left_out = divmod(start, len(sizes))
        for epoch in range(first, epochs):
            order = generator(seed, Stream.ORDER, epoch).permutation(self.rows)
            keys = np.split(image_keys(seed, Stream.DROPOUT, epoch, order), ends)
            for index, rows in enumerate(np.split(order, ends)):
                if epoch == first and index < left_out:
                    continue
                cuts = np.cumsum(group_sizes(len(rows), batch_size, groups))[:-1]
                parts = np.split(rows, cuts)
                targets, own, images = [], [], []
                for place, part in enumerate(parts, index * groups):
                    mixing = load.mixing(epoch, place, len(part))
                    aims, given = self.targets[part], self.weights[part]
                    if mixing is not None:
                        aims, given = mixing.targets(aims, given)
                    targets.append(aims)
                    own.append(given)
                    images.append(load(epoch, place, part, mixing))
                weights, total = same[len(rows)] if same else _shares(np.concatenate(own))
                of_groups = zip(
                    images,
                    targets,
                    np.split(weights, cuts),
                    np.split(keys[index], cuts),
                    strict=True,
                )
                yield Batch(epoch, index, tuple(BatchGroup(*one) for one in of_groups), total)


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
