"""The patch of the image that each unit reads, in a form small enough to embed in a page.

`striate.inspect.reach` gives a bounding box for each unit. Nearly always its rows depend only on
the unit's row and its columns only on the unit's column: then two short lists are enough.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from striate.common.page_parts import encode_array
from striate.inspect import NetworkReach
from striate.inspect.field_propagation import LayerFields, Numbers

NOTHING = (1, 0, 1, 0)
"""The box of a unit that reads only padding: its last row is before its first one."""


def patch_boxes(reach: NetworkReach) -> list[dict[str, Any]]:
    """The tables in which page/values.js looks boxes up, one for each layer, JSON-able.

    A table has "grid", the (height, width, channels) of the units; "kinds", the kind of each
    channel, or None if there is only one; and the first and last row and column of each box:
    "rows" (kinds, height, 2) and "columns" (kinds, width, 2), or "boxes" (kinds, height, width, 4)
    where rows and columns are not independent. A layer with the same boxes as an earlier one has
    only "like", the index of that one.
    """
    found: list[dict[str, Any]] = []
    known: dict[int, int] = {}
    for index, layer in enumerate(reach.layers):
        layer_fields = layer.layer_fields
        first = known.setdefault(id(layer_fields), index)
        found.append({"like": first} if first < index else _boxes(layer_fields, layer.image))
    return found


def _boxes(layer_fields: LayerFields, image: tuple[int, int]) -> dict[str, Any]:
    read = np.moveaxis(layer_fields.boxes, 0, 3)
    empty = (read[..., 0] > read[..., 1]) | (read[..., 2] > read[..., 3])
    read = np.where(empty[..., None], np.array(NOTHING), read)
    number = np.uint8 if max(image) <= 256 else np.uint16
    one_kind = len(layer_fields.fields) == 1
    made: dict[str, Any] = {
        "grid": list(layer_fields.grid),
        "kinds": None if one_kind else encode_array(layer_fields.kinds.astype(np.uint32)),
    }
    rows, columns = _ends(layer_fields.boxes, empty, 0), _ends(layer_fields.boxes, empty, 1)
    if (_crossed(rows, columns) == read).all():
        return made | {
            "rows": encode_array(rows.astype(number)),
            "columns": encode_array(columns.astype(number)),
        }
    return made | {"boxes": encode_array(read.astype(number))}


def _ends(read: Numbers, empty: Any, axis: int) -> Any:
    """First and last row (axis 0) or column (axis 1) of the boxes of each row or column."""
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
