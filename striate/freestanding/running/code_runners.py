"""How exported code of each kind is run on the machine that has made it.

A kind of export that can be run here has an entry in `RUNNERS`: a function from what was exported
to a `CodeRunner`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.freestanding.exported import Exported
from striate.freestanding.running.compiled_c import compiled_c
from striate.freestanding.running.emulated_processor import can_be_emulated
from striate.freestanding.running.emulation import EmulatedCode, RunCounts
from striate.freestanding.running.in_node import InNode
from striate.freestanding.running.native_code import NativeCode, runs_here
from striate.freestanding.targets.named_targets import named_target


class CodeRunner(Protocol):
    """Runs exported code.

    Attributes:
        how: where, in words: "on this processor".
        runs_at_once: how many runs a call should have, so that it takes a second or so.
        counts: what the first run took, if that is counted.
        rounds_once: whether multiply-adds were rounded once, where only a run tells; else None.
    """

    how: str
    runs_at_once: int

    @property
    def counts(self) -> RunCounts | None:
        """See above."""

    @property
    def rounds_once(self) -> bool | None:
        """See above."""

    def __call__(self, images: Array) -> Array:
        """The outputs of some runs, float32 (runs, numbers), for the images of each, float32
        (runs, batch, height, width, channels).
        """


# Bytes of the images of a call.
_MUCH = 64 << 20


class _Natively:
    def __init__(self, code: NativeCode | InNode, image_bytes: int, how: str = "") -> None:
        self._code, self.how = code, how or code.how
        self.runs_at_once = max(1, _MUCH // image_bytes)
        self.counts = None

    @property
    def rounds_once(self) -> bool | None:
        return self._code.rounds_once if isinstance(self._code, InNode) else None

    def __call__(self, images: Array) -> Array:
        return self._code(images)


class _Emulated:
    runs_at_once = 1
    rounds_once = None

    def __init__(self, code: EmulatedCode) -> None:
        self._code, self.how = code, code.how

    @property
    def counts(self) -> RunCounts | None:
        return self._code.counts

    def __call__(self, images: Array) -> Array:
        return np.stack([self._code(run) for run in images])


def object_runner(exported: Exported) -> CodeRunner:
    """What runs an object file: this processor, or an emulated one.

    Raises:
        ImportError: the emulator is not installed.
        ValueError: neither can.
    """
    code, target = exported.files[f"{exported.name}.o"], named_target(exported.target).target
    symbol, sizes = f"{exported.name}_run", _sizes(exported)
    if runs_here(code, target):
        return _Natively(NativeCode(code, symbol, **sizes), exported.figures.image_bytes)
    if not can_be_emulated(target) or code[:4] != b"\x7fELF":
        raise StriateValueError(
            f"code for {exported.target} can neither be run on this processor nor be emulated; "
            "compile main.c where it can be run: it compares the outputs of a few images"
        )
    return _Emulated(EmulatedCode(code, symbol, target, **sizes))


def c_runner(exported: Exported) -> CodeRunner:
    """What runs a file of C: this processor, once the compiler of this machine has compiled it.

    Raises:
        ValueError: there is no compiler.
    """
    code, compiler = compiled_c(exported)
    native = NativeCode(code, f"{exported.name}_run", **_sizes(exported))
    how = f"on this processor, compiled by {compiler}"
    return _Natively(native, exported.figures.image_bytes, how)


def wasm_runner(exported: Exported) -> CodeRunner:
    """What runs WebAssembly: Node.

    Raises:
        ValueError: there is no Node.
    """
    return _Natively(InNode(exported), exported.figures.image_bytes)


def _sizes(exported: Exported) -> dict[str, int]:
    figures = exported.figures
    return {
        "image_bytes": figures.image_bytes,
        "output_bytes": figures.output_bytes,
        "arena_bytes": figures.arena_bytes,
    }


RUNNERS: Mapping[str, Callable[[Exported], CodeRunner]] = {
    "object": object_runner,
    "c": c_runner,
    "wasm": wasm_runner,
}
"""What runs the code of each kind."""


def runner_for(exported: Exported) -> CodeRunner:
    """What runs some code.

    Raises:
        ImportError: what is needed is not installed.
        ValueError: it cannot be run here.
    """
    if exported.kind not in RUNNERS:
        raise StriateValueError(f"verify: code of the kind {exported.kind!r} cannot be run here")
    return RUNNERS[exported.kind](exported)
