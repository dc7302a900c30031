"""Converts X, as scikit-learn users pass it, to the images or vectors that a network reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from striate.ops.shapes import Shape
from striate.training.loading import engine_dtype


def check_fit_inputs(estimator: Any, X: ArrayLike, image_shape: Any) -> tuple[NDArray[Any], Shape]:
    """X for `fit` as an array (n, *input_shape), uint8 or float32, and the input shape.

    The input shape is (height, width, channels) for images, (features,) for flat X without
    `image_shape`.  Sets `n_features_in_`, and `feature_names_in_` for data frames.

    Args:
        estimator: the estimator whose attributes are set.
        X: images or rows.
        image_shape: of the rows of a flat X, or None.

    Raises:
        ValueError: X is of no such shape, or not of `image_shape`.
    """
    wanted = None if image_shape is None else normalise_image_shape(image_shape)
    if dimensions(X) < 3:
        rows = validate_data(estimator, X, dtype="numeric", reset=True)
        shape = (rows.shape[1],) if wanted is None else wanted
        if rows.shape[1] != np.prod(shape):
            raise ValueError(
                f"{type(estimator).__name__}: X has {rows.shape[1]} features, but image_shape="
                f"{image_shape!r} has {np.prod(shape)}"
            )
        return _engine_dtype(rows).reshape(-1, *shape), shape
    images = _check_images(estimator, X)
    shape = images.shape[1:]
    if wanted is not None and shape != wanted:
        raise ValueError(
            f"{type(estimator).__name__}: X holds images of shape {shape}, but image_shape="
            f"{image_shape!r} says {wanted}"
        )
    # As for flat X, so that the count does not depend on the form in which images are passed.
    estimator.n_features_in_ = int(np.prod(shape))
    if hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
    return _engine_dtype(images), shape


def check_inputs(estimator: Any, X: ArrayLike, shape: Shape) -> NDArray[Any]:
    """X as an array (n, *shape) for an estimator that was fitted to this input shape."""
    if dimensions(X) < 3:
        rows = validate_data(estimator, X, dtype="numeric", reset=False)
        return _engine_dtype(rows).reshape(-1, *shape)
    images = _check_images(estimator, X)
    if images.shape[1:] != shape:
        raise ValueError(
            f"{type(estimator).__name__}: X holds images of shape {images.shape[1:]}, but it was "
            f"fitted to {shape}"
        )
    return _engine_dtype(images)


def normalise_image_shape(image_shape: Any) -> Shape:
    """(height, width) or (height, width, channels) as three whole numbers."""
    try:
        sides = tuple(image_shape)
    except TypeError:
        sides = ()
    whole = all(isinstance(side, int | np.integer) and side > 0 for side in sides)
    if len(sides) not in (2, 3) or not whole:
        raise ValueError(
            f"image_shape must be (height, width) or (height, width, channels), not {image_shape!r}"
        )
    return (*map(int, sides), 1)[:3]


def dimensions(X: Any) -> int:
    """How many axes X has; arrays and data frames are not converted for it."""
    shape = getattr(X, "shape", None)
    return len(shape) if shape is not None else np.asarray(X).ndim


def _check_images(estimator: Any, X: ArrayLike) -> NDArray[Any]:
    name = type(estimator).__name__
    images: NDArray[Any] = check_array(X, dtype="numeric", allow_nd=True, estimator=name)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise ValueError(
            f"{name}: X must be (n, height, width), (n, height, width, channels) or "
            f"(n, features), not of shape {images.shape}"
        )
    return images


def _engine_dtype(values: NDArray[Any]) -> NDArray[Any]:
    """X as uint8 or float32, as `engine_dtype`; ValueError if it is too large for float32."""
    if values.dtype.kind == "f" and values.dtype.itemsize > 4:
        largest = max(float(values.max()), -float(values.min()))
        if largest > float(np.finfo(np.float32).max):
            raise ValueError(
                f"X holds {largest:g}, which is too large for dtype('float32'): scale it"
            )
    return engine_dtype(values)
