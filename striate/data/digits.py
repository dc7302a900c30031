"""The 8×8 handwritten digits that come with scikit-learn: data that always work."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.data.dataset import DataError, Dataset, LoadOptions, assemble, class_indices
from striate.data.image_sizes import resized_arrays
from striate.data.images import refit
from striate.data.part import Part

_WHITE = 16  # the largest value of a pixel; the values are 0...16


def load_digits(options: LoadOptions) -> Dataset:
    """Return the 1,797 digits, uint8 (n, 8, 8, 1) with values 0...16, with a test part split off.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.

    Raises:
        DataError: scikit-learn is not installed.
    """
    table = _table()
    images = table[:, :64].reshape(-1, 8, 8, 1)
    names = [str(digit) for digit in range(10)]
    indices = np.array(class_indices(names, options.classes, "digits"), dtype=np.int64)
    labels = indices[table[:, 64]]
    notes = resized_arrays(len(images), images.shape[1:3], options.size, options.mode)
    images = refit(images, options.size, options.colour, options.mode)
    height, width, channels = images.shape[1:]
    return assemble(
        [Part(images, labels)],
        names,
        options,
        name="digits",
        resize={"height": height, "width": width, "mode": options.mode, "maximum": _WHITE},
        colour="gray" if channels == 1 else "rgb",
        notes=notes,
    )


def _table() -> npt.NDArray[np.uint8]:
    """Return the digits, one a row: 64 pixels and the label."""
    spec = find_spec("sklearn")
    if spec is None:
        raise DataError('"digits" comes with scikit-learn: pip install scikit-learn')
    # Reading scikit-learn's file takes 0.03 s, importing scikit-learn 1 s.
    for folder in spec.submodule_search_locations or ():
        try:
            with gzip.open(Path(folder) / "datasets" / "data" / "digits.csv.gz", "rt") as file:
                table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
        except (OSError, ValueError):
            continue
        if table.shape == (1797, 65):
            return table
    from sklearn import datasets  # another release may keep it elsewhere

    bunch: Any = datasets.load_digits()
    return np.column_stack([bunch.data, bunch.target]).astype(np.uint8)
