"""A trained network as an object file for another processor, with a header, an example and tests.

The folder has, for a network called NAME:

    NAME.o               the code and, as constants that stay in flash, the weights
    NAME.h               what C needs to know: sizes, one function, the names of the classes
    NAME_test_vectors.h  a few images and what the network says of them
    main.c               an example, which runs the test vectors
    README.md            how to compile it, and what it takes

The code allocates nothing, calls no C library and keeps nothing between calls: all that it works on
is the arena that it is given.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from striate.common.arguments import whole_number
from striate.common.arrays import Array
from striate.common.atomic import write_all_atomically
from striate.common.errors import StriateValueError
from striate.common.text import in_bytes, sizes
from striate.freestanding.frozen_program import FrozenProgram
from striate.freestanding.llvm_module import Module, write_module
from striate.freestanding.named_targets import NamedTarget, named_target
from striate.model.work import multiply_adds_of_nodes
from striate.nest.target import assemble, host, section_bytes
from striate.plan.inference import CompiledNetwork

if TYPE_CHECKING:
    from striate.model.model import Model

TEST_IMAGES = 3
"""Images among the test vectors."""
_MOST_CONSTANTS = 256 << 20


@dataclass(frozen=True)
class ExportedObject:
    """What was written.

    Attributes:
        name: what its functions and files begin with.
        target: the processor's name.
        files: their names in the folder.
        code_bytes: of the object: instructions, and numbers between them.
        constant_bytes: weights and tables, which may stay in flash.
        arena_bytes: memory that a run works on, and needs not keep.
        image_bytes, output_bytes: what goes in and what comes out.
        multiply_adds: of a run.
        same_bits: whether it gives the bits that `portable=True` gives here.
    """

    name: str
    target: str
    files: tuple[str, ...]
    code_bytes: int
    constant_bytes: int
    arena_bytes: int
    image_bytes: int
    output_bytes: int
    multiply_adds: int
    same_bits: bool

    def rows(self) -> list[tuple[str, str]]:
        """What it takes, in words: (what, how much)."""
        return [
            ("code", in_bytes(self.code_bytes)),
            ("weights and tables, constant", in_bytes(self.constant_bytes)),
            ("arena, to work on", in_bytes(self.arena_bytes)),
            ("images, to read", in_bytes(self.image_bytes)),
            ("outputs", in_bytes(self.output_bytes)),
            ("multiply-adds of a run", f"{self.multiply_adds:,}"),
        ]


def to_object(
    network: Model,
    folder: str | Path,
    *,
    target: str,
    name: str | None = None,
    batch_size: int = 1,
) -> ExportedObject:
    """Write the network as an object file for a processor, with a header and an example.

    A run reads raw images as `predict` does, NHWC in 32-bit floating-point numbers, and writes the
    outputs that `predict_logits` gives: where `ExportedObject.same_bits`, to the bit those of
    ``compile(exact=True, portable=True)``, else within some 1e-6 of the largest.

    Args:
        network: the network; its auxiliary heads are left out.
        folder: the folder to make.
        target: the processor: see `striate.freestanding.named_targets`.
        name: what all names in C begin with; by default the folder's name.
        batch_size: images of a run.

    Raises:
        ValueError: the target is unknown, the name is none of C's, the network too large or with
            layers that only the NumPy engine can compute, or the folder is there already, or the
            one that it is to be in is not.
        OSError: it cannot be written; then there is no folder.
    """
    known = named_target(target)
    where = Path(folder)
    checked = c_name(where.name) if name is None else name
    if c_name(checked) != checked:
        raise StriateValueError(
            f"to_object: {checked!r} cannot begin names in C; {c_name(checked)!r} could"
        )
    batch_size = whole_number(batch_size, "batch_size", "to_object")
    if network.flat.nbytes > _MOST_CONSTANTS:
        raise StriateValueError(
            f"to_object: the network has {in_bytes(network.flat.nbytes)} of weights, and an object "
            f"file takes at most {in_bytes(_MOST_CONSTANTS)}"
        )
    if where.exists():
        raise StriateValueError(f"{where} exists; give the name of a folder that does not")
    if not where.absolute().parent.is_dir():
        raise StriateValueError(f"{where}: there is no folder {where.absolute().parent}")
    program = FrozenProgram(network, known.target, batch_size)
    module = with_constants(write_module(program, checked), program, checked)
    code = assemble(module.text, known.target, alone=True)
    found = ExportedObject(
        checked,
        known.name,
        tuple(_names(checked)),
        section_bytes(code, (".text", ".rodata")) - len(program.constants),
        len(program.constants),
        program.arena_bytes,
        program.image_bytes,
        program.output_bytes,
        batch_size * sum(multiply_adds_of_nodes(network)),
        known.target.fused and host().fused,
    )
    images = _test_images(network, batch_size)
    outputs = _expected(network, images)
    contents: list[str | bytes] = [
        code,
        _header(found, network, batch_size, known),
        _vectors(found, images, outputs),
        _example(found),
        _readme(found, network, known),
    ]
    where.mkdir()
    try:
        write_all_atomically(
            [
                (where / file, [part if isinstance(part, bytes) else part.encode()])
                for file, part in zip(found.files, contents, strict=True)
            ]
        )
    except BaseException:
        where.rmdir()
        raise
    return found


def c_name(text: str) -> str:
    """A name in C made of a text."""
    found = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_").lower()
    return f"network_{found}".rstrip("_") if not found or found[0].isdigit() else found


def with_constants(module: Module, program: FrozenProgram, name: str) -> Module:
    """The module with its constants inside, and the function that needs no pointer to them."""
    words = struct.unpack(f"<{len(program.constants) // 4}I", program.constants)
    table = ", ".join(f"i32 {word}" for word in words)
    align = max(program.target.vector_bytes, 4)
    text = (
        f"@{name}_constants = internal constant [{len(words)} x i32] [{table}], align {align}\n"
        f"define void @{name}_run(ptr %images, ptr %outputs, ptr %arena) nounwind {{\n"
        f"  call void @{name}_run_on"
        f"(ptr %images, ptr %outputs, ptr @{name}_constants, ptr %arena)\n"
        "  ret void\n}\n"
    )
    return Module(module.text + text, module.functions)


def _names(name: str) -> list[str]:
    return [f"{name}.o", f"{name}.h", f"{name}_test_vectors.h", "main.c", "README.md"]


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


def _floats(name: str, array: Array) -> str:
    """An array of C, a row for each run, whose numbers are those of the array to the bit."""
    rows = array.reshape(len(array), -1)
    lines = ["    {" + ", ".join(map(_float, row.tolist())) + "}," for row in rows]
    size = f"[{rows.shape[0]}][{rows.shape[1]}]"
    return f"static const float {name}{size} = {{\n" + "\n".join(lines) + "\n};\n"


def _float(number: float) -> str:
    text = f"{number:.9g}"
    return text + (".0f" if text.lstrip("-").isdigit() else "f")


def _string(text: str) -> str:
    """A string of C, in UTF-8."""
    return '"' + "".join(_character(byte) for byte in text.encode()) + '"'


def _character(byte: int) -> str:
    plain = 32 <= byte < 127 and chr(byte) not in '"\\?'
    return chr(byte) if plain else f"\\{byte:03o}"


def _header(found: ExportedObject, network: Model, batch_size: int, known: NamedTarget) -> str:
    upper, name = found.name.upper(), found.name
    classes = ""
    if network.classes is not None:
        names = ", ".join(_string(text) for text in network.classes)
        classes = (
            f"\n/* What each output is of. */\n"
            f"static const char *const {name}_classes[] = {{{names}}};\n"
        )
    align = 64 if known.target.vector_bytes > 4 else 4
    return f"""/* {name}: a convolutional network as code for {known.name}, made by striate. */
