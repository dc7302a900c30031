"""Class names and preprocessing that an ONNX file keeps in its metadata."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from striate.common import json_text
from striate.network import Network

MOST_TEXT = 2**22
"""Characters of an entry that is looked at."""
_CLASSES = ("classes", "class_names", "names", "labels")


def apply_metadata(network: Network, metadata: Mapping[str, str], path: str) -> list[str]:
    """Give a network the class names and preprocessing of a file, as far as they fit.

    Returns:
        What was found, for people.
    """
    notes = []
    for key in _CLASSES:
        names = class_names(metadata.get(key, ""))
        if names is None or len(network.output_shape) != 1:
            continue
        if len(names) != network.output_shape[0]:
            notes.append(
                f"the file names {len(names):,} classes, and the output has "
                f"{network.output_shape[0]:,} numbers: they are left out"
            )
            continue
        network.classes = names
        notes.append(f"{len(names):,} class names")
        break
    # What the graph computes itself is in it already; of images in files it says nothing.
    for key in ("resize", "colour"):
        try:
            value = json_text.parse(metadata.get(key, "null")[:MOST_TEXT].encode())
            if value is not None and not _fits(network, key, value):
                notes.append(f"its {key} in the metadata is of other images, and left out")
            elif value is not None:
                network.preprocessing = replace(network.preprocessing, **{key: value})
                notes.append(f"the {key} of images that are read from files")
        except (ValueError, TypeError, LookupError):
            notes.append(f"its {key} in the metadata is not understood, and left out")
    return notes


def _fits(network: Network, key: str, value: Any) -> bool:
    """Whether an entry of the preprocessing is of such images as a network reads."""
    shape = network.input_shape
    if key == "colour":
        return len(shape) == 3 and shape[2] == {"gray": 1, "rgb": 3}.get(value, shape[2])
    return len(shape) == 3 and (value["height"], value["width"]) == shape[:2]


def class_names(text: str, *, distinct: bool = True) -> list[str] | None:
    """Class names in a text: a JSON list or object, Python's {0: 'cat', …}, or lines.

    Args:
        text: what somebody wrote.
        distinct: whether a name that stands there twice makes them none.

    Returns:
        The names in order; None if the text has none.
    """
    if not text.strip() or len(text) > MOST_TEXT:
        return None
    found: Any = _literal(text)
    if isinstance(found, dict):
        try:
            numbered = {int(key): value for key, value in found.items()}
        except (TypeError, ValueError):
            return None
        if sorted(numbered) != list(range(len(numbered))):
            return None
        found = [numbered[index] for index in range(len(numbered))]
    if found is None and "{" not in text and "[" not in text:
        lines = text.strip()
        found = lines.split("\n" if "\n" in lines else ",")
    if not isinstance(found, list) or not all(isinstance(name, str | int) for name in found):
        return None
    names = [" ".join(str(name).split()) for name in found]
    usable = all(name and name.isprintable() for name in names)
    if distinct and len(set(names)) < len(names):
        return None
    return names if usable and names else None


def _literal(text: str) -> Any:
    """JSON, or a literal of Python's; None if it is neither."""
    try:
        return json_text.parse(text.encode())
    except ValueError:
        pass
    try:
        return ast.literal_eval(text.strip()) if text.lstrip()[:1] in "{[" else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
