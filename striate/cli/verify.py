"""`striate verify`: trains a model once more, and compares the bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from striate.cli import options
from striate.cli.fit_network import fit_network
from striate.cli.label_arguments import LabelArguments, labels_options
from striate.cli.output import json_line, note, one_line
from striate.cli.recorded_course import recorded_options, recorded_settings
from striate.cli.training_source import hold_out, load_source
from striate.cli.training_tasks import task_of
from striate.model import files
from striate.network import Network, load
from striate.training.retrained import Retrained, differing_arrays, weights_digest

if TYPE_CHECKING:
    from striate.data import Dataset

OTHER = 1
"""The exit code where bits differ."""


@click.command(short_help="Train a model once more, and compare the bits.")
@click.argument("model", metavar="MODEL")
@click.argument("source", metavar="SOURCE")
@labels_options
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Threads to compute with, which change no bit.  [default: one per core]",
)
@options.output_options
def verify(
    model: str, source: str, threads: int | None, as_json: bool, quiet: bool, **tables: Any
) -> int:
    """Train the network in the file MODEL once more, on the images of SOURCE, and compare the
    weights to the bit.

    The file knows the course of its training: seed, options, and a digest of each image. With
    `striate train --portable` all processors that round a multiply-add once find the same weights;
    without, those whose vectors are as wide. The exit code is 1 if images or weights are others.
    """
    trained, notes = load(model), files.information(model)
    chosen = recorded_options(
        model, notes, source, LabelArguments(**tables), threads=threads, quiet=quiet
    )
    training = recorded_settings(model, notes)
    sentence, expected = _what_holds(notes, chosen.portable, chosen.engine)
    note(sentence, quiet=quiet)
    dataset, held = hold_out(chosen, load_source(chosen))
    changed = _changed(notes, held.recorded(dataset))
    result: dict[str, Any] = {
        "model": model,
        "source": source,
        "portable": chosen.portable,
        "expected": expected,
        "images": changed or "same",
    }
    if changed:
        return _told(result, False, f"Other images, so nothing was trained: {changed}", as_json)
    task = task_of(chosen, dataset)
    task.check()
    network = Network.from_config(trained.get_config(), seed=0)
    task.name(network)
    fit_network(chosen, training, network, task, None)
    task.finish(network)
    found = Retrained(
        weights_digest(trained), weights_digest(network), differing_arrays(trained, network)
    )
    return _told({**result, **found.to_dict()}, found.same, found.sentence(expected), as_json)


def _told(result: dict[str, Any], same: bool, sentence: str, as_json: bool) -> int:
    """Print what was found, and return the exit code."""
    if as_json:
        json_line({**result, "same": same})
    else:
        click.echo(one_line(sentence))
    return 0 if same else OTHER


def _changed(notes: dict[str, Any], dataset: Dataset) -> str:
    """How the images differ from those of the training; "" if they are the same."""
    from striate.data.record import ImageRecord

    record = ImageRecord.from_notes(notes.get("images"))
    if record is None:
        return ""
    parts = dataset.parts
    found = record.compare(*parts.values(), source=dataset.name, folder=dataset.folder)
    return found.sentence()


def _what_holds(notes: dict[str, Any], portable: bool, engine: str | None) -> tuple[str, bool]:
    """What is known of the bits beforehand, and whether they should be the same here."""
    from striate.common.version import __version__
    from striate.engines import check_engine, computed_by

    there = notes.get("computed_by")
    there = there if isinstance(there, dict) else {}
    here = computed_by(check_engine(engine or options.default_engine()), portable=portable)
    other = [
        f"{name} {there.get(name)} there, {here.get(name)} here"
        for name in ("engine", "numpy", "vector_bytes", "tuned_layouts", "fused")
        if there.get(name) != here.get(name)
    ]
    version = notes.get("striate_version")
    if version != __version__:
        other.append(f"striate {version} there, {__version__} here")
    kind = (
        "It was trained with --portable: all processors that round a multiply-add once find the "
        "same bits"
        if portable
        else "It was trained without --portable: the same seed gives the same bits on processors "
        "whose vectors are as wide, and others elsewhere"
    )
    return kind + (f" ({', '.join(other)})" if other else ""), not other
