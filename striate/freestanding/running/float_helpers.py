"""What code calls where a processor has no unit of floats: the functions of compiler-rt and libgcc.

Both have the same names, take floats by their bits in registers for whole numbers, and round as the
standard says. They are no part of an object file, as every compiler for such a processor brings
them. For emulation they are made here of the instructions of a processor of the same architecture
that has such a unit: the emulated one does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from striate.freestanding.object.undefined_symbols import undefined_symbols
from striate.nest.target import Target, assemble

_ARITHMETIC = {
    f"__{name}sf3": f"""
  %r = f{name} float %x, %y
  %i = bitcast float %r to i32"""
    for name in ("add", "sub", "mul", "div")
}
# Less, equal, greater are -1, 0, 1; what is no number is whatever makes the comparison false.
_COMPARISON = {
    f"__{name}sf2": f"""
  %less = fcmp olt float %x, %y
  %more = fcmp ogt float %x, %y
  %none = fcmp uno float %x, %y
  %a = sext i1 %less to i32
  %b = select i1 %more, i32 1, i32 %a
  %i = select i1 %none, i32 {unordered}, i32 %b"""
    for name, unordered in {"lt": 1, "le": 1, "eq": 1, "ne": 1, "gt": -1, "ge": -1}.items()
}
_BODIES: Mapping[str, str] = {
    **_ARITHMETIC,
    **_COMPARISON,
    "__unordsf2": """
  %none = fcmp uno float %x, %y
  %i = zext i1 %none to i32""",
    "__fixsfsi": """
  %i = fptosi float %x to i32""",
    "__floatsisf": """
  %r = sitofp i32 %p to float
  %i = bitcast float %r to i32""",
}
_WITH_FLOATS = {
    "thumb": ("thumbv7em-none-eabi", "cortex-m4", ""),
    "riscv32": ("riscv32-unknown-none-elf", "generic-rv32", "+m,+c,+f"),
}
"""Processors that have a unit of floats, by how the triples of those without it begin."""


def helpers_for(code: bytes, target: Target) -> bytes | None:
    """An object file with the helpers that another one calls; None if it calls none of them."""
    names = [name for name in undefined_symbols(code) if name in _BODIES]
    twin = next((t for start, t in _WITH_FLOATS.items() if target.triple.startswith(start)), None)
    if not names or twin is None:
        return None
    triple, cpu, features = twin
    able = replace(target, triple=triple, cpu=cpu, features=features)
    return assemble(helpers_text(names), able, alone=True)


def helpers_text(names: Iterable[str]) -> str:
    """The helpers of some names as LLVM IR."""
    return "\n".join(
        f"define i32 @{name}(i32 %p, i32 %q) nounwind {{\n"
        "  %x = bitcast i32 %p to float\n"
        f"  %y = bitcast i32 %q to float{_BODIES[name]}\n"
        "  ret i32 %i\n}"
        for name in names
    )
