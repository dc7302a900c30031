"""Loss functions, which training minimises: cross-entropy of classes, of labels, and squared error.

A loss turns the outputs of a network and the targets into one number, and into that number's
gradient with respect to the outputs, where the backward pass begins.  The formulas here are the
textbook's, in NumPy and in the dtype of the outputs; the compiled engine fuses the same formulas.

Every image has a weight, and the loss of a batch is ``sum(weights * loss of each image)``.  With
weights of ``1/n`` that is the mean; sample weights and class weights change these weights.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from striate.common.arguments import real_number
from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, Floats, as_array, as_real_array
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.text import choices
from striate.common.words import LOSSES, ExplainsItsArguments, known_as

LossFunction = Callable[[Array, Array], tuple[Any, Any]]
"""A loss as a function: see `FunctionLoss`."""


class Loss(ExplainsItsArguments, ABC):
    """A loss of outputs (images, outputs) and targets of the same shape."""

    kind: ClassVar[str]
    """The name by which `fit` and model files know the loss."""

    @abstractmethod
    def per_image(self, outputs: Array, targets: Array) -> Array:
        """The loss of each image, without weights: (images,)."""

    @abstractmethod
    def value_and_gradient(
        self, outputs: Array, targets: Array, weights: Array
    ) -> tuple[float, Array]:
        """The weighted loss of a batch, and its gradient with respect to the outputs.

        Args:
            outputs, targets: (images, outputs).
            weights: (images,).
        """

    def to_dict(self) -> dict[str, Any]:
        """The loss as JSON-able values, which `from_dict` reads."""
        return {"kind": self.kind}

    def __repr__(self) -> str:
        options = {name: value for name, value in self.to_dict().items() if name != "kind"}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in options.items())})"


class SoftmaxCrossEntropy(Loss):
    """Cross-entropy between the softmax of the logits and the targets, for classification.

    The loss of one image with logits z and target distribution t is ``-sum(t * log(softmax(z)))``,
    and its gradient is ``softmax(z) - t``.

    Args:
        label_smoothing: the share, 0 or more and below 1, of the true class that `targets` spreads
            evenly over all classes (Szegedy et al., 2016, "Rethinking the Inception Architecture").
    """

    kind = "softmax_cross_entropy"

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = _checked_smoothing(label_smoothing)

    @unwatched
    def targets(self, labels: ArrayLike, classes: int) -> Floats:
        """Target distributions (images, classes), float32, for class indices (images,).

        Raises:
            ValueError: the labels are no class indices, or there are not so many classes.
        """
        indices = as_array(labels, "labels")
        if indices.ndim != 1 or not (indices.dtype.kind in "iu" or indices.size == 0):
            raise StriateValueError(
                "labels must be one row of whole class indices, not "
                f"{indices.dtype} of shape {indices.shape}"
            )
        if indices.size and (indices.min() < 0 or indices.max() >= classes):
            raise StriateValueError(
                f"labels run from {indices.min()} to {indices.max()}, but the network has "
                f"{classes} outputs: labels must lie in 0 … {classes - 1}"
            )
        rest = self.label_smoothing / classes
        result = np.full((indices.size, classes), rest, dtype=np.float32)
        result[np.arange(indices.size), indices.astype(np.intp)] = 1.0 - self.label_smoothing + rest
        return result

    @unwatched
    def per_image(self, outputs: Array, targets: Array) -> Array:
        """The cross-entropy of each image: (images,)."""
        shifted, _, sums = _exponentials(outputs)
        return _cross_entropy(shifted, sums, targets)

    @unwatched
    def value_and_gradient(
        self, outputs: Array, targets: Array, weights: Array
    ) -> tuple[float, Array]:
        """The weighted cross-entropy of a batch and its gradient (images, classes)."""
        shifted, exponentials, sums = _exponentials(outputs)
        losses = _cross_entropy(shifted, sums, targets)
        total = targets.sum(axis=1, keepdims=True)
        gradient = weights[:, None] * (exponentials / sums * total - targets)
        return float((weights * losses).sum()), gradient

    def to_dict(self) -> dict[str, Any]:
        """The loss as JSON-able values."""
        return {"kind": self.kind, "label_smoothing": self.label_smoothing}


class SigmoidCrossEntropy(Loss):
    """Cross-entropy of each label by itself, for images that have any number of labels.

    With logits z, targets t (1 where the image has the label, 0 where it has not, or what lies in
    between) and weights p, the loss of one image is the mean over its labels of

        -(p * t * log(s) + (1 - t) * log(1 - s)),   s = 1 / (1 + exp(-z))

    and its gradient (s * (1 + (p - 1) * t) - p * t) / labels: what PyTorch calls
    ``BCEWithLogitsLoss(pos_weight=p)``.

    Args:
        label_smoothing: the share, 0 or more and below 1, by which `targets` moves each target
            towards 1/2.
        positive_weight: p: how many times an image counts that has the label, for each label, or
            one number for all; above 0.
    """

    kind = "sigmoid_cross_entropy"

    def __init__(
        self, label_smoothing: float = 0.0, positive_weight: float | Iterable[float] = ()
    ) -> None:
        self.label_smoothing = _checked_smoothing(label_smoothing)
        given: Any = positive_weight
        values = tuple(given) if hasattr(given, "__iter__") else (given,)
        who = type(self).__name__
        self.positive_weight = tuple(real_number(v, "positive_weight", who) for v in values)
        if any(weight <= 0 for weight in self.positive_weight):
            raise StriateValueError(
                f"{who}: positive_weight must be above 0, got {min(self.positive_weight):g}"
            )

    @unwatched
    def targets(self, labels: ArrayLike, outputs: int) -> Floats:
        """Targets (images, outputs), float32, for labels of 0 to 1 (images, outputs).

        Raises:
            ValueError: the labels have another shape or other values, or there are not as many
                `positive_weight`s.
        """
        values = as_real_array(labels, "labels")
        if values.ndim == 1 and outputs == 1:
            values = values[:, None]
        if values.ndim != 2 or values.shape[1] != outputs:
            raise StriateValueError(
                f"labels have the shape {values.shape}, but the network has {outputs} outputs: "
                f"give a 0 or 1 for each image and label, (images, {outputs})"
            )
        if values.size and not (values.min() >= 0 and values.max() <= 1):
            raise StriateValueError(
                f"labels run from {values.min():g} to {values.max():g}: each must be 1 where the "
                "image has the label and 0 where it has not"
            )
        if len(self.positive_weight) not in (0, 1, outputs):
            raise StriateValueError(
                f"positive_weight has {len(self.positive_weight)} numbers for {outputs} labels; "
                "give one for each, or one for all"
            )
        whole = values.astype(np.float32)
        rest = np.float32(self.label_smoothing)
        return whole if not rest else whole * (1 - rest) + rest / 2

    @unwatched
    def per_image(self, outputs: Array, targets: Array) -> Array:
        """The cross-entropy of each image: (images,)."""
        # -log(s) is log(1 + exp(-|z|)) + max(-z, 0), which neither overflows nor is log(0).
        total, both = self._weights_of(targets), np.log1p(np.exp(-np.abs(outputs)))
        lacking = (1 - targets) * np.maximum(outputs, 0)
        having = (total - 1 + targets) * np.maximum(-outputs, 0)
        result: Array = (lacking + having + total * both).mean(axis=1)
        return result

    @unwatched
    def value_and_gradient(
        self, outputs: Array, targets: Array, weights: Array
    ) -> tuple[float, Array]:
        """The weighted cross-entropy of a batch and its gradient (images, labels)."""
        shrunk = np.exp(-np.abs(outputs))
        chance = np.where(outputs > 0, 1, shrunk) / (1 + shrunk)
        total = self._weights_of(targets)
        gradient = (weights[:, None] / outputs.shape[1]) * (chance * total - (total - 1 + targets))
        value = float((weights * self.per_image(outputs, targets)).sum())
        return value, gradient.astype(outputs.dtype, copy=False)

    def to_dict(self) -> dict[str, Any]:
        """The loss as JSON-able values."""
        own = {"kind": self.kind, "label_smoothing": self.label_smoothing}
        return {**own, "positive_weight": list(self.positive_weight)}

    def _weights_of(self, targets: Array) -> Any:
        """1 + (p - 1) * t."""
        if not self.positive_weight:
            return targets.dtype.type(1)
        return 1 + (np.array(self.positive_weight, targets.dtype) - 1) * targets


class MeanSquaredError(Loss):
    """The mean over the outputs of (output - target)², for regression."""

    kind = "mean_squared_error"

    @unwatched
    def per_image(self, outputs: Array, targets: Array) -> Array:
        """The mean squared error of each image: (images,)."""
        result: Array = np.square(outputs - targets).mean(axis=1)
        return result

    @unwatched
    def value_and_gradient(
        self, outputs: Array, targets: Array, weights: Array
    ) -> tuple[float, Array]:
        """The weighted squared error of a batch and its gradient (images, outputs)."""
        difference = outputs - targets
        losses = np.square(difference).mean(axis=1)
        gradient = weights[:, None] * difference * (2.0 / outputs.shape[1])
        return float((weights * losses).sum()), gradient


class FunctionLoss(Loss):
    """A loss that a user gives as a function.

    Args:
        function: from outputs and targets, float32 (images, outputs), to the loss and its gradient
            with respect to the outputs, (images, outputs).  The loss is one number for each image
            (images,), each row of the gradient then being of its image's number; or one number for
            all, such as a mean.  Targets of classes come as rows with a 1 at the class.
    """

    kind = "function"

    def __init__(self, function: LossFunction) -> None:
        self.function = function

    def per_image(self, outputs: Array, targets: Array) -> Array:
        """The loss of each image; of all images alike where the function gives one number."""
        loss, _ = self._called(outputs, targets)
        return np.broadcast_to(loss, len(outputs))

    def value_and_gradient(
        self, outputs: Array, targets: Array, weights: Array
    ) -> tuple[float, Array]:
        """The weighted loss of a batch, and its gradient (images, outputs)."""
        loss, gradient = self._called(outputs, targets)
        if loss.ndim:
            return float((weights * loss).sum()), weights[:, None] * gradient
        if len(weights) and not np.allclose(weights, weights[0], rtol=1e-5):
            raise StriateValueError(
                "loss: weights of images or classes need a loss that gives one number for each "
                "image, not one for all"
            )
        share = float(weights.sum(dtype=np.float64))
        if abs(share - 1.0) > 1e-5:  # of images that are a part of a batch
            return share * float(loss), gradient * np.float32(share)
        return float(loss), gradient

    def _called(self, outputs: Array, targets: Array) -> tuple[Array, Array]:
        """What the function gives, checked."""
        name = getattr(self.function, "__name__", type(self.function).__name__)
        result = self.function(outputs, targets)
        if not isinstance(result, tuple) or len(result) != 2:
            raise StriateTypeError(
                f"loss: {name} must return a pair (loss, gradient), not {type(result).__name__}"
            )
        loss = as_real_array(result[0], "the loss", name).astype(outputs.dtype)
        gradient = as_real_array(result[1], "the gradient", name).astype(outputs.dtype)
        if loss.shape not in ((), (len(outputs),)) or gradient.shape != outputs.shape:
            raise StriateValueError(
                f"loss: {name} must return a loss of shape ({len(outputs)},) or one number, and a "
                f"gradient of shape {outputs.shape}, not {loss.shape} and {gradient.shape}"
            )
        return loss, gradient


def has_nests(loss: Loss) -> bool:
    """Whether the compiled engine has nests for this loss: a subclass may follow another rule."""
    own = vars(loss).keys() & {"per_image", "value_and_gradient"}
    return type(loss) in _KINDS.values() and not own


def positive_weight_of(loss: Loss | None) -> tuple[float, ...]:
    """The weights of labels that a loss has; () where it has none."""
    return loss.positive_weight if isinstance(loss, SigmoidCrossEntropy) else ()


def computed_like(loss: Loss) -> Hashable:
    """What is the same for all losses that the compiled engine computes by the same program."""
    return (loss.kind, positive_weight_of(loss)) if has_nests(loss) else "called"


_KINDS: dict[str, type[Loss]] = {
    loss.kind: loss for loss in (SoftmaxCrossEntropy, SigmoidCrossEntropy, MeanSquaredError)
}


@unwatched
def softmax(outputs: Array) -> Array:
    """Outputs ``(images, classes)`` as probabilities that sum to one in every row."""
    _, exponentials, sums = _exponentials(outputs)
    result: Array = exponentials / sums
    return result


def _exponentials(outputs: Array) -> tuple[Array, Array, Array]:
    """z - max, its exponentials, which do not overflow, and their sum, which is 1 or more."""
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return shifted, exponentials, exponentials.sum(axis=1, keepdims=True)


def _cross_entropy(shifted: Array, sums: Array, targets: Array) -> Array:
    """Of each image: log(softmax(z)) = z - max - log(sum(exp(z - max))) is never log(0)."""
    result: Array = (targets * (np.log(sums) - shifted)).sum(axis=1)
    return result


def from_dict(values: dict[str, Any]) -> Loss:
    """The loss that `Loss.to_dict` described; ValueError if its kind is unknown."""
    options = dict(values)
    kind = options.pop("kind", None)
    if kind in _KINDS:
        return _KINDS[kind](**options)
    raise StriateValueError(
        f"unknown loss {kind!r}: known are {choices([*map(repr, _KINDS)], 'and')}"
        f"{known_as(kind, _KINDS, LOSSES)}"
    )


def _checked_smoothing(share: float) -> float:
    if not (math.isfinite(share) and 0.0 <= share < 1.0):
        raise StriateValueError(f"label_smoothing must be at least 0 and below 1, not {share!r}")
    return float(share)
