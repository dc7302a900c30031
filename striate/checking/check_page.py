"""The page of a check: every finding with its pictures, on which images are ticked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from striate.checking.checked_images import CheckedImages
from striate.checking.checks import Checked
from striate.checking.finding import KINDS, Finding
from striate.checking.moving import TICKED
from striate.common.atomic import write_atomically
from striate.common.page_parts import script_data
from striate.common.templates import rendered
from striate.data import decode
from striate.data.dataset import MAX_PIXELS, DataError
from striate.reports import embedded_images
from striate.reports.embedded_images import Pixels
from striate.reports.render import check_path

MARK = '<meta name="generator" content="striate check'
"""The mark near the beginning of each page by which these pages are recognised."""
PICTURE = 96
"""The most pixels of the longer side of a picture."""
MOST_OF_FINDING = 24
"""Images of one finding that are shown."""
_AROUND = 450  # bytes of a card but for its picture and names

EXPLAINED = {
    "damaged": "Replace these files by good copies, or leave them out.",
    "one-colour": "Nothing can be learnt from an image without content.",
    "leak": "The same picture in the training and the test part makes tests look better than they "
    "are: keep one of each, the one in the test part if in doubt.",
    "duplicate": "Pictures that are there several times count several times, and end in both parts "
    "when a test part is drawn at random.",
    "label": "Networks that have not seen these images find another class more likely. The surest "
    "come first; look at each, for a rare kind of image looks wrong, too.",
    "odd": "Images unlike all others: of something else, damaged or scaled otherwise. Some are "
    "merely rare.",
    "shortcut": "Photograph, scale and save the images of all classes in the same way, or mix the "
    "ways within each class.",
    "range": "Images that use a small part of the values look alike to a network.",
}


@dataclass(frozen=True)
class CheckPage:
    """A page that was written.

    Attributes:
        path: of it.
        bytes: of it.
        shown: how many findings are on it.
        left_out: how many are not, so that the page stays small.
    """

    path: Path
    bytes: int
    shown: int
    left_out: int


def page_path(path: str | Path) -> Path:
    """`path`, if the page may be written there; see `striate.reports.render.check_path`."""
    return check_path(path, MARK)


def write_page(
    checked: Checked, path: str | Path, *, source: str, megabytes: float = 20.0
) -> CheckPage:
    """Write the page of a check to one HTML file, which loads nothing else.

    Args:
        checked: what was found.
        path: the file, with the ending .html; an earlier page is replaced.
        source: what was checked, as a person would name it again.
        megabytes: the size limit in 10⁶ bytes; of each kind the strongest findings are shown.

    Raises:
        ValueError: see `page_path`.
        OSError: it cannot be written.
    """
    path = page_path(path)
    page, shown = render_page(checked, source=source, megabytes=megabytes)
    write_atomically(path, [page])
    return CheckPage(path, len(page), shown, len(checked.findings) - shown)


def render_page(checked: Checked, *, source: str, megabytes: float = 20.0) -> tuple[bytes, int]:
    """Return the page in UTF-8, and how many findings are on it."""
    from striate.common.version import __version__

    own, reports = files("striate.checking") / "page", files("striate.reports") / "page"
    style = (reports / "style.css").read_text("utf-8") + (own / "check.css").read_text("utf-8")
    sections = list(_sections(checked, megabytes))
    images = checked.images
    values = {
        "mark": MARK,
        "version": __version__,
        "name": images.name,
        "source": source,
        "count": len(images),
        "parts": [(name, len(part.images)) for name, part in images.parts.items()],
        "classes": len(images.classes),
        "outcomes": checked.outcomes,
        "sections": sections,
        "files": images.paths is not None,
        "style": style,
        "script": (own / "check.js").read_text("utf-8"),
        "data": script_data({"what": TICKED, "source": source, "name": images.name}),
    }
    page = rendered("striate.checking", "page/check.html", values, {"whole": "{:,}".format})
    shown = sum(len(section["cards"]) for section in sections)
    # Names may contain bytes that are not valid in any encoding.
    return page.encode("utf-8", "backslashreplace"), shown


def _sections(checked: Checked, megabytes: float) -> Iterator[dict[str, Any]]:
    """The findings of each kind as cards, the strongest first, within the size of the page."""
    by_kind = {kind: [f for f in checked.findings if f.kind == kind] for kind in KINDS}
    by_kind = {kind: found for kind, found in by_kind.items() if found}
    room = 1e6 * megabytes - 40_000
    for place, (kind, found) in enumerate(by_kind.items()):
        # What one kind leaves is for those after it.
        share = room / (len(by_kind) - place)
        cards: list[dict[str, Any]] = []
        for finding in found:
            card, size = _card(checked.images, finding)
            if cards and size > share:
                break
            cards.append(card)
            share -= size
            room -= size
        yield {
            "kind": kind,
            "title": KINDS[kind],
            "explained": EXPLAINED[kind],
            "cards": cards,
            "total": len(found),
            "copies": kind in ("leak", "duplicate"),
            "small": kind in ("label", "one-colour"),
        }


def _card(images: CheckedImages, finding: Finding) -> tuple[dict[str, Any], int]:
    """A finding for the template, and about how many bytes it takes."""
    tiles: list[dict[str, Any]] = [
        {
            "file": _writable(name), "name": name, "short": name, "picture": None, "class": None,
            "part": None, "relation": None,
        }
        for name in finding.files
    ]  # fmt: skip
    relation = ("",) * bool(finding.images) + finding.relation
    for place, row in enumerate(finding.images[:MOST_OF_FINDING]):
        tiles.append(
            {
                "file": _writable(images.path_of(row)),
                "name": images.called(row),
                "short": images.called(row).rpartition("/")[2],
                "picture": embedded_images.smaller(_picture(images, row), PICTURE),
                "class": images.class_of(row),
                "part": images.part_of(row) if len(images.parts) > 1 else None,
                "relation": relation[place] if place < len(relation) else None,
            }
        )
    card = {
        "sentence": finding.sentence,
        "tiles": tiles,
        "more": max(0, len(finding.images) - MOST_OF_FINDING),
        "suggested": None if finding.suggested is None else images.classes[finding.suggested],
    }
    size = len(finding.sentence) + sum(
        _AROUND + 3 * len(tile["name"]) + len(tile["picture"] or "") for tile in tiles
    )
    return card, size


def _writable(name: str | None) -> str | None:
    """A name that the page can save as it is; None for one that is in no encoding."""
    if name is None:
        return None
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return None
    return name


def _picture(images: CheckedImages, row: int) -> Pixels:
    """An image to be looked at: from its file, where that has more pixels than a network sees."""
    pixels = images.images(np.array([row]))[0]
    if images.paths is not None and max(pixels.shape[:2]) < PICTURE:
        file = images.paths[row]
        try:
            height, width, _ = decode.measure(file, MAX_PIXELS)
        except DataError:
            height = width = 0
        if max(height, width) > max(pixels.shape[:2]):
            scale = min(PICTURE / max(height, width), 1.0)
            size = max(1, round(height * scale)), max(1, round(width * scale))
            chunk = decode.decode_chunk([file], decode.WantedImages(*size, 3, mode="stretch"))
            if chunk.states[0] == decode.DONE:
                return np.asarray(chunk.images[0])
    white = images.white
    if white is not None:
        return embedded_images.shown(pixels, 0.0, white)
    low, high = float(pixels.min()), float(pixels.max())
    return embedded_images.shown(pixels, low, high if high > low else low + 1)
