"""Random numbers by position: the bits of (image, layer, element) do not depend on the order.

A counter-based generator needs no state, so any thread can compute the dropout mask of any
image, forward and again backward, and the result is the same for every number of threads.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def uniform_bits(keys: npt.NDArray[np.uint32], salt: int, count: int) -> npt.NDArray[np.uint32]:
    """`count` uniform 32-bit numbers for every key.

    Args:
        keys: uint32 (n,), one per image and step.
        salt: index of the layer in the network.
        count: how many numbers each image needs.

    Returns:
        uint32 (n, count): the finaliser of MurmurHash3 (Austin Appleby, public domain) over
        key, salt and position.
    """
    # NumPy wraps unsigned arrays around modulo 2**32, which is the arithmetic wanted here.
    position = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9)
    position += np.uint32(salt * 0x85EBCA6B & 0xFFFFFFFF)
    bits: npt.NDArray[np.uint32] = keys.astype(np.uint32)[:, None] ^ position
    bits ^= bits >> np.uint32(16)
    bits *= np.uint32(0x85EBCA6B)
    bits ^= bits >> np.uint32(13)
    bits *= np.uint32(0xC2B2AE35)
    bits ^= bits >> np.uint32(16)
    return bits


def drop_threshold(rate: float) -> int:
    """An element is dropped if and only if its bits are below this number, which has 32 bits too:
    of a rate next to 1 it is the largest, not one that would wrap around to 0.
    """
    return min(round(rate * 2**32), 2**32 - 1)
