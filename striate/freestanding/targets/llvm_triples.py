"""Processors by LLVM's triples.

    aarch64-apple-darwin
    thumbv7em-none-eabihf:cortex-m7
    riscv64-unknown-linux-gnu:sifive-u74:+zba,+zbb

Behind the triple (architecture, maker, system, ABI) may stand LLVM's name of the processor, and
features; each counts as LLVM knows it.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace

from striate.common.errors import StriateValueError
from striate.freestanding.targets.target_facts import NamedTarget
from striate.freestanding.targets.target_probe import probed, processor_names
from striate.nest.target import Target


@dataclass(frozen=True)
class _ProcessorFamily:
    """What is counted on of processors of one kind.

    Attributes:
        names: what its triples begin with, as a pattern; those with the highest byte first are
            left out.
        registers: for floats, or vectors.
        widest: bytes of the vectors that code may use. On 32-bit ARM and others those of LLVM's
            vectors do not round as the standard says, or do not have one length.
    """

    names: str
    registers: int
    widest: int = 4


_FAMILIES = (
    _ProcessorFamily("x86_64|amd64", 16, 64),
    _ProcessorFamily("i[3-6]86", 8, 16),
    _ProcessorFamily("aarch64|arm64", 32, 16),
    _ProcessorFamily(r"(thumb|arm)(v[4-9][\w.]*)?", 32),
    _ProcessorFamily("riscv32|riscv64", 32),
)
# What a system's or an ABI's name promises, but LLVM does not take for granted: by the beginning
# and the end of the triple.
_PROMISED = (
    ("thumbv7em", "eabihf", "+vfp4d16sp"),
    ("thumbv8m.main", "eabihf", "+fp-armv8d16sp"),
    ("armv6", "eabihf", "+vfp2"),
    ("riscv64", "linux-gnu", "+m,+a,+f,+d,+c"),
    ("riscv", "none-elf", "+m,+a,+c"),
)


def target_of_triple(text: str) -> NamedTarget | None:
    """The processor that a text means, see above; None if it begins with no architecture that
    striate makes code for.

    Raises:
        ValueError: LLVM does not know the triple, the processor or its features.
    """
    architecture, *rest = text.partition(":")[0].split("-")
    return _of_triple(text) if rest and _family(architecture) is not None else None


def _family(name: str) -> _ProcessorFamily | None:
    return next((one for one in _FAMILIES if re.fullmatch(one.names, name)), None)


@functools.cache
def _of_triple(text: str) -> NamedTarget:
    triple, *rest = text.split(":")
    cpu = next((word for word in rest if not word.startswith(("+", "-"))), "")
    features = ",".join(word for word in rest if word.startswith(("+", "-")))
    if len(rest) != (cpu != "") + (features != "") or "" in rest:
        raise StriateValueError(
            f"target {text!r}: behind the triple may stand one processor and features, such as "
            f"{triple}:generic:+a,-b"
        )
    names = processor_names(triple)
    if names is None:
        raise StriateValueError(f"LLVM knows no target {triple!r}")
    names.check(triple, cpu, features)
    family = _family(triple.partition("-")[0])
    assert family is not None
    given = _promised(triple) if not cpu and not features else features
    asked = Target(
        _with_all_parts(triple),
        cpu,
        given,
        vector_bytes=4,
        registers=family.registers,
        portable=True,
    )
    target = probed(asked, family.widest)
    flags = f" -{'march' if target.is_x86 else 'mcpu'}={cpu}" * bool(cpu)
    if target.vector_bytes == 64:
        target = replace(target, registers=32)
    return NamedTarget(
        text,
        f"{cpu or 'any processor'} as LLVM's {triple} has it" + f", with {given}" * bool(given),
        target,
        f"clang --target={triple}{flags}",
    )


def _with_all_parts(triple: str) -> str:
    """A triple with all of its four parts: of three, LLVM takes the ABI for the system, and code
    that calls compilers' helpers then hands them numbers in other registers than they expect.
    """
    architecture, *rest = triple.split("-")
    if len(rest) == 2 and rest[0] in ("none", "linux"):
        return "-".join([architecture, "unknown", *rest])
    return triple


def _promised(triple: str) -> str:
    for beginning, end, features in _PROMISED:
        if triple.startswith(beginning) and triple.endswith(end):
            return features
    return ""
