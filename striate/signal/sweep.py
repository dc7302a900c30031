"""The one entry to all engines: a kernel swept over some axes of an array.

`sweep` makes a `Request`, `run` carries it out: complex numbers and booleans become real sums, the
cost model of `striate.signal.methods` chooses the algorithm, and its engine does the work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.common.memory import LINE
from striate.common.recent import Recent
from striate.common.threads import default_threads
from striate.signal.geometry import AxisWindow
from striate.signal.output_arrays import aligned_empty, convert_into
from striate.signal.request import Order, Request
from striate.signal.textbook import shifted_sums

if TYPE_CHECKING:
    from striate.signal.compiled_engine import PreparedSweep
    from striate.signal.methods import Choice


@unwatched
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

    Arguments are trusted, but for `method`: whoever calls this has checked them.

    Args:
        f: an array; axes that are not swept are batches.
        weights: the kernel, in correlation order: one dimension for each swept axis.
        windows: one for each swept axis.
        axes: the axes of `f` that are swept.
        border: one of `striate.signal.geometry.BORDERS`, or one for each swept axis.
        fill_value: what the border "fill" holds.
        dtype: what is computed in: elements and weights become it as they are read.
        out: where to write, of any dtype and strides, even where `f` is: every finished sum is
            converted as C does it (a float becomes an integer by leaving out its fraction).
            Without it, a new array of `dtype`.
        method: one of `striate.signal.methods.METHODS`.
        clip: round each sum to the nearest whole number, the even one of two, and clip it to this
            range, before it is converted.
        order: in which order products are summed: see `Request`.  Any but "any" wants a floating
            `dtype` and no strides.
        mean: divide each sum by the number of weights, which must all be 1, along one axis and
            without a stride; `dtype` must be floating.

    Returns:
        `out`, or the new array.

    Raises:
        ValueError: `method` is unknown or cannot do what is asked.
    """
    request = _request(f, weights, windows, axes, border, fill_value, np.dtype(dtype), clip)
    if order != "any" or mean:
        request = replace(request, order=order, mean=mean)
    if out is None:
        out = aligned_empty(request.shape, request.dtype, f)
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
MOST_PREPARED, MOST_BYTES = 256, 16 << 20
"""How many decisions are kept, and bytes of the kernels that belong to them."""
_PREPARED: Recent[PreparedSweep | TwoPassBox] = Recent(
    MOST_PREPARED, MOST_BYTES, lambda prepared: prepared.nbytes
)


@unwatched
def run(request: Request, out: Array, method: str = "auto") -> None:
    """Carry out a request, by the method asked for.

    Raises:
        ValueError: `method` is unknown or cannot do what is asked.
    """
    if request.axes[-1] < request.f.ndim - 2:
        request, out = _merge_trailing_axes(request, out)
    key = _key(request, out, method)
    prepared = _PREPARED.get(key)
    if prepared is not None and not np.may_share_memory(request.f, out):
        if not prepared.run(request.f, out):
            run(request.weighted(), out, prepared.fallback)
        return
    if request.dtype.kind == "c" and request.dtype.itemsize <= 16:
        _run_complex(request, out, method)
        return
    choice = explain(request, method)
    if choice.method == "numpy":
        _run_numpy(request, out)
    elif request.dtype == bool:
        # "or" of "and": whether any product is not zero.
        sums = aligned_empty(request.shape, np.dtype(np.int32))
        run(_counting(request), sums, method)
        np.copyto(out, sums != 0, casting="unsafe")
    elif choice.method in ("fft", "overlap-save"):
        _run_transform(request, out, choice.method)
    else:
        if choice.method == "box" and min(request.kernel.shape) > 1 < len(request.axes):
            prepared = TwoPassBox.like(request)
            prepared.run(request.f, out)
        else:
            prepared = _run_compiled(request, out, choice.method)
        if prepared is not None and choice.lasting:
            _PREPARED.keep(key, prepared)


def _merge_trailing_axes(request: Request, out: Array) -> tuple[Request, Array]:
    """The same with the axes behind the last swept one as a single long one, if they can be."""
    f, behind = request.f, request.axes[-1] + 1
    if not (f.flags.c_contiguous and out.flags.c_contiguous and f.size and out.size):
        return request, out
    merged = replace(request, f=f.reshape(*f.shape[:behind], -1))
    return merged, out.reshape(*out.shape[:behind], -1)


