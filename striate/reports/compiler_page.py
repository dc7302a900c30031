"""A page that shows kernels in all the forms that they take on their way through the compiler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from striate.common.atomic import write_atomically
from striate.common.errors import StriateValueError
from striate.common.templates import rendered
from striate.common.text import in_bytes, percent
from striate.inspect.kernel_views import FORMS, KernelView
from striate.reports.render import check_path

MARK = '<meta name="generator" content="striate explain'
"""The mark near the beginning of each page by which these pages are recognised."""
MOST_LINES = 400
"""Lines of a form that are shown: more are in `striate explain --show`."""
TITLES = {
    "nest": "Nest",
    "schedule": "Schedule",
    "ir": "LLVM IR",
    "assembly": "Instructions",
    "c": "C",
}
_OPEN = 3  # kernels that are unfolded: those with the most work


@dataclass(frozen=True)
class _Pane:
    title: str
    text: str
    left_out: int


def compiler_page_path(path: str | Path) -> Path:
    """`path`, if the page may be written there; see `striate.reports.render.check_path`."""
    return check_path(path, MARK)


def write_compiler_page(
    views: Sequence[KernelView], path: Path, *, name: str, processor: str
) -> None:
    """Write one HTML file, which loads nothing else.

    Args:
        views: the kernels, in the order in which they run.
        path: the file; see `compiler_page_path`.
        name: of the network.
        processor: which the code is for, in words.
    """
    from striate.common.version import __version__

    folder = files("striate.reports") / "page"
    work = sorted((view.multiply_adds for view in views), reverse=True)[:_OPEN]
    values = {
        "mark": MARK,
        "version": __version__,
        "name": name,
        "processor": processor,
        "style": "\n".join(
            (folder / sheet).read_text("utf-8") for sheet in ("style.css", "compiler.css")
        ),
        "measured": any(view.seconds is not None for view in views),
        "kernels": [_kernel(view, work) for view in views],
        "forms": [TITLES[form] for form in FORMS],
    }
    page = rendered(
        "striate.reports",
        "page/compiler.html",
        values,
        {"whole": "{:,}".format, "bytes": in_bytes, "percent": lambda x: percent(x, ".0f")},
    )
    write_atomically(path, [page.encode("utf-8", "backslashreplace")])


def _kernel(view: KernelView, most: Sequence[int]) -> dict[str, object]:
    return {
        "label": view.label,
        "turns": view.turns,
        "multiply_adds": view.multiply_adds,
        "bytes": view.bytes,
        "expected": view.expected,
        "measured": view.measured,
        "seconds": view.seconds,
        "gigabytes": view.bytes / view.seconds / 1e9 if view.seconds else None,
        "instructions": view.instructions,
        "open": view.multiply_adds in most,
        "panes": [_pane(view, form) for form in FORMS],
    }


def _pane(view: KernelView, form: str) -> _Pane:
    try:
        lines = view.text(form).splitlines()
    except StriateValueError as error:
        lines = [str(error)]
    return _Pane(TITLES[form], "\n".join(lines[:MOST_LINES]), max(len(lines) - MOST_LINES, 0))
