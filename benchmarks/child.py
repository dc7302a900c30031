"""Measurements that need a process of their own: its memory, its first step, its epoch.

    python benchmarks/child.py TASK [ARGUMENT …]

The tasks are the functions of this module; each prints one line of JSON. Only what a task needs is
imported, so that PyTorch's memory is not counted as striate's or the other way round.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STEPS, STEPS_OF_LARGE = 20, 5


def ask(task: str, *arguments: object, threads: int, **environment: str) -> dict[str, Any]:
    """What a task prints in a fresh process."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    process = subprocess.run(
        [sys.executable, __file__, task, *map(str, arguments), str(threads)],
        env={**os.environ, **counts, **environment},
        capture_output=True,
        text=True,
    )
    if process.returncode:
        raise RuntimeError(f"{task}: {process.stderr.strip().splitlines()[-1:]}")
    found: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return found


def memory() -> dict[str, float]:
    """Megabytes of this process: resident now, of that its own (not of files), and at its peak."""
    status = Path("/proc/self/status")
    if status.exists():
        # The peak of `getrusage` would be that of the parent, if that is larger: it outlives exec.
        numbers = dict(line.split(":", 1) for line in status.read_text().splitlines())
        names = {"now": "VmRSS", "own": "RssAnon", "peak": "VmHWM"}
        return {name: int(numbers[key].split()[0]) / 1024 for name, key in names.items()}
    unit = 2**20 if sys.platform == "darwin" else 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return {"now": peak, "own": peak, "peak": peak}


# Tasks


def train_striate(name: str, batch: str, threads: str) -> dict[str, float]:
    """Memory after the imports and at the peak of some training steps; seconds of a step, and of
    planning it once all kernels are known.

    `name` is a network's, an architecture's, or a number of plain layers.
    """
    from networks import images_for, labels_for

    from striate.architectures import NAMES
    from striate.engines.llvm import CompiledEngine
    from striate.nest.target import host
    from striate.optim.losses import SoftmaxCrossEntropy
    from striate.optim.optimizers import SGD

    host()  # imports the compiler, which otherwise comes with the first step
    after_imports, count, loss = memory()["now"], int(batch), SoftmaxCrossEntropy()
    case = _case(name)
    import numpy as np

    network, images = case.build(), images_for(case, count)
    engine = CompiledEngine(network, batch_size=count, loss=loss, threads=int(threads))
    optimizer, keys = SGD(0.9, nesterov=True), np.zeros(count, np.uint32)
    targets = loss.targets(labels_for(count), network.output_shape[-1])
    weights = np.full(count, 1 / count, np.float32)
    seconds = []
    for _ in range(STEPS_OF_LARGE if name in NAMES else STEPS):
        begin = time.perf_counter()
        engine.step(images, targets, weights, keys)
        engine.update(optimizer, 0.01)
        seconds.append(time.perf_counter() - begin)
    found = {"imports": after_imports, "step": statistics.median(seconds), **memory()}
    plans = []
    for _ in range(3):
        engine.close()
        begin = time.perf_counter()
        engine.step(images, targets, weights, keys)
        plans.append(time.perf_counter() - begin - found["step"])
    return {**found, "plan": min(plans)}


def _case(name: str) -> Any:
    """What a name stands for: a network, an architecture, or a number of plain layers."""
    from networks import CASES, CIFAR, IMAGENET, Case, plain

    from striate.architectures import NAMES, build

    if name.isdigit():
        return Case(name, lambda: plain(int(name)), CIFAR)
    if name in NAMES:
        return Case(name, lambda: build(name), IMAGENET)
    (case,) = (case for case in CASES if case.name == name)
    return case


def train_pytorch(name: str, batch: str, kind: str, threads: str) -> dict[str, float]:
    """The same in PyTorch."""
    import in_pytorch

    after_imports = memory()["now"]
    shape = (32, 32, 3) if name.startswith("ResNet") else (28, 28, 1)
    module = in_pytorch.MODULES[name]()
    return _train(module, shape, after_imports, batch, kind, threads, STEPS)


def train_module(path: str, batch: str, kind: str, threads: str) -> dict[str, float]:
    """The same with a module that was saved, for images of 224×224."""
    import in_pytorch  # noqa: F401
    import torch.fx

    after_imports = memory()["now"]
    module = torch.load(path, weights_only=False)
    shape = (224, 224, 3)
    return _train(module, shape, after_imports, batch, kind, threads, STEPS_OF_LARGE)


