"""Two checkouts of striate against each other: training, inference, filters, compiling, importing.

    python benchmarks/versions.py OLD [NEW] [--threads 2] [--rounds 15] [--only training,compile]

OLD and NEW (default: this one) are folders that hold the package `striate`.  Each runs in a process
of its own, and they take turns, so that what disturbs the machine disturbs both.  Printed are the
medians of both, and the median of the turns' ratios, new to old: below 1 the new one is faster.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
SECTIONS = ("training", "inference", "filters", "compile")
INFERENCE = (1, 64, 256)
# Kernels of `filters`: rows and columns of random numbers, which have full rank, or of one number.
# They run over a square image of so many megapixels; a kernel of one row also over a signal.
KERNELS = ("3x3", "5x5", "7x7", "9x9", "15x15", "9x9 box", "31x31 box", "1x31")
MEGAPIXELS = (1, 8)
# A turn takes at least so long: as many steps as that needs.
TURN = 0.25
COMPILED = ("ResNet-20", 128)


# --- in a process of each checkout ---------------------------------------------------------------


def training(name: str, batch: int, threads: int) -> Callable[[], None]:
    """A step of training."""
    import numpy as np
    from networks import CASES, images_for, labels_for

    import striate
    from striate.engines import make_engine

    (case,) = (case for case in CASES if case.name == name)
    loss, optimizer = striate.SoftmaxCrossEntropy(), striate.SGD(0.9, nesterov=True)
    engine = make_engine(case.build(), batch_size=batch, loss=loss, threads=threads)
    images, targets = images_for(case, batch), loss.targets(labels_for(batch), 10)
    weights, keys = np.full(batch, 1 / batch, np.float32), np.zeros(batch, np.uint32)

    def step() -> None:
        engine.step(images, targets, weights, keys)
        engine.update(optimizer, 1e-4)

    return step


def inference(name: str, batch: int, threads: int) -> Callable[[], None]:
    """A call of a compiled network."""
    from networks import CASES, images_for, with_statistics

    (case,) = (case for case in CASES if case.name == name)
    compiled = with_statistics(case.build()).compile(batch_size=batch, threads=threads)
    images = images_for(case, batch)
    return lambda: (compiled(images), None)[1]


def filtering(name: str, megapixels: int, threads: int) -> Callable[[], None]:
    """A kernel over an image of 32-bit numbers; that of one row over a signal."""
    import numpy as np

    import striate

    rng = np.random.default_rng(0)
    shape = tuple(map(int, name.split()[0].split("x")))
    kernel = np.ones(shape) if name.endswith("box") else rng.standard_normal(shape)
    kernel = kernel.astype(np.float32)
    pixels = megapixels * 1_000_000
    if shape[0] == 1:
        x, kernel = rng.random(pixels, dtype=np.float32), kernel[0]
    else:
        x = rng.random((round(pixels**0.5),) * 2, dtype=np.float32)
    out = striate.correlate(x, kernel, "same", border="reflect")
    return lambda: (striate.correlate(x, kernel, "same", border="reflect", out=out), None)[1]


RUNS = {"training": training, "inference": inference, "filters": filtering}


def serve() -> None:
    """Time what is asked for, line by line."""
    runs: dict[str, tuple[Callable[[], None], int]] = {}
    for line in sys.stdin:
        section, name, batch, threads = json.loads(line)
        key = f"{section} {name} {batch}"
        if key not in runs:
            runs.clear()
            run = RUNS[section](name, batch, threads)
            run()
            begin = time.perf_counter()
            run()
            runs[key] = run, max(round(TURN / (time.perf_counter() - begin)), 1)
        run, count = runs[key]
        begin = time.perf_counter()
        for _ in range(count):
            run()
        print(json.dumps((time.perf_counter() - begin) / count), flush=True)


def first_step(name: str, batch: int, threads: int) -> None:
    """Seconds to import striate, and until a training step is compiled."""
    begin = time.perf_counter()
    import striate  # noqa: F401

    imported = time.perf_counter() - begin
    import llvmlite.binding  # noqa: F401

    begin = time.perf_counter()
    step = training(name, batch, threads)
    step()
    first = time.perf_counter() - begin
    begin = time.perf_counter()
    step()
    print(json.dumps((imported, first - (time.perf_counter() - begin))))


# --- the comparison ------------------------------------------------------------------------------


def environment(folder: Path, threads: int, **more: str) -> dict[str, str]:
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    path = os.pathsep.join([str(folder), str(HERE.parent)])
    return {**os.environ, **counts, "PYTHONPATH": path, **more}


class Served:
    """A process that runs one checkout."""

    def __init__(self, folder: Path, threads: int, cache: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE), "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(folder, threads, STRIATE_CACHE=cache),
        )

    def __call__(self, *question: Any) -> float:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        found: float = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        self._process.communicate()


def questions(sections: list[str], threads: int) -> Iterator[tuple[str, str, int, int]]:
    from networks import CASES

    for case in CASES:
        for batch in case.training if "training" in sections else ():
            yield "training", case.name, batch, threads
    for case in CASES:
        for batch in INFERENCE if "inference" in sections else ():
            yield "inference", case.name, batch, threads
    for name in KERNELS if "filters" in sections else ():
        for megapixels in MEGAPIXELS:
            yield "filters", name, megapixels, threads


def told(what: str, old: list[float], new: list[float]) -> float:
    """Print a row, and return its ratio."""
    ratio = statistics.median(n / o for o, n in zip(old, new, strict=True))
    before, after = 1e3 * statistics.median(old), 1e3 * statistics.median(new)
    print(f"{what:44} {before:10.3f} ms {after:10.3f} ms   {ratio:6.3f}", flush=True)
    return ratio


def compiling(folders: list[Path], threads: int, turns: int) -> list[float]:
    """Import and first step, with an empty cache and with a filled one, in fresh processes."""
    names = ("import striate", "compile, cache empty", "compile, cache filled")
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in names}
    for _ in range(turns):
        for place, folder in enumerate(folders):
            with tempfile.TemporaryDirectory() as cache:
                for name in names[1:]:
                    done = subprocess.run(
                        [sys.executable, str(HERE), "--first-step", *map(str, COMPILED)],
                        env=environment(folder, threads, STRIATE_CACHE=cache),
                        stdout=subprocess.PIPE,
                        check=True,
                    )
                    imported, seconds = json.loads(done.stdout)
                    found[name][place].append(seconds)
                    found[names[0]][place].append(imported)
    return [told(f"{name} ({COMPILED[0]})", *both) for name, both in found.items()]


def main() -> int:
    if sys.argv[1:2] == ["--serve"]:
        serve()
        return 0
    if sys.argv[1:2] == ["--first-step"]:
        first_step(sys.argv[2], int(sys.argv[3]), int(os.environ["OMP_NUM_THREADS"]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path, nargs="?", default=HERE.parents[1])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default=",".join(SECTIONS), metavar="SECTION,…")
    parser.add_argument("--match", default="", help="only rows whose name holds this text")
    options = parser.parse_args()
    sections = options.only.split(",")
    folders = [options.old.resolve(), options.new.resolve()]
    print(f"{'':44} {'old':>13} {'new':>13}   new/old")
    ratios = []
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        both = [
            Served(folder, options.threads, cache)
            for folder, cache in zip(folders, (first, second), strict=True)
        ]
        for question in questions(sections, options.threads):
            unit = "{} megapixels" if question[0] == "filters" else "batch {}"
            what = f"{question[0]}: {question[1]}, {unit.format(question[2])}"
            if options.match not in what:
                continue
            times: tuple[list[float], list[float]] = ([], [])
            for number in range(options.rounds + 1):
                for place in ((0, 1), (1, 0))[number % 2]:
                    seconds = both[place](*question)
                    if number:  # the first turn warms up
                        times[place].append(seconds)
            ratios.append(told(what, *times))
        for served in both:
            served.close()
    if "compile" in sections and not options.match:
        ratios += compiling(folders, options.threads, max(options.rounds // 3, 3))
    print(f"slowest row: {max(ratios):.3f}; geometric mean {statistics.geometric_mean(ratios):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
