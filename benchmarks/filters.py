"""Filters of images and signals against OpenCV, SciPy and NumPy, in one process.

    python benchmarks/filters.py [--threads 2] [--rounds 7] [--only TEXT] [--json FILE]

Images are float32 of 3840×2160 with the border "reflect", written to an array that is there
already (OpenCV's `dst`); results are compared before anything is timed.  OpenCV runs with its
own threads, SciPy's filters have none.  Rows show how many times as fast as the fastest peer
striate is, the bar for that where there is one, and the fraction of the machine's limit: the
larger of multiply-adds over their peak and bytes over the bandwidth of a copy.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--only", default="", help="only rows whose name holds this text")
parser.add_argument("--json", type=Path, help="also write the figures to a file")
ARGUMENTS = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(ARGUMENTS.threads)

import cv2  # noqa: E402
import machine  # noqa: E402
import numpy as np  # noqa: E402
import scipy  # noqa: E402
import scipy.ndimage  # noqa: E402
import scipy.signal  # noqa: E402

import striate  # noqa: E402

SHAPE = (2160, 3840)
SAMPLES = 1_000_000
Run = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """One comparison: functions that return the same array."""

    name: str
    ours: Run
    peers: dict[str, Run]
    bar: float | None
    multiply_adds: float  # of the sum as it stands
    moved: float  # bytes of input and output
    tolerance: float = 2e-5  # relative to the largest number
    single: bool = True  # float32 arithmetic
    method: str = ""
    rounds: int = field(default_factory=lambda: ARGUMENTS.rounds)


def filters(rng: np.random.Generator) -> Iterator[Case]:
    """Kernels of full rank against OpenCV's filter2D, and small ones against SciPy."""
    x = rng.random(SHAPE, dtype=np.float32)
    mine, theirs = striate.correlate(x, np.ones((1, 1), np.float32)), np.empty_like(x)
    for size in range(3, 33, 2):
        kernel = rng.standard_normal((size, size)).astype(np.float32)
        common = (size**2 * x.size, 2 * x.nbytes)
        yield Case(
            f"filter {size}×{size}",
            lambda k=kernel: striate.correlate(x, k, "same", border="reflect", out=mine),
            {
                "OpenCV filter2D": lambda k=kernel: cv2.filter2D(
                    x, -1, k, dst=theirs, borderType=cv2.BORDER_REFLECT
                )
            },
            2.0,
            *common,
            method=method(x, kernel),
        )
        if size > 5:
            continue
        yield Case(
            f"filter {size}×{size}, SciPy",
            lambda k=kernel: striate.correlate(x, k, "same", border="reflect", out=mine),
            {
                "ndimage.correlate": lambda k=kernel: scipy.ndimage.correlate(
                    x, k, theirs, mode="reflect"
                ),
                "signal.correlate2d": lambda k=kernel: scipy.signal.correlate2d(
                    x, k, "same", "symm"
                ),
            },
            20.0,
            *common,
            method=method(x, kernel),
            rounds=2,
        )
        yield Case(
            f"filter {size}×{size}, zeros, SciPy",
            lambda k=kernel: striate.correlate(x, k, "same", out=mine),
            {
                "signal.correlate": lambda k=kernel: scipy.signal.correlate(x, k, "same"),
                "signal.oaconvolve": lambda k=kernel: scipy.signal.oaconvolve(
                    x, k[::-1, ::-1], "same"
                ),
            },
            20.0,
            *common,
            method=method(x, kernel),
            rounds=2,
        )


