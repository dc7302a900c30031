"""Texts made from jinja2's templates, files that lie in a package's folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def rendered(
    package: str,
    template: str,
    values: Mapping[str, Any],
    filters: Mapping[str, Callable[..., Any]] | None = None,
    *,
    html: bool = True,
) -> str:
    """Return the text of a template with `values` put in.

    In HTML text that is put in is escaped; what is HTML already is marked so in the template
    (``|safe``). Lines that hold nothing but a statement leave no empty lines. Only plain text ends
    with a new line as its template does.

    Args:
        package: the package whose folder the template lies in, such as "striate.reports".
        template: its path there, with slashes.
        values: what the template's names stand for.
        filters: further filters by their names.
        html: whether it is a page, and not plain text such as C.

    Raises:
        jinja2.UndefinedError: the template has a name without a value.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    folder, _, name = template.rpartition("/")
    environment = Environment(
        loader=PackageLoader(package, folder or "."),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not html,
    )
    environment.filters.update(filters or {})
    return environment.get_template(name).render(values)
