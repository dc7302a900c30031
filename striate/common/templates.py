"""Pages made from jinja2's templates, files that lie in a package's folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def rendered(
    package: str,
    template: str,
    values: Mapping[str, Any],
    filters: Mapping[str, Callable[..., Any]] | None = None,
) -> str:
    """Return the text of a template with `values` put in.

    Text that is put in is escaped for HTML; what is HTML already is marked so in the template
    (``|safe``). Lines that hold nothing but a statement leave no empty lines.

    Args:
        package: the package whose folder the template lies in, such as "striate.reports".
        template: its path there, with slashes.
        values: what the template's names stand for.
        filters: further filters by their names.

    Raises:
        jinja2.UndefinedError: the template has a name without a value.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    folder, _, name = template.rpartition("/")
    environment = Environment(
        loader=PackageLoader(package, folder or "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters or {})
    return environment.get_template(name).render(values)
