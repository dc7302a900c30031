"""Which algorithm: what each would cost, and which of them can do what is asked.

Costs are estimated from the counts of what an algorithm does and the time that one such thing
takes.  Those times were fitted to measurements by ``benchmarks/methods.py`` on one machine (two
cores with AVX-512); on another all of them change, their ratios little.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from striate.nest.crew import default_threads
from striate.signal import fourier
from striate.signal.arranged import is_plane
from striate.signal.butterflies import kernel_spectrum
from striate.signal.geometry import check_name
from striate.signal.lowrank import Terms, separate
from striate.signal.problem import number_of
from striate.signal.recipes import Recipe
from striate.signal.request import Array, Request

_TRANSFORMS = ("fft", "overlap-save")
_EXACT = 2.0**44  # sums below this have an error below 1/2 after any transform that fits in memory
METHODS = ("auto", "direct", "separable", "box", "column-fft", "fft", "overlap-save", "numpy")

_CALL = 0.05  # milliseconds that a call of the compiled engine takes
_PRODUCT = 0.30  # nanoseconds of one thread for one vector multiply-add
_ROW_PRODUCT = 0.45  # the same along a row, where vectors are read across cache lines
_BLOCK = 3.0  # nanoseconds for a vector that is gathered and written
_BUTTERFLY = 1.5  # nanoseconds for a vector and one level of a transform, there and back
_FFT = 1.1  # nanoseconds of one thread for one number and one level of a transform
_LENGTHS = (32, 64, 128, 256)  # of the transforms of columns
SMALL = 1 << 17  # products below which NumPy is done before a call has begun


class Candidate(NamedTuple):
    """An algorithm, what it would cost, and why it cannot be used, or what it does."""

    method: str
    milliseconds: float | None
    note: str


@dataclass(frozen=True)
class Choice:
    """The algorithm that was chosen.

    Attributes
    ----------
    method
        One of `METHODS`, but not "auto".
    reason
        One sentence.
    candidates
        All algorithms, the cheapest first; those that cannot be used have no cost.
    lasting
        Whether the same would be chosen for other values of the input.
    """

    method: str
    reason: str
    candidates: tuple[Candidate, ...] = ()
    lasting: bool = True

    def __str__(self) -> str:
        lines = [f"{self.method}: {self.reason}"]
        for method, cost, note in self.candidates:
            shown = "      –   " if cost is None else f"{cost:8.2f} ms"
            lines.append(f"  {method:13}{shown}  {note}")
        return "\n".join(lines)


def choose(request: Request, method: str = "auto") -> Choice:
    """The algorithm for a request.

    Raises
    ------
    ValueError
        If `method` is unknown or cannot do what is asked.
    """
    check_name("method", method, METHODS)
    products = request.outputs * request.kernel.size
    if method in ("auto", "numpy") and number_of(request.dtype) is None:
        return Choice("numpy", f"the compiler has no code for {request.dtype}")
    if method == "auto" and products <= SMALL:
        return Choice("numpy", f"{products} products are too few to compile a kernel for")
    if method != "auto":
        cost, reason = _MODELS[method](request)
        if cost is not None:
            reason = _inexact(request) if method in _TRANSFORMS else ""
        if reason:
            raise ValueError(f'method "{method}" cannot be used: {reason}')
        return Choice(method, "as asked")
    every = [_consider(name, request) for name in METHODS[1:]]
    ranked = sorted(every, key=lambda c: math.inf if c.milliseconds is None else c.milliseconds)
    best, lasting = ranked[0], True
    if best.method in _TRANSFORMS and (reason := _inexact(request)):
        kept = [candidate for candidate in ranked if candidate.method not in _TRANSFORMS]
        ranked = [*kept, *(Candidate(name, None, reason) for name in _TRANSFORMS)]
        best, lasting = ranked[0], False
    return Choice(best.method, best.note, tuple(ranked), lasting)


def recipe(request: Request, method: str) -> tuple[Recipe, list[Array]]:
    """The recipe of a compiled method, and its weights."""
    if method == "separable":
        terms = separate(request.kernel)
        assert terms is not None
        return Recipe(method, len(terms.columns)), [terms.columns, terms.rows]
    if method == "box":
        return Recipe(method), [request.kernel.ravel()[:1]]
    if method == "column-fft":
        lengths = [length for length in _LENGTHS if _rows_left(request, length) > 0]
        length = min(lengths, key=lambda length: _column_cost(request, length))
        spectrum = kernel_spectrum(request.kernel, request.windows[0].dilation, length)
        return Recipe(method, length=length), [spectrum]
    return Recipe("direct"), [request.kernel]


def _consider(method: str, request: Request) -> Candidate:
    cost, note = _MODELS[method](request)
    return Candidate(method, cost, note)


_PLANE = "it is made for one and two axes, without strides"
_Verdict = tuple[float | None, str]


def _numpy(request: Request) -> _Verdict:
    taps = request.kernel.size
    size = request.dtype.itemsize
    return taps * (0.004 + request.outputs * size * 3e-7), "sums of shifted copies, by NumPy"


def _direct(request: Request) -> _Verdict:
    if reason := _foreign(request):
        return None, reason
    taps = request.kernel.size
    return _compiled(request, taps * _PRODUCT), f"{taps} products for each output"


def _separable(request: Request) -> _Verdict:
    found = _terms(request)
    if isinstance(found, str):
        return None, found
    terms, (height, width) = len(found.columns), request.kernel.shape
    each = terms * (height * _PRODUCT + width * _ROW_PRODUCT) + _BLOCK * terms
    plural = "term" if terms == 1 else "terms"
    note = f"rank {terms}: {terms} {plural} of {height} + {width} products for each output"
    return _compiled(request, each), note


def _terms(request: Request) -> Terms | str:
    if reason := _foreign(request):
        return reason
    if not is_plane(request):
        return _PLANE
    if request.kernel.ndim == 1 or min(request.kernel.shape) == 1:
        return "the kernel has one dimension only"
    terms = separate(request.kernel)
    if terms is None:
        return "the kernel is no sum of products of a column and a row that is exact here"
    return terms


def _box(request: Request) -> _Verdict:
    if reason := _foreign(request):
        return None, reason
    if not is_plane(request):
        return None, _PLANE
    kernel = request.kernel
    if kernel.size == 1 or not (kernel == kernel.flat[0]).all():
        return None, "the kernel's numbers are not all equal"
    additions = sum(2 * taps.bit_length() - 2 for taps in kernel.shape)
    note = f"equal weights: at most {additions} additions for each output"
    return _compiled(request, additions * _BLOCK / 2 + _BLOCK), note


def _column_fft(request: Request) -> _Verdict:
    if reason := _foreign(request):
        return None, reason
    if request.dtype.kind != "f":
        return None, "it rounds, and whole numbers are exact here"
    if not is_plane(request) or request.kernel.ndim == 1:
        return None, "it is made for two axes, without strides"
    lengths = [length for length in _LENGTHS if _rows_left(request, length) > 0]
    if not lengths:
        return None, "the image has too few rows for its blocks"
    length = min(lengths, key=lambda length: _column_cost(request, length))
    note = f"transforms of {length} rows, {request.kernel.shape[1]} products along them"
    return _compiled(request, _column_cost(request, length)), note


def _rows_left(request: Request, length: int) -> int:
    """Rows of output that a transform of `length` rows leaves; 0 if the image has fewer."""
    rows = length - (request.kernel.shape[0] - 1) * request.windows[0].dilation
    return rows if rows <= request.windows[0].size else 0


def _column_cost(request: Request, length: int) -> float:
    """Nanoseconds for a vector of outputs: butterflies, and complex products."""
    each = math.log2(length) * _BUTTERFLY + 2 * request.kernel.shape[1] * _ROW_PRODUCT
    return float(each * length / _rows_left(request, length))


def _fft(request: Request) -> _Verdict:
    if reason := _untransformable(request):
        return None, reason
    sizes = [
        window.reach(taps)[1] - window.start
        for window, taps in zip(request.windows, request.kernel.shape, strict=True)
    ]
    rest = request.outputs / math.prod(window.size for window in request.windows)
    numbers = rest * math.prod(sizes)
    note = f"three transforms of {' × '.join(map(str, sizes))} numbers"
    return 0.1 + _transforms(request, numbers, math.prod(sizes), 2), note


def _overlap_save(request: Request) -> _Verdict:
    if reason := _untransformable(request):
        return None, reason
    if len(request.axes) != 1:
        return None, "it is made for one-dimensional kernels"
    (window,), (taps,) = request.windows, request.kernel.shape
    span = (taps - 1) * window.dilation + 1
    first, stop = window.reach(taps)
    size = fourier.block_size(span, stop - first)
    rest = request.outputs / window.size
    numbers = rest * (stop - first) * size / (size - span + 1)
    return 0.1 + _transforms(request, numbers, size, 2), f"transforms of {size} numbers at a time"


def _untransformable(request: Request) -> str:
    """Why a transform would not give the right result; empty if it does."""
    kind = request.dtype.kind
    if request.dtype not in (np.float32, np.float64) and kind not in "iu":
        return f"there is no fast transform of {request.dtype}"
    return ""


def _inexact(request: Request) -> str:
    """Why a transform would spoil the result; empty if it does not.

    It mixes all elements: one NaN would be everywhere.  Whole numbers are exact if rounding finds
    them again, so if the largest sum times the transform's relative error is far below 1/2.
    """
    if request.dtype.kind == "f":
        with np.errstate(all="ignore"):
            finite = np.isfinite(request.f.sum()) and np.isfinite(request.kernel).all()
        return "" if finite else "the input holds NaN, infinity or numbers near it"
    largest = max(abs(float(request.f.max())), abs(float(request.f.min())))
    largest = max(largest, abs(float(request.fill_value)))
    if largest * np.abs(request.kernel.astype(np.float64)).sum() < _EXACT:
        return ""
    return "sums could be too large to be exact"


def _transforms(request: Request, numbers: float, size: int, count: int) -> float:
    """Milliseconds of `count` transforms over so many numbers, and what goes with them."""
    wide = 1.0 if request.dtype == np.float32 else 1.6
    levels = count * math.log2(max(size, 2)) + 8
    return numbers * levels * _FFT * wide / default_threads() * 1e-6


def _compiled(request: Request, each: float) -> float:
    """Milliseconds, from the nanoseconds that one vector of outputs takes one thread."""
    lanes = 64 // max(request.dtype.itemsize, 4)
    return _CALL + request.outputs / lanes * (each + _BLOCK) / default_threads() * 1e-6


def _foreign(request: Request) -> str:
    """Why the compiler cannot be used; empty if it can."""
    if number_of(request.dtype) is None:
        return f"the compiler has no code for {request.dtype}"
    if request.kernel.dtype.kind == "f" and not np.isfinite(request.kernel).all():
        return "infinite weights must not meet the zeros beyond the border"
    return ""


_MODELS: dict[str, Callable[[Request], _Verdict]] = {
    "direct": _direct,
    "separable": _separable,
    "box": _box,
    "column-fft": _column_fft,
    "fft": _fft,
    "overlap-save": _overlap_save,
    "numpy": _numpy,
}
