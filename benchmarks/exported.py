"""Exported networks beside each other: object files, and C as GCC compiles it, in turn.

    python benchmarks/exported.py [--rounds 31] [--networks LeNet-5,ResNet-20]

Microseconds for an image on one core: the median of the rounds, and how many times the object's.
Each export of a group is for the same processor, and says the same.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import networks
import numpy as np
from machine import interleaved

from striate.freestanding.code_export import export
from striate.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU
from striate.nest.target import host
from striate.network import Network

# What calls an export so often that the way from Python does not count.
_DRIVER = """
void NAME_run(const float *images, float *outputs, void *arena);
void repeat(int times, const float *images, float *outputs, void *arena)
{
    while (times--)
        NAME_run(images, outputs, arena);
}
"""


def digits() -> Network:
    """A small network for images of 8×8."""
    return Network(
        [Conv2D(16, 3, padding="same"), ReLU(), MaxPool2D(2), Conv2D(32, 3, padding="same"),
         ReLU(), MaxPool2D(2), Flatten(), Dense(10)],
        (8, 8, 1),
    )  # fmt: skip


# How to make each, and how often it runs in a turn.
NETWORKS: dict[str, tuple[Callable[[], Network], int]] = {
    "digits, 8×8": (digits, 2000),
    "LeNet-5": (networks.lenet5, 200),
    "ResNet-20": (lambda: networks.with_statistics(networks.resnet20()), 2),
}


@dataclass(frozen=True)
class Contender:
    """A kind of export.

    Attributes:
        kind, target: as `Network.export` takes them.
        source: which of its files is compiled, or linked.
        options: what GCC is told.
    """

    kind: str
    target: str
    source: str
    options: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What it is called."""
        return " ".join((self.kind, *self.options))

    def built(self, network: Network, folder: Path) -> ctypes.CDLL:
        """A library with ``repeat``."""
        export(network, folder, to=self.kind, target=self.target, name="network")
        (folder / "driver.c").write_text(_DRIVER.replace("NAME", "network"))
        command = ["gcc", *self.options, "-shared", "-fPIC", "driver.c", self.source, "-o", "it.so"]
        subprocess.run(command, cwd=folder, check=True)
        return ctypes.CDLL(str(folder / "it.so"))


# The first of a group is what the others are compared with.
GROUPS = {
    "x86-64-v3": (
        Contender("object", "x86-64-v3", "network.o"),
        Contender("c", "x86-64-v3", "network.c", ("-O3", "-march=haswell")),
        Contender("c", "x86-64-v3", "network.c", ("-O2", "-march=haswell")),
    ),
    "x86-64": (
        Contender("object", "x86-64", "network.o"),
        Contender("c", "x86-64", "network.c", ("-O3",)),
    ),
}


class Built:
    """An export that runs here, with an image."""

    def __init__(self, contender: Contender, network: Network, folder: Path, times: int) -> None:
        library = contender.built(network, folder)
        random = np.random.default_rng(0)
        self.image = random.standard_normal(network.input_shape).astype(np.float32)
        self.outputs = np.zeros(network.output_shape, np.float32)
        self._arena = np.zeros((8 << 20) + 64, np.uint8)
        places = [self.image.ctypes.data, self.outputs.ctypes.data]
        places.append(self._arena.ctypes.data + -self._arena.ctypes.data % 64)
        self.run = partial(library.repeat, times, *map(ctypes.c_void_p, places))


def compared(name: str, group: str, rounds: int, folder: Path) -> None:
    """Print a row for each export of a group."""
    make, times = NETWORKS[name]
    network = make()
    built = {
        contender.label: Built(contender, network, folder / f"{number}", times)
        for number, contender in enumerate(GROUPS[group])
    }
    found = interleaved({label: one.run for label, one in built.items()}, rounds)
    (first, *_) = built
    wanted = built[first].outputs
    for label, timing in found.items():
        ratio = timing.median / found[first].median
        low, high = (1e6 * seconds / times for seconds in timing.middle)
        far = np.abs(built[label].outputs - wanted).max() / np.abs(wanted).max()
        print(
            f"{name:12} {group:10} {label:22} {1e6 * timing.median / times:9.2f} us "
            f"({low:.2f}-{high:.2f})  {ratio:5.2f} times  {far:.0e} apart",
            flush=True,
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--networks", default=",".join(NETWORKS).replace(", ", " "))
    options = parser.parse_args()
    wanted = [name for name in NETWORKS if name.replace(", ", " ") in options.networks.split(",")]
    for name in wanted:
        for group in GROUPS:
            if group == "x86-64-v3" and (host().vector_bytes < 32 or not host().fused):
                continue
            with tempfile.TemporaryDirectory() as folder:
                compared(name, group, options.rounds, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
