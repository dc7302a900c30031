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

from striate.freestanding.c_files import c_files
from striate.freestanding.code_request import CodeRequest
from striate.freestanding.exported import CodeFigures, Exported
from striate.freestanding.frozen_program import FrozenProgram
from striate.freestanding.llvm_module import Module, constant_table, write_module
from striate.freestanding.named_targets import needed_target
from striate.model.work import multiply_adds_of_nodes
from striate.nest.target import assemble, host, section_bytes


def object_files(request: CodeRequest) -> Exported:
    """The files, see above.

    Raises:
        ValueError: there is no target, it is unknown, or the network has layers that only the NumPy
            engine can compute, or weights that cannot be rounded.
    """
    network, name, batch_size = request.network, request.name, request.batch_size
    known = needed_target(request.target)
    program = FrozenProgram(network, known.target, batch_size, request.weights)
    module = with_constants(write_module(program, name), program, name)
    code = assemble(module.text, known.target, alone=True)
    figures = CodeFigures(
        section_bytes(code, (".text", ".rodata")) - len(program.constants),
        len(program.constants),
        program.arena_bytes,
        program.image_bytes,
        program.output_bytes,
        batch_size * sum(multiply_adds_of_nodes(network)),
        weights=request.weights,
        small_weights=program.small_numbers,
    )
    # Sums of scaled weights are other sums.
    same_bits = known.target.fused and host().fused and request.weights != "int8"
    files = {
        f"{name}.o": code,
        **c_files(program, name, known, figures, same_bits=same_bits, code=f"{name}.o"),
    }
    return Exported("object", name, known.name, files, figures, same_bits, program.computed)


def with_constants(module: Module, program: FrozenProgram, name: str) -> Module:
    """The module with its constants inside, and the function that needs no pointer to them."""
    text = constant_table(name, program.constants, program.target) + (
        f"define void @{name}_run(ptr %images, ptr %outputs, ptr %arena) nounwind {{\n"
        f"  call void @{name}_run_on"
        f"(ptr %images, ptr %outputs, ptr @{name}_constants, ptr %arena)\n"
        "  ret void\n}\n"
    )
    return Module(module.text + text, module.functions)
