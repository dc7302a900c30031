"""Addresses in WebAssembly: a constant that is added to one becomes the offset of the load.

    i32.const 48, i32.add, v128.load offset=0    becomes    v128.load offset=48

LLVM leaves such sums, since with an offset an address does not wrap around at 2^32: x + 48 may mean
a place below x. Here it may not. All that code reads lies at `FIRST` or above, so that if x + c is
such a place, x itself is x + c less c, at least 0 where c is no more than `FIRST`: nothing wraps.
An engine has an instruction less to run for each load, which is one of three in a convolution.
"""

from __future__ import annotations

from striate.freestanding.wasm.wasm_encoding import WasmReader, unsigned, vector
from striate.nest.target import MachineCodeError

FIRST = 1 << 20
"""The least address that code may read; memory below it is never touched, so it takes none."""

_I32_CONST, _I32_ADD = 0x41, 0x6A
_VECTORS = 0xFD
_LOADS = range(0x28, 0x36)
# v128.load to v128.load64_splat; and those that load one number and zeros.
_VECTOR_LOADS = (*range(11), 92, 93)


def with_offsets(code: bytes) -> bytes:
    """A section of code whose loads have their constants as offsets.

    Raises:
        MachineCodeError: there is an instruction that LLVM does not write for such code.
    """
    reader = WasmReader(code)
    bodies = [_body(reader.take(reader.unsigned())) for _ in range(reader.unsigned())]
    return vector([unsigned(len(body)) + body for body in bodies])


def _body(body: bytes) -> bytes:
    """A function: its variables, and its instructions."""
    reader = WasmReader(body)
    start = reader.at
    for _ in range(reader.unsigned()):
        reader.unsigned()
        reader.byte()
    found = [body[start : reader.at]]
    while reader.left:
        start = reader.at
        load = _instruction(reader)
        text = body[start : reader.at]
        if load is not None and len(found) > 2 and found[-1] == bytes([_I32_ADD]):
            added = _constant(found[-2])
            opcode, align, offset = load
            if added is not None and 0 <= added <= FIRST - offset:
                del found[-2:]
                text = opcode + unsigned(align) + unsigned(offset + added)
        found.append(text)
    return b"".join(found)


def _constant(instruction: bytes) -> int | None:
    """The number of an i32.const, None of others."""
    if instruction[0] != _I32_CONST:
        return None
    return WasmReader(instruction[1:]).signed()


def _instruction(reader: WasmReader) -> tuple[bytes, int, int] | None:
    """Read an instruction; of a load return its opcode, alignment and offset."""
    opcode = reader.byte()
    if opcode == _VECTORS:
        return _vector_instruction(reader)
    if opcode in _LOADS:
        return bytes([opcode]), reader.unsigned(), reader.unsigned()
    if opcode in range(0x36, 0x3F) or opcode == 0x11:  # stores, calls by table
        numbers = 2
    elif opcode in (0x02, 0x03, 0x04, 0x0C, 0x0D, 0x10, *range(0x20, 0x25), 0x3F, 0x40, 0x41, 0x42):
        numbers = 1
    elif opcode == 0x0E:  # a table of branches
        numbers = reader.unsigned() + 1
    elif opcode in (0x43, 0x44):
        reader.take(4 if opcode == 0x43 else 8)
        numbers = 0
    elif opcode in (0x00, 0x01, 0x05, 0x0B, 0x0F, 0x1A, 0x1B, *range(0x45, 0xC5)):
        numbers = 0
    else:
        raise MachineCodeError(f"code for WebAssembly has an instruction {opcode:#x}")
    for _ in range(numbers):
        reader.unsigned()
    return None


def _vector_instruction(reader: WasmReader) -> tuple[bytes, int, int] | None:
    number = reader.unsigned()
    if number in _VECTOR_LOADS:
        return bytes([_VECTORS]) + unsigned(number), reader.unsigned(), reader.unsigned()
    if number == 11 or 84 <= number <= 91:  # v128.store, and loads and stores of one lane
        reader.unsigned()
        reader.unsigned()
    if number in (12, 13):  # v128.const, i8x16.shuffle
        reader.take(16)
    if 21 <= number <= 34 or 84 <= number <= 91:
        reader.byte()  # a lane
    return None
