"""Numbers too small to be normal: zero in networks' own threads, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from striate import AdamW, Dense, Network, convolve
from striate.engines.llvm import CompiledEngine
from striate.optim.losses import MeanSquaredError

TINY = np.float32(1e-39)  # less than the least normal number, 1.2e-38


def keeps_subnormals() -> bool:
    """Whether this thread computes with them: NumPy's loops obey the same control word."""
    numbers = np.full(64, 1e-38, np.float32) * np.float32(0.1)
    return bool((numbers > 0).all() and (np.full(64, TINY) * np.float32(1.0) > 0).all())


def tiny_network() -> Network:
    network = Network([Dense(4, bias=False)], input_shape=(8,), seed=0)
    network.flat[...] = 1e-30
    return network


@pytest.mark.parametrize("threads", [1, 2])
def test_networks_flush_them_and_leave_the_caller_as_it_was(threads: int) -> None:
    assert keeps_subnormals()
    network = tiny_network()
    images = np.full((300, 8), 1e-10, np.float32)  # sums of 8e-40
    for engine, zero in (("llvm", True), ("numpy", False)):
        outputs = network.predict_logits(images, engine=engine, threads=threads)
        assert (outputs == 0).all() == zero
        assert keeps_subnormals()
    assert (network.compile(batch_size=300, threads=threads)(images) == 0).all()
    assert keeps_subnormals()


def test_optimizers_forget_what_is_too_small() -> None:
    """The momentum of a weight that learns no more would make each step a hundred times as long."""
    network = tiny_network()
    engine = CompiledEngine(network, batch_size=4, loss=MeanSquaredError(), threads=1)
    optimizer = AdamW(weight_decay=0.0)
    optimizer.begin(network.flat, 0.01)
    for part in optimizer.state:
        part[...] = TINY
    engine.gradient = np.zeros_like(network.flat)
    engine.update(optimizer, 0.01)
    assert all((part == 0).all() for part in optimizer.state)
    assert keeps_subnormals()


@pytest.mark.parametrize("method", ["direct", "separable", "box"])
def test_filters_keep_them(method: str) -> None:
    f = np.full((80, 400), TINY)
    kernel = np.ones((3, 3), np.float32)
    result = convolve(f, kernel, mode="valid", method=method)
    np.testing.assert_allclose(result.astype(np.float64), 9 * np.float64(TINY), rtol=1e-5)
