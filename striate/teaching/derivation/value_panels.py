"""Images, filters and outputs as grids of numbers: the article's figures 1, 2, 11 and 12, and the
drawing of the last stage.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.teaching.derivation.derivation_data import DerivationData
from striate.teaching.derivation.drawing_colours import (
    gray_levels,
    group_colour,
    ink_on,
    short,
    signed_colour,
    weight_name,
)
from striate.teaching.derivation.figure_connections import corner_of, place_of, read_by
from striate.teaching.derivation.windows import Windows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The most panels in a row, the largest side of a grid that has its numbers, and the most weights
# of a filter that are drawn with their names.
_PANELS, _NUMBERED, _NAMED = 4, 10, 25


def draw_pixels(ax: Axes, derivation: DerivationData) -> None:
    """Figure 1: the image with its values (of several channels, the first)."""
    draw_image(ax, derivation, None)
    ax.set_title(f"image {derivation.image[0]:,}×{derivation.image[1]:,}", fontsize=9)


def draw_vector(figure: Any, derivation: DerivationData) -> None:
    """Figure 2: the image beside its vector, each with the index of the vector's elements."""
    left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
    draw_image(left, derivation, None, index=True)
    left.set_title("matrix, with the index in the vector", fontsize=9)
    total = derivation.pixels
    few = [*range(total)] if total <= 16 else [*range(12), None, total - 1]
    values = derivation.picture.pixels.ravel() if derivation.picture else None
    shades = None if values is None else gray_levels(values)
    for row, number in enumerate(few):
        if number is None:
            right.text(0, -row, "⋮", ha="center", va="center")
            continue
        shade = "white" if shades is None else str(float(shades[number]))
        _cell(right, 0, -row, shade, "" if values is None else short(float(values[number])))
        right.text(-0.7, -row, f"{number:,}", ha="right", va="center", fontsize=8)
    right.set_xlim(-1.6, 1)
    right.set_ylim(-len(few) + 0.4, 0.6)
    right.set_aspect("equal")
    right.axis("off")
    right.set_title(f"vector of {total:,}", fontsize=9)


def draw_sum(figure: Any, derivation: DerivationData, neuron: int) -> None:
    """Figure 11: the neuron's pixels ∘ its weights = products, and their sum."""
    windows, group = derivation.windows, derivation.group
    outputs = derivation.outputs
    if windows is None or group is None:
        return
    of, _ = divmod(neuron, group)
    patch = _patch(derivation, windows, neuron)
    if patch is None or outputs is None or outputs.filters is None:
        return
    if windows.taps > 400:
        figure.supxlabel(equation(derivation, neuron), fontsize=8)
        return
    weights = outputs.filters[:, :, 0, of]
    several = group < derivation.neurons
    axes = figure.subplots(1, 3)
    limit = float(np.abs(weights).max())
    shades = gray_levels(patch)
    for (row, column), value in np.ndenumerate(patch):
        name = weight_name(int(row * windows.size[1] + column), of if several else None)
        weight = float(weights[row, column])
        wide = windows.size[0] * windows.size[1] <= _NAMED
        _cell(axes[0], column, -row, str(float(shades[row, column])), short(float(value)))
        label = f"{name}\n{short(weight)}" if wide else short(weight)
        _cell(axes[1], column, -row, signed_colour(weight, limit), label)
        _cell(axes[2], column, -row, "white", short(float(value) * weight))
    for ax, title in zip(axes, ("pixels  ∘", "weights  =", "products"), strict=True):
        _frame(ax, windows.size)
        ax.set_title(title, fontsize=10)
    output = float(outputs.neurons["convolution"][neuron])
    channels = derivation.image[2]
    more = f" (channel 0; the other {channels - 1} add theirs)" if channels > 1 else ""
    figure.supxlabel(equation(derivation, neuron) + f"\n= {short(output)}{more}", fontsize=8)


