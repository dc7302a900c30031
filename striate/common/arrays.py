"""The type of arrays of any dtype, and aligned buffers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ALIGNMENT = 64
"""Bytes of a cache line, and of the widest vector register (AVX-512)."""


def aligned_zeros(size: int) -> npt.NDArray[np.float32]:
    """`size` float32 zeros that start at a multiple of `ALIGNMENT` bytes."""
    raw = np.zeros(size * 4 + ALIGNMENT, np.uint8)
    skip = -raw.ctypes.data % ALIGNMENT
    return raw[skip : skip + size * 4].view(np.float32)
