"""Checks the data arguments of `fit` and prepares them for the training loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, as_array
from striate.common.errors import StriateValueError
from striate.common.rows_on_demand import on_demand
from striate.common.short_repr import short_repr
from striate.model.image_arrays import warn_of_channels_first, warn_of_other_scale
from striate.optim.losses import Loss, LossFunction, SigmoidCrossEntropy
from striate.plan.inputs import ImagesInPlace
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange
from striate.ranks.from_first import SharedFinding, from_first
from striate.ranks.joint_findings import any_of
from striate.ranks.shared_sum import own_share
from striate.training.batches import TrainingSet
from striate.training.dead_channels import redraw_dead_identities
from striate.training.loading import select
from striate.training.prefetch import Prefetch
from striate.training.sample_weights import (
    ClassWeight,
    Weights,
    check_sample_weight,
    class_weights,
    weighted_labels,
)
from striate.training.split import random_split, stratified_split
from striate.training.statistics import channel_statistics
from striate.training.targets import Targets, as_images, choose_loss, make_targets
from striate.training.whitening import whiten

if TYPE_CHECKING:
    from striate.engines.engine import Engine
    from striate.model.model import Model

# What is found of a batch of validation images.
_OF_BATCH = np.dtype([("loss", "<f8"), ("weight", "<f8"), ("right", "<i8")])


@short_repr
@dataclass(frozen=True)
class ValidationSet:
    """The images on which the network is validated after each epoch.

    Attributes:
        images: (n, height, width, channels).
        targets, weights: of all of them.
        rows: the indices of those to validate on.
    """

    images: Array
    targets: Targets
    weights: Weights
    rows: NDArray[np.intp]

    def measure(
        self, engine: Engine, loss: Loss, batch_size: int, exchange: Exchange = ALONE
    ) -> tuple[float, float | None]:
        """The weighted mean loss, and the accuracy; None for regression.

        The batches are dealt to the ranks; what they find is added in the order of the batches.

        Args:
            engine, loss: of the training.
            batch_size: images at once.
            exchange: connects the ranks.
        """
        starts = range(0, len(self.rows), batch_size)
        own = own_share(len(starts), exchange.rank, exchange.size)
        found = np.zeros(len(own), _OF_BATCH)
        batches = self._batches(engine, batch_size, starts[own.start : own.stop])
        # Images that are read on demand are read while the engine is at work.
        source = Prefetch(batches) if on_demand(self.images) else nullcontext(batches)
        with source as loaded:
            for place, (rows, images) in enumerate(loaded):
                outputs = engine.forward(images)
                losses = loss.per_image(outputs, self.targets[rows])
                with np.errstate(all="ignore"):
                    found["loss"][place] = self.weights[rows] @ losses
                found["weight"][place] = self.weights[rows].sum()
                if self.targets.labels is not None:
                    right = outputs.argmax(axis=1) == self.targets.labels[rows]
                    found["right"][place] = right.sum()
        every = np.frombuffer(b"".join(exchange.meet(found.tobytes())), _OF_BATCH)
        # One after the other: NumPy's sum has another order.
        total, weight = sum(every["loss"].tolist(), 0.0), sum(every["weight"].tolist(), 0.0)
        # Class weights of zero may leave no image that counts.
        mean = total / weight if weight else 0.0
        right = int(every["right"].sum())
        return mean, None if self.targets.labels is None else right / len(self.rows)

    def _batches(
        self, engine: Engine, batch_size: int, starts: range
    ) -> Iterator[tuple[NDArray[np.intp], Array | ImagesInPlace]]:
        for start in starts:
            rows = self.rows[start : start + batch_size]
            yield rows, select(self.images, rows, engine.reads_in_place)


@dataclass(frozen=True)
class PreparedData:
    """The data of a training: images to train and to validate on, and the loss."""

    training: TrainingSet
    validation: ValidationSet | None
    loss: Loss
    has_classes: bool


@unwatched
def prepare(
    network: Model,
    X: ArrayLike,
    y: ArrayLike,
    *,
    loss: Loss | LossFunction | str | None,
    class_weight: ClassWeight,
    sample_weight: ArrayLike | None,
    validation_data: tuple[ArrayLike, ArrayLike] | None,
    validation_fraction: float,
    seed: int,
    exchange: Exchange = ALONE,
    portable: bool = False,
) -> PreparedData:
    """Check the data against the network and each other; `fit` documents the arguments.

    Sets the network's preprocessing to the statistics of the training images if it has none, and
    the filters of ``Conv2D(initial="whitening")`` layers; drops what `calibrate` has found. Of many
    ranks the first one does so, and all take over what it has found; statistics of images that are
    read on demand they find together, unless they may be of several kinds (`portable`), which round
    a matrix product each in its own way.
    """
    images = as_images(network, X)
    warn_of_channels_first(network.input_shape, "images")
    warn_of_other_scale(network, images)
    answers = as_array(y, "targets")
    if answers.ndim == 0 or len(answers) != len(images):
        count = "a single target" if answers.ndim == 0 else f"{len(answers)} targets"
        raise StriateValueError(f"there are {len(images)} images but {count}")
    if len(images) == 0:
        raise StriateValueError("there are no images to train on")
    if network.slots and not network.learned_parts():
        raise StriateValueError(
            "all layers are frozen, so that there is nothing to train: unfreeze some"
        )
    network.answers = replace(network.answers, temperature=1.0, rejection=None)
    criterion = choose_loss(loss, answers, network.answers.kind)
    given = check_sample_weight(sample_weight, len(images))
    if isinstance(criterion, SigmoidCrossEntropy) and class_weight is not None:
        labels = make_targets(network, answers, SigmoidCrossEntropy()).values
        criterion = weighted_labels(criterion, class_weight, labels, given, network.classes)
        class_weight = None
    targets = make_targets(network, answers, criterion)
    by_class = _by_class(class_weight, targets, given, network.classes)
    weights = given * _of_rows(by_class, targets)
    rows = np.flatnonzero(weights > 0.0)
    if len(rows) == 0:
        raise StriateValueError("class_weight and sample_weight leave no image to train on")

    validation = None
    if validation_data is not None:
        if validation_fraction:
            raise StriateValueError("give validation_data or validation_fraction, not both")
        validation = _validation(network, validation_data, criterion, by_class)
    elif validation_fraction:
        if targets.labels is None:
            several = targets.values[rows] if isinstance(criterion, SigmoidCrossEntropy) else None
            kept, held = random_split(len(rows), validation_fraction, seed, labels=several)
        else:
            kept, held = stratified_split(targets.labels[rows], validation_fraction, seed)
        validation = ValidationSet(images, targets, weights, rows[held])
        rows = rows[kept]

    share = None if sample_weight is None else given
    _standardise(network, images, rows, share, exchange, portable)
    begin_from_images(network, images, rows, exchange)
    training = TrainingSet(images, targets, weights, rows)
    return PreparedData(training, validation, criterion, targets.labels is not None)


def _standardise(
    network: Model,
    images: Array,
    rows: NDArray[np.intp],
    weights: Weights | None,
    exchange: Exchange,
    portable: bool,
) -> None:
    """Set the preprocessing of a network that has none, by the statistics of some images.

    Where the ranks do not find them together, the first one does.
    """
    if not network.preprocessing.is_identity:
        return
    apart = any_of(exchange, portable or not on_demand(images))
    shared = ALONE if apart else exchange
    if exchange.is_first or not shared.is_alone:
        mean, std = channel_statistics(images, rows, weights, shared)
        network.preprocessing = replace(network.preprocessing, mean=mean, std=std)


def begin_from_images(
    network: Model, images: Array, rows: NDArray[np.intp], exchange: Exchange
) -> None:
    """Set what a network has from its training images before the first step, on all ranks alike.

    Its preprocessing becomes that of the first one.

    Args:
        network: the network.
        images: (n, height, width, channels).
        rows: the indices of those to train on.
        exchange: connects the ranks.
    """

    def find() -> SharedFinding:
        whiten(network, images, rows)
        redraw_dead_identities(network, images, rows)
        standard = network.preprocessing
        arrays = {"weights": network.flat, "statistics": network.state_flat}
        return SharedFinding([standard.mean, standard.std], arrays)

    (mean, std), arrays = from_first(exchange, find)
    if not exchange.is_first:
        network.preprocessing = replace(network.preprocessing, mean=tuple(mean), std=tuple(std))
        network.flat[...], network.state_flat[...] = arrays["weights"], arrays["statistics"]


def _by_class(
    class_weight: ClassWeight, targets: Targets, given: Weights, names: Sequence[str] | None
) -> Weights | None:
    if targets.labels is None:
        if class_weight is not None:
            raise StriateValueError("class_weight is for classes, but these targets are numbers")
        return None
    return class_weights(class_weight, targets.labels, targets.values.shape[1], given, names)


def _of_rows(by_class: Weights | None, targets: Targets) -> Weights:
    if by_class is None or targets.labels is None:
        return np.ones(len(targets))
    return by_class[targets.labels]


def _validation(
    network: Model,
    data: tuple[ArrayLike, ArrayLike],
    criterion: Loss,
    by_class: Weights | None,
) -> ValidationSet:
    if len(data) != 2:
        raise StriateValueError("validation_data must be a pair: images and labels")
    images = as_images(network, data[0])
    warn_of_other_scale(network, images)
    targets = make_targets(network, as_array(data[1], "validation targets"), criterion)
    if len(images) == 0 or len(images) != len(targets):
        raise StriateValueError(
            f"validation_data has {len(images)} images and {len(targets)} targets"
        )
    return ValidationSet(images, targets, _of_rows(by_class, targets), np.arange(len(images)))