def equation(derivation: DerivationData, neuron: int) -> str:
    """The sum of a neuron with names, "neuron 0 = w₁ x₍₀,₀₎ + …"; what lies in the padding is 0."""
    windows, group = derivation.windows, derivation.group
    if windows is None or group is None:
        return ""
    top, left = corner_of(derivation, neuron)
    of = neuron // group if group < derivation.neurons else None
    terms = []
    channels = derivation.image[2]
    for pixel in islice(read_by(derivation, neuron), 10):
        y, x, channel = place_of(derivation, pixel)
        number = ((y - top) * windows.size[1] + x - left) * channels + channel
        at = f"{y},{x}" + f",{channel}" * (channels > 1)
        terms.append(f"{weight_name(number, of)}$x_{{{at}}}$")
    shown = [*islice(terms, 9)] + ["…"] * (len(terms) > 9)
    lines = [" + ".join(shown[i : i + 5]) for i in range(0, len(shown), 5)]
    return f"neuron {neuron:,} = " + ("\n+ ".join(lines) if lines else "0, of padding alone")


def draw_slide(figure: Any, derivation: DerivationData, neuron: int = 0) -> None:
    """Figure 12: the image once for each neuron of the group, with its window true to size."""
    windows, group = derivation.windows, derivation.group
    if windows is None or group is None:
        return
    first = neuron // group * group
    shown = _some(windows.count)
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    for ax, at in zip(axes, shown, strict=True):
        draw_image(ax, derivation, first + at)
        ax.set_title(f"neuron {first + at:,}", fontsize=9)
        ax.set_xlabel(equation(derivation, first + at).replace(" = ", " =\n", 1), fontsize=6)
    if len(shown) < windows.count:
        figure.supxlabel(f"{len(shown)} of {windows.count:,} windows", fontsize=8)


def draw_convolution(figure: Any, derivation: DerivationData) -> None:
    """The windows of one group, the filters, and their outputs for the image."""
    windows, outputs = derivation.windows, derivation.outputs
    if windows is None:
        return
    filters = derivation.neurons // windows.count
    parts = figure.subfigures(2, 1, height_ratios=(1, 1.05))
    draw_slide(parts[0], derivation)
    stage = derivation.stage("convolution")
    figure.suptitle(
        f"Convolution: the patches of a group are one {windows.size[0]}×{windows.size[1]} filter, "
        f"{filters:,} in all; {stage.weights:,} weights",
        fontsize=10,
    )
    if outputs is None or outputs.filters is None:
        return
    shown = min(filters, _PANELS)
    below = parts[1].subplots(1, 2 * shown, squeeze=False)[0]
    maps = outputs.neurons["convolution"].reshape(-1, *windows.positions)[:shown]
    weights = [outputs.filters[:, :, 0, k] for k in range(shown)]
    for k in range(shown):
        draw_signed(below[2 * k], weights[k], max(float(np.abs(w).max()) for w in weights))
        draw_signed(below[2 * k + 1], maps[k], float(np.abs(maps).max()))
        below[2 * k].set_title(f"filter {k}", fontsize=8)
        below[2 * k + 1].set_title(f"group {k}'s outputs", fontsize=8)
        for ax in below[2 * k : 2 * k + 2]:
            for spine in ax.spines.values():
                spine.set(color=group_colour(k), linewidth=2)
    notes = [f"{shown} of {filters:,} filters"] * (shown < filters)
    notes += [f"channel 0 of {derivation.image[2]}"] * (derivation.image[2] > 1)
    if notes:
        parts[1].supxlabel("; ".join(notes), fontsize=8)


def draw_signed(ax: Axes, values: Array, limit: float) -> None:
    """A grid of numbers, blue below 0 and red above; with the numbers if it is small."""
    numbered = max(values.shape) <= _NUMBERED
    small = 7 if max(values.shape) <= 4 else 4.5
    if values.size > 400:
        extent = (-0.5, values.shape[1] - 0.5, -values.shape[0] + 0.5, 0.5)
        ax.imshow(
            values, cmap="RdBu_r", vmin=-1.4 * (limit or 1), vmax=1.4 * (limit or 1), extent=extent
        )
    for (row, column), value in np.ndenumerate(values) if values.size <= 400 else ():
        text = short(float(value)) if numbered else ""
        _cell(ax, column, -row, signed_colour(float(value), limit), text, small, numbered)
    _frame(ax, values.shape, True)


