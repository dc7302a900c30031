"""WebAssembly modules from LLVM's object files, without a linker.

An object file for WebAssembly is nearly a module: it lacks a memory and exports, which a linker
adds, and its calls wait for the numbers of what they call. One that calls nothing outside and has
no data of its own, as all code of networks does, needs no more than that.
"""

from __future__ import annotations

from collections.abc import Iterable

from striate.freestanding.wasm.wasm_encoding import (
    CODE,
    CUSTOM,
    EXPORT,
    FUNCTION,
    GLOBAL,
    HEADER,
    MEMORY,
    TYPE,
    name,
    section,
    signed,
    unsigned,
    vector,
)
from striate.freestanding.wasm.wasm_object import WasmObject
from striate.freestanding.wasm.wasm_offsets import with_offsets

PAGE_BYTES = 1 << 16
"""Memory comes in pages."""

_FUNCTION_EXPORT, _MEMORY_EXPORT = b"\x00", b"\x02"
_I32, _MUTABLE, _I32_CONST, _END = b"\x7f", b"\x01", b"\x41", b"\x0b"
_WITH_MAXIMUM = b"\x01"
_FUNCTION_NAMES = 1


def linked(code: bytes, exports: Iterable[str], pages: int, stack_end: int) -> bytes:
    """A module with a memory of its own, which imports nothing and exports the memory as "memory".

    Args:
        code: an object file for wasm32, as LLVM writes it.
        exports: functions to export, by their names.
        pages: of `PAGE_BYTES` that the memory has; it can neither grow nor shrink, so views of it
            stay valid.
        stack_end: the address from which the stack grows down, if the code has one.

    Raises:
        MachineCodeError: the code needs what nothing gives: functions of a library, data.
    """
    found = WasmObject(code)
    numbers = {function: number for number, function in found.names.items()}
    exported = [name("memory") + _MEMORY_EXPORT + unsigned(0)]
    exported += [name(one) + _FUNCTION_EXPORT + unsigned(numbers[one]) for one in exports]
    stack = _I32 + _MUTABLE + _I32_CONST + signed(stack_end) + _END
    return b"".join(
        [
            HEADER,
            section(TYPE, found.types),
            section(FUNCTION, found.functions),
            section(MEMORY, vector([_WITH_MAXIMUM + unsigned(pages) * 2])),
            section(GLOBAL, vector([stack])) if found.has_stack else b"",
            section(EXPORT, vector(exported)),
            section(CODE, with_offsets(found.code())),
            section(CUSTOM, name("name") + section(_FUNCTION_NAMES, _names(found.names))),
        ]
    )


def _names(functions: dict[int, str]) -> bytes:
    """By which debuggers and profilers call functions."""
    return vector([unsigned(number) + name(one) for number, one in sorted(functions.items())])
