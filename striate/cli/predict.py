"""`striate predict`: predicts the classes, labels or numbers of new images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from striate.cli import options
from striate.cli.classifier import load_answering
from striate.cli.csv_file import check_csv, write_csv
from striate.cli.output import json_line, note, one_line
from striate.common.arrays import Array
from striate.common.text import percent
from striate.model.rejection import UNKNOWN

if TYPE_CHECKING:
    from striate.network import Network

# Images held in memory at a time: a folder may have more than fit.
CHUNK = 1024


@click.command(short_help="Name the class of images.")
@click.argument("model", metavar="MODEL")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="K",
    help="Show the K most probable classes or labels.  [default: one class; all labels given]",
)
@click.option(
    "--csv",
    "table",
    metavar="FILE",
    help="Write a table, too: the path of each image, its class and the probability; with --top "
    'those of the K most probable classes. Of a model that answers "unknown", also its distance. '
    "Or its labels and their probabilities, or numbers.",
)
@click.option(
    "--reject/--no-reject",
    default=None,
    help='Answer "unknown" where an image is like none of the training\'s, or name a class of '
    "every image.  [default: unknown, if the model was trained with --reject]",
)
@options.skip_bad_option
@options.max_pixels_option
@options.views_option
@options.engine_options
@options.output_options
def predict(
    model: str,
    images: tuple[str, ...],
    top: int | None,
    table: str | None,
    reject: bool | None,
    skip_bad: bool,
    max_pixels: int | None,
    views: str,
    engine: str | None,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Print the class of each IMAGE and its probability, by the network in the file MODEL; or the
    labels that it has, or numbers.

    An IMAGE is an image file, a folder (its image files, at any depth) or a pattern such as
    "scans/*.png".

    A model that was trained with --reject says "unknown" of images that are farther from those of
    the training than a limit, and which share of known images is nearer.
    """
    from striate import data
    from striate.cli import answers_told
    from striate.cli.tested_outputs import answer

    check_csv(table, "--csv")
    network = load_answering(model)
    if reject and network.answers.rejection is None:
        raise click.ClickException(
            f"{model}: cannot tell unknown images; train it with --reject 0.02, say"
        )
    rejects = network.answers.rejection is not None and reject is not False
    paths = data.find_images(images)
    predictions: list[dict[str, Any]] = []
    skipped: list[str] = []
    notes: list[str] = []
    for start in range(0, len(paths), CHUNK):
        chunk = paths[start : start + CHUNK]
        good, batch = _load(chunk, network, skip_bad, skipped, notes, max_pixels)
        if not good:
            continue
        how: dict[str, Any] = {
            "engine": engine or options.default_engine(),
            "threads": threads,
            "views": views,
        }
        if network.answers.kind != "classes":
            outputs = network.predict_logits(batch, **how)
            for entry, told in answers_told.predictions(network, good, outputs, top):
                predictions.append(entry)
                if not as_json:
                    click.echo(f"{one_line(entry['path'])}: {told}")
            continue
        found = answer(network, batch, top=top or 1, rejects=rejects, **how)
        for path, entry in zip(good, found, strict=True):
            predictions.append({"path": str(path), **entry})
            if not as_json:
                click.echo(f"{one_line(str(path))}: {_words(entry)}")
    for sentence in dict.fromkeys(notes):
        note(one_line(sentence), quiet=quiet)
    for reason in skipped:
        note(f"skipped {one_line(reason)}", quiet=quiet)
    if not predictions:
        raise click.ClickException("none of the images can be read")
    if table is not None and network.answers.kind != "classes":
        answers_told.write_table(table, network, predictions)
    elif table is not None:
        _write_table(table, predictions, min(top or 1, network.output_shape[-1]), rejects)
    if as_json:
        json_line(
            {
                "model": model,
                "images": len(predictions),
                "skipped": skipped,
                "predictions": predictions,
            }
        )


def _words(entry: dict[str, Any]) -> str:
    """What is said of an image."""
    ranked = ", ".join(
        f"{one_line(each['class'])} {percent(each['probability'])}" for each in entry["top"]
    )
    if not entry.get("unknown"):
        return ranked
    return (
        f"{UNKNOWN}, farther than {percent(entry['nearer'], '.1f')} of known images: distance "
        f"{entry['distance']:.4g}, limit {entry['threshold']:.4g} (else {ranked})"
    )


def _write_table(path: str, predictions: list[dict[str, Any]], top: int, rejects: bool) -> None:
    """Write the predictions as a table of paths, classes and probabilities, and of distances."""
    head = ["path", "class", "probability"]
    for place in range(2, top + 1):
        head += [f"class_{place}", f"probability_{place}"]
    more = ["unknown", "distance", "threshold", "nearer"] if rejects else []
    write_csv(path, [*head, *more], (_row(found, bool(more)) for found in predictions))


def _row(found: dict[str, Any], rejects: bool) -> list[Any]:
    if found.get("unknown"):  # the classes that it would be are no answer
        cells: list[Any] = [UNKNOWN, *[""] * (2 * len(found["top"]) - 1)]
    else:
        cells = [
            cell for each in found["top"] for cell in (each["class"], f"{each['probability']:.6f}")
        ]
    if rejects:
        cells += [
            int(found["unknown"]),
            f"{found['distance']:.6g}",
            f"{found['threshold']:.6g}",
            f"{found['nearer']:.4f}",
        ]
    return [found["path"], *cells]


def _load(
    paths: list[Path],
    network: Network,
    skip_bad: bool,
    skipped: list[str],
    notes: list[str],
    max_pixels: int | None,
) -> tuple[list[Path], Array]:
    """Return those of `paths` that can be read and their images; add the others to `skipped`, and
    what the images lose to `notes`.
    """
    from striate.data.dataset import MAX_PIXELS
    from striate.data.network_images import read_for_network

    bad: set[int] = set()

    def on_bad(index: int, sentence: str) -> None:
        bad.add(index)
        skipped.append(sentence)

    batch = read_for_network(
        paths,
        network.preprocessing,
        network.input_shape,
        on_bad=on_bad if skip_bad else None,
        on_note=notes.append,
        max_pixels=max_pixels or MAX_PIXELS,
    )
    return [path for index, path in enumerate(paths) if index not in bad], batch
