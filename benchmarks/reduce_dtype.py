"""What gradients that are added in bfloat16 cost in accuracy.

    python benchmarks/reduce_dtype.py [digits ../shared/data/mnist …] [--groups 4] [--seeds 5]

Trains the recipe for each source with and without `--reduce-dtype bfloat16`, from the same seeds.
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
        for dtype in ("float32", "bfloat16"):
            found = [accuracy(source, options.groups, dtype, s) for s in range(options.seeds)]
            each = ", ".join(f"{one:.2f}" for one in found)
            print(f"{source}: {dtype} {statistics.mean(found):.2f} % ({each})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
