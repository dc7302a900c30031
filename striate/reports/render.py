"""Renders a report as one HTML file that needs no other file and no internet connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from striate.common.atomic import Content, write_all_atomically
from striate.common.errors import StriateValueError
from striate.common.input_files import open_input
from striate.common.page_parts import script_data
from striate.common.templates import rendered
from striate.common.text import in_bytes, listed, percent, sizes, with_article
from striate.common.web_modules import joined
from striate.reports import architecture, embedded_images
from striate.reports.data import Prediction, Report
from striate.reports.page_data import page_data
from striate.reports.trust import trust
from striate.training import curves

ENTRY = "reports/page/report.js"
"""The module that opens the page."""

MOST_IN_MATRIX = 30
"""The most classes with which the whole confusion matrix is shown."""
PAIRS = 15
"""How many of the most often confused pairs of classes are shown."""

FILTERS: dict[str, Callable[..., str]] = {
    "percent": percent,
    "sizes": sizes,
    "bytes": in_bytes,
    "whole": "{:,}".format,
}
"""How numbers are written in the page."""

MARK = '<meta name="generator" content="striate report'
"""The mark near the beginning of each page by which reports are recognised."""


def check_path(path: str | Path, mark: str = MARK, what: str = "report") -> Path:
    """`path` as a Path, if a report may be written there.

    Args:
        path: the file.
        mark: by which earlier reports of this kind are recognised, which are replaced.
        what: what the kind is called.

    Raises:
        ValueError: its ending is not .html, it is a folder or in a folder that does not exist, or
            it is a file that is not such a report.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise StriateValueError(
            f"{path}: {with_article(what)} is an HTML page; give a name that ends in .html"
        )
    if path.is_dir():
        raise StriateValueError(f"{path}: is a folder; give the name of a file in it")
    if not path.resolve().parent.is_dir():
        raise StriateValueError(f"{path}: the folder {path.resolve().parent} does not exist")
    if path.is_file():  # a pipe might never answer
        with open_input(path, what) as file:
            start = file.read(2000)
        if start and mark.encode() not in start:
            raise StriateValueError(
                f"{path}: exists and is not {with_article(what)}; choose another name, "
                "or remove it first"
            )
    return path


def write(report: Report, path: str | Path, beside: Sequence[tuple[Path, Content]] = ()) -> Report:
    """Write the page of a report to a file, and other files together with it, all or none.

    Returns:
        The report as it is in the page, which may have fewer images and values.

    Raises:
        ValueError: see `check_path`.
        OSError: the file cannot be written.
    """
    path = check_path(path)
    report, page = render_within_limit(report)
    write_all_atomically([(path, [page]), *beside])
    return report


def render_within_limit(report: Report) -> tuple[Report, bytes]:
    """Render a report within its size limit; the report as rendered, and its page.

    The size of tables and pictures is only known once they are rendered: while the page is too
    large, more is left out, until nothing more can be.
    """
    page = render(report)
    while (over := len(page) - 1e6 * report.megabytes) > 0:
        less = report.smaller(over)
        if less.content.used >= report.content.used:
            break
        report, page = less, render(less)
    return report, page


def render(report: Report) -> bytes:
    """The page of a report in UTF-8; the same report gives the same bytes."""
    from striate.common.version import __version__

    folder = files("striate.reports") / "page"
    values = {
        "mark": MARK,
        "version": __version__,
        "report": report,
        "style": (folder / "style.css").read_text("utf-8"),
        "data": script_data(page_data(report)),
        "script": f'"use strict";\n(() => {{\n{joined(files("striate"), ENTRY)}\n}})();',
        "curves": _curves(report),
        "mistakes": [_card(report, answer) for answer in report.mistakes],
        "wrong": report.evaluation.images - int(np.trace(report.evaluation.confusion)),
        "matrix": _matrix(report) if len(report.classes) <= MOST_IN_MATRIX else None,
        "pairs": _pairs(report),
        "trust": trust(report),
        "left_out": _left_out(report),
        "layers": architecture.layers(report),
        "connections": architecture.connections(report),
        "unread": architecture.unread(report),
    }
    page = rendered("striate.reports", "page/report.html", values, FILTERS)
    # Names may contain bytes that are not valid in any encoding.
    return page.encode("utf-8", "backslashreplace")


def _curves(report: Report) -> dict[str, Any] | None:
    if report.curves is None:
        return None
    names = {"loss": "Loss", "accuracy": "Accuracy", "learning_rate": "Learning rate"}
    columns = list(report.curves)
    if len(report.curves["loss"]) == 1:  # a single point is no curve
        names = {}
    drawn = {title: curves.draw(report.curves, name) for name, title in names.items()}
    return {
        "figures": {title: svg for title, svg in drawn.items() if svg},
        "columns": [name.replace("_", " ").replace("val ", "validation ") for name in columns],
        "rows": list(zip(*(report.curves[name] for name in columns), strict=True)),
    }


def _card(report: Report, answer: Prediction) -> dict[str, Any]:
    picture = embedded_images.shown(report.pictures[answer.index], report.black, report.white)
    chosen = [other.index for other in report.chosen]
    path = report.paths.get(answer.index)
    return {
        "picture": embedded_images.png(picture, embedded_images.THUMBNAIL),
        "index": answer.index,
        "path": path,
        "file": None if path is None else "/".join(Path(path).parts[-2:]),
        "truth": report.classes[answer.truth],
        "guess": report.classes[answer.guess],
        "probability": answer.probability,
        "place": chosen.index(answer.index) if answer.index in chosen else None,
    }


def _matrix(report: Report) -> list[list[tuple[int, float]]]:
    """The confusion matrix: the count and the share of its row, for each cell."""
    confusion = report.evaluation.confusion
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    return [
        list(zip(counts, row, strict=True))
        for counts, row in zip(confusion.tolist(), shares.tolist(), strict=True)
    ]


def _pairs(report: Report) -> list[tuple[str, str, int, float]]:
    """The most often confused classes: (true, predicted, count, share of the true class)."""
    confusion = report.evaluation.confusion.copy()
    totals = confusion.sum(axis=1)
    np.fill_diagonal(confusion, 0)
    order = np.argsort(-confusion, axis=None, kind="stable")[:PAIRS]
    cells = zip(*np.unravel_index(order, confusion.shape), strict=True)
    return [
        (
            report.classes[true],
            report.classes[taken],
            int(confusion[true, taken]),
            float(confusion[true, taken] / totals[true]),
        )
        for true, taken in cells
        if confusion[true, taken]
    ]


def _left_out(report: Report) -> list[str]:
    """Sentences on what is left out of the page because of its size."""
    content, nodes = report.content, report.network.nodes
    limit = f"so that the page stays within {report.megabytes:g} MB"
    told = []
    if len(report.chosen) < report.wanted:
        told.append(f"{len(report.chosen)} of {report.wanted} images are looked into, {limit}.")
    hidden = [v.name for index, v in enumerate(nodes) if index not in content.shown]
    if hidden:
        told.append(f"The values of {listed(hidden, 8, 'more layers')} are left out, {limit}.")
    blind = [
        "the image" if index < 0 else nodes[index].name
        for index in sorted(content.shown - content.gradients_shown)
    ]
    if blind:
        told.append(f"The gradients of {listed(blind, 8, 'more layers')} are left out, {limit}.")
    slots = {slot.node for slot in report.network.slots}
    heavy = [nodes[index].name for index in sorted(slots - content.weights)]
    if heavy:
        told.append(f"The weights of {listed(heavy, 8, 'more layers')} are left out, {limit}.")
    return told
