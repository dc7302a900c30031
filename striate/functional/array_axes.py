"""The axes of the arrays that the functions take, as their messages name them."""

from __future__ import annotations

IMAGES = "(n, height, width, channels)"
"""Channels last (NHWC)."""
FILTERS = "(filter height, filter width, channels // groups, outputs)"
"""Channels before outputs (HWIO)."""
LOCAL_FILTERS = "(rows, columns, filter height, filter width, channels // groups, outputs)"
"""Filters of their own for each row and column of the output."""
VECTORS = "(n, features)"
WEIGHTS = "(inputs, outputs)"
GROUPED_WEIGHTS = "(inputs, groups)"
