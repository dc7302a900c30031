"""What mkdocstrings is told about signatures and docstrings that it would show less well.

- A default such as `TrainingSettings.epochs` is shown as its value, 10.
- One line of a docstring may be about several attributes: "rows, columns: of the image".
"""

from __future__ import annotations

import re
from typing import Any

import griffe

SETTINGS = "TrainingSettings"


class PlainDocstrings(griffe.Extension):
    """An extension of griffe, which reads the code for mkdocstrings."""

    def on_function(self, *, func: griffe.Function, **others: Any) -> None:
        """Show defaults that are another class's as values."""
        for parameter in func.parameters:
            text = str(parameter.default)
            if text.startswith(f"{SETTINGS}."):
                parameter.default = repr(default_of(text))

    def on_object(self, *, obj: griffe.Object, **others: Any) -> None:
        """Keep griffe from taking a second attribute for the type of the first."""
        if obj.docstring is not None:
            obj.docstring.value = joined(obj.docstring.value)


def default_of(text: str) -> Any:
    """The value of "TrainingSettings.epochs"."""
    from striate.training import training_settings

    name = text.removeprefix(f"{SETTINGS}.")
    return getattr(getattr(training_settings, SETTINGS), name)


def joined(docstring: str) -> str:
    """The docstring with spaces that do not break within "rows, columns:"."""
    return re.sub(
        r"(?m)^( +)(\w+(?:, \w+)+):(?= |$)",
        lambda found: found[1] + found[2].replace(", ", ",\N{NO-BREAK SPACE}") + ":",
        docstring,
    )
