"""A network as an object file for another processor, with a header, an example and tests.

For a network called NAME:

    NAME.o               the code and, as constants that stay in flash, the weights
    NAME.h               what C needs to know: sizes, one function, the names of the classes
    NAME_test_vectors.h  a few images and what the network says of them
    main.c               an example, which runs the test vectors
    README.md            how to compile it, and what it takes

The code allocates nothing, calls no C library and keeps nothing between calls: all that it works on
is the arena that it is given.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from striate.freestanding.c_files import c_files
from striate.freestanding.counted_instructions import counted_instructions, why_not_counted
from striate.freestanding.exported import CodeFigures, Exported, LayerInstructions, arena_peak
from striate.freestanding.frozen_program import FrozenProgram
from striate.freestanding.llvm_module import Module, write_module
from striate.freestanding.named_targets import named_target
from striate.freestanding.stack_frames import stack_bytes
from striate.freestanding.undefined_symbols import compiler_helpers
from striate.model.work import multiply_adds_of_nodes
from striate.nest.target import assemble, host, section_bytes

if TYPE_CHECKING:
    from striate.model.model import Model

_SECTIONS = (".text", ".rodata", ".rdata", "__text", "__const", "__literal")
"""Code and constants, as ELF, COFF and Mach-O call them."""


def object_files(network: Model, name: str, target: str, batch_size: int) -> Exported:
    """The files, see above.

    Args:
        network: the network.
        name: what all names in C begin with.
        target: the processor's name.
        batch_size: images of a run.

    Raises:
        ValueError: the target is unknown, or the network has layers that only the NumPy engine can
            compute.
    """
    known = named_target(target)
    program = FrozenProgram(network, known.target, batch_size)
    module = with_constants(write_module(program, name), program, name)
    code = assemble(module.text, known.target, alone=True)
    helpers = compiler_helpers(code)
    figures = _figures(program, name, module, code, bool(helpers), counts=known.is_small)
    same_bits = known.target.fused and host().fused
    files = {
        f"{name}.o": code,
        **c_files(
            network,
            name,
            known,
            batch_size,
            figures,
            same_bits=same_bits,
            code=f"{name}.o",
            helpers=helpers,
        ),
    }
    return Exported("object", name, known.name, files, figures, same_bits, helpers)


def _figures(
    program: FrozenProgram,
    name: str,
    module: Module,
    code: bytes,
    calls_helpers: bool,
    *,
    counts: bool,
) -> CodeFigures:
    """What the code takes; `counts`, whether instructions are worth counting."""
    multiply_adds = program.batch_size * sum(multiply_adds_of_nodes(program.network))
    found: tuple[LayerInstructions, ...] = ()
    not_counted = why_not_counted(multiply_adds, calls_helpers) if counts else ""
    if counts and not not_counted:
        found = counted_instructions(code, name, program, module.functions)
    return CodeFigures(
        section_bytes(code, _SECTIONS) - len(program.constants),
        len(program.constants),
        program.arena_bytes,
        program.image_bytes,
        program.output_bytes,
        multiply_adds,
        stack_bytes(module, program.target, (f"{name}_run", f"{name}_run_on")),
        arena_peak(program.arena_buffers),
        found,
        not_counted,
        calls_helpers,
    )


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
