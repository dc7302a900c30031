"""The process in which `striate.freestanding.running.native_code` runs code.

    python -m striate.freestanding.running.native_worker FOLDER

The folder has the object file code.o; task.json, with the function's name and sizes; images.npy,
float32 (runs, numbers). It gets outputs.npy, float32 (runs, numbers). The exit code is 3 if the
code has written where nothing is its own.
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from striate.nest.target import Loaded

OUT_OF_BOUNDS = 3
_LINE = 64
_PAINT = 0xA5


def _room(size: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Memory that begins at a whole line, and the same with a painted line on both sides."""
    whole = np.full(size + 3 * _LINE, _PAINT, np.uint8)
    start = -whole.ctypes.data % _LINE + _LINE
    return whole[start : start + size], whole[start - _LINE : start + size + _LINE]


def main(folder: Path) -> int:
    """Run the code; return the exit code."""
    task = json.loads((folder / "task.json").read_text())
    images: npt.NDArray[np.float32] = np.load(folder / "images.npy")
    code = Loaded((folder / "code.o").read_bytes(), task["symbol"])
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(code.address)
    given, _ = _room(images[0].nbytes)
    outputs, around_outputs = _room(task["output_bytes"])
    arena, around_arena = _room(task["arena_bytes"])
    arena[...] = 0xFF  # NaN: what was there is of no use
    found = np.empty((len(images), task["output_bytes"] // 4), np.float32)
    for number, image in enumerate(images):
        given[...] = np.frombuffer(image.tobytes(), np.uint8)
        run(given.ctypes.data, outputs.ctypes.data, arena.ctypes.data)
        found[number] = outputs.view(np.float32)
    for around in (around_outputs, around_arena):
        if (around[:_LINE] != _PAINT).any() or (around[-_LINE:] != _PAINT).any():
            return OUT_OF_BOUNDS
    np.save(folder / "outputs.npy", found)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
