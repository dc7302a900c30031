"""Networks exported for other processors and run over whole test sets, here or on emulated ones.

    python benchmarks/exported_everywhere.py [--data FOLDER] [--networks digits,lenet5,resnet20]
                                             [--targets cortex-m4,…] [--images N]

Each network is trained for a short time, exported as an object file for each target, and run on its
test images; the outputs are compared bit by bit with those of `compile(batch_size=1, exact=True,
portable=True)`. Where the processor is emulated, its instructions are counted. MNIST's four IDX
files are in FOLDER/mnist, CIFAR-10 as JPEG files in FOLDER/cifar10-jpeg.tar. Ends with 1 if any
code does not do what was said of it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import networks
import numpy as np

import striate
from striate import Conv2D, Dense, Flatten, MaxPool2D, Network, ReLU
from striate.common.progress import Counting
from striate.common.text import in_bytes

LINUX = ("x86-64", "x86-64-v3", "raspberry-pi", "riscv64")
SMALL = ("cortex-m4", *LINUX)


@dataclass(frozen=True)
class Trained:
    """A network, its test images and their classes."""

    network: Network
    images: np.ndarray
    labels: np.ndarray


def digits(data: Path) -> Trained:
    """scikit-learn's digits, 8×8, and a network of 6,090 parameters."""
    given = striate.load_data("digits")
    layers = [
        *(Conv2D(16, 3, padding="same"), ReLU(), MaxPool2D(2)),
        *(Conv2D(32, 3, padding="same"), ReLU(), MaxPool2D(2), Flatten(), Dense(10)),
    ]
    return _trained(Network(layers, (8, 8, 1)), given, epochs=10, images=len(given.train_images))


def lenet5(data: Path) -> Trained:
    """MNIST and LeNet-5."""
    return _trained(networks.lenet5(), striate.load_data(data / "mnist"), epochs=1, images=60_000)


def resnet20(data: Path) -> Trained:
    """CIFAR-10 and ResNet-20, which sees a part of the images once."""
    given = striate.load_data(data / "cifar10-jpeg.tar")
    return _trained(networks.resnet20(), given, epochs=1, images=6_000)


def _trained(network: Network, given: striate.Dataset, *, epochs: int, images: int) -> Trained:
    some = np.random.default_rng(0).permutation(len(given.train_images))[:images]
    network.fit(
        np.asarray(given.train_images[some]),
        given.train_labels[some],
        epochs=epochs,
        batch_size=64,
        portable=True,
        progress=False,
    )
    return Trained(network, given.test_images, given.test_labels)


NETWORKS: dict[str, tuple[Callable[[Path], Trained], tuple[str, ...], int | None]] = {
    "digits": (digits, (*SMALL, "cortex-m7", "cortex-m33", "cortex-m0", "esp32-c3"), None),
    "lenet5": (lenet5, SMALL, None),
    "resnet20": (resnet20, LINUX, 200),
}
"""What makes each network, its targets, and of how many test images; None for all."""


def shown(name: str, target: str, trained: Trained, images: int | None) -> bool:
    """Export, verify and print a row; whether the code does what was said of it."""
    some = slice(images)
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = trained.network.export(
            Path(folder) / "exported",
            to="object",
            target=target,
            verify=trained.images[some],
            labels=trained.labels[some],
            progress=Counting(),
        )
    figures, verified = found.figures, found.verification
    assert verified is not None
    counts = "–", "–"
    if verified.counts is not None:
        total = verified.counts.total
        counts = f"{total:,}", f"{total / figures.multiply_adds:.2f}"
    bits = f"{verified.same:,} of {verified.images:,}"
    if verified.same < verified.images:
        bits += f" ({verified.difference:.1e}, {verified.other_classes} classes)"
    row = (
        *(name, target, bits, f"{100 * (verified.accuracy or 0):.2f} %", *counts),
        *(in_bytes(figures.code_bytes), in_bytes(figures.constant_bytes)),
        *(in_bytes(figures.arena_bytes), in_bytes(figures.stack_bytes or 0)),
        f"{time.perf_counter() - begin:.0f} s",
    )
    print(f"| {' | '.join(row)} |", flush=True)
    return verified.holds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--targets")
    parser.add_argument("--images", type=int)
    options = parser.parse_args()
    head = (
        *("network", "target", "same bits", "accuracy", "instructions", "per multiply-add"),
        *("code", "weights", "arena", "stack", "time"),
    )
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
    holds = True
    for name in options.networks.split(","):
        make, targets, images = NETWORKS[name]
        trained = make(options.data)
        for target in options.targets.split(",") if options.targets else targets:
            holds &= shown(name, target, trained, options.images or images)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
