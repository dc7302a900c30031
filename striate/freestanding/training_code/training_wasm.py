"""A network that goes on learning as WebAssembly, in a page or in Node.

The files are those of `striate.freestanding.wasm`; what JavaScript loads has `train`, too, and the
test vectors are steps of training.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from striate.freestanding.exported import CodeFigures, Exported
from striate.freestanding.training_code.learning import Learning
from striate.freestanding.training_code.training_module import TrainingModule
from striate.freestanding.training_code.training_program import TrainingProgram
from striate.freestanding.training_code.training_samples import RATE, counts, training_samples
from striate.freestanding.wasm.wasm_export import (
    SIMD,
    VARIANTS,
    WasmCode,
    linked_module,
    memory_of,
    numbers_of,
    refuse_target,
    rendered_text,
    values_of,
)
from striate.model.work import multiply_adds_of_nodes


def training_wasm_files(
    learning: Learning, name: str, target: str | None, batch_size: int
) -> Exported:
    """The files, see above.

    Args:
        learning: the network, and how it learns.
        name: what files, and names of functions, begin with.
        target: None: all processors run it.
        batch_size: images of a step at most, and images that are computed together.

    Raises:
        ValueError: there is a target, a step takes too much memory, or the network has layers that
            only the NumPy engine can compute.
    """
    refuse_target(target)
    made, code = training_wasm(learning, name, batch_size)
    files = {**code.files(name), **_texts(made, code)}
    return Exported("wasm", name, "wasm32", files, code.figures, False, learning.whole)


def training_wasm(
    learning: Learning, name: str, batch_size: int
) -> tuple[TrainingModule, WasmCode]:
    """The functions that learn, and the modules that have them.

    Args:
        learning: the network, and how it learns.
        name: what names of functions begin with.
        batch_size: images of a step at most, and images that are computed together.

    Raises:
        ValueError: a step takes too much memory, or the network has layers that only the NumPy
            engine can compute.
    """
    program = TrainingProgram(learning, SIMD, batch_size)
    variants = {kind: TrainingModule(program, name, one) for kind, one in VARIANTS.items()}
    made = variants["simd"]
    whole, outputs = learning.whole, 4 * batch_size * learning.whole.output_shape[0]
    images = 4 * batch_size * int(np.prod(whole.input_shape))
    parts = {
        "images": images,
        "outputs": outputs,
        "constants": len(made.constants),
        **({"labels": 4 * batch_size} if made.takes_labels else {"targets": outputs}),
        **({"keys": 4 * batch_size} if made.takes_keys else {}),
        "state": program.state_bytes,
        "arena": made.arena_bytes,
    }
    memory = memory_of(parts, batch_size)
    exports = [f"{name}_{signature.name}_on" for signature in made.signatures]
    modules = {
        kind: linked_module(one.module.text, one.target, exports, memory)
        for kind, one in variants.items()
    }
    figures = CodeFigures(
        len(modules["simd"]),
        len(made.constants),
        made.arena_bytes,
        images,
        outputs,
        batch_size * sum(multiply_adds_of_nodes(whole)),
        state_bytes=program.state_bytes,
    )
    return made, WasmCode(modules, made.constants, memory, figures, whole)


def _texts(made: TrainingModule, code: WasmCode) -> dict[str, bytes]:
    """JavaScript, its types, an example, how to use it."""
    name, program, learning = made.name, made.program, made.program.learning
    takes = {
        signature.name: [own for kind, own in signature.parameters if kind == "ptr"]
        for signature in made.signatures
    }
    once, twice = (
        training_samples(learning, program.batch_size, fused=fused) for fused in (True, False)
    )
    targets = [", ".join(f"{n:.9g}" for n in row.ravel()) for row in once.targets]
    steps = [
        {"count": count, "images": images, "targets": target, "random": keys}
        for count, images, target, keys in zip(
            counts(program.batch_size),
            numbers_of(once.images),
            targets,
            [", ".join(map(str, row)) for row in once.keys.tolist()],
            strict=True,
        )
    ]
    found = {
        rounded: {
            "losses": ", ".join(f"{loss:.9g}" for loss in samples.losses.tolist()),
            "outputs": numbers_of(samples.outputs.reshape(1, -1))[0],
        }
        for rounded, samples in (("once", once), ("twice", twice))
    }
    values: dict[str, Any] = {
        **values_of(learning.whole, name, program.batch_size, code),
        "run_takes": takes["run"],
        "training": {
            "arguments": takes["train"],
            "takes_labels": made.takes_labels,
            "takes_keys": made.takes_keys,
            "state_bytes": program.state_bytes,
            "layers": learning.layers,
            "optimizer": learning.optimizer,
            "loss": learning.loss,
        },
        "rows": code.figures.rows(),
        "rate": repr(RATE),
        "steps": steps,
        "found": found,
    }
    named = {
        f"{name}.js": "network.js",
        f"{name}.d.ts": "types.d.ts",
        f"{name}_test_vectors.js": "training_test_vectors.js",
        "example.mjs": "training_example.mjs",
        "package.json": "package.json",
        "README.md": "training_README.md",
    }
    return {file: rendered_text(template, values).encode() for file, template in named.items()}
