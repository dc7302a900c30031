"""The entry of the compiled engine: requests brought into canonical form, compiled and run.

What does not fit into that form is rearranged first: a large batch is swept in parts, channels
become a batch where the columns have a stride, and a border that is wider than the array, so that
it repeats or mirrors it more than once, is padded in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.threads import default_threads
from striate.nest.target import Target
from striate.signal.compiled_sweep import BorderTooWide, CompiledSweep, plan
from striate.signal.descriptor import (
    AxisDescriptor,
    AxisRoles,
    SweepDescriptor,
    choose_axes,
    describe_axis,
    element_of,
    is_dense,
    number_of,
)
from striate.signal.request import Request
from striate.signal.sweep_spec import CACHE_LINE, Placement, SweepAlgorithm

_LARGE = 8 << 20  # bytes of output that no cache would keep until they are read again
_MOST_ROWS = 100_000  # that one sweep has addresses for: a large batch is swept in parts
_FEW = 300_000  # vector multiply-adds that one thread has done before another is awake
_TRAFFIC = 6  # of these take as long as to read and write a vector


class NonFiniteInput(Exception):
    """Zero weights met an infinity or a NaN: only NumPy, which has none of them, can do this."""


@dataclass(frozen=True, eq=False)
class PreparedSweep:
    """A compiled sweep with its weights, for arrays like those of the request it was made for."""

    compiled: CompiledSweep
    weights: tuple[Array, ...]
    fill_value: Any

    @property
    def fallback(self) -> str:
        """The method for arrays that this one must not be used for."""
        return "numpy" if self.compiled.spec.algorithm.name == "direct" else "direct"

    @property
    def nbytes(self) -> int:
        """Bytes of the weights; the compiled sweep is counted where it is kept."""
        return sum(part.nbytes for part in self.weights)

    def run(self, f: Array, out: Array) -> bool:
        """Sweep `f` into `out`; False if that must be done by the `fallback`."""
        return self.compiled.run(f.ctypes.data, out.ctypes.data, self.weights, self.fill_value)


def is_plane(request: Request) -> bool:
    """Whether rows and columns are all that is swept, without strides: what algorithms other than
    the direct sum want.
    """
    roles = choose_axes(request.f.shape, request.axes)
    return (
        roles is not None
        and not {*request.axes} - {roles.y, roles.x}
        and all(window.stride == 1 for window in request.windows)
    )


def run_compiled(
    request: Request,
    algorithm: SweepAlgorithm,
    weights: Sequence[Array],
    out: Array,
    target: Target | None = None,
) -> PreparedSweep | None:
    """Carry out a request by a compiled sweep.

    Args:
        request: what is asked for.
        algorithm: how it is computed.
        weights: the algorithm's weights.
        out: where the result is written, one that `can_write` admits.
        target: the machine that code is made for; by default the one that this runs on.

    Returns:
        What ran, if it read the request's own array and so can run again on others like it.

    Raises:
        NonFiniteInput: the input holds infinities or NaN that meet zeros where the kernel has no
            weights.
    """
    many = _rows(request) // _MOST_ROWS + 1
    if many > 1 and 0 not in request.axes and len(out) > 1:
        some = -(-len(out) // many)
        for start in range(0, len(out), some):
            part = slice(start, start + some)
            few = replace(request, f=request.f[part])
            run_compiled(few, algorithm, weights, out[part], target)
        return None
    roles = choose_axes(request.f.shape, request.axes)
    strided = roles is not None and roles.x in request.axes and _stride(request, roles) > 1
    if roles is None or (strided and roles.channels is not None):
        _run_channels_first(request, algorithm, weights, out, target)
        return None
    given = request.f
    if not _holds(request.f.dtype, request.fill_value) or element_of(request.f.dtype) is None:
        request = request.converted()
    if strided:
        request = _whole_strides(request.padded(request.axes.index(roles.x)), roles.x)
    f = request.f if is_dense(request.f, roles) else np.ascontiguousarray(request.f)
    descriptor = _descriptor(request, roles, f, out)
    if algorithm.name == "direct":
        weights = [_by_phase(request.kernel, descriptor)]
    each = _TRAFFIC + sum(part.size for part in weights)
    work = out.size * each * request.dtype.itemsize // 64
    threads = 1 if work < _FEW else default_threads()
    placement = Placement(_row_offset(out, descriptor), out.nbytes >= _LARGE)
    try:
        compiled = plan(descriptor, algorithm, placement, threads, target)
    except BorderTooWide:
        padded = request.padded(*range(len(request.axes)))
        run_compiled(padded, algorithm, weights, out, target)
        return None
    # Copies: the caller's kernel may change, and need not stay.
    own = tuple(np.array(part, order="C") for part in weights)
    prepared = PreparedSweep(compiled, own, request.fill_value)
    if not prepared.run(f, out):
        if algorithm.name == "direct":
            raise NonFiniteInput
        request = request.weighted()
        run_compiled(request, SweepAlgorithm(), [request.kernel], out, target)
    return prepared if f is given else None


def _rows(request: Request) -> int:
    """Rows of the output, each of which needs an entry in the tables of addresses."""
    return request.outputs // request.shape[-1]


def can_write(request: Request, out: Array) -> bool:
    """Whether the compiled engine can write a request's result to `out` itself.

    Whole numbers are summed in words; only to be cut they may be written as they are.
    """
    roles = choose_axes(request.f.shape, request.axes)
    return (
        element_of(out.dtype) is not None
        and not (out.dtype == np.uint64 and request.dtype.kind == "f")
        and (request.dtype.kind not in "iu" or _narrows(request.dtype, out.dtype))
        and (roles is None or is_dense(out, roles))
        and not np.may_share_memory(request.f, out)
    )


def _narrows(dtype: np.dtype[Any], to: np.dtype[Any]) -> bool:
    return to.kind in "iu" and to.itemsize <= dtype.itemsize


def _run_channels_first(
    request: Request,
    algorithm: SweepAlgorithm,
    weights: Sequence[Array],
    out: Array,
    target: Target | None,
) -> None:
    """Channels become a batch, since columns with a stride cannot hold them side by side."""
    planes = np.ascontiguousarray(np.moveaxis(request.f, -1, 0))
    moved = replace(request, f=planes, axes=tuple(axis + 1 for axis in request.axes))
    result = np.empty(moved.shape, out.dtype)
    run_compiled(moved, algorithm, weights, result, target)
    np.copyto(out, np.moveaxis(result, 0, -1))


def _whole_strides(request: Request, axis: int) -> Request:
    """With zeros behind the end of an axis, so that every phase of a stride has as many elements.

    They meet weights of zero.
    """
    window = request.windows[request.axes.index(axis)]
    after = [(0, window.stride - 1 if a == axis else 0) for a in range(request.f.ndim)]
    return replace(request, f=np.pad(request.f, after))


def _stride(request: Request, roles: AxisRoles) -> int:
    """The stride along the columns."""
    return request.windows[request.axes.index(roles.x)].stride


def _descriptor(request: Request, roles: AxisRoles, f: Array, out: Array) -> SweepDescriptor:
    """The request in canonical form, for input `f` and output `out`."""

    def of(axis: int | None) -> AxisDescriptor:
        return describe_axis(
            axis, f, out, request.axes, request.windows, request.borders, request.kernel.shape
        )

    number = number_of(request.dtype)
    source, output = element_of(f.dtype), element_of(out.dtype)
    assert number is not None and source is not None and output is not None
    return SweepDescriptor(
        of(roles.z),
        of(roles.y),
        of(roles.x),
        1 if roles.channels is None else f.shape[roles.channels],
        tuple((f.shape[a], f.strides[a], out.strides[a]) for a in roles.batch),
        source,
        output,
        number,
        request.clip,
    )


def _holds(dtype: np.dtype[Any], value: Any) -> bool:
    """Whether a number can stand in an array of `dtype` as it is."""
    if dtype.kind == "f":
        return True
    limits = np.iinfo(dtype) if dtype.kind in "iu" else None
    if limits is None:
        return dtype.kind == "b" and value in (0, 1)
    return bool(limits.min <= value <= limits.max and value == int(value))


def _by_phase(kernel: Array, descriptor: SweepDescriptor) -> Array:
    """The kernel as (taps z, taps y, taps x, phases): see `nests.direct`.

    With a stride along x, zeros stand for the taps that its dilation leaves out.
    """
    kernel = kernel.reshape(descriptor.z.taps, descriptor.y.taps, descriptor.x.taps)
    window = descriptor.x.window
    if window.stride == 1:
        return kernel
    span = (descriptor.x.taps - 1) * window.dilation + 1
    count = -(-span // window.stride)
    dilated = np.zeros((*kernel.shape[:2], count * window.stride), kernel.dtype)
    dilated[..., : span : window.dilation] = kernel
    return dilated


def _row_offset(out: Array, descriptor: SweepDescriptor) -> int | None:
    """Where in a cache line the output's rows begin, in bytes; None if they differ."""
    y, z = descriptor.y, descriptor.z
    steps = [z.output_stride, y.output_stride, *(output for _, _, output in descriptor.batch)]
    aligned = all(step % CACHE_LINE == 0 for step in steps)
    return out.ctypes.data % CACHE_LINE if aligned else None
