"""A long run of calls that never repeat: does anything grow?

    python benchmarks/soak.py [--calls 1000000] [--minutes 60] [--seed 0] [--small]

Filters, convolutions, predictions, trainings and compilations of random shapes, kernels, batch
sizes and networks, in an order that the seed gives, some of them checked against NumPy or SciPy;
in between children are forked. A line tells from time to time what the process holds: memory,
mappings of memory, open files, threads; and how much lies in the cache on disk, which the run has
for itself.

Memory is told twice: all that is resident, and what of it remains when the C library has given
back what it keeps in reserve. That and the rest, as held after the first 10,000 calls, or the first
third of a shorter run, is compared with what is held in the end: more than a tenth (and 30 MB, or
300 mappings) more is a failure. The limits within which kernels and plans are kept are reached by
then, unless a run is short: for such ones, `--small` makes them a tenth.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from striate.common.memory import give_back

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from forked_children import in_child

FIRST = 10_000


@dataclass(frozen=True)
class Held:
    """What the process holds: `resident` is with the reserve of the C library."""

    resident: float
    megabytes: float
    mappings: int
    files: int
    threads: int
    disk: float

    def grown(self, before: Held) -> list[str]:
        """What is more than before, beyond noise."""
        room = {"megabytes": 30.0, "mappings": 300, "files": 5, "threads": 4}
        return [
            f"{name}: {getattr(before, name)} → {getattr(self, name)}"
            for name, least in room.items()
            if getattr(self, name) > max(1.1 * getattr(before, name), getattr(before, name) + least)
        ]


def resident() -> float:
    """Megabytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def held(cache: Path) -> Held:
    gc.collect()
    with_reserve = resident()
    give_back()
    status = Path("/proc/self/status").read_text().splitlines()
    numbers = dict(line.split(":", 1) for line in status)
    return Held(
        with_reserve,
        resident(),
        len(Path("/proc/self/maps").read_text().splitlines()),
        len(os.listdir("/proc/self/fd")),
        int(numbers["Threads"]),
        round(sum(f.stat().st_size for f in cache.rglob("*") if f.is_file()) / 1e6, 1),
    )


