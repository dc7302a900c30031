"""A small network as C, kept in a file, so that a change of what is written is seen and read.

python tests/freestanding/golden_c.py     writes it anew, after a change that is meant to
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from striate.freestanding.c.c_source import c_source
from striate.freestanding.program.frozen_program import FrozenProgram
from striate.freestanding.targets.named_targets import named_target
from striate.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU, Tanh
from striate.network import Network

KEPT = Path(__file__).parent / "golden" / "edges.c"


def edges() -> Network:
    """A network whose weights are round numbers, for people to read."""
    network = Network(
        [Conv2D(2, 3, padding=1), ReLU(), MaxPool2D(2), Flatten(), Dense(3), Tanh()], (4, 6, 1)
    )
    for name, array in network.parameters.items():
        numbers = np.arange(array.size) % 5 - 2
        array[...] = (numbers / (4 if name.endswith("bias") else 8)).reshape(array.shape)
    return network


def written() -> str:
    """What is written of it now."""
    return c_source(FrozenProgram(edges(), named_target("x86-64-v3").target), "edges")


if __name__ == "__main__":
    KEPT.write_text(written(), encoding="utf-8")