#ifndef {upper}_H
#define {upper}_H

#ifdef __cplusplus
extern "C" {{
#endif

/* Images of a run, and numbers of one: {sizes(network.input_shape)}, row by row, channels last. */
#define {upper}_BATCH {batch_size}
#define {upper}_IMAGE {int(np.prod(network.input_shape))}
/* Numbers that it says of an image: {sizes(network.output_shape)}. */
#define {upper}_OUTPUTS {int(np.prod(network.output_shape))}
/* Bytes that a run works on, aligned to so many; what is in them before and after is of no use. */
#define {upper}_ARENA_BYTES {found.arena_bytes}
#define {upper}_ARENA_ALIGNMENT {align}

/* Reads BATCH raw images, as they were trained on, and writes the outputs of each (logits: the
   largest is the likeliest). Calls nothing, allocates nothing, keeps nothing. */
void {name}_run(const float *images, float *outputs, void *arena);
{classes}
#ifdef __cplusplus
}}
#endif

#endif
"""


def _vectors(found: ExportedObject, images: Array, outputs: Array) -> str:
    return (
        f"/* Images, and what {found.name} says of them. */\n"
        f"#define {found.name.upper()}_TESTS {len(images)}\n"
        + _floats(f"{found.name}_test_images", images)
        + _floats(f"{found.name}_test_outputs", outputs)
    )


def _example(found: ExportedObject) -> str:
    upper, name = found.name.upper(), found.name
    return f"""/* Runs {name} on its test vectors; ends with 0 if the outputs are right. */
