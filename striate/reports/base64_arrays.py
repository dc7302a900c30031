"""Arrays of numbers that are embedded in a page: base64, little-endian, not rounded."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from striate.common.arrays import Array


def encode_array(array: Array) -> dict[str, Any]:
    """Shape, type and base64 bytes of an array, JSON-able.

    Unsigned integers keep their type, all other numbers become float32.
    """
    whole = array.dtype.kind == "u" and array.dtype.itemsize <= 4
    kind = f"u{array.dtype.itemsize}" if whole else "f4"
    little = np.ascontiguousarray(array, dtype="<" + kind)
    data = base64.b64encode(little.tobytes()).decode("ascii")
    return {"shape": list(array.shape), "type": kind, "data": data}