def separable(rng: np.random.Generator) -> Iterator[Case]:
    """Kernels of rank one: given as columns and rows to OpenCV, as matrices to striate."""
    x = rng.random(SHAPE, dtype=np.float32)
    mine, theirs = striate.correlate(x, np.ones((1, 1), np.float32)), np.empty_like(x)
    border = cv2.BORDER_REFLECT
    for size in (3, 5, 7, 9, 15, 21, 31):
        column, row = rng.standard_normal((2, size)).astype(np.float32)
        bell = cv2.getGaussianKernel(size, 0, cv2.CV_32F).ravel()
        for name, kernel, bar, peer in (
            (
                "sepFilter2D",
                np.outer(column, row),
                1.0,
                lambda c=column, r=row: cv2.sepFilter2D(x, -1, r, c, dst=theirs, borderType=border),
            ),
            (
                "GaussianBlur",
                np.outer(bell, bell),
                1.0,
                lambda n=size: cv2.GaussianBlur(x, (n, n), 0, dst=theirs, borderType=border),
            ),
            (
                "blur",
                np.full((size, size), 1 / size**2, np.float32),
                None,
                lambda n=size: cv2.blur(x, (n, n), dst=theirs, borderType=border),
            ),
        ):
            yield Case(
                f"{name} {size}×{size}",
                lambda k=kernel: striate.correlate(x, k, "same", border="reflect", out=mine),
                {f"OpenCV {name}": peer},
                bar,
                2 * size * x.size,
                2 * x.nbytes,
                method=method(x, kernel),
            )


def photographs(rng: np.random.Generator) -> Iterator[Case]:
    """8-bit colour: both return new images, rounded and clipped."""
    x = rng.integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
    for size in (3, 5, 7, 9):
        kernel = rng.standard_normal((size, size)).astype(np.float32) / size
        yield Case(
            f"8-bit RGB {size}×{size}",
            lambda k=kernel: striate.filter_image(x, k[::-1, ::-1]),
            {
                "OpenCV filter2D": lambda k=kernel: cv2.filter2D(
                    x, -1, k, borderType=cv2.BORDER_REFLECT
                )
            },
            1.0 if size <= 5 else None,
            size**2 * x.size,
            2 * x.nbytes,
            tolerance=1.01 / 255,  # where rounding decides
        )


def signals(rng: np.random.Generator) -> Iterator[Case]:
    """A million float64 samples."""
    x = rng.standard_normal(SAMPLES)
    for taps in (3, 5, 7, 9, 11, 15, 31, 63, 127, 255):
        kernel = rng.standard_normal(taps)
        yield Case(
            f"signal, {taps} taps",
            lambda k=kernel: striate.convolve(x, k),
            {"numpy.convolve": lambda k=kernel: np.convolve(x, k)},
            5.0 if taps >= 15 else 1.0,
            taps * x.size,
            2 * x.nbytes,
            1e-12,
            single=False,
            method=striate.explain_method(x, kernel).method,
        )
    for taps in (511, 1023, 2047, 4095, 8191, 16383):
        kernel = rng.standard_normal(taps)
        yield Case(
            f"signal, {taps} taps",
            lambda k=kernel: striate.convolve(x, k),
            {"scipy.signal.oaconvolve": lambda k=kernel: scipy.signal.oaconvolve(x, k)},
            1.0,
            taps * x.size,
            2 * x.nbytes,
            1e-12,
            single=False,
            method=striate.explain_method(x, kernel).method,
        )


def method(x: np.ndarray, kernel: np.ndarray) -> str:
    """What striate chooses for an image."""
    return striate.explain_method(x, kernel, "same", border="reflect").method


def measure(case: Case, peak: float, bandwidth: float) -> dict[str, Any]:
    """All figures of one row."""
    ours = np.array(case.ours(), np.float64)
    for name, peer in case.peers.items():
        theirs = np.asarray(peer(), np.float64)
        difference = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
        if not difference <= case.tolerance:
            sys.exit(f"{case.name}: {name} differs by {difference:.1e}; nothing was timed")
    times = machine.interleaved({"striate": case.ours, **case.peers}, case.rounds, warm_up=1)
    fastest = min(case.peers, key=lambda name: times[name].median)
    seconds = times["striate"].median
    limit = max(
        2 * case.multiply_adds / (peak if case.single else peak / 2), case.moved / bandwidth
    )
    return {
        "name": case.name,
        "method": case.method,
        "milliseconds": {name: 1e3 * timing.median for name, timing in times.items()},
        "spread": {name: timing.spread for name, timing in times.items()},
        "fastest": fastest,
        "ratio": times[fastest].median / seconds,
        "bar": case.bar,
        "of_limit": limit / seconds,
    }


