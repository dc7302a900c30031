"""What an object file wants from elsewhere, and which of it every compiler brings.

Object files are ELF (Linux and microcontrollers), COFF (Windows) or Mach-O (macOS); all have a
table of symbols, with a mark on those that are defined in another file.
"""

from __future__ import annotations

import re
import struct

from striate.common.errors import StriateError
from striate.common.text import listed

MARKS = (
    "__aeabi_unwind_cpp_pr0",
    "__aeabi_unwind_cpp_pr1",
    "_GLOBAL_OFFSET_TABLE_",
    "_fltused",
)
"""What code names but never calls: on ARM in its tables for exceptions, of which it raises none;
what a linker itself makes; on Windows what says that there are floats."""
_HELPER = re.compile(
    r"__(add|sub|mul|div|eq|ne|lt|le|gt|ge|unord|fix|fixuns|float|floatun|extend|trunc|mod|umod|"
    r"udiv|ashl|ashr|lshr)[sd][fi]?[sdf]?[fi]?[23]?|__(fix|fixuns)sf[sd]i|__float(un)?[sd]isf|"
    r"__aeabi_\w+|__chkstk"
)
_COFF = (b"\x64\x86", b"\x4c\x01", b"\x64\xaa", b"\xc4\x01")  # x86-64, i386, ARM64, ARM
_MACH_O = 0xFEEDFACF
_SYMTAB, _LC_SYMTAB = 2, 2


def undefined_symbols(code: bytes) -> tuple[str, ...]:
    """The names of what is defined elsewhere, in order; without `MARKS`."""
    if code[:4] == b"\x7fELF":
        found = _of_elf(code)
    elif code[:2] in _COFF:
        found = _of_coff(code)
    elif struct.unpack_from("<I", code)[0] == _MACH_O:
        found = _of_mach_o(code)
    else:
        raise StriateError("this object file is neither ELF nor COFF nor Mach-O for 64 bits")
    return tuple(sorted(set(found) - {"", *MARKS}))


def compiler_helpers(code: bytes) -> tuple[str, ...]:
    """The same, of an object file that wants nothing but what compilers bring: functions for
    floats where a processor has no unit of them, and the like, as in libgcc and compiler-rt.

    Raises:
        StriateError: it wants something else.
    """
    found = undefined_symbols(code)
    others = [name for name in found if not _HELPER.fullmatch(name)]
    if others:
        raise StriateError(f"the code would call {listed(others)}, which a chip does not have")
    return found


def _text(table: bytes, at: int) -> str:
    return table[at : table.index(b"\0", at)].decode()


def _of_elf(code: bytes) -> list[str]:
    order = "<" if code[5] == 1 else ">"
    wide = code[4] == 2
    (headers,) = struct.unpack_from(order + ("Q" if wide else "I"), code, 0x28 if wide else 0x20)
    size, count = struct.unpack_from(order + "HH", code, 0x3A if wide else 0x2E)
    # Of each section: its kind, where it is, how long, and which other one belongs to it.
    form = order + ("4xI16xQQI" if wide else "4xI8xIII")
    sections = [struct.unpack_from(form, code, headers + size * n) for n in range(count)]
    found = []
    for kind, offset, length, link in sections:
        if kind != _SYMTAB:
            continue
        names = code[sections[link][1] : sections[link][1] + sections[link][2]]
        entry = order + ("I2xH16x" if wide else "I10xH")
        for name, section in struct.iter_unpack(entry, code[offset : offset + length]):
            if not section:
                found.append(_text(names, name))
    return found


def _of_coff(code: bytes) -> list[str]:
    begin, count = struct.unpack_from("<II", code, 8)
    names = code[begin + 18 * count :]
    found, number = [], 0
    while number < count:
        short, value, section, kind, more = struct.unpack_from(
            "<8sIh2xBB", code, begin + 18 * number
        )
        if not section and not value and kind == 2:
            zeros, at = struct.unpack("<II", short)
            found.append(short.rstrip(b"\0").decode() if zeros else _text(names, at))
        number += 1 + more
    return found


def _of_mach_o(code: bytes) -> list[str]:
    (commands,) = struct.unpack_from("<I", code, 16)
    at, found = 32, list[str]()
    for _ in range(commands):
        command, size = struct.unpack_from("<II", code, at)
        if command == _LC_SYMTAB:
            begin, count, text, length = struct.unpack_from("<IIII", code, at + 8)
            names = code[text : text + length]
            for name, kind in struct.iter_unpack("<IB11x", code[begin : begin + 16 * count]):
                if not kind & 0x0E and kind & 1:
                    found.append(_text(names, name))
        at += size
    return found
