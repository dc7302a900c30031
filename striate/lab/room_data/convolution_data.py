"""The kernels of the room on convolution, and its noisy sine."""

from __future__ import annotations

from typing import Any

from striate.common.errors import StriateValueError

SIDES = (3, 5, 7, 9)
"""The sizes in which kernels are given that come in several."""
MOST_NUMBERS = 100
"""Kernels that have more, such as a bank of Gabor's, would not follow the pointer in a browser."""


def convolution_data() -> dict[str, Any]:
    """Signals and kernels, as striate has them.

    `kernels` is a list, in the order of `striate filter --list`, with the name, what it does, how
    several responses are combined, and for each size the arrays, row by row.
    """
    from striate import kernels
    from striate.recordings.demo import demo

    listed = []
    for name in kernels.names(2):
        sizes = _sizes(name)
        if sizes:
            combine = kernels.named(name, dimensions=2).combine
            about = kernels.describe(name, 2)
            listed.append({"name": name, "about": about, "combine": combine, "sizes": sizes})
    return {"noisy_sine": demo("noisy-sine").values.tolist(), "kernels": listed}


def _sizes(name: str) -> list[dict[str, Any]]:
    """The kernel `name` in each size that it comes in, smallest first."""
    from striate import kernels

    found: list[dict[str, Any]] = []
    for size in (None, *SIDES):
        try:
            kernel = kernels.named(name, size, 2)
        except StriateValueError:
            continue
        rows, columns = kernel.shape
        known = any(one["rows"] == rows for one in found)
        numbers = len(kernel.arrays) * rows * columns
        if not known and numbers <= MOST_NUMBERS and max(rows, columns) <= max(SIDES):
            arrays = [array.ravel().tolist() for array in kernel.arrays]
            found.append({"rows": rows, "columns": columns, "arrays": arrays})
    return sorted(found, key=lambda one: one["rows"])
