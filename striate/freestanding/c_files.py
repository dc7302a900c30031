"""Files around the code of a network in C: header, test vectors, example, how to use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.common.templates import rendered
from striate.common.text import sizes
from striate.freestanding.exported import CodeFigures
from striate.freestanding.named_targets import NamedTarget
from striate.freestanding.sample_runs import sample_runs

if TYPE_CHECKING:
    from striate.model.model import Model


def c_files(
    network: Model,
    name: str,
    known: NamedTarget,
    batch_size: int,
    figures: CodeFigures,
    *,
    same_bits: bool,
    code: str,
) -> dict[str, bytes]:
    """Files by their names: a header, test vectors, an example that runs them, a README.

    Args:
        network: the network.
        name: what all names begin with.
        known: the processor.
        batch_size: images of a run.
        figures: what the code takes.
        same_bits: whether it gives the bits of ``compile(exact=True, portable=True)``.
        code: the file with the code: NAME.o or NAME.c.
    """
    runs = sample_runs(network, batch_size)
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
        "classes": [_string(text) for text in network.classes or ()],
        "target": known.name,
        "what": known.what,
        "compiler": known.compiler,
        "code": code,
        "rows": figures.rows(),
        "same_bits": same_bits,
        "images": _floats(runs.images),
        "expected": _floats(runs.outputs),
    }
    named = {
        f"{name}.h": "header.h",
        f"{name}_test_vectors.h": "test_vectors.h",
        "main.c": "main.c",
        "README.md": "README.md",
    }
    return {
        file: rendered("striate.freestanding", f"templates/{template}", values, html=False).encode()
        for file, template in named.items()
    }


def _floats(array: Array) -> list[str]:
    """The numbers of each run, which in C are those of the array to the bit."""
    return [", ".join(map(c_float, row.tolist())) for row in array.reshape(len(array), -1)]


def c_float(number: float) -> str:
    """A finite number in C, with all its bits of 32."""
    text = f"{number:.9g}"
    return text + (".0f" if text.lstrip("-").isdigit() else "f")


def _string(text: str) -> str:
    """A string of C, in UTF-8."""
    return '"' + "".join(_character(byte) for byte in text.encode()) + '"'


def _character(byte: int) -> str:
    plain = 32 <= byte < 127 and chr(byte) not in '"\\?'
    return chr(byte) if plain else f"\\{byte:03o}"
