"""What the page of the lab is given, by rooms; each part is made in `striate.lab.room_data`."""

from __future__ import annotations

from typing import Any

from striate.lab.room_data.convolution_data import convolution_data
from striate.lab.room_data.photo import photo


def lab_data() -> dict[str, Any]:
    """The data of all rooms, JSON-able; arrays as `striate.common.page_parts` encodes them."""
    return {
        "photo": photo(),
        "convolution": convolution_data(),
    }
