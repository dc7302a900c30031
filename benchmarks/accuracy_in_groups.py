"""What groups cost in accuracy, and gradients of groups that are added in bfloat16.

    python benchmarks/accuracy_in_groups.py [digits ../shared/data/mnist …] [--groups 4] [--seeds 5]

Trains the recipe for each source with batches at once, in groups, and in groups with
`--reduce-dtype bfloat16`, from the same seeds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def accuracy(source: str, groups: int, dtype: str, seed: int) -> float:
    """That on the test images, in %."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "striate", "train", source, "--groups", str(groups),
             "--reduce-dtype", dtype, "--seed", str(seed), "--no-check", "--quiet", "--json",
             "--out", str(Path(folder, "model.safetensors"))],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    return 100 * float(json.loads(done.stdout)["test_accuracy"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="*", default=["digits"])
    parser.add_argument("--groups", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    for source in options.sources:
        for groups, dtype in (
            (1, "float32"),
            (options.groups, "float32"),
            (options.groups, "bfloat16"),
        ):
            found = [accuracy(source, groups, dtype, seed) for seed in range(options.seeds)]
            each = ", ".join(f"{one:.2f}" for one in found)
            name = f"groups {groups}, {dtype}"
            print(f"{source}: {name:19} {statistics.mean(found):.2f} % ({each})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
