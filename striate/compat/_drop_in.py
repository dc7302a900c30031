"""What makes a function or module of striate pass for SciPy's."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def stands_in_for(original: Callable[..., Any]) -> Callable[[F], F]:
    """Decorate a function that replaces `original`.

    `inspect.signature` then equals SciPy's, which has no annotations, and SciPy's own tests can be
    pointed at the function: they look up what arrays a function takes by the function itself.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
        vars(function)["__signature__"] = signature.replace(
            parameters=bare, return_annotation=signature.empty
        )
        known = getattr(sys.modules.get("scipy._lib._array_api"), "xp_capabilities_table", {})
        if original in known:
            known[function] = known[original]
        return function

    return decorate


def lend_submodules(name: str, original: ModuleType) -> None:
    """Let ``import name.part`` find the part of `original` that is loaded: ``signal.windows``."""
    start = f"{original.__name__}."
    for full, module in list(sys.modules.items()):
        if full.startswith(start):
            sys.modules.setdefault(f"{name}.{full.removeprefix(start)}", module)
