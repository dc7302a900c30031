"""What the tests of reports share: a network of every layer, and its report."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate
from striate.training.history import Epoch, History


def every_layer() -> striate.Network:
    """Every type of layer and every way to place a window, with random numbers everywhere."""
    x = image = striate.Input((11, 9, 3))
    a = striate.Conv2D(6, (3, 2), padding=(2, 0, 1, 0), groups=3)(x)
    a = striate.LeakyReLU(0.1)(striate.BatchNorm()(a))
    b = striate.Conv2D(4, 3, stride=(1, 2), dilation=(2, 1), padding=(2, 1), bias=False)(x)
    b = striate.Tanh()(striate.MaxPool2D(3, stride=1, padding=1)(b))
    a = striate.MaxPool2D(2, padding="same", uncovered="drop")(a)
    c = striate.Conv2D(8, 3, stride=2, padding="same")(striate.Sigmoid()(x))
    d = striate.ReLU()(striate.Concat()(c, striate.AvgPool2D(3, stride=2, padding="same")(x)))
    e = striate.Conv2D(6, 1)(d)
    f = striate.Add()(a, e, striate.Scale(0.3)(a))
    g = striate.SumPool2D(2, stride=1, padding=(1, 0, 0, 1))(f)
    g = striate.AvgPool2D((2, 1), padding="same", count_padding=True)(g)
    g = striate.Dropout(0.5)(striate.ReLU()(striate.BatchNorm()(g)))
    h = striate.GlobalAvgPool2D()(striate.Concat()(b, b))
    out = striate.Concat()(striate.Flatten()(g), h)
    out = striate.Dense(7)(striate.ReLU()(striate.Dense(40, bias=False)(out)))
    network = striate.Network(inputs=image, output=striate.Scale(0.003)(striate.BatchNorm()(out)))
    random = np.random.default_rng(3)
    for name, array in {**network.parameters, **network.state}.items():
        spread = random.normal(size=array.shape) * 0.5
        array[...] = np.abs(spread) + 0.2 if name.endswith("variance") else array + spread
    network.preprocessing = striate.Preprocessing(mean=(90.3, 120.7, 100.1), std=(60, 50, 70.3))
    network.classes = ["ant", "bee", "crow", "dog", "eel", "fox", "gnu"]
    return network


@dataclass(frozen=True)
class Example:
    """A network with images and labels that it was never trained on."""

    network: striate.Network
    images: Any
    labels: Any
    history: History = field(default_factory=History)


@pytest.fixture(scope="session")
def example() -> Example:
    random = np.random.default_rng(1)
    history = History(
        [Epoch(n, 2 / n, 1 - 0.6 / n, 2.2 / n, None, 0.1 / n, 60, 1.5, 40.0) for n in (1, 2, 3)]
    )
    images = random.integers(0, 256, (60, 11, 9, 3), dtype=np.uint8)
    return Example(every_layer(), images, random.integers(0, 7, 60), history)


@pytest.fixture(scope="session")
def made(example: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The page of the example, and its report."""
    path = tmp_path_factory.mktemp("report") / "every.html"
    report = striate.report(
        example.network, example.images, example.labels, path=path, history=example.history,
        choose=4, engine="numpy",
    )  # fmt: skip
    return path, report
