"""What the benchmarks share: the machine's description and limits, and fair timing."""

from __future__ import annotations

import ctypes
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate.nest.algebra import Accumulator, Nest, Store, Tensor, strides_of
from striate.nest.compiler import compile_nest
from striate.nest.program import Argument, Job, KernelCall, Program
from striate.nest.schedule import Schedule
from striate.nest.target import host
from striate.nest.thread_pool import thread_pool

TURNS = 3  # timed turns of each contender in a round
SETTLE = 0.03  # seconds
LONG = 0.3  # seconds: what takes longer is timed once a round, and needs no settling
SLOW = 5  # peers this many times slower than the fastest one cannot win: a few rounds will do
FEW = 2  # rounds


@dataclass(frozen=True)
class Timing:
    """Seconds of interleaved runs."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def middle(self) -> tuple[float, float]:
        """Between which seconds the middle half lies."""
        if len(self.seconds) == 1:
            return (self.seconds[0], self.seconds[0])
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return (low, high)

    @property
    def spread(self) -> str:
        """The middle half, in milliseconds."""
        low, high = self.middle
        return f"{1e3 * low:.2f}–{1e3 * high:.2f}"


def interleaved(
    runs: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: int = 3,
    sample: float = 0.0,
) -> dict[str, Timing]:
    """Time every run in each round, so that a noisy moment hits all of them alike.

    Each first runs untimed for a while, until it is alone and at its best: the threads of the one
    before may still be spinning (OpenMP's do for some milliseconds), its own may be asleep, and
    the caches hold other data.

    Args:
        runs: ours comes first, its peers follow.
        rounds: of turns; hopeless peers get fewer.
        warm_up: calls before the first round, at most.
        sample: seconds that one timing must last; short runs are called as often as it takes, and
            the mean of those calls counts as one timing.
    """
    lasting = {name: _warmed_up(run, warm_up) for name, run in runs.items()}
    peers = list(runs)[1:]
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    hopeless: set[str] = set()
    for number in range(rounds):
        if number == FEW and peers:
            best = {name: min(seconds[name]) for name in peers}
            slow = max(LONG, SLOW * min(best.values()))  # short ones stay: they cost little
            hopeless = {name for name in peers if best[name] > slow}
        for name, run in runs.items():
            if name in hopeless:
                continue
            short = lasting[name] < LONG
            calls = range(max(1, round(sample / lasting[name])))
            begin = time.perf_counter()
            while short and time.perf_counter() - begin < SETTLE:
                run()
            for _ in range(TURNS if short else 1):
                start = time.perf_counter()
                for _ in calls:
                    run()
                seconds[name].append((time.perf_counter() - start) / len(calls))
    return {name: Timing(tuple(values)) for name, values in seconds.items()}


def _warmed_up(run: Callable[[], object], times: int) -> float:
    """Seconds that a run takes when it is not the first."""
    run()
    best = float("inf")
    for _ in range(max(1, times - 1)):
        begin = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - begin)
        if best > LONG:
            break
    return best


def keep_memory() -> bool:
    """Let this process keep the memory that it frees; whether that could be arranged.

    glibc gives large blocks back to the system at once, and the page faults of the next ones can
    take longer than a layer of PyTorch, which allocates its outputs anew in every call. PyTorch's
    guide to tuning advises another allocator for this reason.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    trim_threshold, mmap_max = -1, -4  # of malloc.h
    return bool(mallopt(mmap_max, 0) and mallopt(trim_threshold, 2**31 - 1))


def processor() -> str:
    """The processor's name and vector unit."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = names[0].split(":", 1)[1].strip() if names else name
    return f"{name} ({host().cpu}, {8 * host().vector_bytes}-bit vectors)"


def multiply_add_peak(threads: int) -> float:
    """FLOP/s of `threads` threads when nothing but multiply-adds limits them.

    A product of small matrices that stay in the first-level cache, held in registers while it is
    summed: each thread runs its own, all at once.
    """
    lanes, rows, columns, depth = host().lanes(4), 6, 4, 128
    nest = Nest(
        (("k", rows), ("x", columns), ("v", lanes), ("c", depth)),
        (
            Store(
                Tensor("out", strides_of({"k": columns * lanes, "x": lanes, "v": 1})),
                Accumulator(),
            ),
        ),
        (
            Tensor("a", strides_of({"x": depth * lanes, "c": lanes, "v": 1}))
            * Tensor("b", strides_of({"k": depth, "c": 1})),
        ),
        ("c",),
        "sum",
    )
    kernel, turns, rounds = compile_nest(nest), 20_000, 25
    sizes = {"a": columns * depth * lanes, "b": rows * depth, "out": rows * columns * lanes}
    memory = {role: np.ones((threads, size + 1024), np.float32) for role, size in sizes.items()}
    arguments = tuple(
        Argument(memory[role].ctypes.data, thread=memory[role].strides[0]) for role in nest.buffers
    )
    program = Program([Job((KernelCall(kernel, arguments),), threads * turns, threads)], threads)
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        thread_pool().run(program)
        seconds.append(time.perf_counter() - begin)
        time.sleep(SETTLE)  # the fastest of moments apart: a limit, not an average
    return 2 * rows * columns * lanes * depth * turns * threads / min(seconds)


def copy_bandwidth(threads: int, megabytes: int = 64) -> float:
    """Bytes a second, read and written, of `threads` threads that copy an array larger than the
    caches, writing past them: no filter can move its input and output faster."""
    lanes, rows = host().lanes(4), 64
    here, there = (Tensor(role, strides_of({"y": 4096, "x": 1})) for role in ("in", "out"))
    nest = Nest((("y", rows), ("x", 4096)), (Store(there, here, streaming=True),))
    kernel = compile_nest(nest, Schedule("x", lanes))
    tasks = (megabytes << 20) // (rows * 4096 * 4)
    room = [np.zeros(tasks * rows * 4096 + 16, np.float32) for _ in range(2)]
    starts = [array.ctypes.data + -array.ctypes.data % 64 for array in room]
    arguments = {
        role: Argument(start, task=rows * 4096 * 4)
        for role, start in zip(("in", "out"), starts, strict=True)
    }
    call = KernelCall(kernel, tuple(arguments[role] for role in nest.buffers))
    program = Program([Job((call,), tasks, 8 * threads)], threads)
    seconds = []
    for _ in range(25):
        begin = time.perf_counter()
        thread_pool().run(program)
        seconds.append(time.perf_counter() - begin)
        time.sleep(SETTLE)
    return 2 * tasks * rows * 4096 * 4 / min(seconds)
