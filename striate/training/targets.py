"""Checks the images X and the targets y of a user, and makes arrays for training of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, Floats, as_array
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.short_repr import short_repr
from striate.common.text import cut, listed
from striate.model.image_arrays import check_images
from striate.optim.losses import (
    FunctionLoss,
    Loss,
    LossFunction,
    MeanSquaredError,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    from_dict,
)

if TYPE_CHECKING:
    from striate.model.model import Model


@short_repr
@dataclass(frozen=True)
class Targets:
    """The outputs that a network should give. ``targets[rows]`` is an array (rows, outputs).

    Attributes:
        values: float32 (classes, outputs), the target of each class; without labels (images,
            outputs), that of each image.
        labels: class indices (images,), one number per image; None for regression.
    """

    values: Floats
    labels: NDArray[np.intp] | None

    def __len__(self) -> int:
        return len(self.values if self.labels is None else self.labels)

    def __getitem__(self, rows: NDArray[np.intp]) -> Floats:
        return self.values[rows if self.labels is None else self.labels[rows]]


@unwatched
def as_images(network: Model, images: ArrayLike) -> Array:
    """Images as an array (n, *network.input_shape) in their own dtype.

    Gray images may come without their channel axis.

    Raises:
        TypeError, ValueError: they are of another shape, or not finite real numbers.
    """
    array = check_images(images, network.input_shape)
    if array.dtype.kind == "f" and array.size:
        # Minimum and maximum are NaN or infinite if any number is; no boolean copy is needed.
        if not (np.isfinite(array.min()) and np.isfinite(array.max())):
            raise StriateValueError("images hold NaN or infinity: remove or repair them first")
        largest = max(-float(array.min()), float(array.max()))
        if largest > float(np.finfo(np.float32).max):
            raise StriateValueError(
                f"images hold {largest:g}, which is too large for float32: scale them"
            )
    return array


@unwatched
def choose_loss(loss: Loss | LossFunction | str | None, y: Array, answers: str = "classes") -> Loss:
    """The given loss (a function's calls it), or by default that for y: cross-entropy for
    classes, else squared error.

    Args:
        loss: the given one, or None.
        y: the targets.
        answers: what the network's outputs mean, see `striate.model.answers.Answers`: of "labels"
            the default is their cross-entropy, of "numbers" squared error.

    Raises:
        ValueError: no loss is given, and y has the shape of numbers but means classes.
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str):
        return from_dict({"kind": loss})
    if callable(loss) and not isinstance(loss, type):
        return FunctionLoss(loss)
    if loss is not None:
        raise StriateTypeError(
            "loss must be a Loss, its name, a function (outputs, targets) -> (loss, gradient) or "
            f"None, not {cut(repr(loss), 80)}"
            + "; write it with parentheses"
            * isinstance(loss, type)
        )
    if answers == "labels":
        return SigmoidCrossEntropy()
    if answers == "numbers":
        return MeanSquaredError()
    if y.dtype.kind != "f":
        return SoftmaxCrossEntropy()
    if _are_distributions(y):
        if (y.max(axis=1) == 1).all():
            raise StriateValueError(_one_hot(y.shape))
        raise StriateValueError(
            f"each row of the targets {y.shape} sums to 1, like probabilities of classes: give "
            'class indices, or loss="mean_squared_error" to train on these numbers as they are'
        )
    return MeanSquaredError()


def _are_distributions(y: Array) -> bool:
    """Whether each row has numbers from 0 to 1 that sum to 1, in two columns or more."""
    if y.ndim != 2 or y.shape[1] < 2 or not y.size or y.min() < 0 or y.max() > 1:
        return False
    return bool(np.allclose(y.sum(axis=1, dtype=np.float64), 1, rtol=0, atol=1e-3))


def _one_hot(shape: tuple[int, ...]) -> str:
    return (
        f"the labels of shape {shape} are one-hot rows: give the indices of the classes, "
        'y.argmax(axis=1) (or loss="mean_squared_error" to train on the numbers 0 and 1)'
    )