@dataclass(frozen=True, eq=False)
class TwoPassBox:
    """A box over two axes: sums along the first, then along the second of what that gives.

    Attributes:
        request: a request like those that it can run, which differ in their input only.
        fallback: never needed.
    """

    request: Request
    fallback: str = ""

    @classmethod
    def like(cls, request: Request) -> TwoPassBox:
        """What runs requests like this one; it keeps neither its input nor its kernel alive."""
        nothing = np.broadcast_to(np.zeros((), request.f.dtype), request.f.shape)
        return cls(replace(request, f=nothing, kernel=request.kernel.copy()))

    @property
    def nbytes(self) -> int:
        """Bytes that it keeps."""
        return self.request.kernel.nbytes

    @unwatched
    def run(self, f: Array, out: Array) -> bool:
        """Sweep `f` into `out`, which may be the same; True, since it always can be done."""
        request = replace(self.request, f=f)
        if request.borders[1] == "fill" and request.fill_value:
            request = request.padded(1)  # whose sum over the first axis is another number
        (_, axis), kernel = request.axes, request.kernel
        first = replace(
            request,
            kernel=np.ones_like(kernel[:, 0]),
            windows=request.windows[:1],
            axes=request.axes[:1],
            borders=request.borders[:1],
            clip=None,
        )
        sums = aligned_empty(first.shape, first.dtype, out)
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
        (kernel.shape, kernel.dtype, _content(kernel)),
        (request.windows, request.axes, request.borders, request.fill_value),
        (request.clip, request.order, request.mean),
        (out.strides, out.dtype, out.ctypes.data % LINE),
        (method, default_threads()),
    )


def _content(kernel: Array) -> bytes | None:
    """What tells kernels apart: their numbers, or of many a hash of them."""
    if kernel.dtype.kind == "O":
        return None
    content = kernel.tobytes()
    return content if len(content) <= 1024 else hashlib.sha256(content).digest()


@unwatched
def explain(request: Request, method: str = "auto") -> Choice:
    """By which method a request is carried out.

    Raises:
        ValueError: `method` is unknown or cannot do what is asked.
    """
    from striate.signal.methods import SMALL, choose

    if request.dtype.kind == "c" and request.dtype.itemsize <= 16:
        return choose(_real_requests(request)[0][0], method)
    if request.dtype == bool and method != "numpy":
        small = method == "auto" and request.outputs * request.kernel.size <= SMALL
        return choose(request if small else _counting(request), method)
    return choose(request, method)


def _run_compiled(request: Request, out: Array, method: str) -> PreparedSweep | None:
    """By a compiled sweep; what can run again on other arrays, if it can."""
    from striate.signal.compiled_engine import NonFiniteInput, can_write, run_compiled
    from striate.signal.methods import algorithm_for

    direct = can_write(request, out)
    result = out if direct else aligned_empty(request.shape, request.dtype)
    try:
        prepared = run_compiled(request, *algorithm_for(request, method), result)
    except NonFiniteInput:
        _run_numpy(request, out)
        return None
    if direct:
        return prepared
    convert_into(result, out)
    return None


def _counting(request: Request) -> Request:
    """A request in booleans as one that counts."""
    return replace(request, kernel=request.kernel.astype(np.int32))


def _run_numpy(request: Request, out: Array) -> None:
    """By sums of shifted copies."""
    converted = request.converted()
    result = shifted_sums(
        converted.f,
        converted.kernel,
        converted.windows,
        converted.axes,
        converted.borders,
        converted.fill_value,
    )
    convert_into(_clipped(result, request.clip), out)


def _run_transform(request: Request, out: Array, method: str) -> None:
    """By SciPy's FFT; whole numbers by way of float64."""
    from striate.signal import fourier

    engine = fourier.whole_fft if method == "fft" else fourier.overlap_save
    floats = request
    if request.dtype.kind in "iu":
        floats = replace(request, kernel=request.kernel.astype(np.float64))
    if floats.dtype == out.dtype and not request.clip and not np.may_share_memory(request.f, out):
        engine(floats, out, default_threads())
        return
    result = aligned_empty(request.shape, floats.dtype)
    engine(floats, result, default_threads())
    if floats is not request:
        np.rint(result, out=result)
    convert_into(_clipped(result, request.clip), out)


def _run_complex(request: Request, out: Array, method: str) -> None:
    """By the products of real and imaginary parts, of which some may not be needed."""
    result = np.zeros(request.shape, request.dtype)
    product = aligned_empty(request.shape, request.dtype.type(0).real.dtype)
    for part, imaginary in _real_requests(request):
        run(part, product, method)
        target = result.imag if imaginary == 1 else result.real
        if imaginary == 2:  # i times i
            target -= product
        else:
            target += product
    convert_into(result, out)


def _real_requests(request: Request) -> list[tuple[Request, int]]:
    """A request in complex numbers as requests in real ones.

    Returns:
        The requests, each with how many of its two factors are imaginary.
    """
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


def _clipped(values: Array, clip: tuple[float, float] | None) -> Array:
    return values if clip is None else np.clip(np.rint(values), *clip)