_FIRST = """
import sys, time, numpy as np, striate
rng = np.random.default_rng(0)
x = rng.random((1080, 1920), dtype=np.float32)
k = rng.standard_normal((5, 5)).astype(np.float32)
small = rng.random((300, 400), dtype=np.float32)
striate.correlate(small, k, "same", border="mirror")  # everything is imported and started
def once(x, k, **options):
    begin = time.perf_counter()
    striate.correlate(x, k, "same", border="reflect", **options)
    return time.perf_counter() - begin
for size in (5, 31):
    k = rng.standard_normal((size, size)).astype(np.float32)
    first, later = once(x, k), min(once(x, k) for _ in range(5))
    print(1e3 * (first - later))
s, taps = rng.standard_normal(1000000), rng.standard_normal(31)
first, later = once(s, taps), min(once(s, taps) for _ in range(5))
print(1e3 * (first - later))
"""


def first_calls() -> list[dict[str, Any]]:
    """Milliseconds that a first call costs more, with an empty and with a filled kernel cache."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for state, bar in (("empty", 300.0), ("warm", 30.0)):
            environment = {**os.environ, "STRIATE_CACHE": folder}
            output = subprocess.run(
                [sys.executable, "-c", _FIRST],
                env=environment, check=True, capture_output=True, text=True,
            ).stdout  # fmt: skip
            for what, extra in zip(
                ("image, 5×5", "image, 31×31", "signal, 31 taps"), output.split(), strict=True
            ):
                rows.append({"what": what, "cache": state, "extra": float(extra), "bar": bar})
    return rows


def main() -> int:
    """Print one row per case; 1 if a bar is missed."""
    cv2.setNumThreads(ARGUMENTS.threads)
    peak = machine.multiply_add_peak(ARGUMENTS.threads)
    bandwidth = machine.copy_bandwidth(ARGUMENTS.threads)
    header = {
        "date": datetime.date.today().isoformat(),
        "processor": machine.processor(),
        "threads": ARGUMENTS.threads,
        "peak_gflops": peak / 1e9,
        "bandwidth_gb": bandwidth / 1e9,
        "versions": {
            "striate": striate.__version__,
            "opencv": cv2.__version__,
            "scipy": scipy.__version__,
            "numpy": np.__version__,
        },
    }
    print(f"{header['date']}  {header['processor']}, {ARGUMENTS.threads} threads")
    print(f"multiply-add peak {peak / 1e9:.0f} GFLOP/s, copying {bandwidth / 1e9:.0f} GB/s")
    print("  ".join(f"{name} {version}" for name, version in header["versions"].items()))
    print("medians in milliseconds, in turn\n")
    print(f"{'':28}{'striate':>9}  {'method':13}{'peer':>9}  {'ratio':>6}   bar  limit")
    rows = []
    for cases in (filters, separable, photographs, signals):
        for case in cases(np.random.default_rng(0)):
            if ARGUMENTS.only not in case.name:
                continue
            row = measure(case, peak, bandwidth)
            rows.append(row)
            times, bar = row["milliseconds"], row["bar"]
            shown = "    –" if bar is None else f"{bar:5g}"
            verdict = "" if bar is None or row["ratio"] >= bar else "  MISSED"
            print(
                f"{case.name:28}{times['striate']:9.2f}  {case.method:13}"
                f"{times[row['fastest']]:9.2f}  {row['ratio']:6.2f} {shown}  "
                f"{row['of_limit']:4.0%}  {row['fastest']}{verdict}",
                flush=True,
            )
    firsts = [] if ARGUMENTS.only else first_calls()
    for first in firsts:
        verdict = "" if first["extra"] <= first["bar"] else "  MISSED"
        print(
            f"first call, {first['cache']} cache, {first['what']}: {first['extra']:.0f} ms more "
            f"(bar {first['bar']:.0f}){verdict}"
        )
    if ARGUMENTS.json:
        content = {**header, "rows": rows, "first_calls": firsts}
        ARGUMENTS.json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    missed = [row for row in rows if row["bar"] is not None and row["ratio"] < row["bar"]]
    return int(bool(missed) or any(first["extra"] > first["bar"] for first in firsts))


if __name__ == "__main__":
    sys.exit(main())
