"""A derivation as the content of a file."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from striate.derivation.walk import Derivation

KINDS = ("html", "png", "svg", "pdf", "json")


def kind_of(path: str | os.PathLike[str]) -> str:
    """What the name asks for.

    Raises:
        ValueError: the ending is none that can be written.
    """
    kind = Path(path).suffix.lower().lstrip(".")
    if kind not in KINDS:
        raise ValueError(f"{os.fspath(path)}: a derivation can be written as .{', .'.join(KINDS)}")
    return kind


def content(derivation: Derivation, kind: str) -> bytes:
    """The bytes of such a file."""
    if kind == "json":
        return (json.dumps(derivation.to_dict(), indent=1, allow_nan=False) + "\n").encode()
    if kind == "html":
        from striate.derivation.page import page

        return page(derivation).encode()
    from striate.derivation.drawing import overview

    return encoded(overview(derivation), kind)


def encoded(figure: Figure, kind: str) -> bytes:
    """A drawing as bytes, the same each time."""
    from matplotlib import rc_context

    file = io.BytesIO()
    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[kind]
    with rc_context({"svg.hashsalt": "striate"}):
        figure.savefig(file, format=kind, dpi=130, metadata=dated)
    return file.getvalue()
