"""`striate predict`: predicts the classes of new images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from striate.cli import options
from striate.cli.classifier import load_classifier
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
@options.skip_bad_option
@options.views_option
@options.engine_options
@options.output_options
def predict(
    model: str,
    images: tuple[str, ...],
    top: int,
    skip_bad: bool,
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

    network = load_classifier(model)
    paths = data.find_images(images)
    predictions: list[dict[str, Any]] = []
    skipped: list[str] = []
    for start in range(0, len(paths), CHUNK):
        good, batch = _load(paths[start : start + CHUNK], network, skip_bad, skipped)
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
    for reason in skipped:
        note(f"skipped {one_line(reason)}", quiet=quiet)
    if not predictions:
        raise click.ClickException("none of the images can be read")
    if as_json:
        json_line(
            {
                "model": model,
                "images": len(predictions),
                "skipped": skipped,
                "predictions": predictions,
            }
        )


def _load(
    paths: list[Path], network: Network, skip_bad: bool, skipped: list[str]
) -> tuple[list[Path], Array]:
    """Return those of `paths` that can be read and their images; add the others to `skipped`."""
    from striate.data.network_images import read_for_network

    bad: set[int] = set()

    def on_bad(index: int, sentence: str) -> None:
        bad.add(index)
        skipped.append(sentence)

    batch = read_for_network(
        paths, network.preprocessing, network.input_shape, on_bad=on_bad if skip_bad else None
    )
    return [path for index, path in enumerate(paths) if index not in bad], batch
