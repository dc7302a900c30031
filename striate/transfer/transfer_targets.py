"""What a network made of a backbone is to say of images: classes, labels, or numbers.

Each kind has its head, its loss, the figure that tells how good a network is on images that were
held out, and the words for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.text import percent
from striate.confidence.calibration import with_temperature
from striate.confidence.label_decisions import with_thresholds
from striate.model.answers import Answers
from striate.network import Network
from striate.optim.losses import Loss, MeanSquaredError, SigmoidCrossEntropy, SoftmaxCrossEntropy
from striate.training.label_evaluation import LabelEvaluation
from striate.training.number_evaluation import NumberEvaluation
from striate.training.sample_weights import ClassWeight, class_weights, weighted_labels
from striate.training.split import random_split, stratified_split
from striate.training.target_scale import TargetScale
from striate.transfer.class_head import fit_class_head
from striate.transfer.label_head import fit_label_head
from striate.transfer.linear_head import Indices, LinearHead, Views
from striate.transfer.number_head import fit_number_head

Weights = NDArray[np.float64]


class Figures(NamedTuple):
    """How good outputs are.

    Attributes:
        score: the accuracy, the mean average precision, or R²; None where no image tells, such as
            where none has any label.
        loss: the mean loss.
    """

    score: float | None
    loss: float

    def better_than(self, other: Figures, *, few: bool = False) -> bool:
        """Whether the score is higher or, of equal ones, the loss lower. Where `few` images tell,
        the loss alone: of thirty, one more or less that is right says little.
        """
        if few or self.score is None or other.score is None or self.score == other.score:
            return self.loss < other.loss
        return self.score > other.score


class TransferTargets(ABC):
    """What is true of images.

    Attributes:
        truth: as people say it, (images,) or (images, outputs).
        trained: as networks are trained on it.
        outputs: how many numbers a network says of an image.
        scale: of numbers: what leads from these to what is trained on; else None.
        weights: of the images in the loss, 0 or more, (images,); None for equal ones.
    """

    kind: ClassVar[str]
    """What outputs mean: see `striate.model.answers.Answers`."""
    score: ClassVar[str]
    """What the score of `Figures` is called in results."""
    usual_smoothing: ClassVar[float] = 0.0
    """Of the loss, where nobody says another one."""
    enough: ClassVar[int] = 1
    """Images that were held out from fine-tuning say from so many on how it answers best."""

    def __init__(self, truth: Array, outputs: int, weights: ArrayLike | None) -> None:
        self.truth, self.trained, self.outputs = truth, truth, outputs
        self.scale: TargetScale | None = None
        self.weights: Weights | None = None
        if weights is not None:
            self.weights = np.asarray(weights, np.float64)
            if self.weights.shape != (len(truth),):
                raise StriateValueError(
                    f"there are {len(truth)} images, but the weights have the shape "
                    f"{self.weights.shape}: give one for each image"
                )

    def __len__(self) -> int:
        return len(self.truth)

    @abstractmethod
    def head(self, views: Views, seed: int) -> LinearHead:
        """Train a head on features of the images in one or more views."""

    @abstractmethod
    def loss(self, smoothing: float) -> Loss:
        """What training of the stages minimises."""

    @abstractmethod
    def figures(self, outputs: Array, rows: Indices | None = None) -> Figures:
        """How good outputs are of all images, or of some."""

    @abstractmethod
    def told(self, figures: Figures) -> str:
        """The figures in words."""

    def subset(self, rows: Indices) -> Self:
        """What is true of some of the images, in the same units."""
        some = copy(self)
        some.truth, some.trained = self.truth[rows], self.trained[rows]
        some.weights = None if self.weights is None else self.weights[rows]
        return some

    def most_held_out(self) -> int:
        """Of how many images enough are left to train on."""
        return len(self) - 1

    def split(self, share: float, seed: int) -> tuple[Indices, Indices]:
        """Rows to train on, and a share of all that are held out, both ascending."""
        return random_split(len(self), share, seed)

    def usual(self, outputs: Array) -> Array:
        """Outputs of a network that was trained on `trained`, in the units of `truth`."""
        if self.scale is None:
            return outputs
        found: Array = np.asarray(outputs, np.float64) * self.scale.std + self.scale.mean
        return found

    def finish(self, network: Network) -> None:
        """Let a network that was trained on `trained` answer in the units of `truth`."""
        if self.scale is not None:
            self.scale.fold_into(network)

    def decided(self, answers: Answers, outputs: Array, truth: Array) -> Answers:
        """How a network answers best, by its outputs for images that it had not been trained on."""
        return answers


class ClassTargets(TransferTargets):
    """Classes, of which each image has one.

    Args:
        labels: class indices (images,).
        classes: how many there are.
        weights: as above.
    """

    kind, score, usual_smoothing, enough = "classes", "accuracy", 0.1, 100

    def __init__(self, labels: ArrayLike, classes: int, weights: ArrayLike | None = None) -> None:
        super().__init__(np.asarray(labels, np.intp), classes, weights)

    @classmethod
    def weighted(
        cls,
        labels: Indices,
        classes: int,
        class_weight: ClassWeight,
        sample_weight: Weights | None = None,
        names: Sequence[str] | None = None,
    ) -> ClassTargets:
        """Classes whose images weigh as `class_weight` says, as for `Network.fit`, times weights of
        their own; `names` are those of the classes.
        """
        if class_weight is None:
            return cls(labels, classes, sample_weight)
        own = np.ones(len(labels)) if sample_weight is None else sample_weight
        each = class_weights(class_weight, labels, classes, own, names)
        return cls(labels, classes, own * each[labels])

    def head(self, views: Views, seed: int) -> LinearHead:
        """Train a multinomial logistic regression."""
        return fit_class_head(views, self.truth, self.outputs, weights=self.weights, seed=seed)

    def loss(self, smoothing: float) -> Loss:
        """Return the cross-entropy of the classes."""
        return SoftmaxCrossEntropy(smoothing)

    def figures(self, outputs: Array, rows: Indices | None = None) -> Figures:
        """Return the accuracy and the log-loss of logits."""
        criterion, truth = SoftmaxCrossEntropy(), self.truth if rows is None else self.truth[rows]
        targets = criterion.targets(truth, self.outputs)
        losses = criterion.per_image(np.asarray(outputs, np.float64), targets)
        return Figures(float((outputs.argmax(axis=1) == truth).mean()), float(losses.mean()))

    def told(self, figures: Figures) -> str:
        """Return the figures in words."""
        return f"{percent(figures.score or 0.0)} right, log-loss {figures.loss:.3f}"

    def most_held_out(self) -> int:
        """Return how many may be held out so that of each class one is left to train on."""
        return len(self) - len(np.unique(self.truth))

    def split(self, share: float, seed: int) -> tuple[Indices, Indices]:
        """Hold a share of each class out."""
        return stratified_split(self.truth, share, seed)

    def decided(self, answers: Answers, outputs: Array, truth: Array) -> Answers:
        """Return them with the temperature that suits the outputs, of images enough."""
        return with_temperature(answers, outputs, truth)


class LabelTargets(TransferTargets):
    """Labels, of which each image has any number.

    Args:
        labels: 1 where an image has a label, else 0, (images, labels).
        weights: as above.
        label_weights: how many times an image counts that has the label, for each label, or one
            number for all; () for once.
    """

    kind, score = "labels", "mean_average_precision"

    def __init__(
        self,
        labels: ArrayLike,
        weights: ArrayLike | None = None,
        label_weights: tuple[float, ...] = (),
    ) -> None:
        given = np.asarray(labels, np.float32)
        super().__init__(given, given.shape[1], weights)
        self.label_weights = label_weights

    @classmethod
    def weighted(
        cls,
        labels: ArrayLike,
        class_weight: ClassWeight,
        sample_weight: Weights | None = None,
        names: Sequence[str] | None = None,
    ) -> LabelTargets:
        """Labels that weigh as `class_weight` says, as for `Network.fit`, of images with weights of
        their own; `names` are those of the labels.
        """
        if class_weight is None:
            return cls(labels, sample_weight)
        given = np.asarray(labels, np.float32)
        own = np.ones(len(given)) if sample_weight is None else sample_weight
        criterion = weighted_labels(SigmoidCrossEntropy(), class_weight, given, own, names)
        return cls(given, sample_weight, criterion.positive_weight)

    def head(self, views: Views, seed: int) -> LinearHead:
        """Train a logistic regression for each label."""
        criterion = SigmoidCrossEntropy(0.0, self.label_weights)
        return fit_label_head(views, self.truth, criterion, weights=self.weights, seed=seed)

    def loss(self, smoothing: float) -> Loss:
        """Return the cross-entropy of each label by itself."""
        return SigmoidCrossEntropy(smoothing, self.label_weights)

    def figures(self, outputs: Array, rows: Indices | None = None) -> Figures:
        """Return the mean average precision and the log-loss of logits."""
        truth = self.truth if rows is None else self.truth[rows]
        found = LabelEvaluation.from_outputs(outputs, truth)
        return Figures(found.mean_average_precision, found.loss)

    def told(self, figures: Figures) -> str:
        """Return the figures in words."""
        ranked = "–" if figures.score is None else percent(figures.score)
        return f"mean average precision {ranked}, log-loss {figures.loss:.3f}"

    def split(self, share: float, seed: int) -> tuple[Indices, Indices]:
        """Hold a share of each label out, as nearly as can be."""
        return random_split(len(self), share, seed, labels=self.truth)

    def decided(self, answers: Answers, outputs: Array, truth: Array) -> Answers:
        """Return them with the thresholds of the best F1 scores."""
        return with_thresholds(answers, outputs, truth)


class NumberTargets(TransferTargets):
    """Numbers, trained on in standard deviations from their mean.

    Args:
        numbers: (images, numbers).
        weights: as above.
    """

    kind, score = "numbers", "r2"

    def __init__(self, numbers: ArrayLike, weights: ArrayLike | None = None) -> None:
        given = np.asarray(numbers, np.float64)
        super().__init__(given, given.shape[1], weights)
        self.scale = TargetScale.of(given)
        self.trained = self.scale.scaled(given)

    def head(self, views: Views, seed: int) -> LinearHead:
        """Train a ridge regression."""
        return fit_number_head(views, self.trained, weights=self.weights, seed=seed)

    def loss(self, smoothing: float) -> Loss:
        """Return the squared error.

        Raises:
            StriateValueError: it is to be smoothed, which says nothing of numbers.
        """
        if smoothing:
            raise StriateValueError("label smoothing is for classes and labels, not for numbers")
        return MeanSquaredError()

    def figures(self, outputs: Array, rows: Indices | None = None) -> Figures:
        """Return R² and the mean squared error of standardised outputs."""
        truth = self.trained if rows is None else self.trained[rows]
        found = NumberEvaluation.from_outputs(outputs, truth)
        errors = np.asarray(outputs, np.float64) - truth
        return Figures(found.r2, float(np.square(errors).mean()))

    def told(self, figures: Figures) -> str:
        """Return the figures in words."""
        several = "mean " * (self.outputs > 1)
        return f"{several}R² {'–' if figures.score is None else f'{figures.score:.4f}'}"
