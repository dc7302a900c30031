"""What scikit-learn users call X, as the images that a network reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, refuse_masked
from striate.common.errors import StriateValueError

Shape = tuple[int, ...]


def check_fit_inputs(estimator: Any, X: ArrayLike, image_shape: Any) -> tuple[Array, Shape]:
    """X as ``(n, *input_shape)``, uint8 or float32, and the input shape.

    The input shape is ``(height, width, channels)`` for images, ``(features,)`` for flat X
    without ``image_shape``.  Sets ``n_features_in_``, and ``feature_names_in_`` of data frames.
    """
    refuse_masked(X, "X")
    wanted = None if image_shape is None else normalise_image_shape(image_shape)
    if dimensions(X) < 3:
        rows = validate_data(estimator, X, dtype="numeric", reset=True)
        shape = (rows.shape[1],) if wanted is None else wanted
        if rows.shape[1] != np.prod(shape):
            raise StriateValueError(
                f"{type(estimator).__name__}: X has {rows.shape[1]} features, but image_shape="
                f"{image_shape!r} has {np.prod(shape)}"
            )
        return _engine_dtype(rows).reshape(-1, *shape), shape
    images = _check_images(estimator, X)
    shape = images.shape[1:]
    if wanted is not None and shape != wanted:
        raise StriateValueError(
            f"{type(estimator).__name__}: X holds images of shape {shape}, but image_shape="
            f"{image_shape!r} says {wanted}"
        )
    # As if it were flat, so that the count does not depend on how the same images are passed.
    estimator.n_features_in_ = int(np.prod(shape))
    if hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
    return _engine_dtype(images), shape


def check_inputs(estimator: Any, X: ArrayLike, shape: Shape) -> Array:
    """X as ``(n, *shape)`` for an estimator that has been fitted to that shape."""
    refuse_masked(X, "X")
    if dimensions(X) < 3:
        rows = validate_data(estimator, X, dtype="numeric", reset=False)
        return _engine_dtype(rows).reshape(-1, *shape)
    images = _check_images(estimator, X)
    if images.shape[1:] != shape:
        raise StriateValueError(
            f"{type(estimator).__name__}: X holds images of shape {images.shape[1:]}, but it was "
            f"fitted to {shape}"
        )
    return _engine_dtype(images)


def normalise_image_shape(image_shape: Any) -> Shape:
    """``(height, width)`` or ``(height, width, channels)`` as three whole numbers."""
    try:
        sides = tuple(image_shape)
    except TypeError:
        sides = ()
    whole = all(isinstance(side, int | np.integer) and side > 0 for side in sides)
    if len(sides) not in (2, 3) or not whole:
        raise StriateValueError(
            f"image_shape must be (height, width) or (height, width, channels), not {image_shape!r}"
        )
    return (*map(int, sides), 1)[:3]


def dimensions(X: Any) -> int:
    """How many axes X has, without converting what already says so."""
    shape = getattr(X, "shape", None)
    return len(shape) if shape is not None else np.asarray(X).ndim


def _check_images(estimator: Any, X: ArrayLike) -> Array:
    name = type(estimator).__name__
    images: Array = check_array(X, dtype="numeric", allow_nd=True, estimator=name)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise StriateValueError(
            f"{name}: X must be (n, height, width), (n, height, width, channels) or "
            f"(n, features), not of shape {images.shape}"
        )
    return images


@unwatched
def _engine_dtype(values: Array) -> Array:
    """uint8 stays, True and False become it, everything else becomes float32."""
    if values.dtype == np.bool_:
        return np.ascontiguousarray(values).view(np.uint8)
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    if values.dtype.kind == "f" and values.dtype.itemsize > 4:
        largest = max(float(values.max()), -float(values.min()))
        if largest > float(np.finfo(np.float32).max):
            raise StriateValueError(
                f"X holds {largest:g}, which is too large for dtype('float32'): scale it"
            )
    return np.ascontiguousarray(values, dtype=np.float32)
