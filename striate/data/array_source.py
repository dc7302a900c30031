"""A dataset of arrays that come along: in the size and colour asked for, and split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from striate.data.dataset import Dataset, LoadOptions, assemble, class_indices
from striate.data.image_sizes import resized_arrays
from striate.data.images import refit
from striate.data.part import Part


def array_source(
    name: str,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    classes: Sequence[str],
    options: LoadOptions,
    *,
    white: int = 255,
) -> Dataset:
    """Return a dataset of these images, with a test part split off.

    Args:
        name: of the source.
        images: (n, height, width, channels).
        labels: (n,), indices into the classes.
        classes: the names of the classes.
        options: what was asked for.
        white: the largest value of a pixel.
    """
    names = list(classes)
    indices = np.array(class_indices(names, options.classes, name), dtype=np.int64)
    notes = resized_arrays(len(images), images.shape[1:3], options.size, options.mode)
    images = refit(images, options.size, options.colour, options.mode)
    height, width, channels = images.shape[1:]
    maximum = {} if white == 255 else {"maximum": white}
    return assemble(
        [Part(images, indices[labels])],
        names,
        options,
        name=name,
        resize={"height": height, "width": width, "mode": options.mode, **maximum},
        colour="gray" if channels == 1 else "rgb",
        notes=notes,
    )
