"""Object files for WebAssembly, as LLVM writes them.

Their format is that of modules; what a linker needs is in custom sections:
https://github.com/WebAssembly/tool-conventions/blob/main/Linking.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from striate.freestanding.wasm.wasm_encoding import (
    CODE,
    CUSTOM,
    FUNCTION,
    IMPORT,
    TYPE,
    WasmReader,
    padded,
    sections,
)
from striate.nest.target import MachineCodeError

# Kinds of imports.
_OF_FUNCTION, _OF_TABLE, _OF_MEMORY, _OF_GLOBAL = range(4)
_SYMBOL_TABLE = 8
# Kinds of symbols, and what may be said of them.
_FUNCTION_SYMBOL, _GLOBAL_SYMBOL = 0, 2
_UNDEFINED, _EXPLICIT_NAME = 0x10, 0x40
# Relocations: numbers of functions, types and globals.
_FUNCTION_INDEX, _TYPE_INDEX, _GLOBAL_INDEX = 0, 6, 7


@dataclass(frozen=True)
class _LinkerSymbol:
    """What relocations refer to: a kind, and an index among those of its kind."""

    kind: int
    index: int
    name: str


@dataclass(frozen=True)
class _Relocation:
    """A number in the code that a linker fills in: where it is, and of which symbol or type."""

    kind: int
    offset: int
    target: int


class WasmObject:
    """An object file that calls nothing outside and has no data.

    So its functions keep their numbers in a module of its own.

    Args:
        content: of the file.

    Attributes:
        types, functions: the sections of these, as a module has them.
        has_stack: whether the code has a stack; the address of its end is global variable 0.
        names: of the functions, by their numbers.

    Raises:
        MachineCodeError: it needs what a linker would find elsewhere, or has data.
    """

    def __init__(self, content: bytes) -> None:
        self.has_stack = False
        self._symbols: list[_LinkerSymbol] = []
        self._relocations: list[_Relocation] = []
        kept: dict[int, bytes] = {}
        order: list[int] = []
        for number, section in sections(content):
            order.append(number)
            if number == CUSTOM:
                self._custom(WasmReader(section), order)
            elif number == IMPORT:
                self._imports(WasmReader(section))
            elif number in (TYPE, FUNCTION, CODE):
                kept[number] = section
            else:
                raise MachineCodeError(f"code for WebAssembly has a section {number}: data?")
        self.types, self.functions, self._code = (kept[n] for n in (TYPE, FUNCTION, CODE))
        self.names = {s.index: s.name for s in self._symbols if s.kind == _FUNCTION_SYMBOL}

    def code(self) -> bytes:
        """The section of the code, with the numbers of functions, types and globals put in."""
        found = bytearray(self._code)
        for one in self._relocations:
            is_type = one.kind == _TYPE_INDEX
            number = padded(one.target if is_type else self._symbols[one.target].index)
            found[one.offset : one.offset + len(number)] = number
        return bytes(found)

    def _imports(self, reader: WasmReader) -> None:
        """Only the memory and the stack may come from outside."""
        outside = []
        for _ in range(reader.unsigned()):
            _, name, kind = reader.name(), reader.name(), reader.byte()
            if kind == _OF_FUNCTION:
                reader.unsigned()
            elif kind == _OF_GLOBAL:
                reader.take(2)  # its type, and whether it can change
            else:
                if kind == _OF_TABLE:
                    reader.byte()
                reader.limits()
            if kind == _OF_GLOBAL and name == "__stack_pointer":
                self.has_stack = True
            elif kind != _OF_MEMORY:
                outside.append(name)
        if outside:
            raise MachineCodeError(
                f"code for WebAssembly needs {', '.join(outside)}, which nothing there gives"
            )

    def _custom(self, reader: WasmReader, order: list[int]) -> None:
        """What a linker reads; all else (producers, features) is left out."""
        title = reader.name()
        if title == "linking":
            reader.unsigned()  # the version, which is 2 since 2018
            while reader.left:
                kind, part = reader.byte(), WasmReader(reader.take(reader.unsigned()))
                if kind == _SYMBOL_TABLE:
                    self._symbols = [_symbol(part) for _ in range(part.unsigned())]
        elif title.startswith("reloc."):
            of_code = order[reader.unsigned()] == CODE
            for _ in range(reader.unsigned()):
                one = _Relocation(reader.byte(), reader.unsigned(), reader.unsigned())
                if not of_code or one.kind not in (_FUNCTION_INDEX, _TYPE_INDEX, _GLOBAL_INDEX):
                    raise MachineCodeError(
                        f"code for WebAssembly has a relocation of kind {one.kind} in {title}"
                    )
                self._relocations.append(one)


def _symbol(reader: WasmReader) -> _LinkerSymbol:
    kind, flags = reader.byte(), reader.unsigned()
    if kind not in (_FUNCTION_SYMBOL, _GLOBAL_SYMBOL):
        raise MachineCodeError(f"code for WebAssembly has a symbol of kind {kind}: data?")
    index = reader.unsigned()
    is_named = not flags & _UNDEFINED or flags & _EXPLICIT_NAME
    return _LinkerSymbol(kind, index, reader.name() if is_named else "")
