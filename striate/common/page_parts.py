"""What pages embed: data for their scripts, arrays of numbers, and hashes for their policies."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from striate.common.arrays import Array


def script_data(data: Mapping[str, Any]) -> str:
    """JSON for a script element, which a "</script>" in the name of a class must not end."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def encode_array(array: Array) -> dict[str, Any]:
    """Shape, type and base64 bytes of an array, little-endian and not rounded, JSON-able.

    Unsigned integers keep their type, all other numbers become float32.
    """
    whole = array.dtype.kind == "u" and array.dtype.itemsize <= 4
    kind = f"u{array.dtype.itemsize}" if whole else "f4"
    little = np.ascontiguousarray(array, dtype="<" + kind)
    return {"shape": list(array.shape), "type": kind, "data": base64_text(little.tobytes())}


def base64_text(data: bytes) -> str:
    """Bytes as text."""
    return base64.b64encode(data).decode("ascii")


def policy_hash(text: str) -> str:
    """The hash by which a page's policy knows the one script or style that may be used."""
    return base64_text(hashlib.sha256(text.encode()).digest())
