"""The page of the lab: one file of HTML that loads nothing, and runs from the disk.

Everything in it, scripts, style, texts and data, stands in the page, and its policy forbids all
else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from striate.common.atomic import write_atomically
from striate.common.page_parts import policy_hash, script_data
from striate.common.templates import rendered
from striate.common.web_modules import joined
from striate.reports.render import check_path

ENTRY = "core/app.js"
"""The module that opens the page."""
STYLES = (
    "core/lab.css",
    "parts/code_view.css",
    "parts/questions.css",
    "rooms/convolution/convolution.css",
    "rooms/size/size.css",
    "rooms/dense/dense.css",
    "rooms/layer/layer.css",
    "rooms/learning/learning.css",
    "rooms/exercises/exercises.css",
)
"""Style sheets in the order in which they are put into the page; a room may bring its own."""
LANGUAGE = "en"
MARK = '<meta name="generator" content="striate lab'
"""The mark near the beginning of each page by which pages of the lab are recognised."""


def check_lab_path(path: str | Path) -> Path:
    """`path` as a Path, if the page may be written there.

    Raises:
        ValueError: its ending is not .html, it is a folder or in a folder that does not exist, or
            it is a file that is no page of the lab.
    """
    return check_path(path, MARK, "page of the lab")


def write_lab(path: Path, data: Mapping[str, Any]) -> int:
    """Write the page, and return its length in bytes.

    Args:
        path: the file, which ends in .html; a page of the lab that is there is replaced.
        data: what its rooms show, JSON-able; see `striate.lab.lab_data`.

    Raises:
        ValueError: see `check_lab_path`.
        OSError: it cannot be written; what was at the path before is there still.
    """
    path = check_lab_path(path)
    page = lab_page(data)
    write_atomically(path, [page])
    return len(page)


def lab_page(data: Mapping[str, Any]) -> bytes:
    """The page in UTF-8; the same data give the same bytes."""
    from striate.common.version import __version__

    folder = files("striate.lab") / "web"
    script = joined(folder, ENTRY)
    style = "\n".join(folder.joinpath(name).read_text("utf-8") for name in STYLES)
    values = {
        "mark": MARK,
        "version": __version__,
        "language": LANGUAGE,
        "style": style,
        "style_hash": policy_hash(style),
        "script": script,
        "script_hash": policy_hash(script),
        "texts": script_data(json.loads((folder / f"texts/{LANGUAGE}.json").read_text("utf-8"))),
        "data": script_data(data),
    }
    return rendered("striate.lab", "web/core/lab.html", values).encode()
