"""Sweeps compiled for machines with shorter vectors than this one's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from striate.common.arrays import Array
from striate.common.recent import Recent
from striate.nest.compiler import compile_nest
from striate.nest.program import Program
from striate.nest.target import Target, host
from striate.signal import compiled_engine, compiled_sweep
from striate.signal.compiled_engine import PreparedSweep, run_compiled
from striate.signal.methods import algorithm_for
from striate.signal.output_arrays import aligned_empty
from striate.signal.request import Request
from striate.signal.sweep_arguments import SweepArguments
from striate.signal.textbook import shifted_sums

WIDTHS = [16, 32]
CASES = {  # the shape of the input, that of the kernel, the stride
    "direct": [
        ((40, 613), (3, 5), 1),
        ((3000,), (40,), 1),
        ((2000,), (5,), 3),
        ((30, 50), (3, 3), 2),
    ],
    "separable": [((40, 613), (5, 4), 1), ((33, 70), (3, 3), 1)],
    "box": [((300, 130), (9, 1), 1), ((17, 400), (1, 7), 1)],
    "column-fft": [((90, 150), (9, 5), 1)],
}


@pytest.fixture(params=WIDTHS)
def target(request: pytest.FixtureRequest) -> Target:
    here = host()
    if here.vector_bytes < request.param:
        pytest.skip(f"this processor has no vectors of {request.param} bytes")
    return here.narrowed(request.param)


def cases(dtype: str) -> Iterator[tuple[str, Request]]:
    """A request for each algorithm and case, with a border that is read."""
    random = np.random.default_rng(0)
    for method, shapes in CASES.items():
        for shape, taps, stride in shapes:
            f, kernel = random.standard_normal(shape), random.standard_normal(taps)
            if method == "box":
                kernel = np.full(taps, 0.5)
            elif method == "separable":
                kernel = np.outer(kernel[:, 0], kernel[0])
            if dtype == "int32":
                f, kernel = np.rint(9 * f), np.rint(9 * kernel)
            if dtype == "int32" and method in ("separable", "box", "column-fft"):
                continue
            f, kernel = f.astype(dtype), kernel.astype(dtype)
            asked = SweepArguments(
                "test", f, kernel, "same", "mirror", "center", stride, 1, None, flip=False
            )
            yield method, asked.request(0)


def run(request: Request, method: str, target: Target | None) -> tuple[Array, PreparedSweep | None]:
    out = aligned_empty(request.shape, request.dtype)
    out[...] = 7
    prepared = run_compiled(request, *algorithm_for(request, method), out, target)
    return out, prepared


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_sweeps_for_shorter_vectors_give_the_sums(target: Target, dtype: str) -> None:
    for method, request in cases(dtype):
        got, prepared = run(request, method, target)
        exact = np.float64 if dtype != "int32" else np.int64
        wide = replace(request, f=request.f.astype(exact), kernel=request.kernel.astype(exact))
        wanted = shifted_sums(
            wide.f, wide.kernel, wide.windows, wide.axes, wide.borders, wide.fill_value
        )
        scale = float(np.abs(wide.f).max() * np.abs(wide.kernel).sum())
        tolerance = {"float32": 2e-6, "float64": 1e-14, "int32": 0}[dtype] * scale
        np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance, err_msg=method)
        if prepared is None:  # what was rearranged first cannot be run again
            continue
        assert prepared.compiled.spec.target is target
        assert prepared.compiled.spec.lanes == target.vector_bytes // request.dtype.itemsize


def test_all_kernels_are_compiled_for_the_target_asked_for(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Target] = []

    def compiled(nest, schedule, *, element, target):  # type: ignore[no-untyped-def]
        seen.append(target)
        return compile_nest(nest, schedule, element=element, target=target)

    def program(jobs, threads, target):  # type: ignore[no-untyped-def]
        seen.append(target)
        return Program(jobs, threads, target)

    monkeypatch.setattr("striate.signal.region.compile_nest", compiled)
    monkeypatch.setattr(compiled_sweep, "Program", program)
    monkeypatch.setattr(compiled_sweep, "_PLANS", Recent(100))
    for method, request in cases("float64"):
        seen.clear()
        run(request, method, target)
        assert len(seen) >= 2
        assert {replace(one, fused=target.fused) for one in seen} == {target}


def test_the_same_sweep_for_two_machines_is_two(target: Target) -> None:
    if target == host():
        pytest.skip("this processor has no longer vectors")
    _, request = next(cases("float64"))
    (_, narrow), (_, here) = run(request, "direct", target), run(request, "direct", None)
    assert narrow is not None and here is not None
    assert narrow.compiled is not here.compiled
    assert here.compiled.spec.target == host()
    assert replace(narrow.compiled.spec, target=host()) == here.compiled.spec
    again = run(request, "direct", target)[1]
    assert again is not None and again.compiled is narrow.compiled


def test_only_the_plan_asks_which_machine_this_is() -> None:
    room = Path(compiled_engine.__file__).parent
    asking = {
        path.stem
        for path in room.glob("*.py")
        if re.search(r"\bhost\(\)", path.read_text(encoding="utf-8"))
    }
    assert asking == {"compiled_sweep"}
