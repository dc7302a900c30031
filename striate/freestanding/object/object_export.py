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

from striate.freestanding.c.c_files import c_files
from striate.freestanding.code_request import CodeRequest
from striate.freestanding.exported import CodeFigures, Exported, LayerInstructions, arena_peak
from striate.freestanding.object.counted_instructions import counted_instructions, why_not_counted
from striate.freestanding.object.stack_frames import stack_bytes
from striate.freestanding.object.undefined_symbols import compiler_helpers
from striate.freestanding.program.frozen_program import FrozenProgram
from striate.freestanding.program.llvm_module import Module, constant_table, write_module
from striate.freestanding.targets.named_targets import needed_target
from striate.model.work import multiply_adds_of_nodes
from striate.nest.target import assemble, host, section_bytes

CODE_SECTIONS = (".text", ".rodata", ".rdata", "__text", "__const", "__literal")
"""Code and constants, as ELF, COFF and Mach-O call them."""


def object_files(request: CodeRequest) -> Exported:
    """The files, see above.

    Raises:
        ValueError: there is no target, it is unknown, or the network has layers that only the NumPy
            engine can compute, or weights that cannot be rounded.
    """
    name, known = request.name, needed_target(request.target)
    program = FrozenProgram(request.network, known.target, request.batch_size, request.weights)
    module = with_constants(write_module(program, name), program, name)
    code = assemble(module.text, known.target, alone=True)
    helpers = compiler_helpers(code)
    figures = _figures(program, request, module, code, bool(helpers), counts=known.is_small)
    # Sums of scaled weights are other sums.
    same_bits = known.target.fused and host().fused and request.weights != "int8"
    files = {
        f"{name}.o": code,
        **c_files(
            program,
            name,
            known,
            figures,
            same_bits=same_bits,
            code=f"{name}.o",
            helpers=helpers,
        ),
    }
    return Exported(
        "object", name, known.name, files, figures, same_bits, program.computed, helpers
    )


def _figures(
    program: FrozenProgram,
    request: CodeRequest,
    module: Module,
    code: bytes,
    calls_helpers: bool,
    *,
    counts: bool,
) -> CodeFigures:
    """What the code takes; `counts`, whether instructions are worth counting."""
    name = request.name
    multiply_adds = program.batch_size * sum(multiply_adds_of_nodes(program.network))
    found: tuple[LayerInstructions, ...] = ()
    not_counted = why_not_counted(multiply_adds, calls_helpers) if counts else ""
    if counts and not not_counted:
        found = counted_instructions(code, name, program, module.functions)
    return CodeFigures(
        section_bytes(code, CODE_SECTIONS) - len(program.constants),
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
        weights=request.weights,
        small_weights=program.small_numbers,
    )


def with_constants(module: Module, program: FrozenProgram, name: str) -> Module:
    """The module with its constants inside, and the function that needs no pointer to them."""
    text = constant_table(name, program.constants, program.target) + (
        f"define void @{name}_run(ptr %images, ptr %outputs, ptr %arena) nounwind {{\n"
        f"  call void @{name}_run_on"
        f"(ptr %images, ptr %outputs, ptr @{name}_constants, ptr %arena)\n"
        "  ret void\n}\n"
    )
    return Module(module.text + text, module.functions)
