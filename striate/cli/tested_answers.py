"""What `striate evaluate` prints and writes of labels and of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import numpy as np

from striate.cli.csv_file import write_csv
from striate.cli.output import json_line, one_line
from striate.cli.test_figures import label_table, number_table, sentences
from striate.common.arrays import Floats
from striate.common.text import counted
from striate.training.label_evaluation import LabelEvaluation
from striate.training.number_evaluation import NumberEvaluation

if TYPE_CHECKING:
    from striate.cli.labelled import Labelled
    from striate.network import Network


def tell(
    network: Network,
    tested: Labelled,
    outputs: Floats,
    *,
    mistakes: str | None,
    as_json: bool,
    found: dict[str, Any],
) -> None:
    """Compare outputs of labels or numbers with the truth, and print it.

    Args:
        network: the network, of labels or numbers.
        tested: the images, with their labels or numbers.
        outputs: for them, (n, outputs).
        mistakes: the file for a table of mistakes, or None.
        as_json: whether to print one line of JSON.
        found: its first entries.
    """
    from striate.training.answers_evaluation import evaluation_of

    result = evaluation_of(network, outputs, tested.labels)
    count = 0
    if mistakes is not None and isinstance(result, LabelEvaluation):
        count = _write_wrong_labels(mistakes, network, tested, outputs)
    elif mistakes is not None and isinstance(result, NumberEvaluation):
        count = _write_errors(mistakes, result, tested, outputs)
    written = {} if mistakes is None else {"mistakes": mistakes}
    if as_json:
        json_line({**found, "task": network.answers.kind, **result.to_dict(), **written})
        return
    for sentence in sentences(result):
        click.echo(sentence)
    if isinstance(result, LabelEvaluation):
        click.echo(f"\n{label_table(result)}")
    elif isinstance(result, NumberEvaluation):
        click.echo(f"\n{number_table(result)}")
    if mistakes is not None:
        what = "image" if isinstance(result, NumberEvaluation) else "mistake"
        click.echo(f"\nWrote {counted(count, what)} to {one_line(mistakes)}")


def _write_wrong_labels(path: str, network: Network, tested: Labelled, outputs: Floats) -> int:
    """Write a table of the images with a wrong label, those first that are surest of one; return
    how many there are.
    """
    from striate.confidence.label_decisions import given_labels
    from striate.confidence.probabilities import probabilities

    chances = probabilities(network.answers, outputs)
    given = given_labels(network.answers, chances)
    truth = np.asarray(tested.labels) > 0.5
    wrong = given != truth
    # How far beyond its threshold each wrong label is.
    limits = np.array(network.answers.thresholds or (0.5,))
    beyond = np.where(wrong, np.where(given, (chances - limits) / (1 - limits),
                                      (limits - chances) / limits), 0.0)  # fmt: skip
    rows = np.flatnonzero(wrong.any(axis=1))
    rows = rows[np.argsort(-beyond[rows].max(axis=1), kind="stable")]
    names = network.classes or [str(index) for index in range(truth.shape[1])]

    def named(flags: Any) -> str:
        return ";".join(name for name, flag in zip(names, flags, strict=True) if flag)

    write_csv(
        path,
        ["image", "path", "labels", "predicted", "missing", "wrong"],
        (
            [
                row,
                _path(tested, row),
                named(truth[row]),
                named(given[row]),
                named(truth[row] & ~given[row]),
                named(given[row] & ~truth[row]),
            ]
            for row in rows.tolist()
        ),
    )
    return len(rows)


def _write_errors(path: str, result: NumberEvaluation, tested: Labelled, outputs: Floats) -> int:
    """Write a table of all images, the largest errors first: of several numbers, measured by their
    deviations; return how many there are.
    """
    truth = np.asarray(tested.labels, np.float64)
    errors = outputs.astype(np.float64) - truth
    spread = np.array([report.deviation or 1.0 for report in result.numbers])
    rows = np.argsort(-np.abs(errors / spread).max(axis=1), kind="stable")
    head = ["image", "path"]
    for report in result.numbers:
        head += [report.name, f"{report.name} predicted", f"{report.name} error"]

    def cells(row: int) -> list[object]:
        triples = zip(truth[row], outputs[row], errors[row], strict=True)
        return [f"{float(value):.9g}" for triple in triples for value in triple]

    write_csv(path, head, ([row, _path(tested, row), *cells(row)] for row in rows.tolist()))
    return len(rows)


def _path(tested: Labelled, row: int) -> str:
    return tested.paths[row] if tested.paths is not None else ""
