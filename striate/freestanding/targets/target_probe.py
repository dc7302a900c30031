"""What a processor can do, by what LLVM makes of a few lines for it.

LLVM knows hundreds of processors, and tells of none what it has. But a sum of products that calls
the C library shows that there is no instruction for it, and a vector that is twice as long as the
registers takes twice the instructions.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace

from striate.common.errors import StriateValueError
from striate.common.text import did_you_mean
from striate.nest.target import Target, assemble, assembly_text, section_bytes

_FUSED = """
declare float @llvm.fma.f32(float, float, float)
define float @probe(float %a, float %b, float %c) nounwind {
  %d = call float @llvm.fma.f32(float %a, float %b, float %c)
  ret float %d
}"""
_ROUNDS = """
declare float @llvm.rint.f32(float)
define float @probe(float %a) nounwind {
  %b = call float @llvm.rint.f32(float %a)
  ret float %b
}"""
_ADDITIONS = 12
"""As many as make little of what loads and stores take, which may come in pairs."""
_WIDTHS = (4, 16, 32, 64)
# A vector of more than the registers hold takes at least so many times the bytes of code.
_CUT_UP = 1.5


def probed(target: Target, widest: int) -> Target:
    """The target, with its vectors and instructions as LLVM has them.

    Args:
        target: of which `registers` and `portable` stay.
        widest: bytes that its vectors have at most.
    """
    return replace(
        target,
        vector_bytes=_vector_bytes(target, widest),
        fused="fmaf" not in assembly_text(_FUSED, target, alone=True),
        rounds="rintf" not in assembly_text(_ROUNDS, target, alone=True),
    )


def _vector_bytes(target: Target, widest: int) -> int:
    found, taken = _WIDTHS[0], _code_bytes(1, target)
    for width in _WIDTHS[1:]:
        if width > widest:
            break
        more = _code_bytes(width // 4, target)
        if more >= _CUT_UP * taken:
            break
        found, taken = width, more
    return found


def _code_bytes(lanes: int, target: Target) -> int:
    """Bytes of code that adds so many numbers at once."""
    kind = "float" if lanes == 1 else f"<{lanes} x float>"
    sums = [f"  %s{n + 1} = fadd {kind} %s{n}, %d" for n in range(_ADDITIONS)]
    lines = [
        "define void @probe(ptr %a, ptr %b) nounwind {",
        f"  %s0 = load {kind}, ptr %a, align 64",
        f"  %d = load {kind}, ptr %b, align 64",
        *sums,
        f"  store {kind} %s{_ADDITIONS}, ptr %a, align 64",
        "  ret void",
        "}",
    ]
    return section_bytes(assemble("\n".join(lines), target, alone=True), (".text", "__text"))


@dataclass(frozen=True)
class ProcessorNames:
    """What LLVM calls the processors of an architecture, and their features."""

    processors: tuple[str, ...]
    features: tuple[str, ...]

    def check(self, triple: str, cpu: str, features: str) -> None:
        """Refuse what LLVM would only warn of.

        Raises:
            ValueError: with the nearest names.
        """
        if cpu and cpu not in self.processors:
            raise StriateValueError(
                f"LLVM knows no processor {cpu!r} of {triple}{did_you_mean(cpu, self.processors)}"
                + f"; known are {len(self.processors)}, such as {', '.join(self.processors[:3])}"
            )
        for feature in features.split(",") if features else ():
            name = feature[1:]
            if feature[0] not in "+-" or name not in self.features:
                raise StriateValueError(
                    f"LLVM knows no feature {feature!r} of {triple}"
                    + did_you_mean(name, self.features, write=lambda near: repr(f"+{near}"))
                )


# In a process of its own, as LLVM prints the names to standard error, and nowhere else.
_NAMES = """
import sys
import llvmlite.binding as llvm
llvm.initialize_all_targets()
llvm.Target.from_triple(sys.argv[1]).create_target_machine(cpu="help")
"""


def processor_names(triple: str) -> ProcessorNames | None:
    """All names that LLVM has for a triple's architecture; None where it knows no such triple.

    Raises:
        OSError: Python cannot be started.
    """
    command = [sys.executable, "-c", _NAMES, triple]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        return None
    processors: list[str] = []
    features: list[str] = []
    kind = None
    for line in found.stderr.splitlines():
        if line.startswith("Available "):
            kind = processors if "CPUs" in line else features
        elif kind is not None and line.startswith("  ") and " - " in line:
            kind.append(line.split()[0])
    return ProcessorNames(tuple(processors), tuple(features))
