"""The networks that the benchmarks train and run, in striate, with the bars for training.

The same networks in PyTorch are in `in_pytorch`, under the same names; JAX runs the layers of these
(`in_jax`), so that all of them start from the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from striate.layers import (
    Add,
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    Input,
    Layer,
    MaxPool2D,
    Node,
    ReLU,
)
from striate.network import Network

# Only what every version of striate has, as `versions.py` runs this in two of them.
Floats = npt.NDArray[np.float32]
MNIST, CIFAR, IMAGENET = (28, 28, 1), (32, 32, 3), (224, 224, 3)


@dataclass(frozen=True)
class Case:
    """A network.

    Attributes:
        training: how many times as fast as the fastest peer it is to train, by batch size.
        tolerance: how much updates of weights may differ, relative to the largest. Where a number
            is nearly zero before ReLU, or two in a pooling window nearly equal, rounding decides.
            That adds up with depth: PyTorch's own updates of ResNet-20 in float32 lie 0.1 to 0.3 %
            from those in float64.
    """

    name: str
    build: Callable[[], Network]
    shape: tuple[int, int, int]
    training: dict[int, float] = field(default_factory=dict)
    tolerance: float = 1e-3


def lenet5() -> Network:
    """LeCun et al., 1998, with ReLU and max-pooling."""
    layers: list[Layer] = [
        *(Conv2D(6, 5, padding=2), ReLU(), MaxPool2D(2)),
        *(Conv2D(16, 5), ReLU(), MaxPool2D(2)),
        *(Flatten(), Dense(120), ReLU(), Dense(84), ReLU(), Dense(10)),
    ]
    return Network(layers, MNIST)


def keras_convnet() -> Network:
    """Keras' "Simple MNIST convnet", without its dropout."""
    layers: list[Layer] = [
        *(Conv2D(32, 3), ReLU(), MaxPool2D(2)),
        *(Conv2D(64, 3), ReLU(), MaxPool2D(2, uncovered="drop")),
        *(Flatten(), Dense(10)),
    ]
    return Network(layers, MNIST)


def pytorch_example() -> Network:
    """The network of PyTorch's MNIST example, without its dropout."""
    layers: list[Layer] = [
        *(Conv2D(32, 3), ReLU(), Conv2D(64, 3), ReLU(), MaxPool2D(2)),
        *(Flatten(), Dense(128), ReLU(), Dense(10)),
    ]
    return Network(layers, MNIST)


def resnet20() -> Network:
    """He et al., 2015, section 4.2, with projections where the shape changes (option B)."""
    return _resnet((16, 32, 64), 3)


def resnet18() -> Network:
    """He et al., 2015, table 1, with the 3×3 stem that suits images of 32×32."""
    return _resnet((64, 128, 256, 512), 2)


def plain(depth: int) -> Network:
    """`depth` convolutions of 16 filters, one like the other."""
    layers: list[Layer] = []
    for _ in range(depth):
        layers += [Conv2D(16, 3, padding=1), ReLU()]
    return Network([*layers, GlobalAvgPool2D(), Dense(10)], CIFAR)


def _resnet(stages: tuple[int, ...], blocks: int) -> Network:
    image = Input(CIFAR)
    x = ReLU()(_normalised(image, stages[0], 3, 1))
    for stage, filters in enumerate(stages):
        for block in range(blocks):
            x = _residual(x, filters, 2 if stage and not block else 1)
    return Network(inputs=image, output=Dense(10)(GlobalAvgPool2D()(x)))


def _residual(x: Node, filters: int, stride: int) -> Node:
    y = ReLU()(_normalised(x, filters, 3, stride))
    y = _normalised(y, filters, 3, 1)
    short = x if stride == 1 else _normalised(x, filters, 1, stride)
    return ReLU()(Add()(y, short))


def _normalised(x: Node, filters: int, size: int, stride: int) -> Node:
    """Convolution and batch normalisation. A stride of 2 leaves a row and a column unread."""
    fit = "error" if stride == 1 else "drop"
    convolution = Conv2D(filters, size, stride=stride, padding=size // 2, bias=False, uncovered=fit)
    return BatchNorm()(convolution(x))


CASES = (
    Case("LeNet-5", lenet5, MNIST, {64: 4.0, 256: 4.0}),
    Case("Keras' MNIST convnet", keras_convnet, MNIST, {64: 2.5, 256: 4.0}),
    Case("PyTorch's MNIST example", pytorch_example, MNIST, {64: 2.0, 256: 3.0}),
    Case("ResNet-20", resnet20, CIFAR, {128: 2.0}, 1e-2),
    Case("ResNet-18", resnet18, CIFAR, {128: 2.0}, 1e-2),
)


def images_for(case: Case, count: int) -> Floats:
    """Random images, (count, height, width, channels)."""
    return np.random.default_rng(0).standard_normal((count, *case.shape), np.float32)


def labels_for(count: int) -> npt.NDArray[np.int64]:
    """Random classes."""
    return np.random.default_rng(1).integers(0, 10, count)


def with_statistics(network: Network) -> Network:
    """The network with the running statistics of one that has been trained: no two alike."""
    rng = np.random.default_rng(2)
    for name, values in network.state.items():
        low, high = (-0.2, 0.2) if name.endswith("/mean") else (0.5, 1.5)
        values[...] = rng.uniform(low, high, values.shape)
    return network


def work(network: Network, backward: bool = False) -> int:
    """Multiply-adds of convolutions and dense layers for one image, counted as they are written.

    Backward doubles them, but for the first layer, which needs no gradient of its input.
    """
    each = [
        vertex.layer.multiply_adds(*network.input_shapes(index))
        for index, vertex in enumerate(network.nodes)
        if isinstance(vertex.layer, Conv2D | Dense)
    ]
    return 3 * sum(each) - each[0] if backward else sum(each)


def packed(network: Network) -> Floats:
    """All parameters in one array, without the gaps of `Network.flat`."""
    return np.concatenate([network.flat[slot.start : slot.stop] for slot in network.slots])
