"""The rooms of the lab, and addresses that show what is in them."""

from __future__ import annotations

import re

from tests.lab.node_functions import WEB

ROOMS = re.findall(
    r"\b(\w+)_room\b(?=[\w, \n]*\];)", (WEB / "core" / "rooms.js").read_text("utf-8")
)
"""The rooms' names, in their order."""

MORE = {"exercises": ("set=1&number=2&hints=9&code=c", "set=4&number=1", "set=5&number=2&hints=9")}
"""Further states of rooms, which show what the first does not."""

ADDRESSES = ["", *(f"{room}?{state}" for room in ROOMS for state in ("", *MORE.get(room, ())))]
"""The start, each room as it is first seen, and further states."""
