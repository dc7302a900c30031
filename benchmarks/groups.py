"""What groups cost: training steps of a batch at once and in groups, in turn, and their memory.

    python benchmarks/groups.py [--batch 256] [--threads 2] [--rounds 15]

A step has the forward and the backward pass, the sum over the groups, and the update. Memory is
that of the plan for a group, of what belongs to the images of all groups, and of the sums.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import networks
import numpy as np

from striate.common.text import in_bytes
from striate.engines.llvm import CompiledEngine
from striate.optim.losses import SoftmaxCrossEntropy
from striate.optim.optimizers import AdamW
from striate.training.batches import largest_group
from striate.training.grouped_step import GroupedStep
from striate.training.prepare import prepare

NETWORKS = {
    "LeNet-5": networks.lenet5,
    "Keras' MNIST convnet": networks.keras_convnet,
    "PyTorch's example": networks.pytorch_example,
    "ResNet-20": networks.resnet20,
    "ResNet-18": networks.resnet18,
}
OF_GROUP = (64, 32)
"""Images of a group."""
TURN = 0.05
"""Seconds that one way has before it is another's turn, at least."""


def step_of(make: Callable[[], networks.Network], batch: int, groups: int, threads: int):
    """A step on noise, and the bytes of its memory."""
    network = make()
    random = np.random.default_rng(0)
    images = random.normal(size=(batch, *network.input_shape)).astype(np.float32)
    labels = random.integers(0, network.output_shape[0], batch)
    data = prepare(
        network, images, labels, loss=None, class_weight=None, sample_weight=None,
        validation_data=None, validation_fraction=0.0, seed=0,
    )  # fmt: skip
    engine = CompiledEngine(
        network,
        batch_size=largest_group(batch, groups),
        loss=SoftmaxCrossEntropy(),
        threads=threads,
    )
    step, optimizer = GroupedStep(engine, network), AdamW()
    options = {"epochs": 1, "batch_size": batch, "seed": 0, "groups": groups}
    with data.training.batches(**options, reads_in_place=True) as source:
        (whole,) = source

    def run() -> float:
        begin = time.perf_counter()
        step(whole)
        engine.update(optimizer, 1e-6)
        return time.perf_counter() - begin

    run()
    (runner,) = engine._runners.values()
    return run, runner.plan.memory.bytes + sum(p.bytes for p in engine._group_programs.values())


def steady(run: Callable[[], float]) -> float:
    """Seconds of a step among others of the same training: what it finds in the caches is its."""
    seconds = [run() for _ in range(2)]
    while sum(seconds) < TURN:
        seconds.append(run())
    return statistics.median(seconds[1:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    for name, make in NETWORKS.items():
        counts = [1, *(options.batch // images for images in OF_GROUP)]
        steps, sizes = zip(
            *(step_of(make, options.batch, groups, options.threads) for groups in counts),
            strict=True,
        )
        times: list[list[float]] = [[] for _ in steps]
        for _ in range(options.rounds):
            for run, kept in zip(steps, times, strict=True):
                kept.append(steady(run))
        at_once, *others = map(statistics.median, times)
        print(
            f"{name:22} {1e3 * at_once:8.2f} ms, {in_bytes(sizes[0])}"
            + "".join(
                f"; groups of {images}: {1e3 * seconds:8.2f} ms ({seconds / at_once - 1:+.1%}), "
                f"{in_bytes(size)}"
                for images, seconds, size in zip(OF_GROUP, others, sizes[1:], strict=True)
            ),
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
