"""Short representations: one line that says what an object is, whatever it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

from striate.common.text import sizes

MOST = 160
"""The most characters of a representation."""
_TEXT = 40  # characters of a text in it
_FEW = 4  # items of a sequence that are shown

C = TypeVar("C", bound=type)


def short_repr(cls: C) -> C:
    """Give a dataclass a `repr` of one line and at most `MOST` characters.

    Numbers and short texts are shown as they are, arrays by their dtype and shape, and what holds
    many things by their number. A class that knows better defines ``_brief() -> str``, which is
    then what stands between the brackets. All values are in `str`, `to_dict` or the attributes.
    """
    type.__setattr__(cls, "__repr__", _represent)
    return cls


def _represent(self: Any) -> str:
    brief = getattr(self, "_brief", None)
    if brief is not None:
        inside = brief()
    else:
        named = [f.name for f in fields(self) if f.repr]
        inside = ", ".join(f"{name}={shown(getattr(self, name))}" for name in named)
    name = type(self).__name__
    inside = " ".join(inside.split())
    if len(name) + len(inside) + 2 > MOST:
        inside = inside[: MOST - len(name) - 3].rstrip(", ") + "…"
    return f"{name}({inside})"


def shown(value: Any) -> str:
    """A value in a few characters."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int)):
        return repr(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return repr(value if len(value) <= _TEXT else value[: _TEXT - 1] + "…")
    if isinstance(value, np.ndarray):
        return f"<{value.dtype} {sizes(value.shape) or 'number'}>"
    if isinstance(value, tuple | list) and len(value) <= _FEW:
        inside = ", ".join(map(shown, value)) + "," * (len(value) == 1 and type(value) is tuple)
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    if isinstance(value, Mapping) and len(value) <= _FEW:
        return f"{{{', '.join(f'{shown(k)}: {shown(v)}' for k, v in value.items())}}}"
    if isinstance(value, Sized):
        return f"<{len(value):,} items>"
    return f"<{type(value).__name__}>"
