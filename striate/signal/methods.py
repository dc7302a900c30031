"""The cost model: what each method would cost for a request, and which can do what is asked.

A cost is estimated from the counts of what a method does (products, transforms, copies …) and the
time that one such thing takes.  Those times were fitted to measurements by
``benchmarks/methods.py`` on one machine (two cores with AVX-512); on another all of them change,
their ratios little.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.common.tables import columns
from striate.common.threads import default_threads
from striate.nest.target import compiler_error
from striate.signal import fourier
from striate.signal.butterflies import kernel_spectrum
from striate.signal.compiled_engine import is_plane
from striate.signal.descriptor import choose_axes, number_of
from striate.signal.geometry import check_name
from striate.signal.lowrank import SeparableTerms, separate
from striate.signal.request import Request
from striate.signal.sweep_spec import SweepAlgorithm

_TRANSFORMS = ("fft", "overlap-save")
_EXACT = 2.0**44  # sums below this have an error below 1/2 after any transform that fits in memory
METHODS = ("auto", "direct", "separable", "box", "column-fft", "fft", "overlap-save", "numpy")

# Nanoseconds that one thread takes for one of each; a vector has 64 bytes.
COSTS = {
    "call": 50_000.0,  # of the compiled engine
    "vector": 2.0,  # of outputs: reading, writing
    "copy": 2.5,  # of a vector into and out of a scratch buffer
    "sum": 1.1,  # of two vectors in a scratch buffer
    "product": 0.28,  # multiply-add of two vectors
    "row product": 0.48,  # the same along a row, where vectors are read across cache lines
    "butterfly": 2.5,  # a vector at one level of a transform of columns, there and back
    "cached level": 0.3,  # a number at one level of SciPy's FFT, float64, of blocks in a cache
    "uncached level": 0.8,  # the same of a whole array
    "pass": 1.0,  # a number in one of NumPy's operations on whole arrays
    "python": 4_000.0,  # a call into NumPy
}
_LENGTHS = (32, 64, 128, 256)  # of the transforms of columns
SMALL = 1 << 17  # products, up to which NumPy takes less time than a compiled call


class Candidate(NamedTuple):
    """What the cost model says of one method.

    Attributes:
        method: one of `METHODS`, but not "auto".
        milliseconds: what it would cost; None if it cannot be used.
        note: what it does, or why it cannot be used.
    """

    method: str
    milliseconds: float | None
    note: str


@short_repr
@dataclass(frozen=True)
class Choice:
    """The method that was chosen.

    Attributes:
        method: one of `METHODS`, but not "auto".
        reason: one sentence.
        candidates: all methods, the cheapest first; those that cannot be used have no cost.
        lasting: whether the same would be chosen for other values of the input.
    """

    method: str
    reason: str
    candidates: tuple[Candidate, ...] = ()
    lasting: bool = True

    def __str__(self) -> str:
        rows = [
            (f"  {method}", "–   " if cost is None else f"{cost:7.2f} ms", note)
            for method, cost, note in self.candidates
        ]
        lines = columns(rows, left=lambda column, _: column != 1)
        return "\n".join([f"{self.method}: {self.reason}", *lines])


def choose(request: Request, method: str = "auto") -> Choice:
    """The method for a request.

    Raises:
        ValueError: `method` is unknown or cannot do what is asked.
    """
    check_name("method", method, METHODS)
    if request.order != "any":
        return Choice("direct", "the products are to be added up in a given order")
    if request.mean:
        return Choice("box", "a mean is asked for")
    products = request.outputs * request.kernel.size
    if method in ("auto", "numpy") and number_of(request.dtype) is None:
        return Choice("numpy", f"the compiler has no code for {request.dtype}")
    if method == "auto" and products <= SMALL:
        return Choice("numpy", f"{products} products are too few to compile a kernel for")
    if method != "auto":
        done, reason = work(method, request)
        if done is not None:
            reason = _inexact(request) if method in _TRANSFORMS else ""
        if reason:
            raise StriateValueError(f'method "{method}" cannot be used: {reason}')
        return Choice(method, "as asked")
    every = [_consider(name, request) for name in METHODS[1:]]
    ranked = sorted(every, key=lambda c: math.inf if c.milliseconds is None else c.milliseconds)
    best, lasting = ranked[0], True
    if best.method in _TRANSFORMS and (reason := _inexact(request)):
        kept = [candidate for candidate in ranked if candidate.method not in _TRANSFORMS]
        ranked = [*kept, *(Candidate(name, None, reason) for name in _TRANSFORMS)]
        best, lasting = ranked[0], False
    return Choice(best.method, best.note, tuple(ranked), lasting)


def algorithm_for(request: Request, method: str) -> tuple[SweepAlgorithm, list[Array]]:
    """The algorithm of a compiled method, and its weights."""
    if method == "separable":
        terms = separate(request.kernel)
        assert terms is not None
        return SweepAlgorithm(method, len(terms.columns)), [terms.columns, terms.rows]
    if method == "box":
        number = np.full(1, request.kernel.size, request.dtype)
        return SweepAlgorithm(method, mean=request.mean), [
            number if request.mean else request.kernel.ravel()[:1]
        ]
    if method == "column-fft":
        length = column_length(request)
        assert length is not None
        spectrum = kernel_spectrum(request.kernel, request.windows[0].dilation, length)
        return SweepAlgorithm(method, length=length), [spectrum]
    return SweepAlgorithm("direct", order=request.order), [request.kernel]


def _consider(method: str, request: Request) -> Candidate:
    done, note = work(method, request)
    return Candidate(method, None if done is None else _price(done), note)


_PLANE = "it is made for one and two axes, without strides"
Work = dict[str, float]  # how many of what `COSTS` prices
_Assessment = tuple[Work | None, str]  # None if it cannot be used; why not, or what is done


def work(method: str, request: Request) -> _Assessment:
    """What a method would do for a request.

    Returns:
        How many of what `COSTS` prices, and that in words; None and why, if it cannot be used.
    """
    return _ASSESS[method](request)


def _numpy(request: Request) -> _Assessment:
    taps = request.kernel.size
    passed = taps * request.outputs * request.dtype.itemsize / 16
    return {"python": taps, "pass": passed}, "sums of shifted copies, by NumPy"


def _direct(request: Request) -> _Assessment:
    if reason := _uncompilable(request):
        return None, reason
    taps = request.kernel.size
    line = taps == request.kernel.shape[-1]
    lanes = _lanes(request)
    kind = "product" if not line or 2 * lanes <= taps <= 64 * lanes else "row product"
    return _compiled_work(request, {kind: taps}), f"{taps} products for each output"


def _separable(request: Request) -> _Assessment:
    found = _terms(request)
    if isinstance(found, str):
        return None, found
    terms, (height, width) = len(found.columns), request.kernel.shape
    each = {"product": terms * height, "row product": terms * width, "copy": terms}
    plural = "term" if terms == 1 else "terms"
    note = f"rank {terms}: {terms} {plural} of {height} + {width} products for each output"
    return _compiled_work(request, each), note


def _terms(request: Request) -> SeparableTerms | str:
    """The kernel as a sum of separable ones, or why that cannot be used."""
    if reason := _uncompilable(request):
        return reason
    if not is_plane(request):
        return _PLANE
    if request.kernel.ndim == 1 or min(request.kernel.shape) == 1:
        return "the kernel has one dimension only"
    terms = separate(request.kernel)
    if terms is None:
        return "the kernel is no sum of products of a column and a row that is exact here"
    return terms


def _box(request: Request) -> _Assessment:
    if reason := _uncompilable(request):
        return None, reason
    if not is_plane(request):
        return None, _PLANE
    kernel = request.kernel
    if kernel.size == 1 or not (kernel == kernel.flat[0]).all():
        return None, "the kernel's numbers are not all equal"
    roles = choose_axes(request.f.shape, request.axes)
    done: Work = {}
    for taps, axis, window in zip(kernel.shape, request.axes, request.windows, strict=True):
        if taps > 1:
            additions = taps.bit_length() - 1 + taps.bit_count() - 1
            if roles is not None and axis == roles.y and window.dilation == 1:
                additions = 0  # running sums, which cost less than the copies
            each = _compiled_work(request, {"copy": 2, "sum": additions})
            done = {kind: done.get(kind, 0.0) + count for kind, count in each.items()}
    return done, "equal weights: running sums along columns, sums by doubling along rows"


def _column_fft(request: Request) -> _Assessment:
    if reason := _uncompilable(request):
        return None, reason
    if request.dtype.kind != "f":
        return None, "it rounds, and whole numbers are exact here"
    if not is_plane(request) or request.kernel.ndim == 1:
        return None, "it is made for two axes, without strides"
    length = column_length(request)
    if length is None:
        return None, "the image has too few rows for its blocks"
    note = f"transforms of {length} rows, {request.kernel.shape[1]} products along them"
    return _compiled_work(request, _column_work(request, length)), note


def column_length(request: Request) -> int | None:
    """Rows of the transforms that "column-fft" costs least with; None if the image has too few."""
    rows = _rows(request)
    lengths = [length for length in _LENGTHS if 0 < _outputs_left(request, length) <= rows]
    return min(lengths, key=lambda n: _price(_column_work(request, n)), default=None)


def _rows(request: Request) -> int:
    return request.windows[0].size


def _outputs_left(request: Request, length: int) -> int:
    """Rows of output that a transform of `length` rows leaves."""
    return int(length - (request.kernel.shape[0] - 1) * request.windows[0].dilation)


def _column_work(request: Request, length: int) -> Work:
    """For a vector of outputs: butterflies, and complex products.

    Blocks have equal size, so the last one repeats some of the work before it.
    """
    rows = _rows(request)
    share = length * -(-rows // _outputs_left(request, length)) / rows
    return {
        "butterfly": math.log2(length) * share,
        "product": 2 * request.kernel.shape[1] * share,
        "copy": share,
    }


def _fft(request: Request) -> _Assessment:
    if reason := _untransformable(request):
        return None, reason
    sizes = [
        window.reach(taps)[1] - window.start
        for window, taps in zip(request.windows, request.kernel.shape, strict=True)
    ]
    rest = request.outputs / math.prod(window.size for window in request.windows)
    numbers = rest * math.prod(sizes)
    # SciPy's threads share the lines of an array; a single line is one thread's work.
    share = default_threads() if numbers == max(sizes) else 1
    note = f"transforms of {' × '.join(map(str, sizes))} numbers"
    done = _transform_work(request, numbers * share, math.prod(sizes), "uncached level")
    return {"python": 20, **done}, note


def _overlap_save(request: Request) -> _Assessment:
    if reason := _untransformable(request):
        return None, reason
    if len(request.axes) != 1:
        return None, "it is made for one axis"
    (window,), (taps,) = request.windows, request.kernel.shape
    span = (taps - 1) * window.dilation + 1
    first, stop = window.reach(taps)
    size = fourier.block_size(span, stop - first)
    rest = request.outputs / window.size
    numbers = rest * (stop - first) * size / (size - span + 1)
    done = _transform_work(request, numbers, size, "cached level")
    return {"python": 60, **done}, f"transforms of {size} numbers"


def _transform_work(request: Request, numbers: float, size: int, kind: str) -> Work:
    """Of a transform there and one back."""
    wide = 0.6 if request.dtype == np.float32 else 1.0
    return {kind: 2 * math.log2(max(size, 2)) * numbers * wide, "pass": 2 * numbers * wide}


def _compiled_work(request: Request, each: Work) -> Work:
    """Of the compiled engine, from what it does for one vector of outputs."""
    vectors = request.outputs / _lanes(request)
    done = {kind: vectors * count for kind, count in each.items()}
    return {"call": 1, "vector": vectors, **done}


def _lanes(request: Request) -> int:
    """Numbers of a vector of 64 bytes, as `COSTS` counts them on every machine."""
    return 64 // max(request.dtype.itemsize, 4)


def _price(done: Work) -> float:
    """Milliseconds; calls are made by one thread, all else is shared."""
    alone = ("call", "python")
    shared = sum(COSTS[kind] * count for kind, count in done.items() if kind not in alone)
    single = sum(COSTS[kind] * done.get(kind, 0.0) for kind in alone)
    return (single + shared / default_threads()) * 1e-6


def _untransformable(request: Request) -> str:
    """Why a transform would not give the right result; empty if it does."""
    kind = request.dtype.kind
    if request.dtype not in (np.float32, np.float64) and kind not in "iu":
        return f"there is no fast transform of {request.dtype}"
    return ""


def _inexact(request: Request) -> str:
    """Why the result of a transform would be wrong; empty if it would not.

    It mixes all elements: one NaN would be everywhere.  Whole numbers are exact if rounding finds
    them again, so if the largest sum times the transform's relative error is far below 1/2.
    """
    if request.dtype.kind == "f":
        with np.errstate(all="ignore"):
            finite = np.isfinite(request.f.sum()) and np.isfinite(request.kernel).all()
            finite = finite and bool(np.isfinite(request.fill_value))
        return "" if finite else "the input holds NaN, infinity or numbers near it"
    largest = max(abs(float(request.f.max())), abs(float(request.f.min())))
    largest = max(largest, abs(float(request.fill_value)))
    if largest * np.abs(request.kernel.astype(np.float64)).sum() < _EXACT:
        return ""
    return "sums could be too large to be exact"


def _uncompilable(request: Request) -> str:
    """Why the compiler cannot be used; empty if it can."""
    reason = compiler_error()
    if reason is not None:
        return f"llvmlite {reason}"
    if number_of(request.dtype) is None:
        return f"the compiler has no code for {request.dtype}"
    if request.kernel.dtype.kind == "f" and not np.isfinite(request.kernel).all():
        return "infinite weights must not meet the zeros beyond the border"
    return ""


_ASSESS: dict[str, Callable[[Request], _Assessment]] = {
    "direct": _direct,
    "separable": _separable,
    "box": _box,
    "column-fft": _column_fft,
    "fft": _fft,
    "overlap-save": _overlap_save,
    "numpy": _numpy,
}
