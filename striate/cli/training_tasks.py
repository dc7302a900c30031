"""How `striate train` trains for classes, for labels, and for numbers: what differs.

A `TrainingTask` is asked for the recipe, the loss and the targets, and in the end makes of the
trained network one that answers: numbers in their own units, labels by thresholds that suit them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from striate.cli import class_weights
from striate.common.text import counted, listed
from striate.model.answers import Answers
from striate.optim.losses import Loss, MeanSquaredError, SigmoidCrossEntropy

if TYPE_CHECKING:
    from striate.cli.train_options import TrainOptions
    from striate.common.arrays import Array
    from striate.data import Dataset
    from striate.network import Network
    from striate.training.recipes import Recipe
    from striate.training.training_settings import TrainingSettings

VALIDATION = 0.1
"""The share of the training images that thresholds of labels are chosen by."""
FEWEST = 50
"""Training images from which on so many are set aside for that."""
CHUNK = 1024  # images at a time


class TrainingTask:
    """Training for classes, of which each image has one."""

    def __init__(self, chosen: TrainOptions, dataset: Dataset) -> None:
        self.chosen, self.dataset = chosen, dataset
        self.notes: list[str] = []

    def recipe(self, width: float = 1.0) -> Recipe:
        """Return the network and its training for such images; of that width."""
        from striate.training import recipes

        images = self.dataset.train_images
        return recipes.choose(images.shape[1:], len(self.dataset.classes), len(images), width)

    def name(self, network: Network) -> None:
        """Tell the network what its outputs are."""
        network.classes = list(self.dataset.classes)

    def loss(self, training: TrainingSettings) -> Loss:
        """Return what training minimises."""
        return training.make_loss()

    def class_weight(self) -> Any:
        """Return the weights of classes as `fit` takes them."""
        return class_weights.read(self.chosen.class_weight, self.dataset.classes)

    def targets(self, labels: Array) -> Array:
        """Return labels as they are trained on."""
        return labels

    def validation(self) -> float:
        """Return the share of the training images to set aside where the user does not say."""
        return 0.0

    def finish(self, network: Network) -> None:
        """Make a trained network answer in the users' units."""

    def decide(self, network: Network, fraction: float, **how: Any) -> None:
        """Choose by held-out images how a trained network answers: `fraction` was set aside."""

    def result(self) -> dict[str, Any]:
        """Return the entries of the result by which the task is known, before the test."""
        return {
            "classes": len(self.dataset.classes),
            "test_accuracy": None,
            "test_baseline": None,
            "test_loss": None,
        }


class LabelsTask(TrainingTask):
    """Training for labels, of which each image has any number."""

    def recipe(self, width: float = 1.0) -> Recipe:
        """Return the recipe for as many outputs; targets are not smoothed unless asked for, as
        that would make rare labels look likely.
        """
        from striate.training import recipes

        images = self.dataset.train_images
        outputs = len(self.dataset.classes)
        found = recipes.for_outputs(images.shape[1:], outputs, len(images), width)
        return replace(found, training=replace(found.training, label_smoothing=0.0))

    def name(self, network: Network) -> None:
        """Tell the network what its outputs are."""
        super().name(network)
        network.answers = Answers("labels")

    def loss(self, training: TrainingSettings) -> Loss:
        """Return the cross-entropy of each label by itself."""
        return SigmoidCrossEntropy(training.label_smoothing)

    def validation(self) -> float:
        """Return a tenth, by which thresholds are chosen, where that leaves enough."""
        has_own = self.dataset.validation_images is not None
        return 0.0 if has_own or len(self.dataset.train_images) < FEWEST else VALIDATION

    def decide(self, network: Network, fraction: float, **how: Any) -> None:
        """Choose the thresholds with the best F1 scores on the images that were set aside."""
        from striate.confidence.label_decisions import chosen_thresholds

        images, truth = self._held_out(fraction)
        if not len(truth):
            return
        parts = [
            network.predict_proba(images[start : start + CHUNK], **how)
            for start in range(0, len(images), CHUNK)
        ]
        thresholds = chosen_thresholds(np.concatenate(parts), truth > 0.5)
        network.answers = replace(network.answers, thresholds=thresholds)
        kept = sum(threshold == 0.5 for threshold in thresholds)
        rest = f"; of {counted(kept, 'label')} it stays 0.5, as too few images have it" * bool(kept)
        self.notes.append(
            f"Thresholds of the labels chosen by {counted(len(truth), 'image')} that "
            f"{'was' if len(truth) == 1 else 'were'} not trained on{rest}"
        )

    def result(self) -> dict[str, Any]:
        """Return the entries of the result by which the task is known, before the test."""
        names = ("mean_average_precision", "subset_accuracy", "hamming_loss", "baseline", "loss")
        return {"labels": len(self.dataset.classes), **{f"test_{name}": None for name in names}}

    def _held_out(self, fraction: float) -> tuple[Array, Array]:
        """Return the images, with their labels, that training has not seen."""
        dataset = self.dataset
        if dataset.validation_images is not None and dataset.validation_labels is not None:
            return dataset.validation_images, dataset.validation_labels
        if not fraction:
            return dataset.train_images[:0], dataset.train_labels[:0]
        from striate.training.split import random_split

        # Those that `fit` has drawn, from the same labels and the same seed.
        labels = dataset.train_labels
        _, held = random_split(len(labels), fraction, self.chosen.seed, labels=labels)
        return dataset.train_images[held], labels[held]


