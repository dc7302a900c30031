"""What groups cost in accuracy, and gradients of groups that are added in bfloat16.

    python benchmarks/accuracy_in_groups.py [digits ../shared/data/mnist …] [--groups 4] [--seeds 5]
        [--dtypes float32 bfloat16] [--width 1.0]

Trains the recipe for each source with batches at once, and in groups with each `--reduce-dtype`,
from the same seeds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def accuracy(source: str, groups: int, dtype: str, seed: int, width: str) -> float:
    """That on the test images, in %."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "striate", "train", source, "--groups", str(groups),
             "--reduce-dtype", dtype, "--seed", str(seed), "--network-width", width,
             "--no-check", "--quiet", "--json",
             "--out", str(Path(folder, "model.safetensors"))],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    return 100 * float(json.loads(done.stdout)["test_accuracy"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="*", default=["digits"])
    parser.add_argument("--groups", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--width", default="1.0", help="of the recipe's network")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    options = parser.parse_args()
    ways = ((1, "float32"), *((options.groups, dtype) for dtype in options.dtypes))
    for source in options.sources:
        found: dict[tuple[int, str], list[float]] = {way: [] for way in ways}
        for seed in range(options.seeds):
            for way in ways:
                found[way].append(accuracy(source, *way, seed, options.width))
            told = ", ".join(f"{found[way][-1]:.2f}" for way in ways)
            print(f"{source}: seed {seed}: {told}", file=sys.stderr, flush=True)
        for way in ways:
            each = ", ".join(f"{one:.2f}" for one in found[way])
            name = f"groups {way[0]}, {way[1]}"
            print(f"{source}: {name:19} {statistics.mean(found[way]):.2f} % ({each})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
