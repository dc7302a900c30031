"""Images of sizes that never repeat: does a new size cost anything?

    python benchmarks/crops.py [--count 150] [--rounds 5] [--seed 0]

A crop of random size after another goes through `striate.filter_image`, and through the same in
SciPy (`scipy.ndimage.convolve` of each channel, then rounded to 8 bits). Every run is a process of
its own, whose imports are not counted; striate runs with an empty cache (cold), with the kernels
that the run before it left on disk (cached), and a second time in the same process (warm). Printed
are the medians, and how many times SciPy's time that is; results are compared first.
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

FILTERS = ("laplace", "gaussian", "mean5", "sobel-x")
COLD_BAR = 3.0  # times SciPy's time


def crops(count: int, seed: int) -> list:
    import numpy as np

    rng = np.random.default_rng(seed)
    sizes = rng.integers(24, 400, (count, 2))
    return [rng.integers(0, 256, (*size, 3)).astype(np.uint8) for size in sizes]


def in_striate(image, name: str):
    import striate

    return striate.filter_image(image, name)


def in_scipy(image, name: str):
    """The kernel over each channel, in 32 bits, with the border that `filter_image` has."""
    import numpy as np
    from scipy import ndimage

    from striate import kernels

    kernel = kernels.resolve(name).arrays[0].astype(np.float32)
    result = np.empty_like(image)
    for channel in range(3):
        colour = image[..., channel].astype(np.float32)
        numbers = ndimage.convolve(colour, kernel, mode="reflect")
        result[..., channel] = np.clip(np.rint(numbers), 0, 255)
    return result


def timed(kind: str, name: str, count: int, seed: int) -> None:
    """Print the seconds of a first and of a second pass over the crops."""
    import scipy.ndimage  # noqa: F401

    import striate  # noqa: F401

    run, images, seconds = globals()[f"in_{kind}"], crops(count, seed), []
    for _ in range(2):
        begin = time.perf_counter()
        for image in images:
            run(image, name)
        seconds.append(time.perf_counter() - begin)
    print(json.dumps(seconds))


def asked(kind: str, name: str, count: int, seed: int, cache: str) -> list[float]:
    process = subprocess.run(
        [sys.executable, __file__, "--timed", kind, name, str(count), str(seed)],
        env={**os.environ, "STRIATE_CACHE": cache},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(process.stdout)


def main() -> int:
    if sys.argv[1:2] == ["--timed"]:
        timed(*sys.argv[2:4], *map(int, sys.argv[4:6]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    import numpy as np

    print(f"{options.count} crops{'SciPy':>22}{'cold':>20}{'cached':>20}{'warm':>20}")
    worst = 0.0
    for name in FILTERS:
        for image in crops(10, options.seed):
            ours, theirs = in_striate(image, name), in_scipy(image, name)
            # Halves may be rounded either way where the order of the additions differs.
            np.testing.assert_allclose(ours.astype(int), theirs.astype(int), atol=1)
        times: dict[str, list[float]] = {kind: [] for kind in ("scipy", "cold", "cached", "warm")}
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as cache:
                question = name, options.count, options.seed, cache
                times["scipy"].append(asked("scipy", *question)[0])
                cold, _ = asked("striate", *question)
                cached, warm = asked("striate", *question)
            for kind, seconds in (("cold", cold), ("cached", cached), ("warm", warm)):
                times[kind].append(seconds)
        found = {kind: statistics.median(each) for kind, each in times.items()}
        row = "".join(
            f"{found[kind]:10.3f} s {found[kind] / found['scipy']:6.2f}×"
            for kind in ("cold", "cached", "warm")
        )
        print(f"{name:18}{found['scipy']:10.3f} s {row}", flush=True)
        worst = max(worst, found["cold"] / found["scipy"])
    print(f"cold: at most {worst:.2f} times SciPy (bar: {COLD_BAR})")
    return int(worst > COLD_BAR)


if __name__ == "__main__":
    sys.exit(main())
