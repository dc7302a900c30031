"""Files around the code of a network in C: header, test vectors, example, how to use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.common.templates import rendered
from striate.common.text import sizes
from striate.freestanding.c_numbers import c_floats
from striate.freestanding.exported import CodeFigures
from striate.freestanding.named_targets import NamedTarget
from striate.plan.inference import CompiledNetwork

if TYPE_CHECKING:
    from striate.model.model import Model

TEST_IMAGES = 3
"""Images among the test vectors."""


def c_files(
    network: Model,
    name: str,
    known: NamedTarget,
    batch_size: int,
    figures: CodeFigures,
    *,
    same_bits: bool,
    code: str,
    readme: str = "README.md",
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
        readme: the template of the README.
    """
    images = _test_images(network, batch_size)
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
        "images": _floats(images),
        "expected": _floats(_expected(network, images)),
    }
    named = {
        f"{name}.h": "header.h",
        f"{name}_test_vectors.h": "test_vectors.h",
        "main.c": "main.c",
        "README.md": readme,
    }
    return {
        file: rendered("striate.freestanding", f"templates/{template}", values, html=False).encode()
        for file, template in named.items()
    }


def _test_images(network: Model, batch_size: int) -> Array:
    """Noise on the scale of what the network was trained on."""
    random = np.random.default_rng(0)
    given = network.preprocessing
    shape = (TEST_IMAGES, batch_size, *network.input_shape)
    noise = random.standard_normal(shape)
    if not given.is_identity:
        noise = noise * np.asarray(given.std) + np.asarray(given.mean)
    found: Array = noise.astype(np.float32)
    return found


def _expected(network: Model, images: Array) -> Array:
    run = CompiledNetwork(network.branch(), batch_size=1, exact=True, portable=True, threads=1)
    return np.stack([np.concatenate([run(one[None]) for one in batch]) for batch in images])


def _floats(array: Array) -> list[str]:
    """The numbers of each run, which in C are those of the array to the bit."""
    return [", ".join(c_floats(row)) for row in array.reshape(len(array), -1)]


def _string(text: str) -> str:
    """A string of C, in UTF-8."""
    return '"' + "".join(_character(byte) for byte in text.encode()) + '"'


def _character(byte: int) -> str:
    plain = 32 <= byte < 127 and chr(byte) not in '"\\?'
    return chr(byte) if plain else f"\\{byte:03o}"
