"""How time and memory grow with the number of images and of layers, each in a fresh process.

Growth is linear if no image, or no further layer, costs more than `SLACK` times what the cheapest
one costs: what lies in a core's cache is cheaper, and a hundred layers do not. Of the memory that
is not the mapped file's, an image may take a `SHARE` of its bytes, for its label and its place in
the order.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from child import ask
from contest import Cases, Setting
from report import ALLOWED, OURS, Row

IMAGES, BATCH = (10_000, 100_000, 1_000_000), 128
DEPTHS, IMAGES_A_STEP = (10, 30, 100), 32
TURNS = 3
SLACK, SHARE, PIXELS = 1.5, 1 / 8, 28 * 28


def cases(setting: Setting) -> Cases:
    """Images, then layers."""
    yield "images", partial(with_images, setting)
    yield "layers", partial(with_layers, setting)


def with_images(setting: Setting) -> list[Row]:
    """An epoch of LeNet-5 through `Network.fit`, over files of bytes that are memory-mapped."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for count in IMAGES:
            path = Path(folder) / "images.npy"
            _write_images(path, count)
            # A short epoch is over in no time, so that a single one says little.
            turns = range(TURNS if count < max(IMAGES) else 1)
            runs = [ask("epoch", path, BATCH, threads=setting.threads) for _ in turns]
            found.append(_median(runs))
    names = [f"{count:,} images" for count in IMAGES]
    times = [1e6 * values["image"] for values in found]
    rows = _within("LeNet-5, an epoch's time per image", names, times, "µs")
    least, most = found[0], found[-1]
    further = (most["own_peak"] - least["own_peak"]) * 2**20 / (IMAGES[-1] - IMAGES[0])
    notes = (
        f"the process peaks at {most['peak']:.0f} MB with {names[-1]}, of which "
        f"{most['own_peak']:.0f} MB are its own ({least['own_peak']:.0f} MB with {names[0]}); the "
        f"rest is what the system keeps of the file ({IMAGES[-1] * PIXELS / 2**20:.0f} MB)",
        f"`fit` takes {most['whole']:.1f} s in all",
    )
    rows.append(
        Row(
            "scaling",
            "LeNet-5, memory of its own per further image",
            f"from {IMAGES[0]:,} to {IMAGES[-1]:,}",
            unit="bytes",
            values={OURS: further, ALLOWED: SHARE * PIXELS},
            bar=1.0,
            notes=notes,
        )
    )
    return rows


def with_layers(setting: Setting) -> list[Row]:
    """A training step of plain networks; one of a single layer shows the costs of any network."""
    runs: dict[int, list[dict[str, float]]] = {depth: [] for depth in (1, *DEPTHS)}
    for _ in range(TURNS):  # each in turn: a few layers take so little that one turn says little
        for depth, found in runs.items():
            found.append(ask("train_striate", depth, IMAGES_A_STEP, threads=setting.threads))
    single, *deep = (_median(found) for found in runs.values())
    names = [f"{depth} layers" for depth in DEPTHS]
    rows = []
    for what, key, unit, scale in (
        ("step time per further layer", "step", "ms", 1e3),
        ("planning per further layer, with known kernels", "plan", "ms", 1e3),
        ("memory per further layer", "peak", "MB", 1.0),
    ):
        costs = [
            scale * (values[key] - single[key]) / (depth - 1)
            for values, depth in zip(deep, DEPTHS, strict=True)
        ]
        rows += _within(f"3×3 networks, {what}", names, costs, unit)
    return rows


def _median(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each figure."""
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def _within(group: str, names: list[str], costs: list[float], unit: str) -> list[Row]:
    """Rows of costs that must lie within `SLACK` of the smallest."""
    allowed = SLACK * min(costs)
    return [
        Row("scaling", group, name, unit, {OURS: cost, ALLOWED: allowed}, bar=1.0)
        for name, cost in zip(names, costs, strict=True)
    ]


def _write_images(path: Path, count: int) -> None:
    """Random bytes as images of 28×28."""
    rng = np.random.default_rng(0)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 28, 28))
    for start in range(0, count, 10_000):
        images[start : start + 10_000] = rng.integers(0, 256, (10_000, 28, 28), np.uint8)
    images.flush()