def _train(
    module: Any,
    shape: tuple[int, ...],
    after_imports: float,
    batch: str,
    kind: str,
    threads: str,
    steps: int,
) -> dict[str, float]:
    """Memory before and at the peak of some training steps in PyTorch."""
    import in_pytorch
    import numpy as np
    import torch

    torch.set_num_threads(int(threads))
    count, rng = int(batch), np.random.default_rng(0)
    images = in_pytorch.channels_first(rng.standard_normal((count, *shape), np.float32))
    labels = torch.from_numpy(rng.integers(0, 10, count))
    step = in_pytorch.training_step(module, images, labels, kind)
    for _ in range(steps):
        step()
    return {"imports": after_imports, **memory()}


def epoch(path: str, batch: str, threads: str) -> dict[str, float]:
    """Seconds an image of an epoch over a memory-mapped file of images, and memory."""
    import numpy as np
    from networks import lenet5

    images = np.load(path, mmap_mode="r")
    labels = np.random.default_rng(1).integers(0, 10, len(images))
    network, times, own = lenet5(), [], [0.0]

    def progress(now: Any) -> None:
        times.append(time.perf_counter())
        if now.step % 100 == 0 or now.step == now.steps:
            own.append(memory()["own"])

    begin = time.perf_counter()
    network.fit(
        images,
        labels,
        epochs=1,
        batch_size=int(batch),
        optimizer="sgd",
        learning_rate=0.01,
        threads=int(threads),
        progress=progress,
    )
    whole = time.perf_counter() - begin
    # The first step also compiles.  Of ten parts of the epoch the median, as other processes may
    # disturb one of them.
    parts = np.array_split(np.diff(times), 10)
    each = float(np.median([part.mean() for part in parts])) / int(batch)
    return {"image": each, "whole": whole, "own_peak": max(own), **memory()}


def first_step(name: str, batch: str, threads: str) -> dict[str, float]:
    """Seconds to import striate, and to make an engine and run its first step, less a second.

    `name` is a network's or an architecture's.
    """
    begin = time.perf_counter()
    import striate  # noqa: F401

    imported = time.perf_counter() - begin
    import llvmlite.binding  # noqa: F401

    from striate.engines.llvm import CompiledEngine
    from striate.optim.losses import SoftmaxCrossEntropy
    from striate.optim.optimizers import SGD

    all_imported = time.perf_counter() - begin
    case = _case(name)
    count, loss, network = int(batch), SoftmaxCrossEntropy(), case.build()
    import numpy as np
    from networks import images_for, labels_for

    images = images_for(case, count)
    targets = loss.targets(labels_for(count), network.output_shape[-1])
    keys, weights = np.zeros(count, np.uint32), np.full(count, 1 / count, np.float32)
    optimizer, times = SGD(0.9, nesterov=True), [time.perf_counter()]
    engine = CompiledEngine(network, batch_size=count, loss=loss, threads=int(threads))
    for _ in range(2):
        engine.step(images, targets, weights, keys)
        engine.update(optimizer, 0.01)
        times.append(time.perf_counter())
    first, second = times[1] - times[0], times[2] - times[1]
    return {"import": imported, "all_imports": all_imported, "compile": max(0.0, first - second)}


def first_prediction(name: str, batch: str, threads: str) -> dict[str, float]:
    """Seconds to import striate, and to make an inference plan and run it, less a second run."""
    begin = time.perf_counter()
    import striate  # noqa: F401

    imported = time.perf_counter() - begin
    import llvmlite.binding  # noqa: F401
    import numpy as np

    from striate.architectures import build

    all_imported = time.perf_counter() - begin
    network, count = build(name), int(batch)
    images = np.random.default_rng(0).standard_normal((count, *network.input_shape), np.float32)
    times = [time.perf_counter()]
    compiled = network.compile(batch_size=count, threads=int(threads))
    for _ in range(2):
        compiled(images)
        times.append(time.perf_counter())
    first, second = times[1] - times[0], times[2] - times[1]
    return {"import": imported, "all_imports": all_imported, "compile": max(0.0, first - second)}


TASKS: Mapping[str, Any] = {
    task.__name__: task
    for task in (train_striate, train_pytorch, train_module, epoch, first_step, first_prediction)
}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
