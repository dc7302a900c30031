"""The rooms of the lab, and addresses that show what is in them."""

from __future__ import annotations

import re

from tests.lab.node_functions import WEB

ROOMS = re.findall(
    r"\b(\w+)_room\b(?=[\w, \n]*\];)", (WEB / "core" / "rooms.js").read_text("utf-8")
)
"""The rooms' names, in their order."""

_EDITED = "Conv2D*4*3x2*2x1*1x2_BatchNorm_ELU_AvgPool2D*2*1_Dropout_Flatten_Dense"
MORE = {
    "learning": (
        "edit=1&network=Conv2D*4*4*3_ReLU_MaxPool2D*2_Dense*7",
        f"network={_EDITED}&stage=4&layer=1&place=9",
        f"network={_EDITED}&stage=99&direction=backward&layer=0&place=9",
    ),
    "exercises": ("set=1&number=2&hints=9&code=c", "set=4&number=1", "set=5&number=2&hints=9"),
}
"""Further states of rooms, which show what the first does not."""

ADDRESSES = ["", *(f"{room}?{state}" for room in ROOMS for state in ("", *MORE.get(room, ())))]
"""The start, each room as it is first seen, and further states."""
