"""Layers in a word or two, as `striate train` announces a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from striate.common.text import sizes

if TYPE_CHECKING:
    from striate.layers import Layer


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
