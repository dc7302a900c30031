"""Files around the code of a network in C: header, test vectors, example, how to use them."""

from __future__ import annotations

from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.templates import rendered
from striate.common.text import sizes
from striate.freestanding.c.c_numbers import c_floats
from striate.freestanding.exported import CodeFigures
from striate.freestanding.program.frozen_program import FrozenProgram
from striate.freestanding.program.sample_runs import sample_runs
from striate.freestanding.targets.named_targets import NamedTarget


def c_files(
    program: FrozenProgram,
    name: str,
    known: NamedTarget,
    figures: CodeFigures,
    *,
    same_bits: bool,
    code: str,
    helpers: tuple[str, ...] = (),
    readme: str = "README.md",
) -> dict[str, bytes]:
    """Files by their names: a header, test vectors, an example that runs them, a README.

    Args:
        program: what the code does.
        name: what all names begin with.
        known: the processor.
        figures: what the code takes.
        same_bits: whether it gives the bits of ``compile(exact=True, portable=True)``, with weights
            as it has them.
        code: the file with the code: NAME.o or NAME.c.
        helpers: the functions that it calls and that compilers bring.
        readme: the template of the README.
    """
    network, batch_size, small = program.network, program.batch_size, program.small
    runs = sample_runs(program.computed, batch_size)
    values: dict[str, Any] = {
        "name": name,
        "upper": name.upper(),
        "batch": batch_size,
        "image": sizes(network.input_shape),
        "image_numbers": int(np.prod(network.input_shape)),
        "outputs": sizes(network.output_shape),
        "output_numbers": int(np.prod(network.output_shape)),
        "arena_bytes": figures.arena_bytes,
        "alignment": 64 if known.target.vector_bytes > 4 else 4,
        "classes": [c_string(text) for text in network.classes or ()],
        "target": known.name,
        "what": known.what,
        "compiler": known.compiler,
        "code": code,
        "helpers": helpers,
        "rows": figures.rows(),
        "same_bits": same_bits,
        "images": _floats(runs.images),
        "expected": _floats(runs.outputs),
        "weights": figures.weights,
        "rounded": () if small is None else small.names,
        "kept": () if small is None else small.kept,
        "fused": known.target.fused,
    }
    named = {
        f"{name}.h": "header.h",
        f"{name}_test_vectors.h": "test_vectors.h",
        "main.c": "main.c",
        "README.md": readme,
    }
    return {
        file: rendered(
            "striate.freestanding.c", f"templates/{template}", values, html=False
        ).encode()
        for file, template in named.items()
    }


def _floats(array: Array) -> list[str]:
    """The numbers of each run, which in C are those of the array to the bit."""
    return [", ".join(c_floats(row)) for row in array.reshape(len(array), -1)]


def c_string(text: str) -> str:
    """A string of C, in UTF-8."""
    return '"' + "".join(_character(byte) for byte in text.encode()) + '"'


def _character(byte: int) -> str:
    plain = 32 <= byte < 127 and chr(byte) not in '"\\?'
    return chr(byte) if plain else f"\\{byte:03o}"
