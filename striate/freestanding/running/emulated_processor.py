"""What the emulator unicorn has to know of each architecture: registers, how floats are switched
on, how long instructions are.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from striate.common.errors import StriateValueError
from striate.nest.target import Target


@dataclass(frozen=True)
class EmulatedProcessor:
    """An architecture.

    Attributes:
        name: in words.
        start: makes an emulator of it; its unit of floats is on.
        arguments: the registers of the first four arguments.
        returns: the register that holds where a function returns to.
        stack: the stack pointer.
        program_counter: where it is.
        instructions: counts the instructions in the bytes of a block of code.
    """

    name: str
    start: Callable[[], Any]
    arguments: tuple[int, ...]
    returns: int
    stack: int
    program_counter: int
    instructions: Callable[[bytes], int]


def emulated_processor(target: Target) -> EmulatedProcessor:
    """The processor that imitates a target; unicorn must be installed.

    Raises:
        ValueError: there is none.
    """
    found = next((make for start, make in _MAKERS if target.triple.startswith(start)), None)
    if found is None:
        raise StriateValueError(f"code for {target.triple} cannot be emulated")
    return found(target)


def can_be_emulated(target: Target) -> bool:
    """Whether there is a processor that imitates a target."""
    return target.triple.startswith(tuple(start for start, _ in _MAKERS))


def _thumb(target: Target) -> EmulatedProcessor:
    from unicorn import arm_const as arm
    from unicorn import unicorn_const as unicorn

    models = {
        "cortex-m4": arm.UC_CPU_ARM_CORTEX_M4,
        "cortex-m7": arm.UC_CPU_ARM_CORTEX_M7,
        "cortex-m33": arm.UC_CPU_ARM_CORTEX_M33,
    }

    def start() -> Any:
        emulator = _uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        emulator.ctl_set_cpu_model(
            models.get(target.cpu, arm.UC_CPU_ARM_CORTEX_M7)
        )  # which knows all before
        return emulator

    return _of_arm(f"ARM {target.cpu.title()}", start, thumb_instructions)


def _arm(target: Target) -> EmulatedProcessor:
    from unicorn import arm_const as arm
    from unicorn import unicorn_const as unicorn

    def start() -> Any:
        emulator = _uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_ARM)
        emulator.ctl_set_cpu_model(arm.UC_CPU_ARM_1176)
        access = emulator.reg_read(arm.UC_ARM_REG_C1_C0_2)
        emulator.reg_write(arm.UC_ARM_REG_C1_C0_2, access | 0xF << 20)
        emulator.reg_write(arm.UC_ARM_REG_FPEXC, 1 << 30)
        return emulator

    return _of_arm("32-bit ARM", start, _words)


def _of_arm(
    name: str, start: Callable[[], Any], instructions: Callable[[bytes], int]
) -> EmulatedProcessor:
    from unicorn import arm_const as arm

    registers = tuple(arm.UC_ARM_REG_R0 + number for number in range(4))
    return EmulatedProcessor(
        name,
        start,
        registers,
        arm.UC_ARM_REG_LR,
        arm.UC_ARM_REG_SP,
        arm.UC_ARM_REG_PC,
        instructions,
    )


def _aarch64(target: Target) -> EmulatedProcessor:
    from unicorn import arm64_const as arm64
    from unicorn import unicorn_const as unicorn

    def start() -> Any:
        emulator = _uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
        emulator.reg_write(arm64.UC_ARM64_REG_CPACR_EL1, 3 << 20)
        return emulator

    registers = tuple(arm64.UC_ARM64_REG_X0 + number for number in range(4))
    return EmulatedProcessor(
        "AArch64",
        start,
        registers,
        arm64.UC_ARM64_REG_X30,
        arm64.UC_ARM64_REG_SP,
        arm64.UC_ARM64_REG_PC,
        _words,
    )


def _riscv(target: Target) -> EmulatedProcessor:
    from unicorn import riscv_const as riscv
    from unicorn import unicorn_const as unicorn

    bits = 32 if target.triple.startswith("riscv32") else 64
    mode = unicorn.UC_MODE_RISCV32 if bits == 32 else unicorn.UC_MODE_RISCV64

    def start() -> Any:
        emulator = _uc(unicorn.UC_ARCH_RISCV, mode)
        status = emulator.reg_read(riscv.UC_RISCV_REG_MSTATUS)
        emulator.reg_write(riscv.UC_RISCV_REG_MSTATUS, status | 3 << 13)
        return emulator

    registers = tuple(riscv.UC_RISCV_REG_A0 + number for number in range(4))
    return EmulatedProcessor(
        f"{bits}-bit RISC-V",
        start,
        registers,
        riscv.UC_RISCV_REG_RA,
        riscv.UC_RISCV_REG_SP,
        riscv.UC_RISCV_REG_PC,
        riscv_instructions,
    )


_MAKERS: tuple[tuple[str, Callable[[Target], EmulatedProcessor]], ...] = (
    ("thumb", _thumb),
    ("armv6", _arm),
    ("aarch64", _aarch64),
    ("arm64", _aarch64),
    ("riscv", _riscv),
)
"""By how triples begin."""


def _uc(architecture: int, mode: int) -> Any:
    from unicorn.unicorn_py3 import Uc

    return Uc(architecture, mode)


def _words(code: bytes) -> int:
    """Instructions of four bytes each."""
    return len(code) // 4


def thumb_instructions(code: bytes) -> int:
    """Thumb instructions: of two halves where the first begins with 11101, 11110 or 11111."""
    return _of_halves(code, lambda half: half >> 11 >= 0b11101)


def riscv_instructions(code: bytes) -> int:
    """RISC-V instructions: compressed ones do not end with 11."""
    return _of_halves(code, lambda half: half & 3 == 3)


def _of_halves(code: bytes, is_long: Callable[[int], bool]) -> int:
    halves = struct.unpack(f"<{len(code) // 2}H", code)
    count = at = 0
    while at < len(halves):
        at += 2 if is_long(halves[at]) else 1
        count += 1
    return count
