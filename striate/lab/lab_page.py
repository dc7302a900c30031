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
from striate.common.errors import StriateValueError
from striate.common.page_parts import policy_hash, script_data
from striate.common.templates import rendered
from striate.lab.web_modules import joined

ENTRY = "core/app.js"
"""The module that opens the page."""
STYLES = (
    "core/lab.css",
    "rooms/convolution/convolution.css",
    "rooms/size/size.css",
)
"""Style sheets in the order in which they are put into the page; a room may bring its own."""
LANGUAGE = "en"


def write_lab(path: Path, data: Mapping[str, Any]) -> int:
    """Write the page, and return its length in bytes.

    Args:
        path: the file, which ends in .html; one that is there is replaced.
        data: what its rooms show, JSON-able; see `striate.lab.lab_data`.

    Raises:
        ValueError: the path is none of a page's.
        OSError: it cannot be written; what was at the path before is there still.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise StriateValueError(f"{path}: the lab is an HTML page; give a name that ends in .html")
    if path.is_dir():
        raise StriateValueError(f"{path} is a folder; give the name of a file in it")
    if not path.absolute().parent.is_dir():
        raise StriateValueError(f"{path}: there is no folder {path.absolute().parent}")
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