class Caller:
    """Calls of all kinds, by one generator of random numbers."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.taps = [tuple(taps) for taps in self.random.integers(1, 12, (12, 2))]
        self.networks = [self.network() for _ in range(4)]
        self.counts: dict[str, int] = {}

    def call(self) -> None:
        """One call of a random kind."""
        kinds = ["filter", "convolve", "signal", "predict", "compile", "network", "fit", "fork"]
        odds = [0.40, 0.24, 0.2, 0.12, 0.02, 0.004, 0.002, 0.014]
        kind = str(self.random.choice(kinds, p=odds))
        self.counts[kind] = self.counts.get(kind, 0) + 1
        getattr(self, kind)()

    def integer(self, low: int, high: int) -> int:
        """From low to high, small ones more often."""
        return int(np.exp(self.random.uniform(np.log(low), np.log(high + 1))))

    # --- filters ---------------------------------------------------------------------------------

    def filter(self) -> None:
        import striate

        size = (self.integer(8, 200), self.integer(8, 200))
        channels = [(), (1,), (3,), (4,)][self.random.integers(4)]
        image = self.random.integers(0, 256, (*size, *channels)).astype(np.uint8)
        if self.random.random() < 0.3:
            image = image.astype(np.float32)
        names = ["laplace", "mean5", "gaussian", "sharpen", "sobel-magnitude", "emboss", None]
        name = names[self.random.integers(len(names))]
        kernel = name or self.random.standard_normal(tuple(self.random.integers(1, 8, 2)))
        border = ["reflect", "mirror", "nearest", "wrap", "fill"][self.random.integers(5)]
        result = striate.filter_image(image, kernel, border=border)
        assert result.shape == image.shape

    def convolve(self) -> None:
        import striate

        f = self.random.standard_normal((self.integer(5, 200), self.integer(5, 200)))
        dtype = ["f4", "f8", "i4"][self.random.integers(3)]
        f = (f * 9).astype(dtype)
        taps = self.taps[self.random.integers(len(self.taps))]
        g = (self.random.standard_normal(taps) * 9).astype(dtype)
        mode = ["same", "full"][self.random.integers(2)]
        result = striate.convolve(f, g, mode)
        if self.random.random() < 0.05:
            from scipy import signal

            wanted = signal.convolve(f.astype("f8"), g.astype("f8"), "full")
            if mode == "full":
                np.testing.assert_allclose(result, wanted, rtol=2e-3, atol=0.05)

    def signal(self) -> None:
        import striate

        f = self.random.standard_normal(self.integer(100, 30_000))
        g = self.random.standard_normal(self.integer(1, 90))
        result = striate.convolve(f, g, "same")
        at = self.integer(1, len(f)) - 1
        first = at - (len(g) - 1 - (len(g) - 1) // 2)
        if len(g) <= len(f) and first >= 0 and first + len(g) <= len(f):
            assert abs(result[at] - f[first : first + len(g)] @ g[::-1]) < 1e-6

    # --- networks --------------------------------------------------------------------------------

    def network(self) -> Any:
        """A random network; one of those that are kept is dropped for it."""
        from striate import Conv2D, Dense, Flatten, GlobalAvgPool2D, Network, ReLU

        size, channels = self.random.integers(6, 14, 2), int(self.random.integers(1, 4))
        layers = [Conv2D(int(self.random.integers(1, 20)), 3, padding="same"), ReLU()]
        if self.random.random() < 0.5:
            layers.append(Conv2D(int(self.random.integers(1, 20)), (1, 3)))
        layers += [[Flatten()], [GlobalAvgPool2D()]][self.random.integers(2)]
        layers.append(Dense(int(self.random.integers(2, 9))))
        made = Network(layers, (int(size[0]), int(size[1]), channels), seed=0)
        if hasattr(self, "networks"):
            self.networks[self.random.integers(len(self.networks))] = made
        return made

    def chosen(self) -> tuple[Any, Any]:
        """One of the networks, and images for it."""
        network = self.networks[self.random.integers(len(self.networks))]
        count = self.integer(1, 90)
        return network, self.random.random((count, *network.input_shape)).astype(np.float32)

    def predict(self) -> None:
        network, images = self.chosen()
        size = self.integer(1, 100)
        outputs = network.predict_logits(images, batch_size=size)
        if self.random.random() < 0.02:
            wanted = network.predict_logits(images, engine="numpy")
            np.testing.assert_allclose(outputs, wanted, rtol=1e-3, atol=1e-4)

    def compile(self) -> None:
        network, images = self.chosen()
        compiled = network.compile(batch_size=self.integer(1, 60))
        compiled(images[: compiled.batch_size])

    def fit(self) -> None:
        network, images = self.chosen()
        labels = np.arange(len(images)) % network.output_shape[0]
        if len(images) > 9:
            network.fit(images, labels, epochs=1, batch_size=self.integer(4, 40), progress=None)

    def fork(self) -> None:
        """A child that filters and predicts; it must end."""
        if self.random.random() > 0.1:
            return
        end = in_child(lambda: (self.filter(), self.predict()))
        assert end == "done", f"a forked child: {end}"


def soak(calls: int, minutes: float, seed: int, cache: Path) -> int:
    """Call, watch, and return the exit code."""
    caller, begin, base = Caller(seed), time.monotonic(), None
    first = min(FIRST, calls // 3)
    every = max(calls // 20, 1)
    for number in range(1, calls + 1):
        caller.call()
        late = time.monotonic() - begin > 60 * minutes
        if base is None and (number >= first or time.monotonic() - begin > 20 * minutes):
            base = held(cache)
            print(f"{number:>9,} calls: {base}   from here on it must not grow", flush=True)
        elif number % every == 0 or late:
            print(f"{number:>9,} calls: {held(cache)}", flush=True)
        if late:
            break
    seconds = time.monotonic() - begin
    print(f"{number:,} calls in {seconds:.0f} s: {caller.counts}")
    assert base is not None
    grown = held(cache).grown(base)
    print("\n".join(["it grows:", *grown]) if grown else "nothing grows")
    return 1 if grown else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    if options.small:
        from striate.nest import compiler
        from striate.signal import compiled_sweep, sweep

        for kept in (compiler._loaded, compiled_sweep._PLANS, sweep._PREPARED):
            kept.most //= 10
    with tempfile.TemporaryDirectory(prefix="striate-soak-") as folder:
        os.environ["STRIATE_CACHE"] = folder
        return soak(options.calls, options.minutes, options.seed, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
