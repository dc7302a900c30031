"""The colours of the drawings: of groups, of weights and of numbers, and ink that can be read."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np

from striate.common.text import number

_LINE_STYLES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1, 1, 1)))


def group_colour(group: int) -> Any:
    """The colour of a group's neurons."""
    from matplotlib import colormaps

    return colormaps["tab10"](group % 10)


def weight_colour(weight: int, weights: int, group: int = 0) -> tuple[float, float, float]:
    """The colour of one weight of a group: of another hue for each weight, red, then blue, and of
    another lightness for each of four groups, so that only a weight that is shared has the same.
    """
    hues = (0.0, 0.6, 0.33, 0.1, 0.78, 0.5, 0.91, 0.17, 0.68)
    hue = hues[weight] if weights <= len(hues) else weight / weights
    light = (0.45, 0.30, 0.62, 0.20)[group % 4]
    red, green, blue = colorsys.hls_to_rgb(hue, light, 0.85)
    return red, green * (0.85 if 0.1 < hue < 0.5 else 1), blue


def line_style(group: int) -> Any:
    """A line style for each of four groups."""
    return _LINE_STYLES[group % len(_LINE_STYLES)]


def gray_levels(values: Any) -> Any:
    """Values of an image as gray levels of 0 to 1: as they are if all lie there, else stretched."""
    low, high = float(np.min(values)), float(np.max(values))
    if low >= 0 and high <= 1:
        return np.asarray(values)
    return (np.asarray(values) - low) / (high - low or 1.0)


def signed_colour(value: float, limit: float) -> Any:
    """Blue below 0, red above, white at 0; palest enough for black and dark enough to see."""
    from matplotlib import colormaps

    return colormaps["RdBu_r"](0.5 + value / (2.8 * (limit or 1.0)))


def ink_on(colour: Any) -> str:
    """Black or white, whichever stands out more from a colour, by the contrast of WCAG 2."""
    from matplotlib.colors import to_rgb

    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "white"


def short(value: float) -> str:
    """A number with at most two digits behind the point, or three digits in all: "0.35", "-12"."""
    if value == round(value) and abs(value) < 1000:
        return number(int(value))
    if abs(value) < 100 and abs(value) >= 0.005:
        return f"{value:.2f}"
    return f"{value:.3g}"


def weight_name(weight: int, group: int | None) -> str:
    """A weight as mathematics: w₁, or with more than one group w₁ with the group above it."""
    above = "" if group is None else f"^{{({group})}}"
    return f"$w_{{{weight + 1}}}{above}$"
