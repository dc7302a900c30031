"""The one entry to all engines: a kernel swept over some axes of an array."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.common.threads import default_threads
from striate.signal.geometry import AxisWindow
from striate.signal.request import Order, Request
from striate.signal.textbook import shifted

if TYPE_CHECKING:
    from striate.signal.arranged import Ready
    from striate.signal.methods import Choice


def sweep(
    f: Array,
    weights: Array,
    windows: Sequence[AxisWindow],
    *,
    axes: Sequence[int],
    border: str | Sequence[str] = "fill",
    fill_value: Any = 0,
    dtype: npt.DTypeLike,
    out: Array | None = None,
    method: str = "auto",
    clip: tuple[float, float] | None = None,
    order: Order = "any",
    mean: bool = False,
) -> Array:
    """Correlate (no flip): over `axes` of `f`, with f extended by its borders,

        out[…, n, …] = Σ_i weights[i] · f[…, start + n · stride + i · dilation, …]

    Parameters
    ----------
    f
        An array; axes that are not swept are batches.
    weights
        The kernel, in correlation order: one dimension for each swept axis.
    windows
        One for each swept axis.
    border
        One of `striate.signal.geometry.BORDERS`, or one for each swept axis.
    dtype
        What is computed in: elements and weights become it as they are read.
    out
        Where to write, of any dtype and strides, even where `f` is: every finished sum is
        converted as C does it (a float becomes an integer by leaving out its fraction).
        Without it, a new array of `dtype`.
    method
        One of `striate.signal.methods.METHODS`.
    clip
        Round each sum to the nearest whole number, the even one of two, and clip it to this
        range, before it is converted.
    order
        In which order products are summed: see `Request`.  Any but "any" wants a floating `dtype`
        and no strides.
    mean
        Divide each sum by the number of weights, which must all be 1, along one axis and without
        a stride; `dtype` must be floating.

    Arguments are trusted, but for `method`: whoever calls this has checked them.
    """
    request = _request(f, weights, windows, axes, border, fill_value, np.dtype(dtype), clip)
    if order != "any" or mean:
        request = replace(request, order=order, mean=mean)
    if out is None:
        out = empty(request.shape, request.dtype, f)
    run(request, out, method)
    return out


def _each(border: str | Sequence[str], count: int) -> tuple[str, ...]:
    return (border,) * count if isinstance(border, str) else tuple(border)


def _request(
    f: Array,
    weights: Array,
    windows: Sequence[AxisWindow],
    axes: Sequence[int],
    border: str | Sequence[str],
    fill_value: Any,
    dtype: np.dtype[Any],
    clip: tuple[float, float] | None,
) -> Request:
    """The same with rising axes."""
    axes = [axis % f.ndim for axis in axes]
    borders = _each(border, len(axes))
    order = sorted(range(len(axes)), key=axes.__getitem__)
    return Request(
        f,
        weights.astype(dtype, copy=False).transpose(order),
        tuple(windows[i] for i in order),
        tuple(axes[i] for i in order),
        tuple(borders[i] for i in order),
        fill_value,
        clip,
    )


# What ran last for arrays of a kind, so that the next ones need no decisions.
_READY: OrderedDict[tuple[Any, ...], Ready | Passes] = OrderedDict()
_KEPT = 64
_PAGE = 4096
_LARGE = 16 * _PAGE  # bytes; for less, a page more would be much
_ELSEWHERE = 256  # bytes: rows of common images lie a multiple of twice that apart


def run(request: Request, out: Array, method: str = "auto") -> None:
    """Carry out a request, by the method asked for."""
    if request.axes[-1] < request.f.ndim - 2:
        request, out = _joined(request, out)
    key = _key(request, out, method)
    ready = _READY.get(key)
    if ready is not None and not np.may_share_memory(request.f, out):
        if not ready.run(request.f, out):
            run(request.weighted(), out, ready.instead)
        return
    if request.dtype.kind == "c" and request.dtype.itemsize <= 16:
        _complex(request, out, method)
        return
    choice = explain(request, method)
    if choice.method == "numpy":
        _numpy(request, out)
    elif request.dtype == bool:
        # "or" of "and": whether any product is not zero.
        sums = empty(request.shape, np.dtype(np.int32))
        run(_counted(request), sums, method)
        np.copyto(out, sums != 0, casting="unsafe")
    elif choice.method in ("fft", "overlap-save"):
        _transformed(request, out, choice.method)
    else:
        if choice.method == "box" and min(request.kernel.shape) > 1 < len(request.axes):
            ready = Passes(request)
            ready.run(request.f, out)
        else:
            ready = _compiled(request, out, choice.method)
        if ready is not None and choice.lasting:
            _READY[key] = ready
            if len(_READY) > _KEPT:
                _READY.popitem(last=False)


def _joined(request: Request, out: Array) -> tuple[Request, Array]:
    """The same with the axes behind the last swept one as a single long one, if they can be."""
    f, behind = request.f, request.axes[-1] + 1
    if not (f.flags.c_contiguous and out.flags.c_contiguous and f.size and out.size):
        return request, out
    joined = replace(request, f=f.reshape(*f.shape[:behind], -1))
    return joined, out.reshape(*out.shape[:behind], -1)


@dataclass(frozen=True, eq=False)
class Passes:
    """A box over two axes: sums along the first, then along the second of what that gives."""

    request: Request
    instead: str = ""

    def run(self, f: Array, out: Array) -> bool:
        """Sweep `f` into `out`, which may be the same."""
        request = replace(self.request, f=f)
        if request.borders[1] == "fill" and request.fill_value:
            request = request.unfolded(1)  # whose sum over the first axis is another number
        (_, axis), kernel = request.axes, request.kernel
        first = replace(
            request,
            kernel=np.ones_like(kernel[:, 0]),
            windows=request.windows[:1],
            axes=request.axes[:1],
            borders=request.borders[:1],
            clip=None,
        )
        sums = empty(first.shape, first.dtype, out)
        run(first, sums, "box")
        second = replace(
            request,
            f=sums,
            kernel=kernel[0],
            windows=request.windows[1:],
            axes=(axis,),
            borders=request.borders[1:],
        )
        run(second, out, "box")
        return True


def _key(request: Request, out: Array, method: str) -> tuple[Any, ...]:
    """All that decides how a request is carried out, but for the input's values."""
    f, kernel = request.f, request.kernel
    return (
        (f.shape, f.strides, f.dtype, f.flags.aligned),
        (kernel.shape, kernel.dtype, kernel.tobytes() if kernel.dtype.kind != "O" else None),
        (request.windows, request.axes, request.borders, request.fill_value),
        (request.clip, request.order, request.mean),
        (out.strides, out.dtype, out.ctypes.data % 64),
        (method, default_threads()),
    )


