"""Which of striate's methods sums products as SciPy's loops do."""

from __future__ import annotations

import numpy as np

from striate.common.arrays import Array

# As many products are summed by NumPy before a compiled kernel has been found and called.
FEW = 1 << 17


def plain_method(outputs: int, weights: Array) -> str:
    """The method for a floating result whose every element must be as precise as SciPy's.

    Transforms and factors of the kernel are faster for large kernels, but their errors are
    relative to the largest sum and not to each: small values beside large ones would suffer.
    """
    if outputs * weights.size <= FEW or not np.isfinite(weights).all():
        return "numpy"
    return "direct"
