"""What every value of every layer sees of the image, small enough to put into a page.

`striate.inspect.reach` has a box of the image for each unit. Nearly always its rows depend on the
unit's row alone and its columns on the column alone, so that two short lists say it all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from striate.inspect import NetworkReach
from striate.inspect.hulls import Hull, Numbers
from striate.reports.encoded import packed

NOTHING = (1, 0, 1, 0)
"""The box of a unit that reads padding alone: its last row lies before its first one."""


def sees(reach: NetworkReach) -> list[dict[str, Any]]:
    """Of each layer what page/values.js looks boxes up in, JSON-able.

    `grid` (height, width, channels) of the units; `kinds`, the kind of each channel, or None if
    there is one only; and boxes of each kind, first and last row, first and last column: `rows`
    (kinds, height, 2) and `columns` (kinds, width, 2), or `boxes` (kinds, height, width, 4) where
    these do not tell. A layer whose units see what another one's see has `like`, the other's index.
    """
    found: list[dict[str, Any]] = []
    known: dict[int, int] = {}
    for index, layer in enumerate(reach.layers):
        hull = layer.hull
        first = known.setdefault(id(hull), index)
        found.append({"like": first} if first < index else _boxes(hull, layer.image))
    return found


def _boxes(hull: Hull, image: tuple[int, int]) -> dict[str, Any]:
    read = np.moveaxis(hull.read, 0, 3)
    empty = (read[..., 0] > read[..., 1]) | (read[..., 2] > read[..., 3])
    read = np.where(empty[..., None], np.array(NOTHING), read)
    number = np.uint8 if max(image) <= 256 else np.uint16
    made: dict[str, Any] = {
        "grid": list(hull.grid),
        "kinds": None if len(hull.fields) == 1 else packed(hull.kinds.astype(np.uint32)),
    }
    rows, columns = _ends(hull.read, empty, 0), _ends(hull.read, empty, 1)
    if (_crossed(rows, columns) == read).all():
        return made | {
            "rows": packed(rows.astype(number)),
            "columns": packed(columns.astype(number)),
        }
    return made | {"boxes": packed(read.astype(number))}


def _ends(read: Numbers, empty: Any, axis: int) -> Any:
    """First and last row (or column, along axis 1) of all units with that row (or column)."""
    ends = read[2 * axis : 2 * axis + 2]
    first = np.where(empty, np.iinfo(np.int32).max, ends[0]).min(axis=2 - axis)
    last = np.where(empty, -1, ends[1]).max(axis=2 - axis)
    return np.where((first > last)[..., None], (1, 0), np.stack([first, last], axis=-1))


def _crossed(rows: Any, columns: Any) -> Any:
    """Boxes (kinds, height, width, 4) of rows (kinds, height, 2) and columns (kinds, width, 2)."""
    shape = (*rows.shape[:2], columns.shape[1], 2)
    boxes = np.concatenate(
        [np.broadcast_to(rows[:, :, None], shape), np.broadcast_to(columns[:, None], shape)], -1
    )
    empty = (boxes[..., 0] > boxes[..., 1]) | (boxes[..., 2] > boxes[..., 3])
    return np.where(empty[..., None], np.array(NOTHING), boxes)
