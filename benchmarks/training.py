"""The time of a training step (forward, loss, backward, update) against PyTorch and JAX.

    python benchmarks/training.py [--threads 2] [--rounds 7] [--no-compile] [--match TEXT]

This is a section of the suite, and takes the same options. Each network is trained with SGD,
momentum 0.9 and Nesterov's look-ahead, from the same weights on the same images. PyTorch runs as it
comes, channels_last, and compiled; the fastest counts. The loss and the first update of all weights
are compared before anything is timed.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

import in_pytorch
import numpy as np
import torch
from contest import Cases, Run, Setting, contest, difference, uses_winograd
from networks import CASES, Case, images_for, labels_for, packed, work
from report import OURS, Row

from striate.engines.llvm import CompiledEngine
from striate.network import Network
from striate.optim.losses import SoftmaxCrossEntropy
from striate.optim.optimizers import SGD

KINDS = ("", " channels_last", " compiled", " compiled channels_last")


def cases(setting: Setting) -> Cases:
    """Each network at each of its batch sizes."""
    for case in CASES:
        for batch, bar in case.training.items():
            yield f"{case.name}, {batch}", partial(measure, case, batch, bar, setting)


def measure(case: Case, batch: int, bar: float, setting: Setting) -> list[Row]:
    """One row."""
    network, images, labels = case.build(), images_for(case, batch), labels_for(batch)
    row = Row("training", "", f"{case.name}, batch {batch}", bar=bar)
    notes: list[str] = []
    peers = in_pytorch_ways(in_pytorch.MODULES[case.name], network, images, labels, setting)
    peers |= _in_jax(network, images, labels, notes)
    return [against_peers(row, network, peers, images, labels, case.tolerance, setting, notes)]


def against_peers(
    row: Row,
    network: Network,
    peers: Mapping[str, tuple[Run, Run]],
    images: np.ndarray,
    labels: np.ndarray,
    tolerance: float,
    setting: Setting,
    notes: Iterable[str] = (),
) -> Row:
    """The row with times: all contenders agree on the first step, and are then timed.

    Args:
        row: all but what is measured.
        network: ours, which is trained.
        peers: steps, and functions that give the weights as `packed` does; they start from the
            weights of the network.
        images, labels: (count, height, width, channels) and (count,).
        tolerance: how much the loss and the updates of weights may differ, relatively.
        setting: how to measure.
        notes: what else the row is to tell.
    """
    before = packed(network)
    largest = 0.0
    engine, ours = our_step(network, images, labels, setting.threads)
    runs: dict[str, Run] = {OURS: ours}
    loss, after = ours(), packed(network)
    for name, (step, weights) in peers.items():
        theirs = float(step())
        largest = max(largest, difference(f"{name}: loss", loss, theirs, tolerance))
        update = weights() - before
        who = f"{name}: update of weights"
        largest = max(largest, difference(who, after - before, update, tolerance))
        runs[name] = step
    row = replace(row, difference=largest, notes=tuple(notes), winograd=uses_winograd(engine))
    flops = 2.0 * len(images) * work(network, backward=True)
    done = contest(row, runs, setting, flops=flops)
    runs.clear()
    torch.compiler.reset()
    gc.collect()
    return done


def our_step(
    network: Network, images: np.ndarray, labels: np.ndarray, threads: int
) -> tuple[CompiledEngine, Run]:
    """The engine, and a function that makes a step and gives the loss before it."""
    count, loss = len(images), SoftmaxCrossEntropy()
    engine = CompiledEngine(network, batch_size=count, loss=loss, threads=threads)
    optimizer = SGD(in_pytorch.MOMENTUM, nesterov=True)
    targets = loss.targets(labels, network.output_shape[-1])
    weights = np.full(count, 1 / count, np.float32)
    keys = np.zeros(count, np.uint32)

    def step() -> float:
        value, _ = engine.step(images, targets, weights, keys)
        engine.update(optimizer, in_pytorch.RATE)
        return value

    return engine, step


def in_pytorch_ways(
    module: Callable[[], torch.nn.Module],
    network: Network,
    images: np.ndarray,
    labels: np.ndarray,
    setting: Setting,
) -> dict[str, tuple[Run, Run]]:
    """Each of PyTorch's ways to make a step from the network's weights, and its weights."""
    peers: dict[str, tuple[Run, Run]] = {}
    ready = in_pytorch.channels_first(images), torch.from_numpy(labels)
    for kind in KINDS:
        if "compiled" in kind and not setting.compile:
            continue
        model = in_pytorch.load(module(), network)
        step = in_pytorch.training_step(model, *ready, kind)
        peers[f"PyTorch{kind}"] = step, partial(in_pytorch.weights, model, network)
    return peers


def _in_jax(
    network: Network, images: np.ndarray, labels: np.ndarray, notes: list[str]
) -> dict[str, tuple[Run, Run]]:
    """JAX's step, if it is installed."""
    try:
        import in_jax
    except ImportError as error:
        notes.append(f"JAX was not run: {error}")
        return {}
    trainer = in_jax.Trainer(network, images, labels)
    return {"JAX": (trainer.step, trainer.packed)}


if __name__ == "__main__":
    import suite

    sys.exit(suite.main(["--only", "training", *sys.argv[1:]]))
