"""`portable`: the same bits on all processors that round a multiply-add once."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from striate.common.errors import StriateError
from striate.layers import (
    GELU,
    Add,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Input,
    LayerNorm,
    MaxPool2D,
    ReLU,
    SiLU,
    Tanh,
)
from striate.nest.algebra import Accumulator, Nest, Store, Tensor, strides_of
from striate.nest.schedule import alternatives, choose, order_of_sums
from striate.nest.target import ORDER, Target, as_host, host
from striate.network import Network

Made = tuple[Network, np.ndarray, np.ndarray, int]

fused = pytest.mark.skipif(not host().fused, reason="this processor rounds multiply-adds twice")


def digits() -> Made:
    """Images in the lanes, whole and rest."""
    network = Network(
        [Conv2D(7, 3, padding="same"), BatchNorm(), ReLU(), MaxPool2D(2),
         Conv2D(12, 3, padding="same"), ReLU(), MaxPool2D(2), Flatten(), Dense(10)],
        (8, 8, 1), seed=3,
    )  # fmt: skip
    return network, *_data((150, 8, 8, 1)), 37


def lenet() -> Made:
    """Averages, and vectors of outputs of dense layers."""
    network = Network(
        [Conv2D(6, 5, padding=2), Tanh(), AvgPool2D(2), Conv2D(16, 5), Tanh(), AvgPool2D(2),
         Flatten(), Dense(120), Tanh(), Dense(84), Tanh(), Dense(10)],
        (28, 28, 1), seed=4,
    )  # fmt: skip
    return network, *_data((40, 28, 28, 1)), 16


def residual() -> Made:
    """Channels in the lanes, Winograd's algorithm, a depthwise layer, sums over lanes."""
    x = Input((12, 13, 3))
    y = ReLU()(BatchNorm()(Conv2D(64, 3, padding=1)(x)))
    z = BatchNorm()(Conv2D(64, 3, padding=1, groups=64)(y))
    z = LayerNorm()(ReLU()(Conv2D(64, 3, padding=1)(z)))
    z = Dropout(0.2)(GlobalAvgPool2D()(Add()(y, z)))
    network = Network(inputs=x, output=Dense(10)(z), seed=5)
    return network, *_data((48, 12, 13, 3)), 16


def _data(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    return random.normal(size=shape).astype(np.float32), random.integers(0, 10, shape[0])


def trained(make: Callable[[], Made], threads: int = 1) -> list[str]:
    """Digests of a trained network, and of what it says of images, by themselves and together."""
    network, images, labels, batch = make()
    network.fit(
        images, labels, epochs=2, batch_size=batch, optimizer="adamw", schedule="cosine",
        augment={"shift": 1, "flip": True}, portable=True, threads=threads, progress=False, seed=7,
    )  # fmt: skip
    one = network.compile(batch_size=1, portable=True, threads=threads)(images[:1])
    many = network.predict_logits(images, portable=True, threads=threads)
    return [hashlib.sha256(a.tobytes()).hexdigest()[:16] for a in (network.flat, one, many)]


def narrowed(size: int, registers: int) -> Target:
    return host().narrowed(size, registers)


@pytest.mark.parametrize("make", [digits, lenet, residual])
def test_vectors_of_all_sizes_give_the_same_bits(make: Callable[[], Made]) -> None:
    expected = trained(make, threads=2)
    sizes = [(4, 16), (16, 16), (16, 32), (32, 16), (64, 32)]
    for size, registers in sizes:
        if size <= host().vector_bytes:
            with as_host(narrowed(size, registers)):
                assert trained(make) == expected, (size, registers)


def test_it_is_another_order_than_that_of_some_vectors() -> None:
    """Else the test above would tell nothing."""
    network, images, labels, batch = residual()
    network.fit(
        images, labels, epochs=2, batch_size=batch, optimizer="adamw", schedule="cosine",
        augment={"shift": 1, "flip": True}, progress=False, seed=7,
    )  # fmt: skip
    with as_host(narrowed(16, 16)):
        narrow, *_ = residual()
        narrow.fit(
            images, labels, epochs=2, batch_size=batch, optimizer="adamw", schedule="cosine",
            augment={"shift": 1, "flip": True}, progress=False, seed=7,
        )  # fmt: skip
    if host().vector_bytes > 16:
        assert not np.array_equal(network.flat, narrow.flat)


KNOWN = {
    "digits": ["b53009ac3fa9eca9", "391c53634ff63a6a", "029b701ed7082087"],
    "lenet": ["5d66d763c7915d10", "1c15fb57576bffa8", "ef3d3b526a4cd5eb"],
    "residual": ["96af485bcee45a1d", "d6341c083d50415d", "5cc443c1174b2fe3"],
}
"""What every processor that rounds a multiply-add once has to find."""


@fused
@pytest.mark.parametrize("make", [digits, lenet, residual])
def test_the_bits_are_those_that_all_processors_find(make: Callable[[], Made]) -> None:
    assert trained(make) == KNOWN[make.__name__]


@fused
def test_vectors_of_numpy_change_nothing() -> None:
    """NumPy uses other code on older processors: nothing of it may decide a bit."""
    older = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR AVX2 FMA3"
    names = [f"{__name__}.{make.__name__}" for make in (digits, residual)]
    code = (
        f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})\n"
        "import test_portable as t\n"
        "print(t.trained(t.digits) + t.trained(t.residual))"
    )
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": older}
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, (names, found.stderr[-2000:])
    assert found.stdout.strip() == str(KNOWN["digits"] + KNOWN["residual"])