#include <stdio.h>
#include <string.h>

#include "{name}.h"
#include "{name}_test_vectors.h"

static unsigned char arena[{upper}_ARENA_BYTES]
    __attribute__((aligned({upper}_ARENA_ALIGNMENT)));
static float outputs[{upper}_BATCH * {upper}_OUTPUTS];

int main(void)
{{
    float largest = 0.0f, farthest = 0.0f;
    int same = 0;
    for (int i = 0; i < {upper}_TESTS; i++) {{
        {name}_run({name}_test_images[i], outputs, arena);
        same += memcmp(outputs, {name}_test_outputs[i], sizeof outputs) == 0;
        for (int k = 0; k < {upper}_BATCH * {upper}_OUTPUTS; k++) {{
            float expected = {name}_test_outputs[i][k], distance = outputs[k] - expected;
            expected = expected < 0 ? -expected : expected;
            distance = distance < 0 ? -distance : distance;
            largest = expected > largest ? expected : largest;
            farthest = distance > farthest ? distance : farthest;
        }}
    }}
    printf("same bits in %d of %d runs; farthest %g, of outputs up to %g\\n", same, {upper}_TESTS,
           (double)farthest, (double)largest);
    return farthest <= 1e-5f * largest ? 0 : 1;
}}
"""


def _readme(found: ExportedObject, network: Model, known: NamedTarget) -> str:
    rows = "\n".join(f"| {what} | {much} |" for what, much in found.rows())
    bits = (
        "It gives the same bits as striate's `compile(exact=True, portable=True)`."
        if found.same_bits
        else "Its outputs differ from striate's by rounding, as multiply-adds are rounded twice."
    )
    name = found.name
    return f"""# {name}

A network from images of {sizes(network.input_shape)} to {sizes(network.output_shape)} outputs, as
code for {known.name}:
{known.what}.
{bits}

| | |
|---|---|
{rows}

Compile the example, which runs the test vectors:

    {known.compiler} -O2 -c main.c
    {known.compiler} main.o {name}.o -o {name}
    ./{name}

In a program of your own: `#include "{name}.h"`, link `{name}.o`, and call

    {name}_run(images, outputs, arena);

`images` are raw pixels, as the network was trained on them, row by row, channels last; what
standardises them is inside. `arena` is {found.arena_bytes:,} bytes, which are yours again after the
call.
"""
