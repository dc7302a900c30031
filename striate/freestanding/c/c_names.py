"""Names in C."""

from __future__ import annotations

import re
from collections.abc import Container

_RESERVED = re.compile(
    # Words of C and of C++.
    "auto|break|case|char|const|continue|default|do|double|else|enum|extern|float|for|goto|if"
    "|inline|int|long|register|restrict|return|short|signed|sizeof|static|struct|switch|typedef"
    "|union|unsigned|void|volatile|while|alignas|alignof|and|asm|bool|catch|class|compl|concept"
    "|constexpr|delete|explicit|export|false|friend|mutable|namespace|new|not|nullptr|operator|or"
    "|private|protected|public|requires|template|this|throw|true|try|typeid|typename|using|virtual"
    "|xor"
    # Functions that compilers know without being told: variables would hide them.
    "|exp|exp2|expm1|gamma|index|j0|j1|jn|log|logb|pow|round|y0|y1|yn"
)


def free_name(wanted: str, taken: Container[str]) -> str:
    """A name like one that is wanted, but none that is taken, and no word of C."""
    base = found = re.sub(r"[^0-9a-zA-Z]+", "_", wanted).strip("_") or "unnamed"
    if found[0].isdigit():
        base = found = f"layer_{found}"
    number = 1
    while found in taken or _RESERVED.fullmatch(found):
        number += 1
        found = f"{base}_{number}"
    return found
