"""An .npz file with images ``X`` and labels ``y`` as a source."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from striate.common.array_files import read_npz
from striate.common.arrays import Array, Images, looks_channels_first
from striate.common.text import counted, listed
from striate.data.dataset import (
    DataError,
    Dataset,
    LoadOptions,
    assemble,
    class_indices,
)
from striate.data.image_sizes import resized_arrays
from striate.data.images import refit
from striate.data.part import Part
from striate.model.preprocessing import colour_of

# Names in use: scikit-learn's and ours, Keras', MedMNIST's.
Names = tuple[tuple[str, str], ...]
_TRAIN: Names = (
    ("X", "y"),
    ("X_train", "y_train"),
    ("x_train", "y_train"),
    ("x", "y"),
    ("train_images", "train_labels"),
)

_TEST: Names = (("X_test", "y_test"), ("x_test", "y_test"), ("test_images", "test_labels"))


def load_npz(path: Path, options: LoadOptions) -> Dataset:
    """Load an .npz with X (n, h, w) or (n, h, w, c), y (n,), and perhaps X_test and y_test.

    Whole numbers of 0...255 (and booleans) become uint8, other numbers float32. Labels are whole
    numbers or text; sorted, they are the classes. Or y is (n, labels) with zeros and ones, any
    number of which an image may have; or, for the task "numbers", (n,) or (n, numbers). Keras'
    names (x_train, y_train, x_test, y_test) are known too. Nothing is unpickled.

    Raises:
        DataError: the file is no .npz or is truncated, an array is missing or has another shape
            or type, or a label of the test part is unknown.
    """
    wanted = {key for pair in _TRAIN + _TEST for key in pair}
    # Pixels are brought to one type, and split.
    arrays = read_npz(path, wanted, copies=2, error=DataError)
    parts = [_pair(arrays, _TRAIN, path)]
    if any(key in arrays for pair in _TEST for key in pair):
        parts.append(_pair(arrays, _TEST, path))
    (train_name, _, train_images, train_values) = parts[0]
    task = _task(parts, options, path)
    present: list[str] = []
    known: Array = np.zeros(0, np.int64)
    indices = np.zeros(0, np.int64)
    if task == "classes":
        parts = [(x, y, images, _labels(v, y, path)) for x, y, images, v in parts]
        known = np.unique(parts[0][3])
        present = [str(value) for value in known]
        indices = np.array(class_indices(present, options.classes, str(path)), dtype=np.int64)
    else:
        columns = train_values.shape[1] if train_values.ndim > 1 else 1
        present = [str(number) for number in range(columns)]
        if options.classes is not None and len(options.classes) == len(present):
            present = list(options.classes)
    # One type for both parts, and one statement about the largest value.
    small = all(_fits_bytes(images) for _, _, images, _ in parts)
    pairs = []
    for x, y, images, values in parts:
        if images.shape[1:] != train_images.shape[1:]:
            raise DataError(
                f"{path}: {x} has images of shape {images.shape[1:]}, {train_name} of "
                f"{train_images.shape[1:]}; they must be equal"
            )
        pixels = images.astype(np.uint8 if small else np.float32, copy=False)
        pixels = refit(pixels, options.size, options.colour, options.mode)
        if task != "classes":
            pairs.append(Part(pixels, _of_task(task, values, len(present), y, path)))
            continue
        if values.dtype.kind != known.dtype.kind:
            raise DataError(
                f"{path}: {y} has labels of type {values.dtype}, the training labels are "
                f"{known.dtype}; save both alike"
            )
        strange = np.setdiff1d(values, known)
        if len(strange):
            raise DataError(
                f"{path}: {y} has the class {str(strange[0])!r}, which the training labels have not"
            )
        pairs.append(Part(pixels, indices[np.searchsorted(known, values)]))
    count = sum(len(images) for _, _, images, _ in parts)
    notes = resized_arrays(count, train_images.shape[1:3], options.size, options.mode)
    height, width, channels = pairs[0].images.shape[1:]
    if looks_channels_first((height, width, channels)):
        notes.append(
            f"the images have {counted(channels, 'channel')} and are {height} pixels high: if they "
            "are channels-first, save X.transpose(0, 2, 3, 1)"
        )
    colour = colour_of(channels)
    resize = None
    maximum = _maximum([part.images for part in pairs])
    if colour and maximum:
        resize = {"height": height, "width": width, "mode": options.mode}
        if maximum != 255:
            resize["maximum"] = maximum
    return assemble(
        pairs,
        present,
        options,
        name=path.stem,
        resize=resize,
        colour=colour,
        notes=notes,
        task=task,
    )


def _task(parts: list[tuple[str, str, Array, Array]], options: LoadOptions, path: Path) -> str:
    """Return what the labels are: several columns of zeros and ones, of which a row has any number
    of ones, are labels; numbers are what the user calls so.
    """
    if options.task is not None:
        return options.task
    values = parts[0][3]
    if values.ndim != 2 or values.shape[1] < 2 or values.dtype.kind not in "buif":
        return "classes"
    if not np.isin(values, (0, 1)).all():
        if values.dtype.kind != "f":
            return "classes"  # which they are not, as is told then
        raise DataError(
            f"{path}: {parts[0][1]} has {values.shape[1]} numbers for each image; say --task "
            'numbers (task="numbers") to train on them'
        )
    return "classes" if (values.sum(axis=1) == 1).all() else "labels"


def _of_task(task: str, values: Array, count: int, name: str, path: Path) -> Array:
    """Return labels or numbers as a dataset has them."""
    columns = values.reshape(len(values), -1)
    if columns.dtype.kind not in "buif" or values.ndim > 2 or columns.shape[1] != count:
        raise DataError(
            f"{path}: {name} must hold {counted(count, 'number')} for each image, not "
            f"{values.dtype} of shape {values.shape}"
        )
    if not np.isfinite(columns).all():
        raise DataError(f"{path}: {name} has numbers that are not finite")
    if task == "labels":
        if not np.isin(columns, (0, 1)).all():
            raise DataError(f"{path}: {name} must hold zeros and ones, a column for each label")
        return columns.astype(np.float32)
    return columns.astype(np.float64)


def _pair(arrays: dict[str, Array], pairs: Names, path: Path) -> tuple[str, str, Array, Array]:
    """Return the names and the checked arrays of images (n, h, w, c) and labels (n,)."""
    for x, y in pairs:
        if x in arrays and y in arrays:
            images, labels = _images(arrays[x], x, path), arrays[y]
            if labels.ndim == 0 or len(labels) != len(images):
                _labels(labels, y, path, len(images))
            return x, y, images, labels
    present = listed(sorted(arrays)) or "none of the names that are known"
    raise DataError(f"{path}: needs the arrays {pairs[0][0]} and {pairs[0][1]}, has {present}")


def _images(images: Array, name: str, path: Path) -> Images:
    if images.dtype.kind not in "buif":
        raise DataError(f"{path}: {name} must hold real numbers, not {images.dtype}")
    if images.ndim not in (3, 4):
        raise DataError(
            f"{path}: {name} must have the shape (images, height, width) or (images, height, "
            f"width, channels), not {images.shape}; reshape it before saving"
        )
    if not images.size:
        raise DataError(f"{path}: {name} is empty, its shape is {images.shape}")
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        finite = np.isfinite(images).reshape(len(images), -1).all(axis=1)
        raise DataError(
            f"{path}: {name} has values that are not finite, first in image "
            f"{int(np.flatnonzero(~finite)[0])}"
        )
    return images if images.ndim == 4 else images[..., None]


def _labels(labels: Array, name: str, path: Path, count: int | None = None) -> Array:
    """Return labels of classes, (n,): whole numbers or text.

    Args:
        labels: as they are in the file.
        name: of their array.
        path: the file.
        count: of the images; None for as many as there are labels.
    """
    count = len(labels) if count is None else count
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) != count:
        raise DataError(
            f"{path}: {name} must have one label for each of the {count:,} images, not the shape "
            f"{labels.shape}; for one-hot rows save {name}.argmax(axis=1)"
        )
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels % 1 == 0).all():
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind == "u":
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "biU":
        numbers = '; say --task numbers (task="numbers") to train on numbers'
        raise DataError(
            f"{path}: {name} must hold whole numbers or text, not {labels.dtype}"
            + numbers * (labels.dtype.kind == "f")
        )
    return labels


def _fits_bytes(images: Array) -> bool:
    """Return whether the values are whole numbers of 0...255 in a type for whole numbers."""
    if images.dtype.kind == "f":
        return False
    return bool(images.min() >= 0 and images.max() <= 255)


def _maximum(parts: list[Images]) -> int | None:
    """Return the value of white, 1 or 255, or None where the values are not brightnesses."""
    low = min(float(images.min()) for images in parts)
    high = max(float(images.max()) for images in parts)
    if low < 0 or high > 255:
        return None
    return 1 if high <= 1 else 255
