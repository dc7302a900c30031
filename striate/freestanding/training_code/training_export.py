"""A network that goes on learning as an object file, with a header, an example and tests.

For a network called NAME:

    NAME.o               the code and, as constants that stay in flash, the weights to begin with
    NAME.h               what C needs to know: sizes, and three functions: begin, train, run
    NAME_test_vectors.h  a few steps of training, and what they find
    main.c               an example, which runs the test vectors
    README.md            how to compile it, and what it takes

The code allocates nothing and calls no C library: what is learned lies in memory that it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.templates import rendered
from striate.common.text import listed, sizes
from striate.freestanding.c.c_files import c_string
from striate.freestanding.c.c_numbers import c_float
from striate.freestanding.exported import CodeFigures, Exported
from striate.freestanding.object.object_export import CODE_SECTIONS
from striate.freestanding.object.undefined_symbols import compiler_helpers
from striate.freestanding.program.llvm_module import constant_table
from striate.freestanding.targets.named_targets import NamedTarget, needed_target
from striate.freestanding.training_code.learning import Learning
from striate.freestanding.training_code.training_module import Signature, TrainingModule
from striate.freestanding.training_code.training_program import TrainingProgram
from striate.freestanding.training_code.training_samples import RATE, counts, training_samples
from striate.model.work import multiply_adds_of_nodes
from striate.nest.target import assemble, host, section_bytes


def training_object_files(
    learning: Learning, name: str, target: str | None, batch_size: int
) -> Exported:
    """The files, see above.

    Args:
        learning: the network, and how it learns.
        name: what all names in C begin with.
        target: the processor's name.
        batch_size: images of a step at most, and of a run.

    Raises:
        ValueError: the target is unknown or missing, or the network has layers that only the NumPy
            engine can compute.
    """
    known = needed_target(target)
    program = TrainingProgram(learning, known.target, batch_size)
    made = TrainingModule(program, name)
    inside = constant_table(name, made.constants, known.target)
    calls = "".join(_with_constants(name, signature) for signature in made.signatures)
    code = assemble(made.module.text + inside + calls, known.target, alone=True)
    whole = learning.whole
    figures = CodeFigures(
        section_bytes(code, CODE_SECTIONS) - len(made.constants),
        len(made.constants),
        made.arena_bytes,
        4 * batch_size * int(np.prod(whole.input_shape)),
        4 * batch_size * int(np.prod(whole.output_shape)),
        batch_size * sum(multiply_adds_of_nodes(whole)),
        state_bytes=program.state_bytes,
    )
    same_bits = known.target.fused and host().fused
    helpers = compiler_helpers(code)
    files = {f"{name}.o": code, **_c_files(made, known, figures, helpers, same_bits=same_bits)}
    return Exported("object", name, known.name, files, figures, same_bits, whole, helpers)


def _with_constants(name: str, signature: Signature) -> str:
    """A function that needs no pointer to the constants."""
    result = "" if signature.result == "void" else "%result"
    given = ", ".join(
        f"ptr @{name}_constants" if own == "constants" else f"{kind} %{own}"
        for kind, own in signature.parameters
    )
    return (
        f"define {signature.result} @{name}_{signature.name}"
        f"({signature.written(without='constants')}) nounwind {{\n"
        f"  {result}{' = ' if result else ''}"
        f"call {signature.result} @{name}_{signature.name}_on({given})\n"
        f"  ret {signature.result} {result}".rstrip()
        + "\n}\n"
    )


def _c_files(
    made: TrainingModule,
    known: NamedTarget,
    figures: CodeFigures,
    helpers: Sequence[str],
    *,
    same_bits: bool,
) -> dict[str, bytes]:
    """Header, test vectors, example, README."""
    name, program, learning = made.name, made.program, made.program.learning
    batch, whole = program.batch_size, learning.whole
    samples = training_samples(learning, batch, fused=known.target.fused)
    values: dict[str, Any] = {
        "name": name,
        "upper": name.upper(),
        "batch": batch,
        "image": sizes(whole.input_shape),
        "image_numbers": int(np.prod(whole.input_shape)),
        "outputs": whole.output_shape[0],
        "arena_bytes": figures.arena_bytes,
        "state_bytes": figures.state_bytes,
        "alignment": 64 if known.target.vector_bytes > 4 else 8,
        "classes": [c_string(text) for text in whole.classes or ()],
        "labels": made.takes_labels,
        "keys": made.takes_keys,
        "learns": learning.layers,
        "optimizer": learning.optimizer,
        "loss": learning.loss,
        "target": known.name,
        "what": known.what,
        "compiler": known.compiler,
        "rows": figures.rows(),
        "same_bits": same_bits,
        "left": listed([f"`{symbol}`" for symbol in helpers], 12),
        "rate": repr(RATE),
        "counts": counts(batch),
        "test_images": _numbers(samples.images),
        "test_targets": _numbers(samples.targets),
        "test_keys": [", ".join(f"{key}u" for key in row) for row in samples.keys.tolist()],
        "test_losses": [c_float(loss) for loss in samples.losses.tolist()],
        "test_outputs": _numbers(samples.outputs.reshape(1, -1))[0],
    }
    named = {
        f"{name}.h": "training_header.h",
        f"{name}_test_vectors.h": "training_test_vectors.h",
        "main.c": "training_main.c",
        "README.md": "training_README.md",
    }
    return {
        file: rendered(
            "striate.freestanding.training_code", f"templates/{template}", values, html=False
        ).encode()
        for file, template in named.items()
    }


def _numbers(array: Array) -> list[str]:
    """Those of each row, as C writes them."""
    write = str if array.dtype.kind == "i" else c_float
    return [", ".join(map(write, row.tolist())) for row in array.reshape(len(array), -1)]
