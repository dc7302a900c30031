"""How much stack code takes, read from its assembly: no function calls itself, and the calls are
few, so the deepest chain of frames is known without running anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from striate.freestanding.program.llvm_module import Module
from striate.nest.target import Target, assembly_text

_LABEL = re.compile(r"_?([A-Za-z]\w*):")
# Where the frame's end is, in the tables for debuggers: from the caller's on, with its return
# address where that is on the stack.
_FRAME_END = re.compile(r"\s*\.cfi_def_cfa_offset (\d+)")


def _listed(text: str) -> int:
    """How many registers are in a list with commas."""
    return text.count(",") + 1


# Instructions that make room, and how many bytes of it.
_TAKING: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], int]], ...] = (
    # ARM: {r4, lr}, and pairs of floats.
    (re.compile(r"\s*push(?:\.w)?\s+\{(.+)\}"), lambda found: 4 * _listed(found[1])),
    (re.compile(r"\s*vpush\s+\{d(.+)\}"), lambda found: 8 * _listed(found[1])),
    (re.compile(r"\s*vpush\s+\{s(.+)\}"), lambda found: 4 * _listed(found[1])),
    # ARM and AArch64.
    (
        re.compile(r"\s*sub(?:w|\.w)?\s+sp, (?:sp, )?#(\d+)(, lsl #12)?"),
        lambda found: int(found[1]) << (12 if found[2] else 0),
    ),
    (re.compile(r"\s*st[rp]d?\s.*\[sp, #-(\d+)\]!"), lambda found: int(found[1])),
    # RISC-V.
    (re.compile(r"\s*addi\s+sp, sp, -(\d+)"), lambda found: int(found[1])),
    # x86; to align the stack takes up to as much.
    (re.compile(r"\s*pushq"), lambda found: 8),
    (re.compile(r"\s*pushl"), lambda found: 4),
    (re.compile(r"\s*sub[lq]\s+\$(\d+), %[re]sp"), lambda found: int(found[1])),
    (re.compile(r"\s*and[lq]\s+\$-(\d+), %[re]sp"), lambda found: int(found[1])),
)
_RETURN_ADDRESS = {"x86_64": 8, "amd64": 8, "i386": 4, "i486": 4, "i586": 4, "i686": 4}
"""Bytes that a call puts on the stack, by the architecture."""


def stack_bytes(module: Module, target: Target, callers: Iterable[str]) -> int:
    """Bytes of stack that a call takes at most, without those of compilers' helpers.

    Args:
        module: the code.
        target: the processor.
        callers: the functions through which all others are called, each by the one before it.
    """
    # Tables for debuggers are asked for; the code is the same.
    text = module.text.replace("nounwind {", "nounwind uwtable {")
    chain = tuple(callers)
    frames = frame_bytes(assembly_text(text, target, alone=True), {*module.functions, *chain})
    pushed = _RETURN_ADDRESS.get(target.triple.partition("-")[0], 0)
    inner = max((frames[name] + pushed for name in module.functions if name in frames), default=0)
    return inner + sum(frames[name] + pushed for name in chain)


def frame_bytes(text: str, functions: set[str]) -> dict[str, int]:
    """The frame of each of some functions in an assembly, without its return address where the
    call has put it on the stack.
    """
    ends: dict[str, int] = {}
    taken: dict[str, int] = {}
    name = ""
    for line in text.splitlines():
        label = _LABEL.match(line)
        if label is not None and label[1] in functions:
            name = label[1]
            ends[name] = taken[name] = 0
        elif not name:
            continue
        elif end := _FRAME_END.match(line):
            ends[name] = max(ends[name], int(end[1]))
        else:
            for pattern, much in _TAKING:
                if found := pattern.match(line):
                    taken[name] += much(found)
    x86 = "%rsp" in text or "%esp" in text
    own = (8 if "%rsp" in text else 4) if x86 else 0
    return {name: max(ends[name] - own, taken[name]) for name in ends}
