"""The functions that loops in C call: striate's own, so that nothing of the C library is linked.

They compute what `striate.nest.functions` tells LLVM to compute, to the bit.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Collection

from striate.common.templates import rendered
from striate.freestanding.c.c_numbers import c_float
from striate.nest.functions import EXP_RANGE, EXP_TERMS, LN2, LOG_TERMS, MILLS

_CALLS = {
    "exponential": ("exponent_of",),
    "exponential_minus_one": ("exponent_of",),
    "exponent_of": ("nearest_whole", "multiply_add", "number_of_bits"),
    "nearest_whole": ("number_of_bits",),
    "square_root": ("number_of_bits",),
    "logarithm": ("multiply_add", "number_of_bits"),
    "mills_ratio": ("multiply_add",),
}
"""What each calls itself."""


def c_functions(called: Collection[str], name: str) -> str:
    """Definitions of functions and of those that they call.

    Args:
        called: names of functions.
        name: what the names of macros begin with.
    """
    used = {*called}
    while more := {part for function in used for part in _CALLS.get(function, ())} - used:
        used |= more
    shift, mills = MILLS["f32"]
    (root_bits,) = struct.unpack("<I", struct.pack("<f", math.sqrt(0.5)))
    values = {
        "used": used,
        "upper": name.upper(),
        "ln2": LN2["f32"],
        "log2_e": 1.0 / math.log(2.0),
        "exp_range": EXP_RANGE["f32"],
        "exp_series": [1.0 / math.factorial(k) for k in range(1, EXP_TERMS["f32"])],
        "log_series": [2.0 / (2 * k + 1) for k in range(LOG_TERMS["f32"])],
        "root_bits": root_bits,
        "least_normal": 2.0**-126,
        "mills_shift": shift,
        "mills_series": mills,
    }
    return rendered(
        "striate.freestanding.c",
        "templates/functions.h",
        values,
        {"c_float": c_float},
        html=False,
    )
