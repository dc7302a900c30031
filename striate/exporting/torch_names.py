"""The names that layers have as modules of PyTorch, which are also those of its state dict.

A dot leads into a module: "layer1.0.conv1" becomes three nested ones, as PyTorch's own networks
have them, so that a network that came from there has the state dict that it came with.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Sequence

_UNFIT = re.compile(r"[^A-Za-z0-9_]")


def module_names(names: Sequence[str], reserved: Collection[str]) -> list[str]:
    """Names of modules for layers of these names, each once and none inside another.

    The names become Python code, so whatever is no letter, digit or underscore becomes an
    underscore.  What would hide something of PyTorch's modules gets an underscore at its end.

    Args:
        names: of the layers, all different.
        reserved: what no module may be called.
    """
    taken: set[str] = set()  # modules that are layers
    above: set[str] = set()  # modules that have others inside
    given: list[str] = []
    for name in names:
        path = ".".join(_part(part, reserved) for part in name.split("."))
        while path in taken or path in above or not taken.isdisjoint(_outer(path)):
            # Both within a layer's own module and in its place: beside it there is room.
            path = path.replace(".", "_") if not taken.isdisjoint(_outer(path)) else f"{path}_"
        taken.add(path)
        above.update(_outer(path))
        given.append(path)
    return given


def _part(part: str, reserved: Collection[str]) -> str:
    written = _UNFIT.sub("_", part) or "_"
    if keyword.iskeyword(written) or written in reserved or written.startswith("__"):
        written = f"{written.lstrip('_') or 'layer'}_"
    return written


def _outer(path: str) -> set[str]:
    """The modules that a module lies in."""
    parts = path.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts))}
