"""Instructions of a run, counted on an emulated processor and told by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from striate.common.arrays import Floats
from striate.freestanding.exported import LayerInstructions
from striate.freestanding.running.emulation import EmulatedCode
from striate.model.work import multiply_adds_of_nodes

if TYPE_CHECKING:
    from striate.freestanding.program.frozen_program import FrozenProgram
    from striate.model.model import Model

MOST_COUNTED = 10_000_000
"""Multiply-adds up to which counting takes a few seconds at most."""
_OF_HELPERS = 4
"""How many times as long it takes where most of them are calls of compilers' helpers."""
INSTALL = "not counted: that needs pip install 'striate[emulate]'"
TOO_LARGE = "not counted, as there are so many multiply-adds; --verify counts them"


def why_not_counted(multiply_adds: int, calls_helpers: bool) -> str:
    """Why instructions of a run with so many multiply-adds cannot be counted; "" if they can."""
    if find_spec("unicorn") is None or find_spec("elftools") is None:
        return INSTALL
    work = multiply_adds * (_OF_HELPERS if calls_helpers else 1)
    return TOO_LARGE if work > MOST_COUNTED else ""


def counted_instructions(
    code: bytes, name: str, program: FrozenProgram, labels: Mapping[str, str]
) -> tuple[LayerInstructions, ...]:
    """Run code once, on an image of zeros, and count.

    Args:
        code: the object file, with the function NAME_run.
        name: NAME.
        program: what it was made of; for a target that can be emulated.
        labels: what its functions do, see `striate.freestanding.program.llvm_module.Module`.
    """
    emulated = EmulatedCode(
        code,
        f"{name}_run",
        program.target,
        image_bytes=program.image_bytes,
        output_bytes=program.output_bytes,
        arena_bytes=program.arena_bytes,
    )
    zeros: Floats = np.zeros((1, program.image_bytes // 4), np.float32)
    emulated(zeros)
    assert emulated.counts is not None
    return by_layer(emulated.counts.instructions, labels, program.network, program.batch_size)


def by_layer(
    counts: Mapping[str, int], labels: Mapping[str, str], network: Model, batch_size: int
) -> tuple[LayerInstructions, ...]:
    """Instructions of functions, added up for each layer; most first.

    What only calls other functions is told as "calls".
    """
    work = {
        vertex.name: batch_size * multiply_adds
        for vertex, multiply_adds in zip(
            network.nodes, multiply_adds_of_nodes(network), strict=True
        )
    }
    found: Counter[str] = Counter()
    for function, instructions in counts.items():
        label = labels.get(function, "calls")
        found[label.rpartition(" ")[0] or label] += instructions
    return tuple(
        LayerInstructions(layer, instructions, work.get(layer, 0))
        for layer, instructions in found.most_common()
    )