class NumbersTask(TrainingTask):
    """Training for numbers: regression."""

    def __init__(self, chosen: TrainOptions, dataset: Dataset) -> None:
        from striate.training.target_scale import TargetScale

        super().__init__(chosen, dataset)
        self.scale: TargetScale | None = TargetScale.of(dataset.train_labels)
        if self.scale.is_coarse:
            self.notes.append(
                "the numbers differ by little, compared with how large they are: the network's "
                "outputs have seven digits; subtract what all have in common"
            )

    def recipe(self, width: float = 1.0) -> Recipe:
        """Return the recipe for as many outputs; images are not changed unless asked for, as a
        mirrored or moved image may have another number.
        """
        from striate.training import recipes

        images = self.dataset.train_images
        outputs = len(self.dataset.classes)
        found = recipes.for_outputs(images.shape[1:], outputs, len(images), width)
        training = replace(found.training, label_smoothing=0.0)
        if self.chosen.augment is not True:
            training = replace(training, augment={})
        return replace(found, training=training)

    def name(self, network: Network) -> None:
        """Tell the network what its outputs are, and see whether targets can be standardised."""
        from striate.training.target_scale import can_fold

        network.answers = Answers("numbers", names=tuple(self.dataset.classes))
        if not can_fold(network):
            self.scale = None
            self.notes.append(
                "the network does not end in a Dense layer with a bias of its own: the numbers are "
                "trained on as they are, not standardised"
            )

    def loss(self, training: TrainingSettings) -> Loss:
        """Return the squared error."""
        if training.label_smoothing:
            raise click.UsageError("--label-smoothing is for classes and labels, not for numbers")
        return MeanSquaredError()

    def class_weight(self) -> Any:
        """Return None: numbers have no classes."""
        if self.chosen.class_weight:
            raise click.UsageError(
                "--class-weight is for classes and labels, not for numbers such as "
                f"{listed(self.dataset.classes, 5)}"
            )

    def targets(self, labels: Array) -> Array:
        """Return numbers in standard deviations from their mean."""
        return labels if self.scale is None else self.scale.scaled(labels)

    def finish(self, network: Network) -> None:
        """Let the last layer answer in the numbers' own units."""
        if self.scale is not None:
            self.scale.fold_into(network)

    def result(self) -> dict[str, Any]:
        """Return the entries of the result by which the task is known, before the test."""
        return {"numbers": len(self.dataset.classes), "test_r2": None, "test_numbers": None}


def task_of(chosen: TrainOptions, dataset: Dataset) -> TrainingTask:
    """Return the training for what the images of a dataset have."""
    kinds = {"classes": TrainingTask, "labels": LabelsTask, "numbers": NumbersTask}
    return kinds[dataset.task](chosen, dataset)
