"""How `striate train` trains for classes, for labels, and for numbers: what differs.

A `TrainingTask` is asked for the recipe, the loss and the targets, or, with a backbone, for what
that is to say; and in the end makes of the trained network one that answers: numbers in their own
units, labels by thresholds that suit them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from striate.cli import class_weights
from striate.cli.output import note, one_line
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
    from striate.transfer.transfer_targets import TransferTargets

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

    def check(self) -> None:
        """Check that what the user asks for fits the task."""
        self.class_weight()

    def tell(self) -> None:
        """Print the notes that there are."""
        for sentence in self.notes:
            note(one_line(sentence), quiet=self.chosen.quiet)
        self.notes.clear()

    def name(self, network: Network) -> None:
        """Tell the network what its outputs are, and how its images were made."""
        network.classes = list(self.dataset.classes)
        self._show_images(network)

    def _show_images(self, network: Network) -> None:
        network.preprocessing = replace(
            network.preprocessing, resize=self.dataset.resize, colour=self.dataset.colour
        )

    def loss(self, training: TrainingSettings) -> Loss:
        """Return what training minimises."""
        return training.make_loss()

    def class_weight(self) -> Any:
        """Return the weights of classes as `fit` takes them."""
        return class_weights.read(self.chosen.class_weight, self.dataset.classes)

    def weighting(self) -> dict[str, Any]:
        """Return the entry of the settings for these weights, if there are some."""
        given = self.chosen.class_weight
        return {"class_weight": list(given)} if given else {}

    def transfer_targets(self) -> TransferTargets:
        """Return what a backbone is to be taught."""
        from striate.transfer.transfer_targets import ClassTargets

        labels, names = self.dataset.train_labels.astype(np.intp), self.dataset.classes
        return ClassTargets.weighted(labels, len(names), self.class_weight(), names=names)

    def targets(self, labels: Array) -> Array:
        """Return labels as they are trained on."""
        return labels

    def validation(self) -> float:
        """Return the share of the training images to set aside where the user does not say."""
        return 0.0

    def finish(self, network: Network) -> None:
        """Make a trained network answer in the users' units."""

    def held_out(self, network: Network, fraction: float, **how: Any) -> tuple[Array, Array] | None:
        """Return outputs of a trained network, and what is true, of images by which to `decide`, of
        which `fraction` of those to train on was set aside; None where there are none.
        """
        return None

    def decide(self, network: Network, unseen: tuple[Array, Array] | None) -> None:
        """Choose how a trained network answers, by its outputs for images that it was not trained
        on and what is true of them: the temperature of the probabilities.
        """
        from striate.confidence.calibration import with_temperature

        if unseen is not None and self.chosen.calibrate != 0:
            network.answers = with_temperature(network.answers, *unseen)

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

    def transfer_targets(self) -> TransferTargets:
        """Return what a backbone is to be taught."""
        from striate.transfer.transfer_targets import LabelTargets

        labels, names = self.dataset.train_labels, self.dataset.classes
        return LabelTargets.weighted(labels, self.class_weight(), names=names)

    def held_out(self, network: Network, fraction: float, **how: Any) -> tuple[Array, Array] | None:
        """Return those of the images to validate on."""
        from striate.confidence.finite_outputs import finite_outputs

        images, truth = self._held_out(fraction)
        if not len(truth):
            return None
        parts = [
            finite_outputs(network, images[start : start + CHUNK], **how)
            for start in range(0, len(images), CHUNK)
        ]
        return np.concatenate(parts), truth

    def decide(self, network: Network, unseen: tuple[Array, Array] | None) -> None:
        """Choose the thresholds with the best F1 scores."""
        from striate.confidence.label_decisions import with_thresholds

        if unseen is None:
            self.notes.append(
                "Thresholds of the labels stay 0.5, as there is no image that was not trained on"
            )
            return
        network.answers = with_thresholds(network.answers, *unseen)
        count = len(unseen[1])
        kept = sum(threshold == 0.5 for threshold in network.answers.thresholds)
        rest = f"; of {counted(kept, 'label')} it stays 0.5, as too few images have it" * bool(kept)
        self.notes.append(
            f"Thresholds of the labels chosen by {counted(count, 'image')} that "
            f"{'was' if count == 1 else 'were'} not trained on{rest}"
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
        self._show_images(network)
        if not can_fold(network):
            self.scale = None
            self.notes.append(
                "the network does not end in a Dense layer with a bias of its own: the numbers are "
                "trained on as they are, not standardised"
            )

    def check(self) -> None:
        """Check that no options of classes are given."""
        super().check()
        if self.chosen.asked["label_smoothing"]:
            raise click.UsageError("--label-smoothing is for classes and labels, not for numbers")

    def transfer_targets(self) -> TransferTargets:
        """Return what a backbone is to be taught."""
        from striate.transfer.transfer_targets import NumberTargets

        return NumberTargets(self.dataset.train_labels)

    def loss(self, training: TrainingSettings) -> Loss:
        """Return the squared error."""
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
