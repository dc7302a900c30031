"""A small problem that any network learns, and small networks for it."""

import numpy as np
import pytest


def bars(images=96, size=6, seed=0, classes=3):
    """Noisy uint8 images of a bar in one of `classes` columns; the column is the class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(images) % classes
    pixels = rng.integers(0, 60, size=(images, size, size, 1))
    pixels[np.arange(images), :, labels * 2] += 150
    return pixels.astype(np.uint8), labels


@pytest.fixture
def problem():
    return bars


@pytest.fixture
def make_network():
    from striate.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, ReLU
    from striate.network import Network

    def make(*, size=6, outputs=3, batch_norm=False, dropout=0.0, seed=0):
        layers = [Conv2D(4, 3, padding=1)]
        layers += [BatchNorm()] if batch_norm else []
        layers += [ReLU(), Flatten()]
        layers += [Dropout(dropout)] if dropout else []
        layers += [Dense(outputs)]
        return Network(layers, input_shape=(size, size, 1), seed=seed)

    return make


@pytest.fixture(params=["numpy", "llvm"])
def engine(request):
    """Every engine that there is."""
    if request.param == "llvm":
        pytest.importorskip("llvmlite")
    return request.param
