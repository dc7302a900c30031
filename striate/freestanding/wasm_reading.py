"""Numbers and texts as WebAssembly writes them."""

from __future__ import annotations

from striate.nest.target import MachineCodeError


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


def unsigned_leb(number: int) -> bytes:
    """A number in LEB128."""
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
