"""`striate predict`: predicts the classes of new images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from striate.cli import options
from striate.cli.classifier import load_classifier
from striate.cli.csv_file import check_csv, write_csv
from striate.cli.output import json_line, note, one_line
from striate.common.arrays import Array
from striate.common.text import percent

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
    default=1,
    metavar="K",
    help="Show the K most probable classes.",
)
@click.option(
    "--csv",
    "table",
    metavar="FILE",
    help="Write a table, too: the path of each image, its class and the probability; with --top "
    "those of the K most probable classes.",
)
@options.skip_bad_option
@options.max_pixels_option
@options.views_option
@options.engine_options
@options.output_options
def predict(
    model: str,
    images: tuple[str, ...],
    top: int,
    table: str | None,
    skip_bad: bool,
    max_pixels: int | None,
    views: str,
    engine: str | None,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Print the class of each IMAGE and its probability, by the network in the file MODEL.

    An IMAGE is an image file, a folder (its image files, at any depth) or a pattern such as
    "scans/*.png".
    """
    from striate import data

    check_csv(table, "--csv")
    network = load_classifier(model)
    paths = data.find_images(images)
    predictions: list[dict[str, Any]] = []
    skipped: list[str] = []
    notes: list[str] = []
    for start in range(0, len(paths), CHUNK):
        chunk = paths[start : start + CHUNK]
        good, batch = _load(chunk, network, skip_bad, skipped, notes, max_pixels)
        if not good:
            continue
        probabilities = network.predict_proba(
            batch, engine=engine or options.default_engine(), threads=threads, views=views
        )
        names = network.classes or [str(index) for index in range(probabilities.shape[1])]
        for path, row in zip(good, probabilities, strict=True):
            # A stable sort, so that of equal classes the first one wins, as in argmax.
            best = (-row).argsort(kind="stable")[:top]
            ranked = [{"class": names[index], "probability": float(row[index])} for index in best]
            predictions.append({"path": str(path), **ranked[0], "top": ranked})
            if not as_json:
                shown = ", ".join(
                    f"{one_line(entry['class'])} {percent(entry['probability'])}"
                    for entry in ranked
                )
                click.echo(f"{one_line(str(path))}: {shown}")
    for sentence in dict.fromkeys(notes):
        note(one_line(sentence), quiet=quiet)
    for reason in skipped:
        note(f"skipped {one_line(reason)}", quiet=quiet)
    if not predictions:
        raise click.ClickException("none of the images can be read")
    if table is not None:
        _write_table(table, predictions, min(top, network.output_shape[-1]))
    if as_json:
        json_line(
            {
                "model": model,
                "images": len(predictions),
                "skipped": skipped,
                "predictions": predictions,
            }
        )


def _write_table(path: str, predictions: list[dict[str, Any]], top: int) -> None:
    """Write the predictions as a table of paths, classes and probabilities."""
    head = ["path", "class", "probability"]
    for place in range(2, top + 1):
        head += [f"class_{place}", f"probability_{place}"]
    write_csv(
        path,
        head,
        (
            [found["path"]]
            + [
                cell
                for each in found["top"]
                for cell in (each["class"], f"{each['probability']:.6f}")
            ]
            for found in predictions
        ),
    )


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
