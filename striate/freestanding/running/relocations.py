"""The words of an object file that a linker changes, on ARM, AArch64 and RISC-V.

Each function takes the bytes of a section, where in it the word is, the address of the word, and
the address that is meant, and changes the bytes. The names and numbers are those of the processors'
ELF supplements.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from striate.common.errors import StriateError

Fix = Callable[[bytearray, int, int, int], None]


class LinkError(StriateError, RuntimeError):
    """An object file that cannot be put at fixed addresses; the message says why."""


def _read(data: bytearray, at: int) -> int:
    found: int = struct.unpack_from("<I", data, at)[0]
    return found


def _write(data: bytearray, at: int, word: int) -> None:
    struct.pack_into("<I", data, at, word & 0xFFFFFFFF)


def _fields(word: int, mask: int, bits: int) -> int:
    """A word with other bits where the mask has ones."""
    return (word & ~mask) | (bits & mask)


def _reaches(distance: int, bits: int) -> int:
    """A signed distance, which must fit into so many bits."""
    if not -(1 << (bits - 1)) <= distance < 1 << (bits - 1):
        raise LinkError(
            f"a jump or a table is {distance:,} bytes away, farther than code can reach"
        )
    return distance


def _absolute(data: bytearray, at: int, place: int, value: int) -> None:
    """A whole word: an address."""
    _write(data, at, value)


def _relative(data: bytearray, at: int, place: int, value: int) -> None:
    """A whole word: how far away."""
    _write(data, at, _reaches(value - place, 32))


# --- ARM and Thumb -----------------------------------------------------------------------------


def _thumb_halves(data: bytearray, at: int) -> tuple[int, int]:
    first, second = struct.unpack_from("<HH", data, at)
    return first, second


def _thumb_call(data: bytearray, at: int, place: int, value: int) -> None:
    """BL: S, J1, J2 and 21 bits of a distance from behind the instruction."""
    first, second = _thumb_halves(data, at)
    distance = _reaches((value & ~1) - place - 4, 25)
    sign = distance >> 24 & 1
    j1, j2 = (1 ^ (distance >> bit & 1) ^ sign for bit in (23, 22))
    first = _fields(first, 0x07FF, sign << 10 | distance >> 12 & 0x3FF)
    second = _fields(second, 0x2FFF, j1 << 13 | j2 << 11 | distance >> 1 & 0x7FF)
    struct.pack_into("<HH", data, at, first, second)


def _thumb_move(shift: int) -> Fix:
    """MOVW or MOVT: 16 bits of an address, in four fields."""

    def fix(data: bytearray, at: int, place: int, value: int) -> None:
        first, second = _thumb_halves(data, at)
        half = value >> shift & 0xFFFF
        first = _fields(first, 0x040F, half >> 12 | (half >> 11 & 1) << 10)
        second = _fields(second, 0x70FF, (half >> 8 & 7) << 12 | half & 0xFF)
        struct.pack_into("<HH", data, at, first, second)

    return fix


def _arm_call(data: bytearray, at: int, place: int, value: int) -> None:
    distance = _reaches(value - place - 8, 26)
    _write(data, at, _fields(_read(data, at), 0x00FFFFFF, distance >> 2))


def _arm_move(shift: int) -> Fix:
    def fix(data: bytearray, at: int, place: int, value: int) -> None:
        half = value >> shift & 0xFFFF
        _write(data, at, _fields(_read(data, at), 0x000F0FFF, half >> 12 << 16 | half & 0xFFF))

    return fix


_ARM: Mapping[int, Fix] = {
    2: _absolute,  # R_ARM_ABS32
    3: _relative,  # R_ARM_REL32
    10: _thumb_call,  # R_ARM_THM_CALL
    28: _arm_call,  # R_ARM_CALL
    29: _arm_call,  # R_ARM_JUMP24
    30: _thumb_call,  # R_ARM_THM_JUMP24
    43: _arm_move(0),  # R_ARM_MOVW_ABS_NC
    44: _arm_move(16),  # R_ARM_MOVT_ABS
    47: _thumb_move(0),  # R_ARM_THM_MOVW_ABS_NC
    48: _thumb_move(16),  # R_ARM_THM_MOVT_ABS
}


def arm_addend(kind: int, data: bytearray, at: int) -> int:
    """What an ARM word holds that is to be added to the address that is meant.

    In jumps that is what the processor adds by itself, which the functions above know.
    """
    word = _read(data, at)
    if kind in (2, 3):
        return word - (1 << 32) if word >> 31 else word
    if kind in (43, 44):
        half = word >> 4 & 0xF000 | word & 0xFFF
    elif kind in (47, 48):
        first, second = _thumb_halves(data, at)
        half = (first & 15) << 12 | (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 255
    else:
        return 0
    return half - (1 << 16) if half >> 15 else half


# --- AArch64 -----------------------------------------------------------------------------------


def _page(data: bytearray, at: int, place: int, value: int) -> None:
    """ADRP: how many pages of 4 KiB away."""
    pages = _reaches((value >> 12) - (place >> 12), 21)
    bits = (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5
    _write(data, at, _fields(_read(data, at), 0x60FFFFE0, bits))


def _in_page(shift: int) -> Fix:
    """ADD, or a load or store of 2^shift bytes: the place in a page."""

    def fix(data: bytearray, at: int, place: int, value: int) -> None:
        bits = ((value & 0xFFF) >> shift) << 10
        _write(data, at, _fields(_read(data, at), 0x003FFC00, bits))

    return fix


def _branch(data: bytearray, at: int, place: int, value: int) -> None:
    distance = _reaches(value - place, 28)
    _write(data, at, _fields(_read(data, at), 0x03FFFFFF, distance >> 2))


def _absolute_64(data: bytearray, at: int, place: int, value: int) -> None:
    struct.pack_into("<Q", data, at, value)


_AARCH64: Mapping[int, Fix] = {
    257: _absolute_64,  # R_AARCH64_ABS64
    258: _absolute,  # R_AARCH64_ABS32
    261: _relative,  # R_AARCH64_PREL32
    275: _page,  # R_AARCH64_ADR_PREL_PG_HI21
    277: _in_page(0),  # R_AARCH64_ADD_ABS_LO12_NC
    278: _in_page(0),  # R_AARCH64_LDST8_ABS_LO12_NC
    282: _branch,  # R_AARCH64_JUMP26
    283: _branch,  # R_AARCH64_CALL26
    284: _in_page(1),  # R_AARCH64_LDST16_ABS_LO12_NC
    285: _in_page(2),  # R_AARCH64_LDST32_ABS_LO12_NC
    286: _in_page(3),  # R_AARCH64_LDST64_ABS_LO12_NC
    299: _in_page(4),  # R_AARCH64_LDST128_ABS_LO12_NC
}


# --- RISC-V ------------------------------------------------------------------------------------


def _upper(data: bytearray, at: int, place: int, value: int) -> None:
    """LUI: the upper 20 bits, one more where the lower ones count as negative."""
    _write(data, at, _fields(_read(data, at), 0xFFFFF000, value + 0x800))


def _upper_distance(data: bytearray, at: int, place: int, value: int) -> None:
    _upper(data, at, place, _reaches(value - place, 32))


def _lower_load(data: bytearray, at: int, place: int, value: int) -> None:
    """An I-type instruction: the lower 12 bits."""
    _write(data, at, _fields(_read(data, at), 0xFFF00000, value << 20))


def _lower_store(data: bytearray, at: int, place: int, value: int) -> None:
    """An S-type instruction: the lower 12 bits in two fields."""
    bits = (value >> 5 & 0x7F) << 25 | (value & 0x1F) << 7
    _write(data, at, _fields(_read(data, at), 0xFE000F80, bits))


def _auipc_pair(data: bytearray, at: int, place: int, value: int) -> None:
    """AUIPC and JALR."""
    _upper_distance(data, at, place, value)
    _lower_load(data, at + 4, place, value - place)


def _jump(data: bytearray, at: int, place: int, value: int) -> None:
    """JAL: 20 bits of a distance in four fields."""
    far = _reaches(value - place, 21)
    bits = (far >> 20 & 1) << 31 | (far >> 1 & 0x3FF) << 21 | (far >> 11 & 1) << 20
    _write(data, at, _fields(_read(data, at), 0xFFFFF000, bits | (far >> 12 & 0xFF) << 12))


def _nothing(data: bytearray, at: int, place: int, value: int) -> None:
    """A hint that a linker may ignore."""


RISCV_LOWER_OF = (24, 25)
"""R_RISCV_PCREL_LO12_I and _S: what they mean is the AUIPC whose distance they end."""
_RISCV: Mapping[int, Fix] = {
    1: _absolute,  # R_RISCV_32
    2: _absolute_64,  # R_RISCV_64
    17: _jump,  # R_RISCV_JAL
    18: _auipc_pair,  # R_RISCV_CALL
    19: _auipc_pair,  # R_RISCV_CALL_PLT
    23: _upper_distance,  # R_RISCV_PCREL_HI20
    24: _lower_load,  # R_RISCV_PCREL_LO12_I
    25: _lower_store,  # R_RISCV_PCREL_LO12_S
    26: _upper,  # R_RISCV_HI20
    27: _lower_load,  # R_RISCV_LO12_I
    28: _lower_store,  # R_RISCV_LO12_S
    51: _nothing,  # R_RISCV_RELAX
}

FIXES: Mapping[str, Mapping[int, Fix]] = {
    "EM_ARM": _ARM,
    "EM_AARCH64": _AARCH64,
    "EM_RISCV": _RISCV,
}
"""By ELF's name of the processor and the relocation's number."""
