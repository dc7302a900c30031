"""The help of commands under ``python -OO``, which leaves docstrings out of the code.

Each command's help is the docstring of its function; where it is missing, it is read from the
source.
"""

from __future__ import annotations

import ast
import inspect

import click


def restore(command: click.Command) -> None:
    """Give a command, and those below it if it is a group, the help that its docstring is."""
    if not command.help and command.callback is not None:
        command.help = _docstring(command.callback)
    if isinstance(command, click.Group):
        for other in command.commands.values():
            restore(other)


def _docstring(function: object) -> str | None:
    """The docstring in a function's source; None if the source is not there."""
    try:
        source = inspect.getsource(inspect.unwrap(function))  # type: ignore[arg-type]
        definition = ast.parse(inspect.cleandoc(source)).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return None
    if not isinstance(definition, ast.FunctionDef):
        return None
    return ast.get_docstring(definition)
