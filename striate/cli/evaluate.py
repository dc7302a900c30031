"""`striate evaluate`: tests a network on labelled images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from striate.cli import calibration_words, options
from striate.cli.classifier import load_answering
from striate.cli.csv_file import check_csv, write_csv
from striate.cli.label_arguments import LabelArguments, labels_options
from striate.cli.labelled import Labelled, load_labelled
from striate.cli.output import json_line, note, one_line
from striate.cli.tested_outputs import run_test
from striate.common.arrays import Floats
from striate.common.tables import table
from striate.common.text import counted, percent

if TYPE_CHECKING:
    from striate.training.evaluation import Evaluation

# A confusion matrix with more classes does not fit into a terminal; --json always has it.
WIDEST_CONFUSION = 20


@click.command(short_help="Test a network on labelled images.")
@click.argument("model", metavar="MODEL")
@click.argument("source", metavar="SOURCE")
@options.part_option
@click.option(
    "--mistakes",
    metavar="FILE.csv",
    help="Write a table of the images that are not recognised: where each is, what it is, what "
    "the network says; of numbers of all images, the largest errors first.",
)
@click.option(
    "--unknown",
    multiple=True,
    metavar="IMAGE",
    help="Images of no class, to see how many of them are called unknown: a file, a folder or a "
    "pattern; may be repeated.",
)
@labels_options
@options.skip_bad_option
@options.max_pixels_option
@options.views_option
@options.engine_options
@options.output_options
def evaluate(
    model: str,
    source: str,
    part: str | None,
    mistakes: str | None,
    unknown: tuple[str, ...],
    skip_bad: bool,
    max_pixels: int | None,
    views: str,
    engine: str | None,
    threads: int | None,
    as_json: bool,
    quiet: bool,
    **tables: Any,
) -> None:
    """Test the network in the file MODEL on the images of SOURCE, which is what `striate train`
    takes: accuracy, precision and recall of each class, and the confusion matrix; how far
    probabilities are from how often they are right, and how good the surest answers are; average
    precision of each label; errors of numbers.

    The model file knows the images of the training, each by a digest of its pixels: whatever was
    added, removed, renamed or changed since is told, and the network is tested on those that it
    was not trained on, unless --part says otherwise.
    """
    from striate.confidence.assessment import assess
    from striate.training.evaluation import Evaluation

    check_csv(mistakes, "--mistakes")
    network = load_answering(model)
    tested = load_labelled(
        model,
        network,
        source,
        part,
        skip_bad=skip_bad,
        quiet=quiet,
        max_pixels=max_pixels,
        tables=LabelArguments(**tables),
    )
    note(f"Testing on {counted(len(tested.images), 'image')} (--part {tested.part})", quiet=quiet)
    how: dict[str, Any] = {
        "engine": engine or options.default_engine(),
        "threads": threads,
        "views": views,
    }
    found: dict[str, Any] = {"model": model, "source": tested.source, "part": tested.part}
    leaks = None if tested.leaks is None else tested.leaks.numbers()
    if network.answers.kind != "classes":
        from striate.cli.tested_answers import tell

        if unknown:
            raise click.ClickException(
                f"--unknown is for models that name one class: {model} gives {network.answers.kind}"
            )
        outputs = network.predict_logits(tested.images, **how)
        found = {**found, "changes": tested.changes, "leaks": leaks}
        tell(network, tested, outputs, mistakes=mistakes, as_json=as_json, found=found)
        return
    outputs, distances = run_test(network, tested.images, **how)
    strange = None
    if unknown:
        from striate.cli.unknown_images import UnknownImages

        strange = UnknownImages.read(
            unknown, network, distances, skip_bad=skip_bad, max_pixels=max_pixels, **how
        )
    result = Evaluation.from_outputs(outputs, tested.labels, network.classes)
    assessed = assess(
        replace(network.answers, temperature=1.0),  # the outputs are divided by it
        outputs,
        tested.labels,
        None if distances is None else distances.unknown,
    )
    wrong = result.images - int(np.trace(result.confusion))
    if mistakes is not None:
        _write_mistakes(mistakes, tested, outputs, [each.name for each in result.classes])
    if as_json:
        written = {} if mistakes is None else {"mistakes": mistakes}
        trust = {**assessed.to_dict(), "unknown": None if strange is None else strange.to_dict()}
        changes = {"changes": tested.changes, "left_out": tested.left_out, "leaks": leaks}
        json_line({**found, **changes, **result.to_dict(), **trust, **written})
        return
    click.echo(
        f"Accuracy: {percent(result.accuracy)} on {counted(result.images, 'image')}; "
        f"always the most frequent class: {percent(result.baseline)}\n"
    )
    click.echo(_classes(result))
    if len(result.classes) <= WIDEST_CONFUSION:
        click.echo(f"\n{_confusion(result)}")
    click.echo(f"\n{calibration_words.assessed(assessed)}")
    if strange is not None:
        click.echo(strange.sentence())
    if mistakes is not None:
        click.echo(f"\nWrote {counted(wrong, 'mistake')} to {one_line(mistakes)}")


def _write_mistakes(path: str, tested: Labelled, outputs: Floats, names: list[str]) -> None:
    """Write a table of the images that are not recognised, the surest mistakes first."""
    from striate.optim.losses import softmax

    probabilities = softmax(outputs)
    guesses = outputs.argmax(axis=1)
    rows = np.flatnonzero(guesses != tested.labels)
    rows = rows[np.argsort(-probabilities[rows, guesses[rows]], kind="stable")]
    write_csv(
        path,
        ["image", "path", "class", "predicted", "probability", "probability_of_class"],
        (
            [
                row,
                tested.paths[row] if tested.paths is not None else "",
                names[tested.labels[row]],
                names[guesses[row]],
                f"{probabilities[row, guesses[row]]:.6f}",
                f"{probabilities[row, tested.labels[row]]:.6f}",
            ]
            for row in rows.tolist()
        ),
    )


MOST_CLASSES = 100
"""Of more, only those are shown that have images, or for which some were taken."""


def _classes(result: Evaluation) -> str:
    shown = result.classes
    if len(shown) > MOST_CLASSES:
        shown = tuple(each for each in shown if each.support or each.precision is not None)
    hidden = len(result.classes) - len(shown)
    rest = f"\n({counted(hidden, 'other class')}: no images, and none taken for one)"
    rows = [("class", "images", "precision", "recall")]
    rows += [
        (
            one_line(report.name),
            f"{report.support:,}",
            _percent(report.precision),
            _percent(report.recall),
        )
        for report in shown
    ]
    return table(rows) + rest * bool(hidden)


def _percent(share: float | None) -> str:
    return "–" if share is None else percent(share)


def _confusion(result: Evaluation) -> str:
    names = [one_line(report.name) for report in result.classes]
    rows = [["true \\ predicted", *names]]
    for name, row in zip(names, result.confusion.tolist(), strict=True):
        rows.append([name, *(f"{number:,}" if number else "·" for number in row)])
    return table(rows)
