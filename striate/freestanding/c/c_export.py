"""A network as one file of C99, for processors that LLVM lacks, and to be read.

For a network called NAME:

    NAME.c               the code, a function for each layer, and the weights
    NAME.h               what C needs to know: sizes, one function, the names of the classes
    NAME_test_vectors.h  a few images and what the network says of them
    main.c               an example, which runs the test vectors
    README.md            how to compile it, and what it takes

As an object file does, the code allocates nothing, calls no C library and keeps nothing between
calls. Where the compiler's processor rounds a multiply-add once, it gives the same bits.
"""

from __future__ import annotations

from dataclasses import replace

from striate.freestanding.c.c_files import c_files
from striate.freestanding.c.c_source import c_source
from striate.freestanding.code_request import CodeRequest
from striate.freestanding.exported import CodeFigures, Exported, arena_peak
from striate.freestanding.program.frozen_program import FrozenProgram
from striate.freestanding.targets.named_targets import NamedTarget, named_target
from striate.model.work import multiply_adds_of_nodes
from striate.nest.target import Target, host

# Tiles of 12 vectors of 8 numbers, or 24 of 4: compilers make the best of them with AVX, NEON and
# SSE.
_VECTORS = Target("", "", "", vector_bytes=32, registers=16, portable=True)
_ANY = NamedTarget("any processor", "any that a compiler of C99 is for", _VECTORS, "cc")


def c_source_files(request: CodeRequest) -> Exported:
    """The files, see above.

    A target says what the loops are to suit, as far as C can tell: without vectors tiles are
    smaller. Without a target the processor is supposed to have them.

    Raises:
        ValueError: the target is unknown, or the network has layers that only the NumPy engine can
            compute, or weights that cannot be rounded.
    """
    name = request.name
    known = _ANY if request.target is None else named_target(request.target)
    if known.target.vector_bytes > 4:
        known = replace(known, target=_VECTORS)
    program = FrozenProgram(request.network, known.target, request.batch_size, request.weights)
    figures = CodeFigures(
        None,
        len(program.constants),
        program.arena_bytes,
        program.image_bytes,
        program.output_bytes,
        request.batch_size * sum(multiply_adds_of_nodes(request.network)),
        arena_peak=arena_peak(program.arena_buffers),
        weights=request.weights,
        small_weights=program.small_numbers,
    )
    same_bits = host().fused and request.weights != "int8"
    files = {
        f"{name}.c": c_source(program, name).encode(),
        **c_files(
            program,
            name,
            known,
            figures,
            same_bits=same_bits,
            code=f"{name}.c",
            readme="README_of_C.md",
        ),
    }
    return Exported("c", name, known.name, files, figures, same_bits, program.computed)
