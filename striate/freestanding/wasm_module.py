"""WebAssembly modules from LLVM's object files, without a linker.

An object file for WebAssembly is nearly a module: it lacks a memory and exports, which a linker
adds, and its calls wait for the numbers of what they call. One that calls nothing outside and has
no data of its own, as all code of networks does, needs no more than that.

The formats are those of the WebAssembly specification, and of its tool conventions for what is to
be linked: https://github.com/WebAssembly/tool-conventions/blob/main/Linking.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from striate.nest.target import MachineCodeError

PAGE_BYTES = 1 << 16
"""Memory comes in pages."""


class Section(IntEnum):
    """Parts of a module, in their order."""

    CUSTOM, TYPE, IMPORT, FUNCTION = 0, 1, 2, 3
    MEMORY, GLOBAL, EXPORT, CODE = 5, 6, 7, 10


_HEADER = b"\0asm" + (1).to_bytes(4, "little")
_KEPT = (Section.TYPE, Section.FUNCTION, Section.CODE)
_SYMBOL_TABLE = 8
# Kinds of imports and exports, which are also those of what is imported.
_FUNCTION, _TABLE, _MEMORY, _GLOBAL = range(4)
# Kinds of symbols.
_FUNCTION_SYMBOL, _DATA_SYMBOL, _GLOBAL_SYMBOL, _SECTION_SYMBOL = range(4)
_UNDEFINED, _EXPLICIT_NAME = 0x10, 0x40
# Relocations: numbers in the code, of functions, types and globals.
_FUNCTION_INDEX, _TYPE_INDEX, _GLOBAL_INDEX = 0, 6, 7
_PADDED = 5  # bytes of a number that is filled in later
_I32, _MUTABLE, _END = 0x7F, 1, 0x0B
_I32_CONST = 0x41


def linked(code: bytes, exports: Iterable[str], pages: int, stack_bytes: int) -> bytes:
    """A module with a memory of its own, which imports nothing.

    It exports the memory as "memory". The stack, if the code needs one, is at its beginning.

    Args:
        code: an object file for wasm32, as LLVM writes it.
        exports: functions to export, by their names.
        pages: of `PAGE_BYTES` that the memory has, for ever.
        stack_bytes: how long the stack is.

    Raises:
        MachineCodeError: the code needs what nothing gives: functions of a library, data.
    """
    found = _ObjectFile(code)
    by_name = {name: index for index, name in found.functions.items()}
    exported = [_name("memory") + bytes([_MEMORY]) + _unsigned(0)]
    exported += [_name(name) + bytes([_FUNCTION]) + _unsigned(by_name[name]) for name in exports]
    # The memory can neither grow nor shrink, so views of it stay valid.
    sections = {
        Section.TYPE: found.sections[Section.TYPE],
        Section.FUNCTION: found.sections[Section.FUNCTION],
        Section.MEMORY: _vector([bytes([1]) + _unsigned(pages) * 2]),
        Section.EXPORT: _vector(exported),
        Section.CODE: found.linked_code(),
    }
    if found.has_stack:
        start = bytes([_I32, _MUTABLE, _I32_CONST]) + _signed(stack_bytes) + bytes([_END])
        sections[Section.GLOBAL] = _vector([start])
    parts = [_section(number, sections[number]) for number in sorted(sections)]
    return b"".join([_HEADER, *parts, _section(Section.CUSTOM, _names(found.functions))])


def sections(module: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each section of a module or object file, in order."""
    reader = _Reader(module)
    if reader.take(len(_HEADER)) != _HEADER:
        raise MachineCodeError("LLVM did not write WebAssembly of version 1")
    while reader.left:
        number = reader.byte()
        yield number, reader.take(reader.unsigned())


@dataclass(frozen=True)
class _Symbol:
    """What relocations refer to: a kind, and an index among those of its kind."""

    kind: int
    index: int
    name: str


