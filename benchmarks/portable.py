"""What `portable=True` costs: training steps and single images, portable and not, in turn; two
plans of each.

    python benchmarks/portable.py [--threads 2] [--rounds 15]

For the processor's own vectors, and for vectors of 32 bytes where these are wider.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import networks

from striate.nest.target import as_host, host
from striate.nest.thread_pool import thread_pool
from striate.plan.measure.trial import trial
from striate.plan.runner import Runner

NETWORKS = {
    "LeNet-5": (networks.lenet5, 256),
    "Keras' MNIST convnet": (networks.keras_convnet, 128),
    "ResNet-20": (networks.resnet20, 64),
}


def seconds(run: Callable[[], object]) -> float:
    """How long a call takes."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def _run(runner: Runner) -> None:
    thread_pool().run(runner.plan.program)


def measured(options: argparse.Namespace, vector_bytes: int) -> None:
    """Print a row for each network."""
    for name, (make, batch) in NETWORKS.items():
        network = make()
        for what, size, training in (("step", batch, True), ("image", 1, False)):
            runs = []
            for portable in 2 * (False, True):  # where memory lies makes a difference, too
                runner = trial(
                    network, size, training=training, threads=options.threads, portable=portable
                )
                runs.append(partial(_run, runner))  # which holds the memory that it works on
            times: list[list[float]] = [[] for _ in runs]
            for _ in range(options.rounds):
                for run, kept in zip(runs, times, strict=True):
                    kept.append(min(seconds(run) for _ in range(3)))
            own, shared = (
                statistics.median(a + b) for a, b in zip(times[:2], times[2:], strict=True)
            )
            print(
                f"{vector_bytes:3} bytes  {name:22} {what:6} {1e3 * own:8.3f} ms, portable "
                f"{1e3 * shared:8.3f} ms: {shared / own - 1:+.1%}",
                flush=True,
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    measured(options, host().vector_bytes)
    if host().vector_bytes > 32:
        with as_host(host().narrowed(32)):
            measured(options, 32)
    return 0


if __name__ == "__main__":
    sys.exit(main())
