"""Seconds until a first step or prediction is compiled, in fresh processes: the cache empty, then
filled. Python's own files of bytecode are there, as they are at any second start.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from child import ask
from contest import Cases, Setting
from report import ALLOWED, OURS, Row

TURNS = 5


@dataclass(frozen=True)
class First:
    """A task of `child`, a network, and the seconds allowed by the state of the cache."""

    task: str
    network: str
    batch: int
    title: str
    allowed: Mapping[str, float]


FIRSTS = (
    First("first_step", "ResNet-20", 128, "ResNet-20", {"empty": 5.0, "warm": 0.2}),
    First(
        *("first_prediction", "mobilenet_v2", 1, "MobileNetV2, inference"),
        {"empty": 3.0, "warm": 0.5},
    ),
    First("first_step", "resnet50", 16, "ResNet-50, training", {"empty": 8.0, "warm": 0.5}),
)


def cases(setting: Setting) -> Cases:
    """Each network."""
    for first in FIRSTS:
        yield first.title, partial(measure, first, setting)


def measure(first: First, setting: Setting) -> list[Row]:
    """Two rows: with an empty cache of kernels, and in a new process with what that one wrote."""
    found: dict[str, list[dict[str, float]]] = {state: [] for state in first.allowed}
    with tempfile.TemporaryDirectory() as bytecode:
        ask_for = partial(
            *(ask, first.task, first.network, first.batch),
            threads=setting.threads,
            PYTHONDONTWRITEBYTECODE="",
            PYTHONPYCACHEPREFIX=bytecode,
        )
        ask_for()
        for _ in range(TURNS):
            with tempfile.TemporaryDirectory() as folder:
                for turns in found.values():
                    turns.append(ask_for(STRIATE_CACHE=folder))
    rows = []
    for state, turns in found.items():
        times = [turn["compile"] for turn in turns]
        imports = statistics.median(turn["import"] for turn in turns)
        everything = statistics.median(turn["all_imports"] for turn in turns)
        rows.append(
            Row(
                "compile",
                "",
                f"{first.title}, cache {state}",
                unit="s",
                values={OURS: statistics.median(times), ALLOWED: first.allowed[state]},
                spread={OURS: (min(times), max(times))},
                bar=1.0,
                notes=(
                    f"not counted: import striate {imports:.2f} s, "
                    f"with all that the engine needs {everything:.2f} s",
                ),
            )
        )
    return rows
