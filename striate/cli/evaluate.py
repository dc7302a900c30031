"""`striate evaluate`: tests a classifier on labelled images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from striate.cli import options
from striate.cli.classifier import load_classifier
from striate.cli.labelled import load_labelled
from striate.cli.output import json_line, note, one_line
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
@options.skip_bad_option
@options.views_option
@options.engine_options
@options.output_options
def evaluate(
    model: str,
    source: str,
    part: str | None,
    skip_bad: bool,
    views: str,
    engine: str | None,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Test the network in the file MODEL on the images of SOURCE, which is what `striate train`
    takes: accuracy, precision and recall of each class, and the confusion matrix.

    Of a source without test images of its own, the network was tested on a part that training
    did not see. The model file knows which part, and it is drawn again here.
    """
    network = load_classifier(model)
    tested = load_labelled(model, network, source, part, skip_bad=skip_bad, quiet=quiet)
    note(f"Testing on {counted(len(tested.images), 'image')} (--part {tested.part})", quiet=quiet)
    result = network.evaluate(
        tested.images,
        tested.labels,
        engine=engine or options.default_engine(),
        threads=threads,
        views=views,
    )
    if as_json:
        json_line(
            {"model": model, "source": tested.source, "part": tested.part, **result.to_dict()}
        )
        return
    click.echo(f"Accuracy: {percent(result.accuracy)} on {counted(result.images, 'image')}\n")
    click.echo(_classes(result))
    if len(result.classes) <= WIDEST_CONFUSION:
        click.echo(f"\n{_confusion(result)}")


def _classes(result: Evaluation) -> str:
    rows = [("class", "images", "precision", "recall")]
    rows += [
        (
            one_line(report.name),
            f"{report.support:,}",
            percent(report.precision),
            percent(report.recall),
        )
        for report in result.classes
    ]
    return table(rows)


def _confusion(result: Evaluation) -> str:
    names = [one_line(report.name) for report in result.classes]
    rows = [["true \\ predicted", *names]]
    for name, row in zip(names, result.confusion.tolist(), strict=True):
        rows.append([name, *(f"{number:,}" if number else "·" for number in row)])
    return table(rows)
