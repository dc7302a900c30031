"""Peak memory of training, in fresh processes: striate against PyTorch.

Twice: of the whole process, and without what is resident once everything is imported.
"""

from __future__ import annotations

from functools import partial

from child import ask
from contest import Cases, Setting
from networks import CASES
from report import OURS, Row

BATCH, BAR = 128, 2.0
KINDS = ("", " channels_last")


def cases(setting: Setting) -> Cases:
    """Each network."""
    for case in CASES:
        yield case.name, partial(measure, case.name, setting)


def measure(name: str, setting: Setting) -> list[Row]:
    """Two rows."""
    found = {OURS: ask("train_striate", name, BATCH, threads=setting.threads)}
    for kind in KINDS:
        found[f"PyTorch{kind}"] = ask("train_pytorch", name, BATCH, kind, threads=setting.threads)
    whole = {who: values["peak"] for who, values in found.items()}
    beyond = {who: values["peak"] - values["imports"] for who, values in found.items()}
    groups = {
        "whole process": whole,
        "beyond what is resident after the imports": beyond,
    }
    return [
        Row("memory", group, name, unit="MB", values=values, bar=BAR)
        for group, values in groups.items()
    ]
