"""The batches of all epochs: shuffled, gathered, augmented and weighted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.common.arrays import Floats, Images
from striate.plan.inputs import ImagesInPlace
from striate.training.loading import Augmentation, Loader
from striate.training.prefetch import Prefetch
from striate.training.random_streams import Stream, generator, image_keys
from striate.training.sample_weights import Weights, normalised
from striate.training.targets import Targets


@dataclass(frozen=True)
class Batch:
    """What one step of an engine needs, and where in the training it belongs."""

    epoch: int
    index: int
    images: Images | ImagesInPlace  # uint8 or float32 (n, h, w, c)
    targets: Floats  # (n, outputs)
    weights: Floats  # (n,), sum 1
    keys: NDArray[np.uint32]  # (n,)
    total_weight: float  # of the weights before they were divided by their sum


@dataclass(frozen=True)
class TrainingSet:
    """Images ``(n, h, w, c)``, their targets and weights, and which rows to use."""

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
        picks: bool = False,
    ) -> AbstractContextManager[Iterator[Batch]]:
        """All batches of all epochs, each epoch in an order of its own, as a context.

        `picks`: the engine reads images where they lie, and changes them itself.  Then little is
        left to do; otherwise a thread prepares the next batches while one is used.
        """
        load = Loader(self.images, augment, seed, picks)
        source = self._each(epochs, batch_size, seed, load)
        return nullcontext(source) if load.is_light else Prefetch(source)

    def _each(self, epochs: int, batch_size: int, seed: int, load: Loader) -> Iterator[Batch]:
        sizes = batch_sizes(len(self.rows), batch_size)
        ends = np.cumsum(sizes)[:-1]
        # Mostly all weights are the same: then those of a batch depend on its size alone.
        used = self.weights[self.rows]
        same = {size: _shares(used[:size]) for size in set(sizes)} if _are_equal(used) else None
        for epoch in range(epochs):
            order = generator(seed, Stream.ORDER, epoch).permutation(self.rows)
            keys = np.split(image_keys(seed, Stream.DROPOUT, epoch, order), ends)
            for index, rows in enumerate(np.split(order, ends)):
                weights, total = same[len(rows)] if same else _shares(self.weights[rows])
                yield Batch(
                    epoch=epoch,
                    index=index,
                    images=load(epoch, index, rows),
                    targets=self.targets[rows],
                    weights=weights,
                    keys=keys[index],
                    total_weight=total,
                )


def _are_equal(weights: Weights) -> bool:
    return bool((weights == weights[0]).all())


def _shares(weights: Weights) -> tuple[Floats, float]:
    """Weights of a batch divided by their sum, and that."""
    return normalised(weights), float(weights.sum())


def batch_sizes(images: int, batch_size: int) -> list[int]:
    """Sizes of the batches of one epoch; the last takes what is left.

    A single image left over would have no spread for batch normalisation to measure, and a very
    noisy gradient, so the batch before it hands it one of its own.
    """
    whole, rest = divmod(images, batch_size)
    sizes = [batch_size] * whole + ([rest] if rest else [])
    if rest == 1 and whole and batch_size > 2:
        sizes[-2:] = [batch_size - 1, 2]
    return sizes
