"""What batches of thousands of images cost in accuracy on MNIST, and what groups save of memory.

    python benchmarks/large_batches.py [--data FOLDER] [--epochs 5] [--batches 256 1024 4096 8192]

The network is that of the recipe for small gray images, with half its filters unless --width says
otherwise, without augmentation, and all train for the same epochs, with a warm-up over the first
one and half a cosine after it. SGD has one rate for all batches, or one that grows with them by the
linear rule (Goyal et al., 2017), as that of LARS; that of LAMB grows with the square root.
Memory is that of the plan of a step, for the whole batch and for groups of 256 images.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

import striate
from striate.common.text import in_bytes
from striate.engines.llvm import CompiledEngine
from striate.training import recipes

GROUP = 256
"""Images of a group, and the batch that rates are for."""
WAYS: Mapping[str, Mapping[str, Any]] = {
    "SGD, one rate": {"optimizer": "sgd", "learning_rate": 0.02},
    "SGD": {"optimizer": "sgd", "learning_rate": 0.02, "base_batch_size": GROUP},
    "LARS": {"optimizer": "lars", "learning_rate": 1 / 32, "base_batch_size": GROUP},
    "LAMB": {"optimizer": "lamb", "learning_rate": 0.01, "base_batch_size": GROUP},
}


def step_bytes(network: striate.Network, images: int) -> int:
    """Memory of the plan of a training step of so many images at once."""
    random = np.random.default_rng(0)
    loss = striate.SoftmaxCrossEntropy()
    classes = network.output_shape[0]
    with closing(CompiledEngine(network, batch_size=images, loss=loss)) as engine:
        engine.step(
            random.integers(0, 256, (images, *network.input_shape)).astype(np.uint8),
            np.eye(classes, dtype=np.float32)[random.integers(0, classes, images)],
            np.full(images, 1 / images, np.float32),
            np.arange(images, dtype=np.uint32),
        )
        (runner,) = engine._runners.values()
        return runner.plan.memory.bytes


def accuracy(
    recipe: recipes.Recipe, dataset: striate.Dataset, batch: int, seed: int, **settings: Any
) -> float:
    """The share of the test images that is recognised after a training; NaN if it diverged."""
    network = recipe.build(striate.Network)
    network.initialise(seed)
    try:
        network.fit(
            dataset.train_images, dataset.train_labels, batch_size=batch, seed=seed,
            groups=max(1, batch // GROUP), schedule="cosine", warmup_epochs=1, progress=False,
            **settings,
        )  # fmt: skip
    except FloatingPointError:
        return float("nan")
    return float((network.predict(dataset.test_images) == dataset.test_labels).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/mnist"))
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="+", default=[256, 1024, 4096, 8192])
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    dataset = striate.load_data(options.data)
    shape, count = dataset.train_images.shape[1:], len(dataset.train_images)
    recipe = recipes.choose(shape, len(dataset.classes), count, options.width)
    own = step_bytes(recipe.build(striate.Network), GROUP)
    print(
        f"{count:,} images, {options.epochs} epochs, {options.seeds} seeds; "
        f"a step of {GROUP} images takes {in_bytes(own)}"
    )
    print(f"{'batch':>6}  {'steps':>5}  {'at once':>9}  " + "  ".join(WAYS))
    for batch in options.batches:
        whole = step_bytes(recipe.build(striate.Network), batch)
        steps = -(-count // batch) * options.epochs
        print(f"{batch:>6,}  {steps:>5,}  {in_bytes(whole):>9}", end="", flush=True)
        for name, settings in WAYS.items():
            found = [
                accuracy(
                    recipe, dataset, batch, seed,
                    epochs=options.epochs, threads=options.threads, **settings,
                )
                for seed in range(options.seeds)
            ]  # fmt: skip
            print(f"  {statistics.mean(found):>{len(name)}.2%}", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
