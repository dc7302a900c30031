"""A derivation as the content of a file: an HTML page, a drawing, or JSON."""

from __future__ import annotations

import json
import os

from striate.common.errors import StriateValueError
from striate.common.figure_files import figure_bytes, kind_of
from striate.teaching.derivation.derivation_data import DerivationData

KINDS = ("html", "png", "svg", "pdf", "json")


def check_kind(path: str | os.PathLike[str]) -> str:
    """The kind of file, one of `KINDS`, by the ending of a name.

    Raises:
        ValueError: no such file can be written.
    """
    return kind_of(path, "a derivation", KINDS)


def check_stage(derivation: DerivationData, kind: str, stage: str | None) -> None:
    """Check that a drawing of one stage can be made.

    Raises:
        ValueError: there is no such stage, or the file is not a drawing.
    """
    if stage is None:
        return
    from striate.teaching.derivation.drawing import check_drawable

    check_drawable(derivation, stage)
    if kind in ("html", "json"):
        raise StriateValueError(
            f"derive: a .{kind} file holds all stages; one alone can be drawn as .png, .svg or .pdf"
        )


def content(
    derivation: DerivationData,
    kind: str,
    stage: str | None = None,
    pixel: int | None = None,
    neuron: int | None = None,
    names: tuple[str, str] | None = None,
) -> bytes:
    """The bytes of a file of this kind; a drawing shows all stages, or only `stage`, with a pixel
    or a neuron singled out, and inputs and neurons called by `names`.

    Raises:
        ValueError: as `check_stage`.
    """
    check_stage(derivation, kind, stage)
    if kind == "json":
        return (json.dumps(derivation.to_dict(), indent=1, allow_nan=False) + "\n").encode()
    if kind == "html":
        from striate.teaching.derivation.page import page

        return page(derivation).encode()
    from striate.teaching.derivation.drawing import DPI, overview, stage_figure

    figure = (
        overview(derivation)
        if stage is None
        else stage_figure(derivation, stage, pixel, neuron, names)
    )
    return figure_bytes(figure, kind, DPI)