@unwatched
def make_targets(network: Model, y: Array, loss: Loss) -> Targets:
    """The targets y as the outputs that the network should give, by the kind of the loss.

    Raises:
        TypeError, ValueError: the network does not end in a vector, or y does not fit it.
    """
    if len(network.output_shape) != 1:
        raise StriateValueError(
            f"the network ends in {tuple(network.output_shape)}, but training needs a vector of "
            "outputs: add Flatten() and Dense(classes), or GlobalAvgPool2D(), at its end"
        )
    outputs = network.output_shape[0]
    if isinstance(loss, SigmoidCrossEntropy):
        return Targets(loss.targets(y, outputs), None)
    if isinstance(loss, SoftmaxCrossEntropy):
        labels = label_indices(network, y)
        return Targets(loss.targets(np.arange(outputs), outputs), labels)
    if y.dtype.kind != "f" and outputs > 1 and not isinstance(loss, MeanSquaredError):
        # A loss of the user's own, and classes: each is a row of zeros and a one.
        return Targets(np.eye(outputs, dtype=np.float32), label_indices(network, y))
    values = y[:, None] if y.ndim == 1 else y
    if values.shape[1:] != (outputs,):
        raise StriateValueError(
            f"targets have the shape {y.shape}, but the network has {outputs} outputs; to train "
            "on classes give whole numbers or class names"
        )
    if values.dtype.kind not in "buif":
        raise StriateTypeError(f"targets must be real numbers, not {values.dtype}")
    with np.errstate(over="ignore"):  # found below
        values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise StriateValueError("targets hold NaN or infinity, or numbers too large for float32")
    return Targets(values, None)


def label_indices(network: Model, y: ArrayLike) -> NDArray[np.intp]:
    """Class indices (images,) for labels that are indices or the network's class names.

    Raises:
        ValueError: there is no such class, or `y` is not one label per image.
    """
    return indices_of_labels(y, network.output_shape[0], network.classes)


@unwatched
def indices_of_labels(
    y: ArrayLike, classes: int, names: Sequence[str] | None = None
) -> NDArray[np.intp]:
    """Class indices, in the integers that NumPy indexes with, for labels of any dtype.

    In the dtype that a user's labels have, perhaps 8 bits, nothing may be computed from them: it
    would wrap around.

    Args:
        y: indices or names, (images,) or (images, 1).
        classes: how many classes there are.
        names: of the classes, or None.

    Raises:
        ValueError: there is no such class, or `y` is not one label per image.
    """
    labels = as_array(y, "labels")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and labels.dtype.kind in "buif" and _are_distributions(labels):
        raise StriateValueError(_one_hot(labels.shape))
    if labels.ndim != 1:
        several = labels.ndim == 2 and labels.dtype.kind in "bui" and labels.shape[1] == classes
        raise StriateValueError(
            f"labels must be one row, one per image, not of shape {labels.shape}"
            + '; if an image may have several labels, give loss="sigmoid_cross_entropy"' * several
        )
    if labels.dtype.kind == "O" and all(_is_whole(label) for label in labels):
        labels = labels.astype(np.int64)  # such as the columns of some data frames
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind in "UO":
        if names is None:
            raise StriateValueError(
                "labels are names, but the network has no names for its classes: set "
                "network.classes, give class indices, or use ConvNetClassifier"
            )
        places = {name: index for index, name in enumerate(names)}
        unknown = sorted({str(label) for label in labels.tolist()} - places.keys())
        if unknown:
            raise StriateValueError(
                f"labels {cut(str(unknown[:5]), 200)} are none of the network's classes, "
                f"{cut(listed(list(names)), 200)}"
            )
        return np.array([places[str(label)] for label in labels.tolist()], dtype=np.intp)
    if labels.dtype.kind == "f" and (labels == np.floor(labels)).all():
        # Those that no integer holds are larger than any class index.
        labels = np.clip(labels, -1, classes).astype(np.intp)
    if labels.dtype.kind not in "bui":
        raise StriateValueError(
            f"labels must be class indices (whole numbers) or names, not {labels.dtype}"
        )
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise StriateValueError(
            f"labels run from {labels.min()} to {labels.max()}, but the network has {classes} "
            f"outputs: labels must lie in 0 … {classes - 1}"
            + "; to train on numbers, give them as floats"
            * (classes == 1)
        )
    return labels.astype(np.intp)


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
