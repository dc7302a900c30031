"""Predictions of deep networks stay within 1e-5 of the largest output of a run in float64.

Fifty convolutions, each with batch normalisation of random running statistics, as an imported
network has them. Winograd's larger tiles lose some digits in each layer; `exact=True` computes the
sums as they are written, and loses about as much as float32 must. The exception are fifty
convolutions of 5×5, which no published network has in a row: they miss 1e-5 by a little unless
`exact` is set.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from striate.engines.numpy import NumPyEngine
from striate.layers import (
    Add,
    BatchNorm,
    Conv2D,
    Dense,
    GlobalAvgPool2D,
    Input,
    Node,
    ReLU,
)
from striate.network import Network

DEPTH = 50
WITHIN, WITHIN_WIDE, WITHIN_EXACT = 1e-5, 3e-5, 5e-6


def normal(x: Node, channels: int, size: int = 3) -> Node:
    return BatchNorm()(Conv2D(channels, size, padding="same", bias=False)(x))


def plain(image: Node, channels: int, size: int = 3) -> Node:
    x = image
    for _ in range(DEPTH):
        x = ReLU()(normal(x, channels, size))
    return x


def wide(image: Node, channels: int) -> Node:
    return plain(image, channels, 5)


def residual(image: Node, channels: int) -> Node:
    x = ReLU()(normal(image, channels))
    for _ in range(DEPTH // 2):
        y = normal(ReLU()(normal(x, channels)), channels)
        x = ReLU()(Add()(x, y))
    return x


def bottleneck(image: Node, channels: int) -> Node:
    x = ReLU()(normal(image, channels))
    for _ in range(DEPTH // 3):
        y = ReLU()(normal(ReLU()(normal(x, channels // 2, 1)), channels // 2))
        x = ReLU()(Add()(x, normal(y, channels, 1)))
    return x


def network(make: Callable[[Node, int], Node], channels: int) -> Network:
    image = Input((17, 19, 3))
    output = Dense(20)(GlobalAvgPool2D()(make(image, channels)))
    made = Network(inputs=image, output=output, seed=channels)
    random = np.random.default_rng(channels)
    for name, value in {**made.parameters, **made.state}.items():
        if name.endswith("/scale"):
            value[...] = random.uniform(0.5, 1.5, value.shape)
        elif name.endswith("/variance"):
            value[...] = random.uniform(0.3, 1.5, value.shape)
        elif name.endswith(("/shift", "/mean", "/bias")):
            value[...] = random.normal(0.0, 0.05, value.shape)
    return made


@pytest.mark.parametrize("channels", [15, 32])
@pytest.mark.parametrize("make", [plain, wide, residual, bottleneck])
def test_predictions_are_within_1e5(make: Callable[[Node, int], Node], channels: int) -> None:
    made = network(make, channels)
    images = np.random.default_rng(1).standard_normal((3, 17, 19, 3), np.float32)
    expected = NumPyEngine(made, batch_size=3, dtype=np.float64).forward(images)
    assert expected.dtype == np.float64
    scale = np.abs(expected).max()
    assert scale > 0.1
    assert expected.std(axis=0).max() > 1e-4 * scale, "the images make a difference"
    for exact in (False, True):
        limit = WITHIN_EXACT if exact else (WITHIN_WIDE if make is wide else WITHIN)
        several = made.compile(batch_size=3, exact=exact)
        assert not (exact and several.winograd)
        one = made.compile(exact=exact)
        for found in (
            made.predict_logits(images, exact=exact),
            several(images),
            np.concatenate([one(images[i : i + 1]) for i in range(3)]),
        ):
            assert np.abs(found - expected).max() <= limit * scale
