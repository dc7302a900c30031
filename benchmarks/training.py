"""The time of a training step (forward, backward, update) against PyTorch, in one process.

    python benchmarks/training.py [--threads 2] [--rounds 30] [--json FILE]

Each network is trained with SGD, momentum 0.9 and Nesterov's look-ahead, from the same weights on
the same images.  PyTorch runs in three configurations: as it comes, channels_last, and compiled;
the fastest one counts.  Loss, gradients and updated weights are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=20)
parser.add_argument("--json", type=Path, help="also write the figures to a file")
parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
ARGUMENTS = parser.parse_args()
# BLAS and OpenMP read this when they are first loaded.
os.environ["OMP_NUM_THREADS"] = str(ARGUMENTS.threads)

import llvmlite  # noqa: E402
import machine  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

import striate  # noqa: E402
from striate.engines.compiled import CompiledEngine  # noqa: E402
from striate.layers import Conv2D, Dense, Flatten, Layer, MaxPool2D, ReLU  # noqa: E402
from striate.network import Network  # noqa: E402
from striate.training.losses import SoftmaxCrossEntropy  # noqa: E402
from striate.training.optimizers import SGD  # noqa: E402

RATE, MOMENTUM, SHAPE = 0.01, 0.9, (28, 28, 1)

# Name, layers, and the bar: how many times as fast as the fastest PyTorch, by batch size.
NETWORKS: list[tuple[str, list[Layer], dict[int, float]]] = [
    (
        "LeNet-5",
        [
            *(Conv2D(6, 5, padding=2), ReLU(), MaxPool2D(2)),
            *(Conv2D(16, 5), ReLU(), MaxPool2D(2)),
            *(Flatten(), Dense(120), ReLU(), Dense(84), ReLU(), Dense(10)),
        ],
        {64: 2.0, 256: 2.0},
    ),
    (
        "Keras' MNIST convnet",
        [
            *(Conv2D(32, 3), ReLU(), MaxPool2D(2)),
            *(Conv2D(64, 3), ReLU(), MaxPool2D(2, uncovered="drop")),
            *(Flatten(), Dense(10)),
        ],
        {64: 1.5, 256: 2.0},
    ),
    (
        "PyTorch's MNIST example",
        [
            *(Conv2D(32, 3), ReLU(), Conv2D(64, 3), ReLU(), MaxPool2D(2)),
            *(Flatten(), Dense(128), ReLU(), Dense(10)),
        ],
        {64: 1.0, 256: 1.5},
    ),
]


class Channelwise(nn.Module):
    """Flatten in striate's order, (height, width, channels), so that weights can be compared."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)


def in_pytorch(network: Network, flatten: Callable[[], nn.Module] = nn.Flatten) -> nn.Sequential:
    """The same network in PyTorch, freshly initialised by PyTorch."""
    modules: list[nn.Module] = []
    for index, vertex in enumerate(network.nodes):
        layer, shape = vertex.layer, network.input_shapes(index)[0]
        if isinstance(layer, Conv2D):
            pad = layer.pads(shape)[0]
            modules.append(nn.Conv2d(shape[2], layer.filters, layer.size, padding=pad))
        elif isinstance(layer, Dense):
            modules.append(nn.Linear(shape[0], layer.units))
        elif isinstance(layer, MaxPool2D):
            modules.append(nn.MaxPool2d(layer.size))
        else:
            modules.append(nn.ReLU() if isinstance(layer, ReLU) else flatten())
    return nn.Sequential(*modules)


def tensors(model: nn.Sequential, which: Callable[[torch.Tensor], Any]) -> np.ndarray:
    """Weights or gradients of a PyTorch model, in the order and layout of `Network.flat`."""
    parts = []
    for module in model:
        if isinstance(module, nn.Conv2d):
            parts += [which(module.weight).permute(2, 3, 1, 0), which(module.bias)]
        elif isinstance(module, nn.Linear):
            parts += [which(module.weight).t(), which(module.bias)]
    return np.concatenate([part.detach().numpy().ravel() for part in parts])


def packed(network: Network, flat: np.ndarray) -> np.ndarray:
    """A flat buffer without the gaps between parameters."""
    return np.concatenate([flat[slot.start : slot.stop] for slot in network.slots])


def check(network: Network, step: Callable[[], float], engine: CompiledEngine, batch: Any) -> float:
    """One step of both from the same weights: the largest difference, relative to the largest."""
    images, labels = batch
    model = in_pytorch(network, Channelwise)
    weights, start = tensors(model, lambda t: t), 0
    for slot in network.slots:
        size = slot.stop - slot.start
        network.flat[slot.start : slot.stop] = weights[start : start + size]
        start += size
    optimizer = torch.optim.SGD(model.parameters(), RATE, MOMENTUM, nesterov=True)
    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    mine = step()
    pairs = [
        (np.array([mine]), np.array([loss.item()])),
        (packed(network, engine.gradient), tensors(model, lambda t: t.grad)),
        (packed(network, network.flat), tensors(model, lambda t: t)),
    ]
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)


