"""How `striate predict` tells labels and numbers: as lines, as entries of JSON, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from striate.cli.csv_file import write_csv
from striate.cli.output import one_line
from striate.common.text import number, percent
from striate.confidence.label_decisions import given_labels
from striate.confidence.probabilities import probabilities

if TYPE_CHECKING:
    from striate.common.arrays import Array, Floats
    from striate.network import Network


def names_of(network: Network) -> Sequence[str]:
    """Return what the outputs are called."""
    answers = network.answers
    return network.classes or answers.names or [str(i) for i in range(network.output_shape[0])]


def predictions(
    network: Network, paths: Sequence[Any], outputs: Floats, top: int | None
) -> list[tuple[dict[str, Any], str]]:
    """Return for each image its entry of the result, and how it is told in a line.

    Args:
        network: of labels or numbers.
        paths: of the images, (n,).
        outputs: for them, (n, outputs).
        top: of labels: tell so many, the most probable ones, and not those that are given.
    """
    names = names_of(network)
    found: list[tuple[dict[str, Any], str]] = []
    if network.answers.kind == "numbers":
        for path, row in zip(paths, outputs, strict=True):
            numbers = {name: float(value) for name, value in zip(names, row, strict=True)}
            told = ", ".join(f"{one_line(name)} {number(value)}" for name, value in numbers.items())
            found.append(({"path": str(path), "numbers": numbers}, told))
        return found
    chances = probabilities(network.answers, outputs)
    given = given_labels(network.answers, chances)
    for path, row, flags in zip(paths, chances, given, strict=True):
        entry = {
            "path": str(path),
            "labels": [name for name, flag in zip(names, flags, strict=True) if flag],
            "probabilities": {n: float(p) for n, p in zip(names, row, strict=True)},
        }
        found.append((entry, _told(names, row, flags, top)))
    return found


def _told(names: Sequence[str], chances: Array, flags: Array, top: int | None) -> str:
    """Return the labels of an image in a line, the most probable ones first."""
    order = (-chances).argsort(kind="stable").tolist()
    shown = [index for index in order if flags[index]] if top is None else order[:top]
    if not shown:
        best = order[0]
        return f"no label (most probable: {one_line(names[best])} {percent(chances[best])})"
    return ", ".join(f"{one_line(names[index])} {percent(chances[index])}" for index in shown)


def write_table(path: str, network: Network, entries: Sequence[dict[str, Any]]) -> None:
    """Write predictions as a table that `--labels` reads: of labels those that each image is given
    and the probability of each, or the numbers.
    """
    names = names_of(network)
    if network.answers.kind == "numbers":
        rows = ([e["path"], *(f"{e['numbers'][n]:.9g}" for n in names)] for e in entries)
        write_csv(path, ["path", *names], rows)
        return
    write_csv(
        path,
        ["path", "labels", *(f"probability of {name}" for name in names)],
        (
            [
                entry["path"],
                ";".join(entry["labels"]),
                *(f"{entry['probabilities'][name]:.6f}" for name in names),
            ]
            for entry in entries
        ),
    )
