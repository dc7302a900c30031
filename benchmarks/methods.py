"""Fit the costs of `striate.signal.methods` to measurements, and see how well it then chooses.

    python benchmarks/methods.py [--rounds 3] [--rows]

Every method that can do a case is timed on it. The costs are those numbers, none of them negative,
for which the estimates have the least relative errors. At the end: how much longer the method that
striate chooses took than the fastest one.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator

import numpy as np
from scipy.optimize import nnls

from striate.common.threads import default_threads
from striate.signal.methods import COSTS, METHODS, Work, work
from striate.signal.output_arrays import aligned_empty
from striate.signal.request import Request
from striate.signal.sweep import explain, run
from striate.signal.sweep_arguments import SweepArguments

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--rows", action="store_true", help="print every measurement")
LONGEST = 1.0  # seconds that a method may be estimated to take


def cases() -> Iterator[tuple[str, Request]]:
    """Images and signals of several sizes, with kernels of several kinds."""
    rng = np.random.default_rng(0)
    for height, width in ((256, 320), (1080, 1920), (2160, 3840)):
        for dtype in ("float32", "float64"):
            x = rng.random((height, width)).astype(dtype)
            for size in (3, 5, 9, 15, 31, 63):
                kernels = {
                    "full": rng.standard_normal((size, size)),
                    "rank 1": np.outer(*rng.standard_normal((2, size))),
                    "rank 3": sum(np.outer(*rng.standard_normal((2, size))) for _ in range(3)),
                    "box": np.ones((size, size)),
                }
                for kind, kernel in kernels.items():
                    name = f"{height}×{width} {dtype} {kind} {size}"
                    yield name, request(x, np.asarray(kernel).astype(dtype))
    for length in (20_000, 200_000, 2_000_000):
        for dtype in ("float32", "float64"):
            x = rng.random(length).astype(dtype)
            for taps in (3, 7, 15, 31, 63, 127, 255, 511, 1023, 2047, 4095):
                name = f"{length} {dtype} taps {taps}"
                yield name, request(x, rng.standard_normal(taps).astype(dtype))


def request(x: np.ndarray, kernel: np.ndarray) -> Request:
    """A "same" correlation with a reflected border."""
    call = SweepArguments("fit", x, kernel, "same", "reflect", "center", 1, 1, None, flip=False)
    return call.request(0)


def seconds(asked: Request, method: str, rounds: int) -> float:
    """The median of some runs."""
    out = aligned_empty(asked.shape, asked.dtype)
    run(asked, out, method)
    run(asked, out, method)
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        run(asked, out, method)
        taken.append(time.perf_counter() - begin)
    return float(np.median(taken))


def nanoseconds(done: Work, names: list[str]) -> list[float]:
    """How many of each thing, shared among the threads where it can be."""
    threads = default_threads()
    return [done.get(name, 0.0) / (1 if name in ("call", "python") else threads) for name in names]


def main() -> None:
    """Measure, fit, compare."""
    arguments = parser.parse_args()
    names = list(COSTS)
    rows: list[list[float]] = []
    found: dict[str, dict[str, float]] = {}
    chosen: dict[str, str] = {}
    for name, asked in cases():
        chosen[name] = explain(asked).method
        found[name] = {}
        for method in METHODS[1:]:
            done, _ = work(method, asked)
            if done is None:
                continue
            counts = nanoseconds(done, names)
            if sum(COSTS[n] * c for n, c in zip(names, counts, strict=True)) > LONGEST * 1e9:
                continue
            taken = seconds(asked, method, arguments.rounds)
            found[name][method] = taken
            rows.append([count / (taken * 1e9) for count in counts])
            if arguments.rows:
                guess = sum(COSTS[n] * c for n, c in zip(names, counts, strict=True)) * 1e-6
                print(f"{name:32} {method:13} {1e3 * taken:9.3f} ms, estimated {guess:9.3f}")
    costs, _ = nnls(np.array(rows), np.ones(len(rows)))
    print("cost              now    fitted   (nanoseconds)")
    for name, cost in zip(names, costs, strict=True):
        print(f"{name:13} {COSTS[name]:9.3f} {cost:9.3f}")
    losses = {
        name: times[chosen[name]] / min(times.values())
        for name, times in found.items()
        if chosen[name] in times
    }
    print(
        f"\nchosen methods took {math.exp(np.mean(np.log([*losses.values()]))):.2f} times as long"
    )
    print("as the fastest ones (geometric mean); the worst:")
    for name in sorted(losses, key=lambda name: losses[name], reverse=True)[:12]:
        best = min(found[name], key=lambda method: found[name][method])
        print(f"  {losses[name]:5.2f}  {name}: {chosen[name]}, where {best} was fastest")


if __name__ == "__main__":
    main()