def draw_image(
    ax: Axes, derivation: DerivationData, neuron: int | None, index: bool = False
) -> None:
    """The image with the zero cells of its padding, and the window of a neuron true to size."""
    from matplotlib.patches import Rectangle

    height, width, channels = derivation.image
    windows = derivation.windows if neuron is not None else None
    pads = windows.pads if windows else (0, 0, 0, 0)
    largest = max(height + pads[0] + pads[1], width + pads[2] + pads[3])
    numbered = largest <= (7 if windows else 12)
    if derivation.picture is not None:
        shown = gray_levels(derivation.picture.pixels)
        shown = shown if channels == 3 else shown[..., 0]
        ax.imshow(
            shown, cmap="gray", vmin=0, vmax=1, extent=(-0.5, width - 0.5, -height + 0.5, 0.5)
        )
        for (row, column), value in (
            np.ndenumerate(derivation.picture.pixels[..., 0]) if numbered else ()
        ):
            shade = shown[row, column]
            back = shade if channels == 3 else (float(shade),) * 3
            number = (row * width + column) * channels
            text = f"{number}\n" * index + short(float(value)) * (channels == 1 or index)
            size = min(8.0, 26 / max(height, width) + 2)
            ax.text(column, -row, text, ha="center", va="center", fontsize=size, color=ink_on(back))
    for row in range(-pads[0], height + pads[1]) if largest <= 40 else ():
        for column in range(-pads[2], width + pads[3]):
            if not (0 <= row < height and 0 <= column < width):
                _cell(ax, column, -row, "white", "0" if largest <= 12 else "", 5)
    if windows is not None and neuron is not None:
        top, left = corner_of(derivation, neuron)
        place = (left - 0.5, -top - windows.size[0] + 0.5)
        for edge, thick in (("white", 4.5), ("#d62728", 2.5)):
            ax.add_patch(
                Rectangle(
                    place, windows.size[1], windows.size[0], fill=False, ec=edge, lw=thick,
                    clip_on=False, zorder=5, gid="window",
                )
            )  # fmt: skip
    ax.set_xlim(-pads[2] - 0.6, width + pads[3] - 0.4)
    ax.set_ylim(-height - pads[1] + 0.4, pads[0] + 0.6)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])


def _some(count: int) -> list[int]:
    return [*range(count)] if count <= _PANELS else [0, 1, 2, count - 1]


def _patch(derivation: DerivationData, windows: Windows, neuron: int) -> Array | None:
    """The numbers of channel 0 under a neuron's window, zeros in the padding."""
    if derivation.picture is None:
        return None
    top, left = corner_of(derivation, neuron)
    made = np.zeros(windows.size)
    for row, column in np.ndindex(made.shape):
        y, x = top + row, left + column
        if 0 <= y < derivation.image[0] and 0 <= x < derivation.image[1]:
            made[row, column] = derivation.picture.pixels[y, x, 0]
    return made


def _cell(
    ax: Axes, x: float, y: float, colour: Any, text: str, size: float = 8, edge: bool = True
) -> None:
    from matplotlib.patches import Rectangle

    line = {"ec": "0.6", "lw": 0.5} if edge else {"ec": "none"}
    ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fc=colour, **line))
    if text:
        ax.text(x, y, text, ha="center", va="center", fontsize=size, color=ink_on(colour))


def _frame(ax: Axes, size: tuple[int, ...], spines: bool = False) -> None:
    ax.set_xlim(-0.55, size[1] - 0.45)
    ax.set_ylim(-size[0] + 0.45, 0.55)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    if not spines:
        ax.axis("off")
