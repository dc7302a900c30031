"""Seconds to an accuracy, from the start of a process to a saved model, against PyTorch.

    python benchmarks/accuracy.py [mnist|cifar] [--data FOLDER] [--threads 2] [--seeds 5]

Both train the same network by the same recipe from the same kind of random weights (`mnist.py`,
`cifar.py`), striate with an empty cache of kernels; imports and reading the files count. PyTorch
runs as it comes and channels_last; the fastest counts. Processes take turns, seed by seed. The
accuracy on the test images is measured after the clock has stopped.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WAYS = ("striate", "PyTorch", "PyTorch channels_last")


@dataclass(frozen=True)
class Goal:
    """What is to be reached: an accuracy, and how many times as fast as PyTorch."""

    folder: str
    accuracy: float
    times: float
    seconds: float = float("inf")


GOALS = {"mnist": Goal("mnist", 0.99, 5.0), "cifar": Goal("cifar10", 0.93, 1.5, 1200.0)}


def train(images: str, way: str, data: Path, **settings: Any) -> dict[str, float]:
    """Accuracy and seconds of one process."""
    with tempfile.TemporaryDirectory() as folder:
        told = json.dumps({**settings, "way": way})
        begin = time.time()
        process = subprocess.run(
            [sys.executable, __file__, "--child", images, told, str(data), folder],
            env={
                **os.environ,
                "STRIATE_CACHE": folder,
                "OMP_NUM_THREADS": str(settings["threads"]),
            },
            capture_output=True,
            text=True,
        )
    if process.returncode:
        raise RuntimeError(f"{way}: {process.stderr}")
    done, accuracy = map(float, process.stdout.split()[-2:])
    return {"accuracy": accuracy, "seconds": done - begin}


def child(images: str, told: str, data: str, folder: str) -> None:
    """What the process does that is timed."""
    settings = json.loads(told)
    if images == "mnist":
        import mnist as task
    else:
        import cifar as task  # type: ignore[no-redef]
    run = task.run_striate if settings["way"] == "striate" else task.run_pytorch
    print(*run(Path(data), Path(folder) / "model.safetensors", settings))


def main() -> int:
    """Print a line per process, and the ratio; 1 if the goal is missed."""
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("images", nargs="?", choices=GOALS, default="mnist")
    parser.add_argument(
        "--data", type=Path, default=default, help="the folder that holds mnist/ and cifar10/"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default=",".join(WAYS), help="ways to train, with commas")
    parser.add_argument("--epochs", type=int, help="in place of the recipe's")
    parser.add_argument("--json", type=Path, help="also write the figures to a file")
    options = parser.parse_args()
    goal, ways = GOALS[options.images], options.only.split(",")
    # As the installer does, PyTorch's included.
    compileall.compile_dir(Path(__file__).resolve().parents[1] / "striate", quiet=1)
    settings = {"epochs": options.epochs, "threads": options.threads}
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for seed in range(options.seeds):
        for way in ways:
            turn = train(options.images, way, options.data / goal.folder, seed=seed, **settings)
            found[way].append(turn)
            print(
                f"seed {seed}  {way:22} {turn['accuracy']:7.2%} {turn['seconds']:7.2f} s",
                flush=True,
            )
    fine = report(goal, found)
    if options.json:
        content = {**settings, options.images: found}
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    return int(not fine)


def report(goal: Goal, found: dict[str, list[dict[str, float]]]) -> bool:
    """Print what was reached, and return whether it is the goal."""
    seconds = {w: statistics.median(turn["seconds"] for turn in found[w]) for w in found}
    least = min(turn["accuracy"] for turns in found.values() for turn in turns)
    print("  ".join(f"{way} {value:.2f} s" for way, value in seconds.items()), "(medians)")
    checks = [(f"least accuracy {least:.2%}, goal {goal.accuracy:.0%}", least >= goal.accuracy)]
    own = seconds.pop(WAYS[0], None)
    if own is not None and goal.seconds < float("inf"):
        checks.append((f"{own:.0f} s, goal {goal.seconds:.0f} s", own <= goal.seconds))
    if own is not None and seconds:
        times = min(seconds.values()) / own
        checks.append((f"{times:.2f} times as fast, goal {goal.times:g}", times >= goal.times))
    for text, met in checks:
        print(f"{text}: {'met' if met else 'MISSED'}")
    return all(met for _, met in checks)


if __name__ == "__main__":
    sys.exit(main())
