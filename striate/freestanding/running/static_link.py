"""An object file at fixed addresses: what a linker does, for the few things in code of striate."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from striate.freestanding.running.relocations import FIXES, RISCV_LOWER_OF, LinkError, arm_addend

PAGE = 4096
# What only unwinding and debugging read.
_LEFT_OUT = (".ARM.ex", ".eh_frame", ".debug")
_ALLOCATED, _EXECUTABLE = 2, 4


@dataclass(frozen=True)
class LinkedSection:
    """A section in memory.

    Attributes:
        address: a multiple of a page.
        data: what is there.
        executable: whether it is code.
    """

    address: int
    data: bytes
    executable: bool


@dataclass(frozen=True)
class LinkedFunction:
    """A function: from where to where, without the bit that says that it is Thumb code."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True)
class LinkedObject:
    """An object file in memory.

    Attributes:
        sections: one behind the other, with an empty page between.
        symbols: the address of each function; of Thumb code with its lowest bit set.
        functions: the same by their addresses.
        stop: where free memory begins.
    """

    sections: tuple[LinkedSection, ...]
    symbols: Mapping[str, int]
    functions: tuple[LinkedFunction, ...]
    stop: int


def link(code: bytes, base: int, known: Mapping[str, int] | None = None) -> LinkedObject:
    """Put an ELF object file at an address.

    Args:
        code: the object file; of ARM, AArch64 or RISC-V.
        base: a multiple of a page.
        known: the addresses of symbols that are defined elsewhere.

    Raises:
        LinkError: it is none, or has something that this linker does not know.
    """
    return _Linker(code, base, known or {}).linked()


class _Linker:
    def __init__(self, code: bytes, base: int, known: Mapping[str, int]) -> None:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile

        try:
            self.elf: Any = ELFFile(io.BytesIO(code))
        except ELFError as error:
            raise LinkError("this is no ELF object file, which alone can be linked here") from error
        self.machine: str = self.elf["e_machine"]
        if self.machine not in FIXES:
            raise LinkError(f"object files for {self.machine} cannot be linked here")
        self.table: Any = self.elf.get_section_by_name(".symtab")
        self.addresses: dict[int, int] = {}
        self.data: dict[int, bytearray] = {}
        address = base
        for index, section in enumerate(self.elf.iter_sections()):
            kept = section["sh_flags"] & _ALLOCATED and not section.name.startswith(_LEFT_OUT)
            if kept and section["sh_size"]:
                self.addresses[index] = address
                self.data[index] = bytearray(section.data())
                address += -(-section["sh_size"] // PAGE) * PAGE + PAGE
        self.known, self.stop = known, address
        # Of AUIPC instructions, what they mean: by their addresses.
        self.meant: dict[int, int] = {}

    def linked(self) -> LinkedObject:
        """All of it."""
        for section in self.elf.iter_sections():
            if section["sh_type"] in ("SHT_REL", "SHT_RELA") and section["sh_info"] in self.data:
                self._relocate(section)
        sections = tuple(
            LinkedSection(
                address,
                bytes(self.data[index]),
                bool(self.elf.get_section(index)["sh_flags"] & _EXECUTABLE),
            )
            for index, address in self.addresses.items()
        )
        symbols, functions = {}, []
        for symbol in self.table.iter_symbols():
            if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_shndx"] in self.addresses:
                address = self._address(symbol)
                symbols[symbol.name] = address
                start = address & ~1
                functions.append(LinkedFunction(symbol.name, start, start + symbol["st_size"]))
        functions.sort(key=lambda function: function.start)
        return LinkedObject(sections, symbols, tuple(functions), self.stop)

    def _address(self, symbol: Any) -> int:
        where = symbol["st_shndx"]
        if where == "SHN_UNDEF":
            if symbol.name not in self.known:
                raise LinkError(f"the object file needs {symbol.name}, which is not there")
            return self.known[symbol.name]
        if where == "SHN_ABS":
            return int(symbol["st_value"])
        if where not in self.addresses:
            raise LinkError(f"{symbol.name or 'a symbol'} is in a section that is not loaded")
        return int(self.addresses[where] + symbol["st_value"])

    def _relocate(self, section: Any) -> None:
        index = section["sh_info"]
        data, base = self.data[index], self.addresses[index]
        # The lower parts of distances on RISC-V are known once what they belong to is, wherever
        # that stands in the table.
        entries = sorted(
            section.iter_relocations(), key=lambda entry: self._is_lower(entry["r_info_type"])
        )
        for entry in entries:
            kind, at = entry["r_info_type"], entry["r_offset"]
            fix = FIXES[self.machine].get(kind)
            if fix is None:
                raise LinkError(f"relocation {kind} of {self.machine} cannot be linked here")
            addend = entry["r_addend"] if section.is_RELA() else arm_addend(kind, data, at)
            value = self._address(self.table.get_symbol(entry["r_info_sym"])) + addend
            if self._is_lower(kind):
                place = value
                value = self.meant[place] - place
            else:
                place = base + at
                self.meant[place] = value
            fix(data, at, place, value)

    def _is_lower(self, kind: int) -> bool:
        return self.machine == "EM_RISCV" and kind in RISCV_LOWER_OF
