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
from typing import TYPE_CHECKING

from striate.freestanding.c_files import c_files
from striate.freestanding.c_source import c_source
from striate.freestanding.exported import CodeFigures, Exported
from striate.freestanding.frozen_program import FrozenProgram
from striate.freestanding.named_targets import NamedTarget, named_target
from striate.model.work import multiply_adds_of_nodes
from striate.nest.target import Target, host

if TYPE_CHECKING:
    from striate.model.model import Model

# Tiles of 12 vectors of 8 numbers, or 24 of 4: compilers make the best of them with AVX, NEON and
# SSE.
_VECTORS = Target("", "", "", vector_bytes=32, registers=16, portable=True)
_ANY = NamedTarget("any processor", "any that a compiler of C99 is for", _VECTORS, "cc")


def c_source_files(network: Model, name: str, target: str | None, batch_size: int) -> Exported:
    """The files, see above.

    Args:
        network: the network.
        name: what all names in C begin with.
        target: the name of the processor that the loops are to suit, as far as C can tell: one
            without vectors has smaller tiles. None for one with vectors.
        batch_size: images of a run.

    Raises:
        ValueError: the target is unknown, or the network has layers that only the NumPy engine can
            compute.
    """
    known = _ANY if target is None else named_target(target)
    if known.target.vector_bytes > 4:
        known = replace(known, target=_VECTORS)
    program = FrozenProgram(network, known.target, batch_size)
    code = c_source(program, name)
    figures = CodeFigures(
        None,
        len(program.constants),
        program.arena_bytes,
        program.image_bytes,
        program.output_bytes,
        batch_size * sum(multiply_adds_of_nodes(network)),
    )
    same_bits = host().fused
    files = {
        f"{name}.c": code.encode(),
        **c_files(
            network,
            name,
            known,
            batch_size,
            figures,
            same_bits=same_bits,
            code=f"{name}.c",
            readme="README_of_C.md",
        ),
    }
    return Exported("c", name, known.name, files, figures, same_bits)