class _ObjectFile:
    """An object file whose functions have the numbers that they keep.

    Attributes:
        sections: those that a module keeps.
        functions: their names by their numbers.
        has_stack: whether the code has a stack; its pointer is then the only global variable.
    """

    def __init__(self, code: bytes) -> None:
        self.sections: dict[int, bytes] = {}
        self.has_stack = False
        self._symbols: list[_Symbol] = []
        self._relocations: list[tuple[int, int, int]] = []
        places: list[int] = []
        for number, content in sections(code):
            places.append(number)
            if number == Section.CUSTOM:
                self._custom(_Reader(content), places)
            elif number == Section.IMPORT:
                self._imports(_Reader(content))
            elif number in _KEPT:
                self.sections[number] = content
            else:
                raise MachineCodeError(f"code for WebAssembly has a section {number} to be linked")
        self.functions = {s.index: s.name for s in self._symbols if s.kind == _FUNCTION_SYMBOL}

    def _imports(self, reader: _Reader) -> None:
        """Take the memory and the stack, and refuse all else: functions keep their numbers."""
        outside = []
        for _ in range(reader.unsigned()):
            _, name, kind = reader.name(), reader.name(), reader.byte()
            if kind == _MEMORY:
                reader.limits()
            elif kind == _GLOBAL and name == "__stack_pointer":
                reader.take(2)  # a type, and whether it can change
                self.has_stack = True
            else:
                if kind == _FUNCTION:
                    reader.unsigned()
                elif kind == _TABLE:
                    reader.byte()
                    reader.limits()
                else:
                    reader.take(2)
                outside.append(name)
        if outside:
            raise MachineCodeError(
                f"code for WebAssembly needs {', '.join(outside)}, which nothing there gives"
            )

    def _custom(self, reader: _Reader, places: list[int]) -> None:
        """What a linker reads; all else (producers, features) is left out."""
        name = reader.name()
        if name == "linking":
            reader.unsigned()  # the version, which is 2 since 2018
            while reader.left:
                kind, content = reader.byte(), _Reader(reader.take(reader.unsigned()))
                if kind == _SYMBOL_TABLE:
                    self._symbols = [_symbol(content) for _ in range(content.unsigned())]
        elif name.startswith("reloc."):
            section = places[reader.unsigned()]
            for _ in range(reader.unsigned()):
                kind = reader.byte()
                offset, symbol = reader.unsigned(), reader.unsigned()
                if section != Section.CODE or kind not in (
                    _FUNCTION_INDEX,
                    _TYPE_INDEX,
                    _GLOBAL_INDEX,
                ):
                    raise MachineCodeError(
                        f"code for WebAssembly has a relocation of kind {kind} in {name}"
                    )
                self._relocations.append((kind, offset, symbol))

    def linked_code(self) -> bytes:
        """The section of the code, with the numbers of functions and globals in their places."""
        code = bytearray(self.sections[Section.CODE])
        for kind, offset, symbol in self._relocations:
            index = symbol if kind == _TYPE_INDEX else self._symbols[symbol].index
            code[offset : offset + _PADDED] = _padded(index)
        return bytes(code)


def _symbol(reader: _Reader) -> _Symbol:
    kind, flags = reader.byte(), reader.unsigned()
    if kind not in (_FUNCTION_SYMBOL, _GLOBAL_SYMBOL):
        raise MachineCodeError(f"code for WebAssembly has a symbol of kind {kind}, such as data")
    index = reader.unsigned()
    named = not flags & _UNDEFINED or flags & _EXPLICIT_NAME
    return _Symbol(kind, index, reader.name() if named else "")


class _Reader:
    """Reads bytes from the beginning on."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        """Bytes that are not read yet."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """So many bytes."""
        if count > self.left:
            raise MachineCodeError("LLVM wrote WebAssembly that ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def byte(self) -> int:
        """One byte."""
        return self.take(1)[0]

    def unsigned(self) -> int:
        """A number in LEB128."""
        found = shift = 0
        while True:
            byte = self.byte()
            found |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return found

    def name(self) -> str:
        """A text."""
        return self.take(self.unsigned()).decode()

    def limits(self) -> None:
        """The least and perhaps the greatest size of a memory or table."""
        for _ in range(1 + (self.byte() & 1)):
            self.unsigned()


def _unsigned(number: int) -> bytes:
    """A number in LEB128."""
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _signed(number: int) -> bytes:
    """A number of at least 0 in LEB128 with a sign: a last bit of zero in front."""
    found = _unsigned(number)
    return found if found[-1] < 0x40 else bytes([*found[:-1], found[-1] | 0x80, 0])


def _padded(number: int) -> bytes:
    """A number in LEB128 that takes five bytes."""
    return bytes(
        (number >> 7 * i) & 0x7F | (0x80 if i < _PADDED - 1 else 0) for i in range(_PADDED)
    )


def _name(text: str) -> bytes:
    raw = text.encode()
    return _unsigned(len(raw)) + raw


def _vector(items: list[bytes]) -> bytes:
    return _unsigned(len(items)) + b"".join(items)


def _section(number: int, content: bytes) -> bytes:
    return bytes([number]) + _unsigned(len(content)) + content


def _names(functions: dict[int, str]) -> bytes:
    """The section by which debuggers and profilers call functions by name."""
    named = _vector([_unsigned(index) + _name(name) for index, name in sorted(functions.items())])
    return _name("name") + _section(1, named)