def pytorch_step(network: Network, batch: Any, kind: str) -> Callable[[], object]:
    """A training step in PyTorch as its documentation writes it."""
    model = in_pytorch(network)
    images, labels = batch
    if kind == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), RATE, MOMENTUM, nesterov=True)
    forward = torch.compile(model) if kind == "compiled" else model

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(forward(images), labels).backward()
        optimizer.step()

    return step


def measure(name: str, layers: list[Layer], size: int, bar: float, peak: float) -> dict[str, Any]:
    """All figures of one network at one batch size."""
    rng = np.random.default_rng(0)
    pixels = rng.standard_normal((size, *SHAPE)).astype(np.float32)
    labels = rng.integers(0, 10, size)
    network, loss = Network(layers, SHAPE), SoftmaxCrossEntropy()
    engine = CompiledEngine(network, batch_size=size, loss=loss, threads=ARGUMENTS.threads)
    optimizer = SGD(MOMENTUM, nesterov=True)
    targets, weights = loss.targets(labels, 10), np.full(size, 1 / size, np.float32)
    keys = np.zeros(size, np.uint32)

    def ours() -> float:
        value, _ = engine.step(pixels, targets, weights, keys)
        engine.update(optimizer, RATE)
        return value

    batch = (torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels))
    difference = check(network, ours, engine, batch)
    # Where two numbers in a pooling window are nearly equal, rounding decides which one wins.
    if difference > 1e-3:
        sys.exit(f"{name}, batch {size}: results differ by {difference:.1e}; nothing was timed")
    kinds = ["default", "channels_last"] + ["compiled"] * (not ARGUMENTS.no_compile)
    runs: dict[str, Callable[[], object]] = {"striate": ours}
    runs |= {kind: pytorch_step(network, batch, kind) for kind in kinds}
    times = machine.interleaved(runs, ARGUMENTS.rounds)
    fastest = min(kinds, key=lambda kind: times[kind].median)
    forward = sum(
        vertex.layer.multiply_adds(*network.input_shapes(i))
        for i, vertex in enumerate(network.nodes)
    )
    # The first layer has no input gradient: two passes instead of three.
    work = 2 * size * (3 * forward - network.nodes[0].layer.multiply_adds(SHAPE))
    return {
        "network": name,
        "batch": size,
        "milliseconds": {kind: 1e3 * timing.median for kind, timing in times.items()},
        "spread": {kind: timing.spread for kind, timing in times.items()},
        "fastest": fastest,
        "ratio": times[fastest].median / times["striate"].median,
        "bar": bar,
        "gflops": work / times["striate"].median / 1e9,
        "of_peak": work / times["striate"].median / peak,
        "difference": difference,
    }


def main() -> int:
    """Print one row per network and batch size; 1 if a bar is missed."""
    torch.set_num_threads(ARGUMENTS.threads)
    torch.manual_seed(0)
    peak = machine.multiply_add_peak(ARGUMENTS.threads)
    header = {
        "date": datetime.date.today().isoformat(),
        "processor": machine.processor(),
        "threads": ARGUMENTS.threads,
        "peak_gflops": peak / 1e9,
        "versions": {
            "striate": striate.__version__,
            "torch": torch.__version__,
            "llvmlite": llvmlite.__version__,
            "numpy": np.__version__,
        },
    }
    print(f"{header['date']}  {header['processor']}, {ARGUMENTS.threads} threads")
    print(f"multiply-add peak of all threads: {peak / 1e9:.0f} GFLOP/s")
    print("  ".join(f"{name} {version}" for name, version in header["versions"].items()))
    steps = f"{ARGUMENTS.rounds} rounds of {machine.TURNS} steps"
    print(f"median (middle half) in milliseconds, {steps}, striate and PyTorch in turn\n")
    rows = []
    for name, layers, bars in NETWORKS:
        for size, bar in bars.items():
            row = measure(name, layers, size, bar, peak)
            rows.append(row)
            print(f"{name}, batch {size}: results agree to {row['difference']:.0e}")
            for kind, value in row["milliseconds"].items():
                label = kind if kind == "striate" else f"PyTorch {kind}"
                print(f"    {label:24} {value:8.2f}  ({row['spread'][kind]})")
            print(
                f"    {row['ratio']:.2f} times as fast as PyTorch {row['fastest']} "
                f"(bar {bar:g}: {'met' if row['ratio'] >= bar else 'MISSED'}); "
                f"{row['gflops']:.0f} GFLOP/s, {row['of_peak']:.0%} of the peak",
                flush=True,
            )
    if ARGUMENTS.json:
        ARGUMENTS.json.write_text(json.dumps({**header, "rows": rows}, indent=2) + "\n")
    return int(any(row["ratio"] < row["bar"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
