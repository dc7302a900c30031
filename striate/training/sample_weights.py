"""The weights of images in the loss: sample weights times class weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.common.arguments import real_number
from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, Floats, as_real_array
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.text import cut, listed
from striate.optim.losses import SigmoidCrossEntropy

Weights = NDArray[np.float64]
ClassWeight = Mapping[int, float] | Mapping[str, float] | str | None


@unwatched
def check_sample_weight(sample_weight: ArrayLike | None, images: int) -> Weights:
    """Sample weights as float64 (images,); ones if `sample_weight` is None.

    Raises:
        ValueError: they are not finite and at least 0, none is above 0, or there is not one for
            each image.
    """
    if sample_weight is None:
        return np.ones(images)
    weights = as_real_array(sample_weight, "sample_weight").astype(np.float64)
    if weights.shape != (images,):
        raise StriateValueError(
            f"sample_weight must have one number for each of the {images} images, not the shape "
            f"{weights.shape}"
        )
    if not np.isfinite(weights).all() or (weights < 0.0).any():
        raise StriateValueError("sample_weight must be finite and at least 0 everywhere")
    if images and not weights.any():
        raise StriateValueError("sample_weight is 0 for every image: there is nothing to train on")
    return weights


@unwatched
def class_weights(
    class_weight: ClassWeight,
    labels: Array,
    classes: int,
    sample_weight: Weights,
    names: Sequence[str] | None = None,
) -> Weights:
    """The weight of each class, (classes,).

    Args:
        class_weight: "balanced", which gives every class the same total weight, as in
            scikit-learn: total weight / (classes present * weight of the class); or weights by
            class index or name, where a class without one has weight 1; or None for ones.
        labels: class indices (images,).
        classes: how many classes there are.
        sample_weight: (images,).
        names: of the classes, if they have any.

    Raises:
        TypeError, ValueError: `class_weight` is none of these.
    """
    result = np.ones(classes)
    if class_weight is None:
        return result
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise StriateValueError(
                f'class_weight must be "balanced", a mapping or None, not {class_weight!r}'
            )
        sums = np.bincount(labels, weights=sample_weight, minlength=classes)
        present = sums > 0.0
        result[present] = sums.sum() / (present.sum() * sums[present])
        return result
    if not isinstance(class_weight, Mapping):
        raise StriateTypeError(
            f'class_weight must be "balanced", a mapping or None, not {cut(repr(class_weight), 80)}'
        )
    for key, weight in class_weight.items():
        index: object = key
        if isinstance(key, str) and names is not None:
            if key not in names:
                raise StriateValueError(
                    f"class_weight names class {cut(key, 80)!r}, which is none of the network's "
                    f"classes, {cut(listed(list(names)), 200)}"
                )
            index = list(names).index(key)
        if isinstance(index, bool) or not isinstance(index, int | np.integer):
            raise StriateTypeError(f"class_weight: {index!r} is not a class index")
        if not 0 <= index < classes:
            raise StriateValueError(
                f"class_weight names class {index}, but classes run from 0 to {classes - 1}"
            )
        result[index] = real_number(weight, f"class {index}", "class_weight")
        if result[index] < 0:
            raise StriateValueError(
                f"class_weight: class {index} must be finite and at least 0, not {weight!r}"
            )
    return result


@unwatched
def weighted_labels(
    loss: SigmoidCrossEntropy,
    class_weight: ClassWeight,
    labels: Floats,
    sample_weight: Weights,
    names: Sequence[str] | None = None,
) -> SigmoidCrossEntropy:
    """The loss with a weight for each label: how many times the images count that have it.

    Args:
        loss: of labels, without weights of its own.
        class_weight: "balanced": as many times as more images are without a label than with it, so
            that both weigh the same; or weights by the label's index or name.
        labels: of 0 to 1, (images, labels).
        sample_weight: (images,).
        names: of the labels, if they have any.

    Raises:
        TypeError, ValueError: `class_weight` is none of these, or a weight is 0; the loss has
            weights already.
    """
    if loss.positive_weight:
        raise StriateValueError("give class_weight or a loss with positive_weight, not both")
    count = labels.shape[1]
    if class_weight == "balanced":
        having = sample_weight @ labels.astype(np.float64)
        lacking = sample_weight.sum() - having
        both = (having > 0) & (lacking > 0)
        weights = np.where(both, lacking / np.where(both, having, 1), 1.0)
    else:
        nothing = np.zeros(0, np.intp)
        weights = class_weights(class_weight, nothing, count, sample_weight, names)
        if not weights.all():
            raise StriateValueError(
                f"class_weight: label {int(np.flatnonzero(weights == 0)[0])} must be above 0, not "
                "0: leave the label out instead"
            )
    return SigmoidCrossEntropy(loss.label_smoothing, weights.tolist())


@unwatched
def normalised(weights: Weights) -> Floats:
    """The weights of a batch divided by their sum, as the engines take them."""
    # The largest is taken out first, so that neither huge nor tiny weights leave the range.
    scaled = weights / weights.max()
    result: Floats = (scaled / scaled.sum()).astype(np.float32)
    return result
