"""Networks that learn, for tests of exported training, and memory that shows who writes where."""

from __future__ import annotations

import numpy as np

from striate.layers import (
    GELU,
    LRN,
    Add,
    Affine,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv2D,
    ConvTranspose2D,
    Crop2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    GroupedDense,
    Input,
    LayerNorm,
    LocallyConnected2D,
    MaxPool2D,
    PReLU,
    ReLU,
    SiLU,
    Tanh,
)
from striate.model.preprocessing import Preprocessing
from striate.network import Network


def plain() -> Network:
    made = Network(
        [Conv2D(6, 3, padding="same"), ReLU(), MaxPool2D(2), Conv2D(12, 3, padding="same"),
         ReLU(), MaxPool2D(2), Flatten(), Dense(10)],
        (8, 8, 1), seed=1,
    )  # fmt: skip
    made.preprocessing = Preprocessing((4.9,), (6.0,))
    return made


def residual() -> Network:
    """Statistics of batches, a sum, uneven sizes."""
    x = Input((9, 7, 3))
    y = ReLU()(BatchNorm()(Conv2D(6, 3, padding=1)(x)))
    z = BatchNorm()(Conv2D(6, 3, padding=1)(y))
    made = Network(inputs=x, output=Dense(5)(GlobalAvgPool2D()(ReLU()(Add()(y, z)))), seed=5)
    made.preprocessing = Preprocessing((0.1, 0.2, 0.3), (0.5, 2.0, 1.5))
    return made


def uneven() -> Network:
    """Uneven sizes, paddings, strides and groups; values that are dropped; rates of layers."""
    made = Network(
        [Conv2D(4, (3, 2), padding=(2, 1), uncovered="drop"), Tanh(),
         Conv2D(6, 3, stride=2, groups=2, padding=1, uncovered="drop"), Tanh(),
         MaxPool2D(3, stride=2, padding=1, uncovered="drop"), Dropout(0.2), Flatten(), Dense(17),
         ReLU(), Dense(5)],
        (9, 14, 3), seed=2,
    )  # fmt: skip
    made.preprocessing = Preprocessing((0.1, 0.2, 0.3), (0.5, 2.0, 1.5))
    made.set_rate(0.25, "conv2d_1", "conv2d_2")
    return made


def others() -> Network:
    """Layers of other kinds, each with numbers that are learned or kept from the forward pass."""
    x = Input((7, 6, 4))
    a = PReLU()(LayerNorm()(Conv2D(6, 3, padding="same", groups=2, bias=False)(x)))
    b = GELU()(ConvTranspose2D(6, 2, stride=2)(MaxPool2D(2, uncovered="drop")(a)))
    c = LRN(3)(LocallyConnected2D(4, 2)(Concat()(Crop2D((1, 0, 0, 0))(a), b)))
    d = GroupedDense(6, 2)(Flatten()(AvgPool2D(2, uncovered="drop")(c)))
    made = Network(inputs=x, output=Dense(3)(Affine()(SiLU()(d))), seed=3)
    return made


def data_for(network: Network, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images, and labels that they tell a little of."""
    random = np.random.default_rng(count)
    labels = random.integers(0, network.output_shape[0], count)
    shift = np.linspace(-1, 1, network.output_shape[0])[labels].reshape(-1, 1, 1, 1)
    images = random.normal(shift, size=(count, *network.input_shape)).astype(np.float32)
    return images, labels


class GuardedMemory:
    """So many bytes from a whole line on, between others that must stay as they are."""

    def __init__(self, size: int, value: int) -> None:
        self._room = np.full(size + 192, value, np.uint8)
        start = -self._room.ctypes.data % 64 + 64
        self.bytes = self._room[start : start + size]
        self._around = [self._room[:start], self._room[start + size :]]
        self._value = value

    @property
    def address(self) -> int:
        return int(self.bytes.ctypes.data)

    def check(self) -> None:
        for part in self._around:
            assert (part == self._value).all()
