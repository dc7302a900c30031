"""Numbers, texts and sections as WebAssembly has them: read and written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from striate.nest.target import MachineCodeError

HEADER = b"\0asm" + (1).to_bytes(4, "little")
"""What modules and object files begin with."""
CUSTOM, TYPE, IMPORT, FUNCTION, MEMORY, GLOBAL, EXPORT, CODE = 0, 1, 2, 3, 5, 6, 7, 10
"""Numbers of sections, which come in this order; custom ones may be anywhere."""


class WasmReader:
    """Reads bytes from the beginning on.

    Attributes:
        at: how many it has read.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    @property
    def left(self) -> int:
        """Bytes that are not read yet."""
        return len(self._data) - self.at

    def take(self, count: int) -> bytes:
        """So many bytes."""
        if count > self.left:
            raise MachineCodeError("LLVM wrote WebAssembly that ends too early")
        self.at += count
        return self._data[self.at - count : self.at]

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

    def signed(self) -> int:
        """A number in LEB128 with a sign."""
        start = self.at
        found, bits = self.unsigned(), 7 * (self.at - start)
        return found - (1 << bits) if found >> (bits - 1) else found

    def name(self) -> str:
        """A text."""
        return self.take(self.unsigned()).decode()

    def limits(self) -> None:
        """The least and perhaps the greatest size of a memory or table."""
        for _ in range(1 + (self.byte() & 1)):
            self.unsigned()


def sections(module: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each section of a module or object file, in order."""
    reader = WasmReader(module)
    if reader.take(len(HEADER)) != HEADER:
        raise MachineCodeError("LLVM did not write WebAssembly of version 1")
    while reader.left:
        number = reader.byte()
        yield number, reader.take(reader.unsigned())


def unsigned(number: int) -> bytes:
    """A number of at least 0 in LEB128: seven bits a byte, the lowest first."""
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def signed(number: int) -> bytes:
    """A number in LEB128 with a sign, which is the highest bit."""
    found = bytearray()
    while not -0x40 <= number < 0x40:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number & 0x7F])


def padded(number: int) -> bytes:
    """A number in LEB128 that takes five bytes, as those do that a linker fills in."""
    lowest = [(number >> shift) & 0x7F | 0x80 for shift in range(0, 28, 7)]
    return bytes([*lowest, number >> 28])


def name(text: str) -> bytes:
    """A text."""
    raw = text.encode()
    return unsigned(len(raw)) + raw


def vector(items: Sequence[bytes]) -> bytes:
    """A list: how many, and each."""
    return unsigned(len(items)) + b"".join(items)


def section(number: int, content: bytes) -> bytes:
    """A section, also one of those within a custom one."""
    return bytes([number]) + unsigned(len(content)) + content
