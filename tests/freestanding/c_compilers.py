"""C compilers of this machine: what tests compile with them, and call."""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from striate.nest.target import host

STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow")
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")


def fused() -> tuple[str, ...]:
    """Options by which GCC and clang multiply and add in one step, as striate does here."""
    if not host().fused:
        pytest.skip("this processor rounds multiply-adds twice")
    return ("-mavx2", "-mfma") if platform.machine() == "x86_64" else ()


def shared_library(
    folder: Path, texts: Mapping[str, str], *options: str, compiler: str = "gcc"
) -> ctypes.CDLL:
    """Files of C, by their names, compiled into one library."""
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    sources = [name for name in texts if name.endswith(".c")]
    command = [compiler, "-std=c99", *options, "-shared", "-fPIC", *sources, "-o", "library.so"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(folder / "library.so"))


def outputs(library: ctypes.CDLL, name: str, images: np.ndarray, numbers: int) -> np.ndarray:
    """What a network in C says of runs of images (runs, …), with an arena full of NaN."""
    run = getattr(library, f"{name}_run")
    run.argtypes, run.restype = [ctypes.c_void_p] * 3, None
    arena = np.full(8 << 20, 0xFF, np.uint8)
    found = np.zeros((len(images), numbers), np.float32)
    aligned = arena.ctypes.data + -arena.ctypes.data % 64
    for image, row in zip(np.ascontiguousarray(images), found, strict=True):
        run(image.ctypes.data, row.ctypes.data, aligned)
    return found