def test_schedules_keep_the_order_of_the_processor_for_all() -> None:
    """Tiles fit the registers that there are; what is summed, and in which order, does not."""
    x = Tensor("x", strides_of({"y": 40, "r": 40, "c": 1}))
    weights = Tensor("w", strides_of({"k": 1, "c": 24, "r": 960}))
    wide = Nest(
        (("y", 9), ("k", 24), ("c", 40), ("r", 3)),
        (Store(Tensor("out", strides_of({"y": 24, "k": 1})), Accumulator()),),
        (x * weights,), ("c", "r"), "sum",
    )  # fmt: skip
    across = Tensor("w", strides_of({"k": 48, "c": 1}))
    dense = Nest(
        (("k", 3), ("c", 48)),
        (Store(Tensor("out", strides_of({"k": 1})), Accumulator()),),
        (Tensor("x", strides_of({"c": 1})) * across,), ("c",), "sum",
    )  # fmt: skip
    for nest in (wide, dense):
        reference = choose(nest, ORDER)
        for size, registers in ((4, 16), (8, 16), (16, 32), (64, 32)):
            target = replace(host(), vector_bytes=size, registers=registers, portable=True)
            for schedule in alternatives(nest, target):
                assert order_of_sums(nest, schedule) == order_of_sums(nest, reference)
                if reference.lane in nest.reduce:
                    assert (schedule.lane, schedule.lanes) == (reference.lane, reference.lanes)
                else:
                    assert schedule.lane in nest.outputs
    assert choose(dense, ORDER).lane == "c"  # lanes are summed up
    assert choose(wide, replace(host(), vector_bytes=4, portable=True)).lanes == 1


def test_what_cannot_be_portable_says_so() -> None:
    network, images, labels, _ = digits()
    with pytest.raises(StriateError, match="leave it or portable=True out"):
        network.fit(images, labels, portable=True, bfloat16=True)
    with pytest.raises(StriateError, match='portable=True needs engine="llvm"'):
        network.predict_logits(images, portable=True, engine="numpy")


def test_exponentials_are_the_same_too() -> None:
    random = np.random.default_rng(2)
    network = Network([Dense(33), Tanh(), Dense(11), SiLU(), Dense(9), GELU()], (19,), seed=1)
    images = random.normal(size=(5, 19)).astype(np.float32)
    expected = network.predict_logits(images, portable=True)
    with as_host(narrowed(4, 16)):
        found = network.predict_logits(images, portable=True)
    np.testing.assert_array_equal(found, expected)
