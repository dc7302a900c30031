"""What code calls where a processor has no unit of floats: the functions of compiler-rt and libgcc.

Both have the same names. They are no part of an object file, as every compiler for such a
processor brings them; an emulated processor calls what stands here, in their place. All arguments
and results are words of 32 bits, floats by their bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

Helper = Callable[[Sequence[int]], int]
"""From the words in the first registers to the word that is returned."""


def _float(word: int) -> np.float32:
    return np.uint32(word).view(np.float32)


def _word(value: np.float32) -> int:
    return int(value.view(np.uint32))


def _of_floats(compute: Callable[[np.float32, np.float32], np.float32]) -> Helper:
    def helper(words: Sequence[int]) -> int:
        with np.errstate(all="ignore"):
            return _word(np.float32(compute(_float(words[0]), _float(words[1]))))

    return helper


def _comparison(unordered: int) -> Helper:
    """-1, 0 or 1 for less, equal, greater; `unordered` if one is not a number."""

    def helper(words: Sequence[int]) -> int:
        a, b = _float(words[0]), _float(words[1])
        if np.isnan(a) or np.isnan(b):
            return unordered
        return int(a > b) - int(a < b) & 0xFFFFFFFF

    return helper


def _unordered(words: Sequence[int]) -> int:
    return int(bool(np.isnan(_float(words[0])) or np.isnan(_float(words[1]))))


def _to_whole(words: Sequence[int]) -> int:
    value = _float(words[0])
    return int(value) & 0xFFFFFFFF if abs(value) < 2**31 else 0x80000000


def _from_whole(words: Sequence[int]) -> int:
    signed = words[0] - (1 << 32) if words[0] >> 31 else words[0]
    return _word(np.float32(signed))


HELPERS: Mapping[str, Helper] = {
    "__addsf3": _of_floats(lambda a, b: a + b),
    "__subsf3": _of_floats(lambda a, b: a - b),
    "__mulsf3": _of_floats(lambda a, b: a * b),
    "__divsf3": _of_floats(lambda a, b: a / b),
    "__ltsf2": _comparison(1),
    "__lesf2": _comparison(1),
    "__eqsf2": _comparison(1),
    "__nesf2": _comparison(1),
    "__gtsf2": _comparison(0xFFFFFFFF),
    "__gesf2": _comparison(0xFFFFFFFF),
    "__unordsf2": _unordered,
    "__fixsfsi": _to_whole,
    "__floatsisf": _from_whole,
}
