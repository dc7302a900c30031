"""Signals: one long row, with kernels of 10 to 300 taps, by the compiled engine."""

from __future__ import annotations

import numpy as np
import pytest

import striate
from striate.common.arrays import Array
from striate.signal import compiled_sweep, sweep
from striate.signal.geometry import BORDERS, AxisWindow
from striate.signal.output_arrays import aligned_empty
from striate.signal.sweep import sweep as swept

LENGTHS = [2000, 4099, 20_000]
TAPS = [10, 16, 33, 64, 100, 300]
PADDED = {"nearest": "edge", "reflect": "symmetric", "mirror": "reflect", "wrap": "wrap"}


def signal(length: int, taps: int, dtype: str) -> tuple[Array, Array]:
    rng = np.random.default_rng(length + taps)
    if np.dtype(dtype).kind == "i":
        return rng.integers(-999, 999, length, dtype), rng.integers(-99, 99, taps, dtype)
    return (
        rng.standard_normal(length).astype(dtype),
        rng.standard_normal(taps).astype(dtype),
    )


def extended(f: Array, border: str, before: int, after: int) -> Array:
    if border == "fill":
        return np.pad(f, (before, after), constant_values=2)
    return np.pad(f, (before, after), PADDED[border])  # type: ignore[call-overload]


def agree(got: Array, wanted: Array, scale: float) -> None:
    if got.dtype.kind == "i":
        np.testing.assert_array_equal(got, wanted)
    else:
        tolerance = 1e-6 if got.dtype == np.float32 else 1e-14
        np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
@pytest.mark.parametrize("taps", TAPS)
def test_every_border_and_mode(taps: int, dtype: str) -> None:
    for length in LENGTHS:
        f, g = signal(length, taps, dtype)
        wide = f.astype("i8" if dtype == "i4" else "f8"), g.astype("i8" if dtype == "i4" else "f8")
        scale = float(np.abs(wide[0]).max() * np.abs(wide[1]).sum())
        for border in BORDERS:
            before = {"full": taps - 1, "same": taps // 2, "valid": 0}
            total = {"full": length + taps - 1, "same": length, "valid": length - taps + 1}
            for mode in ("full", "same", "valid"):
                ahead = before[mode]
                line = extended(wide[0], border, ahead, total[mode] + taps - 1 - ahead - length)
                got = striate.correlate(f, g, mode, border=border, fill_value=2, method="direct")
                assert got.dtype == dtype
                agree(got, np.correlate(line, wide[1], "valid").astype(dtype), scale)


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4"])
def test_signals_are_converted_as_they_are_read(dtype: str) -> None:
    f = np.random.default_rng(0).integers(0, 100, 5000).astype(dtype)
    for taps in (10, 75):
        g = np.random.default_rng(1).standard_normal(taps)
        got = striate.convolve(f, g, "same", method="direct")
        np.testing.assert_allclose(
            got, np.convolve(f.astype("f8"), g, "full")[(taps - 1) // 2 :][:5000], atol=1e-11
        )


@pytest.mark.parametrize("taps", [10, 75])
@pytest.mark.parametrize("start", range(0, 17, 3))
def test_signals_that_begin_anywhere_in_a_line(start: int, taps: int) -> None:
    f, g = signal(6000, taps, "f4")
    wanted = striate.convolve(f, g, "same", method="direct")
    room, target = np.zeros(6100, "f4"), np.full(6100, 7, "f4")
    room[start : start + 6000] = f
    out = target[start + 5 : start + 6005]
    striate.convolve(room[start : start + 6000], g, "same", out=out, method="direct")
    np.testing.assert_array_equal(out, wanted)
    out[...] = 7
    assert (target == 7).all()


def test_a_batch_of_rows_beside_an_axis_of_one() -> None:
    # Rows that are streamed past the caches, each cut into eight runs that need not begin a vector.
    f = np.random.default_rng(0).random((2200, 1, 1008), np.float32)
    for taps in (3, 40):
        g = np.random.default_rng(1).random(taps, np.float32)
        out = aligned_empty((2200, 1, 1008), np.dtype("f4"))
        assert out.nbytes >= 8 << 20
        striate.correlate(f, g, "same", axes=-1, out=out, method="direct")
        for row in (0, 1, 2199):
            wanted = np.correlate(f[row, 0].astype("f8"), g.astype("f8"), "full")
            wanted = wanted[taps - 1 - taps // 2 :][:1008]
            np.testing.assert_allclose(out[row, 0], wanted, atol=1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("taps", [33, 40, 63, 64, 65, 100, 250])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_what_is_not_finite_stays_in_its_window(dtype: str, taps: int, value: float) -> None:
    f, g = signal(5000, taps, dtype)
    g = np.abs(g) + 1
    clean = striate.convolve(f, g, method="direct")
    for place in (0, 2500, 4999):
        spoilt = f.copy()
        spoilt[place] = value
        for _ in range(2):  # decided anew, and as it was decided before
            got = striate.convolve(spoilt, g, method="direct")
            touched = np.zeros(len(got), bool)
            touched[place : place + taps] = True
            assert not np.isfinite(got[touched]).any()
            np.testing.assert_allclose(
                got[~touched], clean[~touched], rtol=1e-3 if dtype == "f4" else 1e-10, atol=1e-3
            )
            again = striate.convolve(f, g, method="direct")
            np.testing.assert_array_equal(again, clean)


@pytest.mark.parametrize("taps", [3, 10, 75, 300])
@pytest.mark.parametrize("rows", [1, 3])
def test_threads_change_no_bit(taps: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    f = np.random.default_rng(0).standard_normal((rows, 9000))
    g = np.random.default_rng(1).standard_normal(taps)
    windows = [AxisWindow(-(taps // 2), 9000)]
    monkeypatch.setattr("striate.signal.compiled_engine._FEW", 0)
    found = []
    for threads in (1, 2, 3):
        monkeypatch.setattr("striate.signal.compiled_engine.default_threads", lambda n=threads: n)
        sweep._PREPARED.clear()
        got = swept(f, g, windows, axes=(1,), dtype="f8", border="mirror", method="direct")
        assert next(reversed(compiled_sweep._PLANS.values())).spec.threads == threads
        found.append(got)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
