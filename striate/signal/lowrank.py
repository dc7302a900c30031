"""Kernels as sums of few separable ones: low-rank factorisation.

A matrix of rank k is a sum of k products of a column and a row (its singular value
decomposition), and a product of a column and a row is swept as two one-dimensional kernels:
``k · (height + width)`` multiplications an output instead of ``height · width``.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from striate.common.arrays import Array

TOLERANCE = 16.0  # times the arithmetic's epsilon: what may be left out, relative to the kernel


class SeparableTerms(NamedTuple):
    """Σ_j columns[j] ⊗ rows[j]: arrays (terms, height) and (terms, width)."""

    columns: Array
    rows: Array


def separate(kernel: Array) -> SeparableTerms | None:
    """The fewest separable terms whose sum is `kernel`, (height, width); None if it has no finite
    one, or for whole numbers if one term of whole numbers is not enough.

    What is left out is, in the Frobenius norm, at most `TOLERANCE` times the machine epsilon of
    the kernel's dtype of its largest singular value: as much as rounding the kernel would change.
    """
    kernel = np.ascontiguousarray(kernel)
    return _separate(kernel.tobytes(), kernel.shape, kernel.dtype.str)


@functools.lru_cache(maxsize=256)
def _separate(numbers: bytes, shape: tuple[int, ...], dtype: str) -> SeparableTerms | None:
    kernel = np.frombuffer(numbers, dtype).reshape(shape)
    if kernel.dtype.kind in "iu":
        return _whole(kernel)
    if not np.isfinite(kernel).all():
        return None
    left, sizes, right = np.linalg.svd(kernel.astype(np.float64), full_matrices=False)
    allowed = TOLERANCE * np.finfo(kernel.dtype).eps * sizes[0]
    left_out = np.sqrt(np.cumsum((sizes**2)[::-1]))[::-1]  # with the first k terms kept
    terms = int(np.count_nonzero(left_out > allowed))
    if terms == 0:
        return None
    weights = np.sqrt(sizes[:terms])
    return SeparableTerms((left[:, :terms] * weights).T, right[:terms] * weights[:, None])


def _whole(kernel: Array) -> SeparableTerms | None:
    """One column and one row of whole numbers, if that is all."""
    numbers = kernel.tolist()
    row = next((line for line in numbers if any(line)), None)
    if row is None:
        return None
    divisor = math.gcd(*row)
    row = [number // divisor for number in row]
    at = next(i for i, number in enumerate(row) if number)
    column = [line[at] // row[at] for line in numbers]
    if any(
        line[i] != factor * number
        for line, factor in zip(numbers, column, strict=True)
        for i, number in enumerate(row)
    ):
        return None
    limits = np.iinfo(kernel.dtype)
    if max(*column, *row) > limits.max:  # -128 as (-1) · 128
        return None
    return SeparableTerms(np.array([column], kernel.dtype), np.array([row], kernel.dtype))
