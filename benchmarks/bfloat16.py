"""What `bfloat16=True` gains and costs: a training step's time, and the accuracy reached.

    python benchmarks/bfloat16.py [--rounds 7] [--data SOURCE] [--epochs 6] [--seeds 3]

Times: each network in 32 bits and with products in bfloat16, in turn, in one process, as striate
chooses algorithms and with `exact=True`. Accuracy (with --data, a folder of images or "digits"):
the bottleneck network, trained from the same seeds in both ways.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from networks import CIFAR, labels_for, resnet18, resnet20

from striate.common.threads import default_threads
from striate.data import load
from striate.engines.llvm import CompiledEngine
from striate.layers import Add, BatchNorm, Conv2D, Dense, GlobalAvgPool2D, Input, ReLU
from striate.network import Network, Node
from striate.optim.losses import SoftmaxCrossEntropy
from striate.optim.optimizers import SGD

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--match", default="", help="only networks with this in their names")
parser.add_argument("--data", help="images to train on")
parser.add_argument("--epochs", type=int, default=6)
parser.add_argument("--seeds", type=int, default=3)
Way = dict[str, bool]
WAYS: dict[str, tuple[Way, Way]] = {
    "": ({}, {"bfloat16": True}),
    ", exact": ({"exact": True}, {"exact": True, "bfloat16": True}),
}


def bottlenecks(
    shape: tuple[int, int, int] = CIFAR,
    filters: tuple[int, ...] = (64, 128, 256, 512),
    blocks: int = 2,
    classes: int = 10,
    seed: int = 0,
) -> Network:
    """ResNet-50's blocks (He et al., 2015, figure 5): 1×1, 3×3, and 1×1 to four times as many
    channels; with a 3×3 stem, and `blocks` of them a stage."""
    image = Input(shape)
    x = ReLU()(_normalised(image, filters[0], 3, 1))
    for stage, width in enumerate(filters):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            y = ReLU()(_normalised(x, width, 1, 1))
            y = ReLU()(_normalised(y, width, 3, stride))
            y = _normalised(y, 4 * width, 1, 1)
            short = x if block else _normalised(x, 4 * width, 1, stride)
            x = ReLU()(Add()(y, short))
    return Network(inputs=image, output=Dense(classes)(GlobalAvgPool2D()(x)), seed=seed)


def _normalised(x: Node, filters: int, size: int, stride: int) -> Node:
    convolution = Conv2D(
        filters, size, stride=stride, padding=size // 2, bias=False, uncovered="drop"
    )
    return BatchNorm()(convolution(x))


NETWORKS: dict[str, tuple[Callable[[], Network], int]] = {
    "ResNet-20": (resnet20, 128),
    "ResNet-18": (resnet18, 128),
    "bottlenecks of ResNet-50": (bottlenecks, 64),
}


def step_of(network: Network, batch: int, way: Way) -> Callable[[], float]:
    """One training step by SGD with momentum; it returns the loss."""
    loss, optimizer = SoftmaxCrossEntropy(), SGD(0.9)
    engine = CompiledEngine(network, batch_size=batch, loss=loss, threads=default_threads(), **way)
    shape = (batch, *network.input_shape)
    images = np.random.default_rng(0).standard_normal(shape, np.float32)
    targets = loss.targets(labels_for(batch), 10)
    weights, keys = np.full(batch, 1 / batch, np.float32), np.zeros(batch, np.uint32)

    def step() -> float:
        value, _ = engine.step(images, targets, weights, keys)
        engine.update(optimizer, 0.01)
        return value

    return step


def times(match: str, rounds: int) -> None:
    """A line for each network and choice of algorithms."""
    for name, (build, batch) in NETWORKS.items():
        for suffix, ways in WAYS.items():
            if match not in name + suffix:
                continue
            steps = [step_of(build(), batch, way) for way in ways]
            losses = [step() for step in steps]
            found: list[list[float]] = [[], []]
            for _ in range(rounds):
                for step, seconds in zip(steps, found, strict=True):
                    begin = time.perf_counter()
                    step()
                    seconds.append(time.perf_counter() - begin)
            plain, pairs = (1e3 * statistics.median(seconds) for seconds in found)
            print(
                f"{name}, batch {batch}{suffix}: {plain:.0f} ms in 32 bits, {pairs:.0f} ms with "
                f"bfloat16, {plain / pairs:.2f} times as fast; first loss {losses[0]:.4f} and "
                f"{losses[1]:.4f}",
                flush=True,
            )


def accuracies(source: str, epochs: int, seeds: int) -> None:
    """Test accuracy after the same training, in both ways."""
    data = load(source)
    shape, classes = data.train_images.shape[1:], len(data.classes)
    found: list[list[float]] = [[], []]
    for seed in range(seeds):
        for way, reached in zip(WAYS[", exact"], found, strict=True):
            network = bottlenecks(shape, (16, 32), 1, classes, seed)
            network.fit(
                data.train_images,
                data.train_labels,
                epochs=epochs,
                batch_size=64,
                optimizer=SGD(0.9),
                learning_rate=0.1,
                seed=seed,
                progress=False,
                **way,
            )
            right = network.predict(data.test_images, **way) == data.test_labels
            reached.append(100 * float(right.mean()))
    for name, reached in zip(("32 bits", "bfloat16"), found, strict=True):
        every = ", ".join(f"{percent:.2f}" for percent in reached)
        print(f"{source}, {epochs} epochs, {name}: {statistics.mean(reached):.2f} % ({every})")


if __name__ == "__main__":
    arguments = parser.parse_args()
    times(arguments.match, arguments.rounds)
    if arguments.data:
        accuracies(arguments.data, arguments.epochs, arguments.seeds)
