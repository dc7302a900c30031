"""Processors by the names that people use for them."""

from __future__ import annotations

from striate.common.errors import StriateValueError
from striate.common.text import did_you_mean, listed
from striate.freestanding.targets.llvm_triples import target_of_triple
from striate.freestanding.targets.target_facts import NamedTarget
from striate.nest.target import Target

__all__ = ["NAMED_TARGETS", "NamedTarget", "named_target"]


def _target(
    triple: str,
    cpu: str,
    features: str = "",
    *,
    vector_bytes: int = 4,
    registers: int = 32,
    fused: bool = True,
    rounds: bool = True,
) -> Target:
    return Target(
        triple, cpu, features, vector_bytes, registers, fused, rounds=rounds, portable=True
    )


# All four parts of a triple are there: of three, LLVM takes "eabihf" for an operating system, and
# hands numbers of 64 bits to the compiler's helpers where these do not look for them.
_ARM = "arm-none-eabi-gcc -mthumb"
_KNOWN = (
    NamedTarget(
        "cortex-m4",
        "ARM Cortex-M4F: STM32F4, nRF52, SAMD51, Teensy 3",
        _target("thumbv7em-unknown-none-eabihf", "cortex-m4", rounds=False),
        f"{_ARM} -mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16",
    ),
    NamedTarget(
        "cortex-m7",
        "ARM Cortex-M7: STM32F7, STM32H7, i.MX RT, Teensy 4",
        _target("thumbv7em-unknown-none-eabihf", "cortex-m7"),
        f"{_ARM} -mcpu=cortex-m7 -mfloat-abi=hard -mfpu=fpv5-d16",
    ),
    NamedTarget(
        "cortex-m33",
        "ARM Cortex-M33 with its unit of floats: STM32L5 and U5, nRF53, RP2350",
        _target("thumbv8m.main-unknown-none-eabihf", "cortex-m33"),
        f"{_ARM} -mcpu=cortex-m33 -mfloat-abi=hard -mfpu=fpv5-sp-d16",
    ),
    NamedTarget(
        "cortex-m0",
        "ARM Cortex-M0 and M0+, without a unit of floats: RP2040, SAMD21, STM32F0",
        _target("thumbv6m-none-eabi", "cortex-m0", registers=16, fused=False, rounds=False),
        f"{_ARM} -mcpu=cortex-m0",
    ),
    NamedTarget(
        "esp32-c3",
        "32-bit RISC-V without a unit of floats (RV32IMC): ESP32-C3, CH32V3",
        _target("riscv32-unknown-none-elf", "generic-rv32", "+m,+c", fused=False, rounds=False),
        "riscv32-esp-elf-gcc -march=rv32imc -mabi=ilp32",
    ),
    NamedTarget(
        "raspberry-pi",
        "64-bit ARM with Linux: Raspberry Pi 3 and later, AWS Graviton",
        _target("aarch64-unknown-linux-gnu", "cortex-a53", vector_bytes=16),
        "aarch64-linux-gnu-gcc",
    ),
    NamedTarget(
        "raspberry-pi-zero",
        "32-bit ARM with Linux (ARMv6): Raspberry Pi Zero and 1",
        _target(
            "armv6-unknown-linux-gnueabihf",
            "arm1176jzf-s",
            registers=16,
            fused=False,
            rounds=False,
        ),
        "arm-linux-gnueabihf-gcc -marm -mcpu=arm1176jzf-s -mfpu=vfp -mfloat-abi=hard",
    ),
    NamedTarget(
        "riscv64",
        "64-bit RISC-V with Linux (RV64GC): VisionFive 2, Milk-V",
        _target("riscv64-unknown-linux-gnu", "generic-rv64", "+m,+a,+f,+d,+c"),
        "riscv64-linux-gnu-gcc -march=rv64gc -mabi=lp64d",
    ),
    NamedTarget(
        "x86-64",
        "any 64-bit x86, with SSE2: multiply-adds are rounded twice, so other bits than elsewhere",
        _target(
            "x86_64-unknown-linux-gnu",
            "x86-64",
            vector_bytes=16,
            registers=16,
            fused=False,
            rounds=False,
        ),
        "gcc",
    ),
    NamedTarget(
        "x86-64-v3",
        "64-bit x86 with AVX2 and FMA: Intel since Haswell (2013), AMD since Excavator",
        _target("x86_64-unknown-linux-gnu", "haswell", vector_bytes=32, registers=16),
        "gcc",
    ),
)
NAMED_TARGETS = {known.name: known for known in _KNOWN}


def named_target(text: str) -> NamedTarget:
    """The processor of a name, or of a triple of LLVM: see `llvm_triples`.

    Raises:
        ValueError: there is none of this name, or LLVM does not know the processor or its features.
    """
    found = NAMED_TARGETS.get(text) or target_of_triple(text)
    if found is None:
        raise StriateValueError(
            f"there is no target {text!r}{did_you_mean(text, list(NAMED_TARGETS))}; known are "
            f"{listed(list(NAMED_TARGETS), len(NAMED_TARGETS))}, and LLVM's triples, such as "
            "thumbv7em-none-eabihf:cortex-m4"
        )
    return found


def needed_target(name: str | None) -> NamedTarget:
    """The processor that an object file is made for.

    Raises:
        ValueError: none is given, or it is unknown.
    """
    if name is None:
        raise StriateValueError(
            "export: an object file needs a target: "
            f"{listed(list(NAMED_TARGETS), len(NAMED_TARGETS))}"
        )
    return named_target(name)