def explain(request: Request, method: str = "auto") -> Choice:
    """By which method a request is carried out."""
    from striate.signal.methods import SMALL, choose

    if request.dtype.kind == "c" and request.dtype.itemsize <= 16:
        return choose(_parts(request)[0][0], method)
    if request.dtype == bool and method != "numpy":
        small = method == "auto" and request.outputs * request.kernel.size <= SMALL
        return choose(request if small else _counted(request), method)
    return choose(request, method)


def _compiled(request: Request, out: Array, choice: str) -> Ready | None:
    from striate.signal.arranged import can_write, compiled_sweep
    from striate.signal.compiled_sweep import Spoilt
    from striate.signal.methods import recipe

    direct = can_write(request, out)
    result = out if direct else empty(request.shape, request.dtype)
    try:
        ready = compiled_sweep(request, *recipe(request, choice), result)
    except Spoilt:
        _numpy(request, out)
        return None
    if direct:
        return ready
    store(result, out)
    return None


def _counted(request: Request) -> Request:
    """A request in booleans as one that counts."""
    return replace(request, kernel=request.kernel.astype(np.int32))


def _numpy(request: Request, out: Array) -> None:
    converted = request.converted()
    result = shifted(
        converted.f,
        converted.kernel,
        converted.windows,
        converted.axes,
        converted.borders,
        converted.fill_value,
    )
    store(_finished(result, request.clip), out)


def _transformed(request: Request, out: Array, method: str) -> None:
    from striate.signal import fourier

    engine = fourier.whole if method == "fft" else fourier.overlap_save
    floats = request
    if request.dtype.kind in "iu":
        floats = replace(request, kernel=request.kernel.astype(np.float64))
    if floats.dtype == out.dtype and not request.clip and not np.may_share_memory(request.f, out):
        engine(floats, out, default_threads())
        return
    result = empty(request.shape, floats.dtype)
    engine(floats, result, default_threads())
    if floats is not request:
        np.rint(result, out=result)
    store(_finished(result, request.clip), out)


def _complex(request: Request, out: Array, method: str) -> None:
    """By the products of real and imaginary parts, of which some may not be needed."""
    result = np.zeros(request.shape, request.dtype)
    product = empty(request.shape, request.dtype.type(0).real.dtype)
    for part, imaginary in _parts(request):
        run(part, product, method)
        target = result.imag if imaginary == 1 else result.real
        if imaginary == 2:  # i times i
            target -= product
        else:
            target += product
    store(result, out)


def _parts(request: Request) -> list[tuple[Request, int]]:
    """Requests in real numbers, each with how many of its two factors are imaginary."""
    fill = complex(request.fill_value)
    signals = [(request.f.real, fill.real)]
    if request.f.dtype.kind == "c" or fill.imag:
        signals.append((request.f.imag, fill.imag))
    kernels = [request.kernel.real]
    if request.kernel.imag.any():
        kernels.append(request.kernel.imag)
    return [
        (replace(request, f=f, kernel=kernel, fill_value=value), i + j)
        for i, (f, value) in enumerate(signals)
        for j, kernel in enumerate(kernels)
    ]


def _finished(values: Array, clip: tuple[float, float] | None) -> Array:
    return values if clip is None else np.clip(np.rint(values), *clip)


def empty(shape: Sequence[int], dtype: np.dtype[Any], like: Array | None = None) -> Array:
    """A new array that lies in its cache lines as another one does, or else begins one.

    Then what is read and what is written for it cross as few lines as can be. And it begins
    somewhere else in its page: a processor that loads from just ahead of where it stored, as far
    as the last twelve bits of the addresses tell, waits for the store.
    """
    if dtype.kind == "O":
        return np.empty(shape, dtype)
    count = math.prod(shape) * dtype.itemsize
    if count < _LARGE:
        like = None
    period = 64 if like is None else _PAGE
    room = np.empty(count + period + dtype.itemsize, np.uint8)
    start = 0 if like is None else like.ctypes.data + _ELSEWHERE
    start = (start - room.ctypes.data) % period
    start += -(room.ctypes.data + start) % dtype.itemsize
    return room[start : start + count].view(dtype).reshape(shape)


def store(values: Array, out: Array) -> None:
    """Write `values` to `out`, converting as C does: fractions are cut, integers wrap."""
    if values.dtype.kind == "f" and out.dtype.kind in "iu":
        if out.dtype == np.uint64:
            # Beyond the signed range a conversion by way of int64 would be wrong.
            large = values >= 2.0**63
            low = np.where(large, values - 2.0**63, values).astype(np.int64)
            np.copyto(out, low.view(np.uint64))
            out[large] += np.uint64(2**63)
            return
        values = values.astype(np.int64)
    np.copyto(out, values, casting="unsafe")
