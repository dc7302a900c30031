"""Code of another processor on one that the package unicorn imitates.

Its first run is watched: instructions are counted, by blocks of code between jumps, and whoever
touches memory outside of what the code was given is found out. What it does depends on no image, so
that later runs go unwatched, many times faster. Instructions that a condition skips are counted as
well: they take their time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateError
from striate.common.optional import require
from striate.freestanding.running.emulated_processor import EmulatedProcessor, emulated_processor
from striate.freestanding.running.float_helpers import helpers_for
from striate.freestanding.running.static_link import PAGE, LinkedObject, link
from striate.nest.target import Target

STACK_BYTES = 1 << 16
_BASE = 1 << 16
_PAINT = 0xA5


class EmulationError(StriateError, RuntimeError):
    """Emulated code does what it must not; the message says what."""


@dataclass(frozen=True)
class RunCounts:
    """What a run took.

    Attributes:
        instructions: by the name of the function; without those of compilers' helpers.
        stack_bytes: how far the stack reached.
    """

    instructions: Mapping[str, int]
    stack_bytes: int

    @property
    def total(self) -> int:
        """All instructions."""
        return sum(self.instructions.values())


def require_emulator(who: str) -> None:
    """Raise unless there is an emulator.

    Args:
        who: what needs it.

    Raises:
        ImportError: the message says how to install it.
    """
    for package in ("unicorn", "elftools"):
        require(package, "emulate", who)


class EmulatedCode:
    """A function of an object file: void function(images, outputs, arena), on floats.

    Args:
        code: the object file.
        symbol: the function.
        target: which processor it is for.
        image_bytes, output_bytes, arena_bytes: the memory that it is given.

    Attributes:
        counts: of the first run; None before it.

    Raises:
        ImportError: unicorn or pyelftools is not installed.
        ValueError: there is no emulator of such a processor.
        LinkError: the object file cannot be linked.
    """

    def __init__(
        self,
        code: bytes,
        symbol: str,
        target: Target,
        *,
        image_bytes: int,
        output_bytes: int,
        arena_bytes: int,
    ) -> None:
        require_emulator("to run code for other processors")
        self.processor = emulated_processor(target)
        self.how = f"on an emulated processor ({self.processor.name})"
        self.counts: RunCounts | None = None
        helpers = helpers_for(code, target)
        linked = [] if helpers is None else [link(helpers, _BASE)]
        base, known = (linked[0].stop, linked[0].symbols) if linked else (_BASE, {})
        linked.append(link(code, base, known))
        self._machine = (linked, symbol, (image_bytes, output_bytes, arena_bytes))
        self._fast: _Machine | None = None

    def __call__(self, images: Array) -> Array:
        """The outputs of one run, float32 (numbers,), for its images, float32.

        Raises:
            EmulationError: the code touches memory that is not its own, or does not end well.
        """
        given = np.ascontiguousarray(images, "<f4").tobytes()
        if self.counts is None:
            watched = _Machine(self.processor, *self._machine)
            with _Watch(watched) as watch:
                found = watched.run(given)
            self.counts = watch.counts()
            return found
        if self._fast is None:
            self._fast = _Machine(self.processor, *self._machine)
        return self._fast.run(given)


@dataclass(frozen=True)
class _Stretch:
    """Memory of the code: from a page on, so many bytes."""

    what: str
    address: int
    size: int

    @property
    def whole(self) -> int:
        """Bytes of its pages."""
        return max(-(-self.size // PAGE), 1) * PAGE


class _Machine:
    """An emulator with the code and its memory in it, each part with empty pages around."""

    def __init__(
        self,
        processor: EmulatedProcessor,
        linked: Sequence[LinkedObject],
        symbol: str,
        sizes: tuple[int, int, int],
    ) -> None:
        from unicorn import unicorn_const as unicorn

        self.processor = processor
        self.entry = linked[-1].symbols[symbol]
        self.first = linked[-1].sections[0].address
        self.functions = linked[-1].functions
        self.uc = uc = processor.start()
        self.stretches: list[_Stretch] = []
        read, write, execute = unicorn.UC_PROT_READ, unicorn.UC_PROT_WRITE, unicorn.UC_PROT_EXEC
        for section in (section for one in linked for section in one.sections):
            what = "code" if section.executable else "constants"
            stretch = self._map(
                what, section.address, len(section.data), read | execute * section.executable
            )
            uc.mem_write(stretch.address, section.data)
        at = linked[-1].stop
        own = []
        for what, size, rights in (
            ("return", 2, read | execute),
            ("images", sizes[0], read),
            ("outputs", sizes[1], read | write),
            ("arena", sizes[2], read | write),
            ("stack", STACK_BYTES, read | write),
        ):
            own.append(self._map(what, at, size, rights))
            at += own[-1].whole + PAGE
        self.back, self.images, self.outputs, self.arena, self.stack = own
        uc.mem_write(self.arena.address, b"\xff" * sizes[2])  # NaN: what was there is of no use
        uc.mem_write(self.stack.address, bytes([_PAINT]) * STACK_BYTES)

    def _map(self, what: str, address: int, size: int, rights: int) -> _Stretch:
        stretch = _Stretch(what, address, size)
        self.uc.mem_map(address, stretch.whole, rights)
        self.stretches.append(stretch)
        return stretch

    def run(self, images: bytes) -> Array:
        """The outputs."""
        from unicorn.unicorn_py3 import UcError

        uc, processor = self.uc, self.processor
        if len(images) != self.images.size:
            raise EmulationError(f"a run takes {self.images.size:,} bytes of images")
        uc.mem_write(self.images.address, images)
        for register, stretch in zip(
            processor.arguments, (self.images, self.outputs, self.arena), strict=False
        ):
            uc.reg_write(register, stretch.address)
        uc.reg_write(processor.stack, self.stack.address + STACK_BYTES)
        uc.reg_write(processor.returns, self.back.address | self.entry & 1)
        try:
            uc.emu_start(self.entry, self.back.address)
        except UcError as error:
            raise EmulationError(f"emulated code failed {self._where()}: {error}") from error
        if uc.reg_read(processor.stack) != self.stack.address + STACK_BYTES:
            raise EmulationError("emulated code did not put the stack pointer back")
        found = bytes(uc.mem_read(self.outputs.address, self.outputs.size))
        return np.frombuffer(found, "<f4").astype(np.float32)

    def _where(self) -> str:
        at = self.uc.reg_read(self.processor.program_counter)
        return f"in {self.function_at(at)} at {at:#x}"

    def function_at(self, address: int) -> str:
        """The name of the function that an address is in."""
        place = bisect_right(self.functions, address, key=lambda function: function.start) - 1
        return self.functions[place].name if place >= 0 else "a helper of the compiler"


class _Watch:
    """Counts what one run does, and stops it where it touches what is not its own."""

    def __init__(self, machine: _Machine) -> None:
        self.machine = machine
        self.blocks: Counter[tuple[int, int]] = Counter()
        self.lowest = machine.stack.address + STACK_BYTES
        self.strange: tuple[str, int, str] | None = None

    def __enter__(self) -> _Watch:
        from unicorn import unicorn_const as unicorn

        machine, blocks, stack = self.machine, self.blocks, self.machine.processor.stack

        def block(uc: Any, address: int, size: int, data: object) -> None:
            key = (address, size)
            if key not in blocks:
                self.lowest = min(self.lowest, uc.reg_read(stack))
            blocks[key] += 1

        machine.uc.hook_add(unicorn.UC_HOOK_BLOCK, block)
        # What lies behind a stretch on its last page belongs to nobody.
        kinds = unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE
        for stretch in machine.stretches:
            if stretch.size < stretch.whole:
                machine.uc.hook_add(
                    kinds,
                    self._touched,
                    begin=stretch.address + stretch.size,
                    end=stretch.address + stretch.whole - 1,
                )
        return self

    def _touched(
        self, uc: Any, access: int, address: int, size: int, value: int, data: object
    ) -> None:
        near = max(
            (s for s in self.machine.stretches if s.address <= address), key=lambda s: s.address
        )
        function = self.machine.function_at(uc.reg_read(self.machine.processor.program_counter))
        self.strange = (near.what, address - near.address - near.size, function)
        uc.emu_stop()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self.strange is not None:
            what, behind, function = self.strange
            raise EmulationError(
                f"emulated code touches memory {behind} bytes behind the {what}, in {function}"
            )

    def counts(self) -> RunCounts:
        """What was counted."""
        machine = self.machine
        found: Counter[str] = Counter()
        for (address, size), times in self.blocks.items():
            if machine.first <= address < machine.back.address:
                code = bytes(machine.uc.mem_read(address, size))
                count = machine.processor.instructions(code)
                found[machine.function_at(address)] += count * times
        stack = machine.stack
        painted = np.frombuffer(bytes(machine.uc.mem_read(stack.address, STACK_BYTES)), np.uint8)
        written = np.flatnonzero(painted != _PAINT)
        below = int(written[0]) if len(written) else STACK_BYTES
        return RunCounts(
            dict(found), max(STACK_BYTES - below, stack.address + STACK_BYTES - self.lowest)
        )
