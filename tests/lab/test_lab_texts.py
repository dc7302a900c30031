from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.lab.node_functions import WEB

TEXTS = json.loads((WEB / "texts" / "en.json").read_text("utf-8"))

PLURALS = {"zero", "one", "two", "few", "many", "other"}


def names(texts: Any, before: str = "") -> Iterator[str]:
    """The names of all texts; one with plural forms is one, and those of a list are numbered."""
    for name, text in texts.items() if isinstance(texts, dict) else enumerate(texts):
        if isinstance(text, str) or (isinstance(text, dict) and text.keys() <= PLURALS):
            yield f"{before}{name}"
        else:
            yield from names(text, f"{before}{name}.")


def test_every_text_that_is_said_is_there() -> None:
    known = set(names(TEXTS))
    for path in WEB.rglob("*.js"):
        for name in re.findall(r'\bsay\(\s*"([\w.]+)"', path.read_text("utf-8")):
            assert name in known, f"{path.name}: there is no text {name}"


def test_every_text_is_said() -> None:
    code = "\n".join(path.read_text("utf-8") for path in WEB.rglob("*.js"))
    said = set(re.findall(r'"([\w.]+)"', code))
    # Names that are put together, `${room.id}.title`, are known by their last part.
    ends = set(re.findall(r"\}\.([\w.]+)`", code))
    starts = set(re.findall(r"`([\w.]+\.)\$\{", code))
    unused = [
        name
        for name in names(TEXTS)
        if name not in said
        and not any(name.endswith(f".{end}") for end in ends)
        and not any(name.startswith(start) for start in starts)
    ]
    assert unused == ["language"]
