"""Whitening filters: a first convolution whose outputs are uncorrelated, set before training.

Neighbouring pixels of an image are nearly equal, so the patches that a first convolution reads
lie along a few directions, and gradient descent is slow along all others. With the eigenvectors
vᵢ of the patches' covariance and their eigenvalues λᵢ, the filters vᵢ / √(λᵢ + ε) give outputs
that are uncorrelated and of variance 1; each filter is followed by its negative, so that a ReLU
loses nothing (Page, "How to train your ResNet 8", 2019; Jordan, arXiv:2404.00498, section 3.2).

Along some directions images may not vary at all: one channel is constant, or all are equal. An
output that is constant would be divided by nearly nothing in batch normalisation, and gradients
multiplied by as much, layer after layer. So such directions are replaced by mixtures of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.layers import Conv2D

if TYPE_CHECKING:
    from striate.model.model import Model

IMAGES, PATCHES = 2_000, 1_000_000  # from which the covariance is estimated, at most about
EPSILON = 5e-4  # for inputs of variance 1: directions of smaller variance are noise
# Directions of a variance below this share of ε are replaced: their outputs would vary by less than
# a hundredth of the others'.
LEAST_SHARE = 1e-4


def whiten(network: Model, images: Array, rows: NDArray[np.intp]) -> None:
    """Set the filters of each ``Conv2D(initial="whitening")`` that are still zero, in place.

    Args:
        network: the network, whose preprocessing is applied to the images.
        images: raw, (n, height, width, channels).
        rows: the indices of those to use; of many, some at equal distances.

    Raises:
        ValueError: such a convolution has groups, or does not read the images.
    """
    for index, node in enumerate(network.nodes):
        parameters = network.parameters_of(index)
        if not isinstance(node.layer, Conv2D) or node.layer.initial != "whitening":
            continue
        if parameters["filters"].any() or index in network.frozen_nodes:  # trained before
            continue
        if node.inputs != (-1,) or node.layer.groups != 1:
            raise StriateValueError(
                f'{node.layer.who}: initial="whitening" is for a convolution that reads the '
                'images, without groups; use "he_normal" here'
            )
        filters = parameters["filters"]
        pixels = network.input_shape[0] * network.input_shape[1]
        count = min(len(rows), IMAGES, max(1, PATCHES // pixels))
        chosen = rows[:: len(rows) // count][:count]
        filters[...] = whitening_filters(network.preprocessing.apply(images[chosen]), filters.shape)


@unwatched
def whitening_filters(images: Array, shape: tuple[int, int, int, int]) -> NDArray[np.float64]:
    """Whitening filters (height, width, channels, filters), estimated from images (NHWC).

    They come in pairs of a filter and its negative, those of the largest variance first. There
    are height·width·channels directions; filters beyond twice as many stay zero.

    Args:
        images: preprocessed.
        shape: of the filters.
    """
    height, width, channels, filters = shape
    size = height * width * channels
    covariance = np.zeros((size, size))
    count = 0
    for image in images:
        windows = sliding_window_view(image, (height, width), axis=(0, 1))
        # From (rows, columns, channels, height, width); channels go last, as in the filters.
        patches = windows.transpose(0, 1, 3, 4, 2).reshape(-1, size).astype(np.float64)
        covariance += patches.T @ patches
        count += len(patches)
    values, vectors = np.linalg.eigh(covariance / count)
    directions = (vectors / np.sqrt(np.maximum(values, 0.0) + EPSILON))[:, ::-1]
    live = int((values > LEAST_SHARE * EPSILON).sum())
    directions[:, live:] = _mixtures(directions[:, :live], size - live)
    # The sign of an eigenvector is arbitrary: the largest entry is made positive, so that results
    # are the same on all machines.
    largest = np.abs(directions).argmax(axis=0)
    directions = directions * np.where(directions[largest, np.arange(size)] < 0, -1.0, 1.0)
    pairs = np.stack([directions, -directions], axis=2).reshape(size, 2 * size)
    result = np.zeros((size, filters))
    result[:, : pairs.shape[1]] = pairs[:, :filters]
    return result.reshape(shape)


def _mixtures(directions: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Random mixtures of directions (size, n) whose outputs have variance 1, (size, count)."""
    parts = np.random.default_rng(0).standard_normal((directions.shape[1], count))
    mixed: NDArray[np.float64] = directions @ (parts / np.linalg.norm(parts, axis=0))
    return mixed
