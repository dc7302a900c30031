"""`striate lab`: the articles as one page that answers."""

from __future__ import annotations

import tempfile
import webbrowser
from pathlib import Path

import click

from striate.cli import options
from striate.cli.output import json_line, note
from striate.common.text import in_bytes


@click.command(short_help="Open a page where convolution can be seen, changed and trained.")
@click.argument("model", metavar="[MODEL]", required=False)
@click.argument("source", metavar="[SOURCE]", required=False)
@click.option(
    "--out",
    "-o",
    metavar="PAGE",
    help="Write the page to this file .html, and do not open it.",
)
@options.output_options
def lab(model: str | None, source: str | None, out: str | None, as_json: bool, quiet: bool) -> None:
    """Open one page in the browser, in which the way from a sum to a trained network can be walked.

    It shows the network in the file MODEL, and images of SOURCE, which is what `striate train`
    takes; without them a small network, and the digits that come along. The page needs no
    connection, and what is done in it stays in it.
    """
    from striate.lab.lab_data import lab_data
    from striate.lab.lab_page import write_lab

    path = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="striate-")) / "lab.html"
    length = write_lab(path, lab_data())
    if as_json:
        json_line({"page": str(path), "bytes": length})
    else:
        note(f"Wrote {path} ({in_bytes(length)})", quiet=quiet)
    if out is None:
        webbrowser.open(path.resolve().as_uri())
