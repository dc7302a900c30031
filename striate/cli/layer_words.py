"""Layers in a word or two, as `striate train` announces a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from striate.common.text import sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from striate.layers import Layer

SHOWN = 30
"""Layers that an announcement shows; of more the first and the last."""
_AT_AN_END = 5


def describe_layers(layers: Sequence[Layer]) -> str:
    """Return layers in a word or two each, with arrows between; of many only those at the ends."""
    if len(layers) <= SHOWN:
        return " → ".join(map(describe_layer, layers))
    first, last = layers[:_AT_AN_END], layers[-_AT_AN_END:]
    left_out = f"{len(layers) - 2 * _AT_AN_END} more layers"
    return " → ".join([*map(describe_layer, first), left_out, *map(describe_layer, last)])


def describe_layer(layer: Layer) -> str:
    """Return a layer in a word or two: "Conv2D 32 3×3"."""
    words = [type(layer).__name__]
    words += [
        f"{getattr(layer, name):g}"
        for name in ("filters", "units", "rate", "factor")
        if hasattr(layer, name)
    ]
    window = getattr(layer, "size", None)
    stride = getattr(layer, "stride", None)
    if window is not None:
        words.append(sizes(window))
    if stride not in (None, (1, 1), window):
        words.append(f"stride {sizes(stride)}")
    return " ".join(words)
