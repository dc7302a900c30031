"""Writes a convolution or a chain of layers in any of the forms."""

from __future__ import annotations

from collections.abc import Sequence

from striate.common.errors import StriateValueError
from striate.common.figure_files import figure_bytes
from striate.teaching.chainrule import as_formulas, as_page, as_text
from striate.teaching.chainrule.contents import Written, chosen, contents
from striate.teaching.chainrule.gradient_drawing import gradient_figure

FORMS = ("text", "markdown", "latex", "html")


def written_as(written: Written, form: str, only: Sequence[str]) -> str:
    """All of it, or the sums `only`, as text, Markdown, a LaTeX document or an HTML page.

    Raises:
        ValueError: there is no such form, or no sum of such a name.
    """
    if form not in FORMS:
        raise StriateValueError(f"gradients: the format must be {', '.join(FORMS)}, got {form!r}")
    names = chosen(written, only)
    all_of_it = contents(written, names)
    if form == "text":
        return as_text.text(all_of_it)
    if form == "html":
        return as_page.page(all_of_it, figure_bytes(gradient_figure(written, names), "svg"))
    return (as_formulas.latex if form == "latex" else as_formulas.markdown)(all_of_it)
