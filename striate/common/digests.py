"""Digests by which it is known again what something was: of arrays, and of plain values."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from striate.common.arrays import Array

# Bytes that are looked at together, so that arrays of any layout are digested in little memory.
_PIECE = 1 << 24


def digest_of(*values: Any) -> str:
    """A digest, 32 hexadecimal digits, of arrays and JSON-able values in this order: of the
    numbers, shapes and types, not of how they lie in memory.
    """
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, np.ndarray):
            _add(digest, value)
        else:
            digest.update(json.dumps(value, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()[:32]


def _add(digest: Any, array: Array) -> None:
    native = array.dtype.newbyteorder("<")
    digest.update(f"{native.str} {array.shape}\n".encode())
    if array.ndim == 0:
        array = array.reshape(1)
    rows = max(1, _PIECE // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        piece = np.ascontiguousarray(array[start : start + rows], native)
        digest.update(piece.view(np.uint8).reshape(-1).data if piece.size else b"")
