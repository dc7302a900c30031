"""Seconds to 99.0 % on MNIST, from the start of a process to a saved model, against PyTorch.

    python benchmarks/accuracy.py [--data ../shared/data] [--threads 2] [--seeds 5] [--json FILE]

Both train Keras' MNIST convnet by the same recipe (`RECIPE`) from the same kind of random weights,
striate with an empty cache of kernels; imports and reading the files count. PyTorch holds the whole
set as one tensor of floats and gathers its batches from there, and runs as it comes and
channels_last; the fastest counts. Processes take turns, seed by seed. The accuracy on the test
images is measured after the clock has stopped.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

# With these, five seeds of striate end at 99.04 to 99.16 %. Two epochs miss the goal with some
# seeds at rates of 0.05 to 0.2; three, at 0.03, leave seed 0 at 99.01 %, which rounding may turn.
RECIPE = {"epochs": 4, "batch": 64, "rate": 0.03, "momentum": 0.9}
GOAL, BAR = 0.99, 5.0
WAYS = ("striate", "PyTorch", "PyTorch channels_last")


def mnist_striate(data: Path, model: Path, recipe: dict[str, Any]) -> float:
    """Train and save; the time when that was done. Prints the accuracy."""
    from networks import keras_convnet

    import striate

    digits = striate.load_data(data)
    network = keras_convnet()
    network.initialise(recipe["seed"])
    network.fit(
        digits.train_images,
        digits.train_labels,
        epochs=recipe["epochs"],
        batch_size=recipe["batch"],
        optimizer=striate.SGD(recipe["momentum"], nesterov=True),
        learning_rate=recipe["rate"],
        schedule="one-cycle",
        seed=recipe["seed"],
        threads=recipe["threads"],
        progress=False,
    )
    network.save(model)
    done = time.time()
    print(float((network.predict(digits.test_images) == digits.test_labels).mean()))
    return done


def mnist_pytorch(data: Path, model: Path, recipe: dict[str, Any]) -> float:
    """The same in PyTorch."""
    import gzip

    import in_pytorch
    import numpy as np
    import torch
    from torch import nn

    def read(part: str, kind: str, head: int) -> np.ndarray:
        path = data / f"{part}-{kind}-ubyte"
        packed = path.with_name(path.name + ".gz")
        content = gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
        return np.frombuffer(content, np.uint8, offset=head)

    def images(part: str) -> torch.Tensor:
        return torch.from_numpy(read(part, "images-idx3", 16).astype(np.float32)).view(
            -1, 1, 28, 28
        )

    torch.set_num_threads(recipe["threads"])
    torch.manual_seed(recipe["seed"])
    x, y = images("train"), torch.from_numpy(read("train", "labels-idx1", 8).astype(np.int64))
    mean, std = x.mean(), x.std()
    x.sub_(mean).div_(std)
    network = in_pytorch.MODULES["Keras' MNIST convnet"]()
    for module in network.modules():  # as striate begins
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
    if "channels_last" in recipe["way"]:
        network = network.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        network.parameters(), recipe["rate"], recipe["momentum"], nesterov=True, fused=True
    )
    steps = recipe["epochs"] * -(-len(x) // recipe["batch"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe["rate"], total_steps=steps, cycle_momentum=False
    )
    for _ in range(recipe["epochs"]):
        for rows in torch.randperm(len(x)).split(recipe["batch"]):
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
    torch.save(network.state_dict(), model)
    done = time.time()
    with torch.no_grad():
        found = network(images("t10k").sub_(mean).div_(std)).argmax(1).numpy()
    print(float((found == read("t10k", "labels-idx1", 8)).mean()))
    return done


def train(way: str, data: Path, seed: int, threads: int, **recipe: Any) -> dict[str, float]:
    """Accuracy and seconds of one process."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {**RECIPE, **recipe, "way": way, "seed": seed, "threads": threads}
        begin = time.time()
        process = subprocess.run(
            [sys.executable, __file__, "--child", json.dumps(settings), str(data), folder],
            env={**os.environ, "STRIATE_CACHE": folder, "OMP_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
        )
    if process.returncode:
        raise RuntimeError(f"{way}: {process.stderr}")
    accuracy, done = map(float, process.stdout.split()[-2:])
    return {"accuracy": accuracy, "seconds": done - begin}


def child(settings: str, data: str, folder: str) -> None:
    """What the process does that is timed."""
    recipe = json.loads(settings)
    run: Callable[..., float] = mnist_striate if recipe["way"] == "striate" else mnist_pytorch
    print(run(Path(data), Path(folder) / "model.safetensors", recipe))


def main() -> int:
    """Print a line per process, and the ratio; 1 if the goal or the bar is missed."""
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default, help="the folder that holds mnist/")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default=",".join(WAYS), help="ways to train, with commas")
    parser.add_argument("--epochs", type=int, default=RECIPE["epochs"])
    parser.add_argument("--rate", type=float, default=RECIPE["rate"])
    parser.add_argument("--json", type=Path, help="also write the figures to a file")
    options = parser.parse_args()
    ways = options.only.split(",")
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    print(f"MNIST, {options.epochs} epochs, rate {options.rate:g}, {options.threads} threads")
    for seed in range(options.seeds):
        for way in ways:
            recipe = {"epochs": options.epochs, "rate": options.rate}
            turn = train(way, options.data / "mnist", seed, options.threads, **recipe)
            found[way].append(turn)
            print(
                f"seed {seed}  {way:22} {turn['accuracy']:7.2%} {turn['seconds']:7.2f} s",
                flush=True,
            )
    seconds = {way: statistics.median(turn["seconds"] for turn in found[way]) for way in ways}
    least = min(turn["accuracy"] for turns in found.values() for turn in turns)
    print("  ".join(f"{way} {value:.2f} s" for way, value in seconds.items()), "(medians)")
    fine = least >= GOAL
    print(f"least accuracy {least:.2%} (goal {GOAL:.1%}: {'met' if fine else 'MISSED'})")
    peers = {way: value for way, value in seconds.items() if way != WAYS[0]}
    if peers and WAYS[0] in seconds:
        ratio = min(peers.values()) / seconds[WAYS[0]]
        fine = fine and ratio >= BAR
        print(f"{ratio:.2f} times as fast (bar {BAR:g}: {'met' if ratio >= BAR else 'MISSED'})")
    if options.json:
        recipe = {**RECIPE, "epochs": options.epochs, "rate": options.rate}
        content = {"recipe": recipe, "threads": options.threads, "mnist": found}
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    return int(not fine)


if __name__ == "__main__":
    sys.exit(main())
