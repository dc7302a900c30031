"""Arrays of numbers inside a page: base64, little-endian, none of them rounded."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from striate.common.arrays import Array


def packed(array: Array) -> dict[str, Any]:
    """Shape, type and bytes of an array: unsigned integers as they are, all else as float32."""
    whole = array.dtype.kind == "u" and array.dtype.itemsize <= 4
    kind = f"u{array.dtype.itemsize}" if whole else "f4"
    little = np.ascontiguousarray(array, dtype="<" + kind)
    data = base64.b64encode(little.tobytes()).decode("ascii")
    return {"shape": list(array.shape), "type": kind, "data": data}
