"""Requests brought into the compiled engine's form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.threads import default_threads
from striate.signal.algorithms import SweepAlgorithm
from striate.signal.compiled_sweep import CompiledSweep, Placement, Spoilt, Unfit, plan
from striate.signal.problem import (
    Axes,
    Problem,
    Role,
    choose_axes,
    element_of,
    is_dense,
    number_of,
    role,
)
from striate.signal.request import Request

_STREAM = 8 << 20  # bytes of output that no cache would keep until they are read again
_ROWS = 100_000  # that one plan has addresses for: a large batch is swept in parts
_FEW = 300_000  # vector multiply-adds that one thread has done before another is awake
_WRITTEN = 6  # of these take as long as to read and write a vector


@dataclass(frozen=True, eq=False)
class Ready:
    """A plan with its weights, for arrays like those of the request that it was made for."""

    plan: CompiledSweep
    weights: tuple[Array, ...]
    fill_value: Any

    @property
    def instead(self) -> str:
        """The method for arrays that this one must not be used for."""
        return "numpy" if self.plan.recipe.name == "direct" else "direct"

    def run(self, f: Array, out: Array) -> bool:
        """Sweep `f` into `out`; False if that must be done `instead`."""
        return self.plan.run(f.ctypes.data, out.ctypes.data, self.weights, self.fill_value)


def is_plane(request: Request) -> bool:
    """Whether rows and columns are all that is swept, without strides: what a recipe other than
    the direct sum wants."""
    roles = choose_axes(request.f.shape, request.axes)
    return (
        roles is not None
        and not {*request.axes} - {roles.y, roles.x}
        and all(window.stride == 1 for window in request.windows)
    )


def compiled_sweep(
    request: Request, recipe: SweepAlgorithm, weights: Sequence[Array], out: Array
) -> Ready | None:
    """Run a recipe; `out` must be one that `can_write` admits.

    Returns what ran, if it read the request's own array and so can run again on others like it.

    Raises
    ------
    Spoilt
        If the input holds infinities or NaN that meet zeros where the kernel has no weights.
    """
    many = _rows(request) // _ROWS + 1
    if many > 1 and 0 not in request.axes and len(out) > 1:
        some = -(-len(out) // many)
        for start in range(0, len(out), some):
            part = slice(start, start + some)
            few = replace(request, f=request.f[part])
            compiled_sweep(few, recipe, weights, out[part])
        return None
    roles = choose_axes(request.f.shape, request.axes)
    strided = roles is not None and roles.x in request.axes and _stride(request, roles) > 1
    if roles is None or (strided and roles.channels is not None):
        _channels_first(request, recipe, weights, out)
        return None
    given = request.f
    if not _holds(request.f.dtype, request.fill_value) or element_of(request.f.dtype) is None:
        request = request.converted()
    if strided:
        request = _whole_strides(request.unfolded(request.axes.index(roles.x)), roles.x)
    f = request.f if is_dense(request.f, roles) else np.ascontiguousarray(request.f)
    problem = _problem(request, roles, f, out)
    if recipe.name == "direct":
        weights = [_spread(request.kernel, problem)]
    each = _WRITTEN + sum(part.size for part in weights)
    work = out.size * each * request.dtype.itemsize // 64
    threads = 1 if work < _FEW else default_threads()
    placement = Placement(_offset(out, problem), out.nbytes >= _STREAM)
    try:
        made = plan(problem, recipe, placement, threads)
    except Unfit:
        # Where a border turns around more than once it is laid out in memory.
        compiled_sweep(request.unfolded(*range(len(request.axes))), recipe, weights, out)
        return None
    ready = Ready(made, tuple(weights), request.fill_value)
    if not ready.run(f, out):
        if recipe.name == "direct":
            raise Spoilt
        request = request.weighted()
        compiled_sweep(request, SweepAlgorithm(), [request.kernel], out)
    return ready if f is given else None


def _rows(request: Request) -> int:
    """Rows of the output, each of which needs an entry in the tables of a plan."""
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


def _channels_first(
    request: Request, recipe: SweepAlgorithm, weights: Sequence[Array], out: Array
) -> None:
    """Channels become a batch, since columns with a stride cannot hold them side by side."""
    planes = np.ascontiguousarray(np.moveaxis(request.f, -1, 0))
    moved = replace(request, f=planes, axes=tuple(axis + 1 for axis in request.axes))
    result = np.empty(moved.shape, out.dtype)
    compiled_sweep(moved, recipe, weights, result)
    np.copyto(out, np.moveaxis(result, 0, -1))


def _whole_strides(request: Request, axis: int) -> Request:
    """With zeros behind the end of an axis, so that every phase of a stride has as many elements.

    They meet weights of zero.
    """
    window = request.windows[request.axes.index(axis)]
    after = [(0, window.stride - 1 if a == axis else 0) for a in range(request.f.ndim)]
    return replace(request, f=np.pad(request.f, after))


def _stride(request: Request, roles: Axes) -> int:
    """The stride along the columns."""
    return request.windows[request.axes.index(roles.x)].stride


def _problem(request: Request, roles: Axes, f: Array, out: Array) -> Problem:
    def of(axis: int | None) -> Role:
        return role(
            axis, f, out, request.axes, request.windows, request.borders, request.kernel.shape
        )

    number = number_of(request.dtype)
    source, target = element_of(f.dtype), element_of(out.dtype)
    assert number is not None and source is not None and target is not None
    return Problem(
        of(roles.z),
        of(roles.y),
        of(roles.x),
        1 if roles.channels is None else f.shape[roles.channels],
        tuple((f.shape[a], f.strides[a], out.strides[a]) for a in roles.batch),
        source,
        target,
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


def _spread(kernel: Array, problem: Problem) -> Array:
    """The kernel as (taps z, taps y, taps x, phases): see `stages.direct`."""
    kernel = kernel.reshape(problem.z.taps, problem.y.taps, problem.x.taps)
    window = problem.x.window
    if window.stride == 1:
        return kernel
    span = (problem.x.taps - 1) * window.dilation + 1
    count = -(-span // window.stride)
    wide = np.zeros((*kernel.shape[:2], count * window.stride), kernel.dtype)
    wide[..., : span : window.dilation] = kernel
    return wide


def _offset(out: Array, problem: Problem) -> int | None:
    """Where in a cache line the output's rows begin; None if they differ."""
    steps = [problem.z.target, problem.y.target, *(target for _, _, target in problem.batch)]
    return out.ctypes.data % 64 if all(step % 64 == 0 for step in steps) else None
