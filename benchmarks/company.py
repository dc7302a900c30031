"""A training step in company: under a quota of processor time, and beside busy processes.

    python benchmarks/company.py [--seconds 3] [--rounds 5]

In each situation one thread, as many as there are by default, and two that are asked for take
turns; what is printed is how long a step takes them, and how that compares with one thread. The
situations:

- alone
- one processor: by affinity
- a quota of one processor: by a control group of version 1 or 2 where this process may make one
  (as root, say), and otherwise by stopping and continuing the process many times a second
- a busy process on each processor
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PERIOD = 0.1  # seconds of a quota
GROUP = f"striate-company-{os.getpid()}"
LIMIT = 1.10  # times as long as one thread: no situation should be worse


# --- the process that is measured ----------------------------------------------------------------


def measured(threads: int | None, seconds: float) -> None:
    """Print the milliseconds of a step, wall clock, as the mean over some seconds."""
    import numpy as np

    from striate import AdamW, Conv2D, Dense, Flatten, MaxPool2D, Network, ReLU
    from striate.common.threads import checked_threads
    from striate.engines.llvm import CompiledEngine
    from striate.optim.losses import SoftmaxCrossEntropy

    layers = [
        *(Conv2D(32, 3), ReLU(), MaxPool2D(2)),
        *(Conv2D(64, 3), ReLU(), MaxPool2D(2, uncovered="drop")),
        *(Flatten(), Dense(10)),
    ]
    network, loss = Network(layers, (28, 28, 1), seed=0), SoftmaxCrossEntropy()
    engine = CompiledEngine(network, batch_size=128, loss=loss, threads=threads)
    rng = np.random.default_rng(0)
    images = rng.random((128, 28, 28, 1)).astype(np.float32)
    targets = loss.targets(rng.integers(0, 10, 128), 10)
    weights, keys = np.full(128, 1 / 128, np.float32), np.zeros(128, np.uint32)
    optimizer, count = AdamW(), 0
    engine.step(images, targets, weights, keys)
    engine.update(optimizer, 1e-3)
    begin = time.perf_counter()
    while time.perf_counter() < begin + seconds:
        engine.step(images, targets, weights, keys)
        engine.update(optimizer, 1e-3)
        count += 1
    milliseconds = (time.perf_counter() - begin) / count * 1e3
    print(json.dumps({"threads": checked_threads(threads, "company"), "ms": milliseconds}))


# --- situations ----------------------------------------------------------------------------------


@contextmanager
def busy_processes() -> Iterator[None]:
    """One process that computes without end on each processor."""
    started = []
    for processor in sorted(os.sched_getaffinity(0)):
        code = f"import os; os.sched_setaffinity(0, {{{processor}}})\nwhile True: pass"
        started.append(subprocess.Popen([sys.executable, "-c", code]))
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


@contextmanager
def control_group() -> Iterator[Path | None]:
    """The file that takes processes into a group with a quota of one processor; None without."""
    made: Path | None = None
    for base, settings in (
        ("/sys/fs/cgroup", {"cpu.max": f"{PERIOD * 1e6:.0f} {PERIOD * 1e6:.0f}"}),
        (
            "/sys/fs/cgroup/cpu",
            {
                "cpu.cfs_period_us": f"{PERIOD * 1e6:.0f}",
                "cpu.cfs_quota_us": f"{PERIOD * 1e6:.0f}",
            },
        ),
    ):
        folder = Path(base) / GROUP
        with suppress(OSError):
            folder.mkdir()
            try:
                for name, text in settings.items():
                    if not (folder / name).exists():
                        raise FileNotFoundError(name)
                    (folder / name).write_text(text)
            except OSError:
                folder.rmdir()
                raise
            made = folder
            break
    try:
        yield made / "cgroup.procs" if made else None
    finally:
        if made:
            with suppress(OSError):
                made.rmdir()


def run(threads: int | None, seconds: float, **how: object) -> dict[str, float]:
    """Measure in a process of its own: `one` processor, in the `group`, or of a `share` of time."""
    code = f"import company; company.measured({threads}, {seconds})"
    group, one = how.get("group"), how.get("one")

    def begin() -> None:
        if one:
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        if isinstance(group, Path):
            group.write_text(str(os.getpid()))

    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        preexec_fn=begin,
    )
    share = how.get("share")
    while isinstance(share, float) and process.poll() is None:
        time.sleep(PERIOD * share)
        process.send_signal(signal.SIGSTOP)
        time.sleep(PERIOD * (1 - share))
        process.send_signal(signal.SIGCONT)
    out, _ = process.communicate()
    return json.loads(out)


def compare(name: str, seconds: float, rounds: int, **how: object) -> bool:
    """Print a situation; return whether more threads are not slower than one."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for label, threads in (("one", 1), ("default", None), ("two", 2)):
            result = run(threads, seconds, **how)
            key = label if label != "default" else f"default ({result['threads']:.0f})"
            found.setdefault(key, []).append(result["ms"])
    single = statistics.median(found["one"])
    good = True
    print(name)
    for label, values in found.items():
        middle = statistics.median(values)
        good = good and middle <= LIMIT * single
        print(
            f"  {label:12} {middle:8.2f} ms a step ({min(values):.2f} to {max(values):.2f})"
            f"  {middle / single:5.2f} times one thread"
        )
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    size = (options.seconds, options.rounds)
    results = [compare("alone", *size), compare("one processor", *size, one=True)]
    with control_group() as group:
        if group is not None:
            results.append(compare("a quota of one processor", *size, group=group))
        else:
            share = 1 / len(os.sched_getaffinity(0))
            results.append(compare("stopped for half of the time", *size, share=share))
    with busy_processes():
        results.append(compare("a busy process on each processor", *size))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
