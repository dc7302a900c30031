"""Code that this processor can run, in a process of its own: what it breaks is not this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateError
from striate.common.stop_signals import name_of_signal
from striate.freestanding.running.native_worker import OUT_OF_BOUNDS
from striate.nest.target import Target, host


class NativeCodeError(StriateError, RuntimeError):
    """Code that does not run here as it should; the message says what it does."""


def runs_here(code: bytes, target: Target) -> bool:
    """Whether an object file is for this system and this kind of processor."""
    own = host()
    architecture = target.triple.partition("-")[0]
    names = {"amd64": "x86_64", "arm64": "aarch64"}
    here = own.triple.partition("-")[0]
    if names.get(architecture, architecture) != names.get(here, here):
        return False
    beginning = {"linux": b"\x7fELF", "darwin": b"\xcf\xfa\xed\xfe"}.get(sys.platform)
    enough = target.vector_bytes <= own.vector_bytes and (own.fused or not target.fused)
    return enough and beginning is not None and code.startswith(beginning)


class NativeCode:
    """A function of an object file: void function(images, outputs, arena), on floats.

    Args:
        code: the object file.
        symbol: the function.
        image_bytes, output_bytes, arena_bytes: the memory that it is given.
    """

    how = "on this processor"

    def __init__(
        self, code: bytes, symbol: str, *, image_bytes: int, output_bytes: int, arena_bytes: int
    ) -> None:
        self._code = code
        self._task = {"symbol": symbol, "output_bytes": output_bytes, "arena_bytes": arena_bytes}
        self._image_numbers = image_bytes // 4

    def __call__(self, images: Array) -> Array:
        """The outputs of many runs, float32 (runs, numbers), for the images of each (runs, …).

        Raises:
            NativeCodeError: the code crashes, or writes where it must not.
        """
        given = np.ascontiguousarray(images, np.float32).reshape(len(images), self._image_numbers)
        with tempfile.TemporaryDirectory(prefix="striate-") as name:
            folder = Path(name)
            (folder / "code.o").write_bytes(self._code)
            (folder / "task.json").write_text(json.dumps(self._task))
            np.save(folder / "images.npy", given)
            worker = "striate.freestanding.running.native_worker"
            ended = subprocess.run(
                [sys.executable, "-m", worker, name],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                capture_output=True,
                text=True,
                check=False,
            )
            if ended.returncode == OUT_OF_BOUNDS:
                raise NativeCodeError("the code writes beside the memory that it was given")
            if ended.returncode < 0:
                raise NativeCodeError(
                    f"the code was ended by {name_of_signal(-ended.returncode)}: this processor "
                    "may lack instructions that it uses"
                )
            if ended.returncode:
                last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
                raise NativeCodeError(f"the code could not be run: {last}")
            found: Array = np.load(folder / "outputs.npy")
            return found
