"""`striate lab`: the articles as one page that answers."""

from __future__ import annotations

import os
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from striate.cli import options
from striate.cli.classifier import load_classifier
from striate.cli.labelled import load_labelled
from striate.cli.output import json_line, note, one_line
from striate.common.text import in_bytes

if TYPE_CHECKING:
    from striate.data import Dataset
    from striate.network import Network

MOST_SEED = 999_999
"""As in the room of exercises."""


@click.command(short_help="Open a page where convolution can be seen, changed and trained.")
@click.argument("model", metavar="[MODEL]", required=False)
@click.argument("source", metavar="[SOURCE]", required=False)
@click.option(
    "--out",
    "-o",
    metavar="PAGE",
    help="Write the page to this file .html, and do not open it.",
)
@click.option(
    "--exercises",
    multiple=True,
    metavar="FILE",
    help="A set of exercises of your own, a TOML file, in place of those that come along (or the "
    "name of one of these); may be given several times.",
)
@click.option(
    "--seed",
    type=click.IntRange(1, MOST_SEED),
    default=1,
    show_default=True,
    help="With which numbers exercises begin.",
)
@options.part_option
@options.skip_bad_option
@options.max_pixels_option
@options.output_options
def lab(
    model: str | None,
    source: str | None,
    out: str | None,
    exercises: tuple[str, ...],
    seed: int,
    part: str | None,
    skip_bad: bool,
    max_pixels: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Open one page in the browser, in which the way from a sum to a trained network can be walked.

    It shows the network in the file MODEL, and images of SOURCE, which is what `striate train`
    takes; without them a small network, and the digits that come along. The page needs no
    connection, and what is done in it stays in it.
    """
    from striate.lab.lab_data import lab_data
    from striate.lab.lab_page import check_lab_path, write_lab
    from striate.lab.room_data.exercise_sets import exercise_sets

    if model is None and (part is not None or skip_bad or max_pixels is not None):
        raise click.UsageError("--part, --skip-bad and --max-pixels are about the images of SOURCE")
    # Before any work is done.
    sets = exercise_sets(exercises)
    if out is not None:
        check_lab_path(out)
    network: Network | None = None
    dataset: Dataset | None = None
    if model is not None:
        network = load_classifier(model)
        dataset = _images(model, network, source, part, skip_bad, quiet, max_pixels)
    data = lab_data(network, dataset, exercises=sets, seed=seed)
    page = check_lab_path(_temporary() if out is None else out)
    length = write_lab(page, data)
    opened = out is None and _opened(page)
    if as_json:
        json_line({"page": str(page), "bytes": length, "opened": opened})
    else:
        click.echo(f"Wrote {one_line(str(page))} ({in_bytes(length)})")
    if out is None and not opened:
        note(
            "No browser could be opened here: open the page in one, or write it where you want it "
            "with -o lab.html",
            quiet=quiet,
        )


def _temporary() -> Path:
    """A file in a new folder, which stays: the browser may read it at any later time."""
    return Path(tempfile.mkdtemp(prefix="striate-lab-")) / "lab.html"


def _opened(page: Path) -> bool:
    """Open a page in the user's browser; False where there is none with a window."""
    windows = sys.platform in ("win32", "darwin") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if not windows:  # a browser in the terminal would take it over, and runs no scripts
        return False
    try:
        return webbrowser.open(page.resolve().as_uri())
    except (webbrowser.Error, OSError):
        return False


def _images(
    model: str,
    network: Network,
    source: str | None,
    part: str | None,
    skip_bad: bool,
    quiet: bool,
    max_pixels: int | None,
) -> Dataset:
    """The images of a source: those that the network is tested on, and those for training."""
    from striate.data import Dataset
    from striate.data.bundled import BUNDLED
    from striate.model import files

    if source is None:
        source = files.information(model).get("source")
        if source not in BUNDLED:  # others may lie anywhere
            raise click.UsageError(
                f"give SOURCE behind {model}: images for its network, such as those that it was "
                "trained on"
            )
    tested = load_labelled(
        model, network, source, part, skip_bad=skip_bad, quiet=quiet, max_pixels=max_pixels
    )
    try:
        trained = load_labelled(
            model, network, source, "train", skip_bad=True, quiet=True, max_pixels=max_pixels
        )
        images, labels = trained.images, trained.labels
    except click.ClickException:  # a source of test images only
        images, labels = tested.images[:0], tested.labels[:0]
    return Dataset(
        train_images=images,
        train_labels=labels,
        test_images=tested.images,
        test_labels=tested.labels,
        classes=list(network.classes or network.answers.names or ()),
        name=tested.source,
        resize=network.preprocessing.resize,
    )
