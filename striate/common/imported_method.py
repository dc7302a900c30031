"""A method that is a function of another module."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import MethodType
from typing import Any


class ImportedMethod:
    """A function of another module as a method, imported only when somebody asks for it.

    Its arguments stand in one place then: `help` and `inspect.signature` show those of the
    function. So do type checkers if they are told that the attribute is the function:

        if TYPE_CHECKING:
            fit = loop.fit
        else:
            fit = ImportedMethod("striate.training.loop", "fit")

    Args:
        module, name: where the function is. Its first argument is the object.
    """

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __get__(self, instance: Any, owner: type) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(import_module(self._module), self._name)
        return function if instance is None else MethodType(function, instance)
