"""Seconds until a training step is compiled, in fresh processes: the cache empty, then filled."""

from __future__ import annotations

import statistics
import tempfile
from functools import partial

from child import ask
from contest import Cases, Setting
from report import ALLOWED, OURS, Row

NETWORK, BATCH, TURNS = "ResNet-20", 128, 5
ALLOWANCES = {"empty": 5.0, "warm": 0.2}


def cases(setting: Setting) -> Cases:
    """One network."""
    yield NETWORK, partial(measure, setting)


def measure(setting: Setting) -> list[Row]:
    """Two rows: with an empty cache of kernels, and in a new process with what that one wrote."""
    found: dict[str, list[dict[str, float]]] = {state: [] for state in ALLOWANCES}
    for _ in range(TURNS):
        with tempfile.TemporaryDirectory() as folder:
            for turns in found.values():
                turns.append(
                    ask("first_step", NETWORK, BATCH, threads=setting.threads, STRIATE_CACHE=folder)
                )
    rows = []
    for state, turns in found.items():
        times = [turn["compile"] for turn in turns]
        imports = statistics.median(turn["import"] for turn in turns)
        everything = statistics.median(turn["all_imports"] for turn in turns)
        rows.append(
            Row(
                "compile",
                "",
                f"{NETWORK}, cache {state}",
                unit="s",
                values={OURS: statistics.median(times), ALLOWED: ALLOWANCES[state]},
                spread={OURS: (min(times), max(times))},
                bar=1.0,
                notes=(
                    f"not counted: import striate {imports:.2f} s, "
                    f"with all that the engine needs {everything:.2f} s",
                ),
            )
        )
    return rows
