"""Loads images for a network from any source, without regard to their classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import numpy as np

from striate.cli.labelled import is_image_folder, rescaled
from striate.common.progress import Counting
from striate.common.text import sizes
from striate.model.preprocessing import colour_of

if TYPE_CHECKING:
    from striate.common.arrays import Array
    from striate.data import Dataset
    from striate.network import Network


def load(source: str, network: Network | None, quiet: bool) -> Dataset:
    """Load the images of a source.

    Args:
        source: as for `striate train`.
        network: image files are resized to its input; None to load them as they are.
        quiet: whether to show no progress.
    """
    from striate import data

    kept = network is not None and is_image_folder(source) and len(network.input_shape) == 3
    shape = network.input_shape if network is not None and kept else None
    resize = (network.preprocessing.resize if network is not None else None) or {}
    return data.load(
        source,
        size=None if shape is None else shape[:2],
        colour=None if shape is None else colour_of(shape[2]),
        mode=resize.get("mode", "crop"),
        cut_from=resize.get("cut_from") if shape is not None else None,
        white=resize.get("white"),
        nested=True,
        validation=False,
        progress=None if quiet else Counting(),
    )


def choose(dataset: Dataset, network: Network, count: int, source: str, file: str) -> Array:
    """Choose images at even distances, from the test images if there are any.

    Args:
        dataset: the images of `source`.
        network: the network of `file`.
        count: how many to choose at most.
        source, file: as the user named them, for the message.

    Raises:
        ClickException: the images do not have the network's input shape.
    """
    images = dataset.test_images if len(dataset.test_images) else dataset.train_images
    if images.shape[1:] != network.input_shape:
        raise click.ClickException(
            f"{source}: has images {sizes(images.shape[1:])}, but the network of {file} reads "
            f"{sizes(network.input_shape)}; give another source, or a network for these"
        )
    rows = np.unique(np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int))
    return rescaled(images[rows], dataset, network)
