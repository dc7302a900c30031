"""Training curves: as SVG in the colour and the font of a page around them, and as a figure."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curves = Mapping[str, Sequence[float | None]]

# A placeholder that is replaced by the page's text colour; nothing else may have this colour.
INK = "#010203"
COLOURS = {"": "#3584e4", "val_": "#e66100"}
NAMES = {"": "training", "val_": "validation"}
PANELS = ("loss", "accuracy", "learning_rate")


def plot(curves: Curves) -> Figure:
    """Draw loss, accuracy and learning rate over the epochs, side by side, with their validation
    curves; what was not measured is left out.

    Args:
        curves: the figures of each epoch by name, such as `History.curves` gives.

    Returns:
        A figure of matplotlib, of no window: notebooks show it, `savefig` writes it.
    """
    from matplotlib.figure import Figure

    shown = [name for name in PANELS if any(curves.get(prefix + name) for prefix in COLOURS)]
    figure = Figure(figsize=(4.2 * max(len(shown), 1), 2.8), layout="constrained")
    panels = figure.subplots(1, max(len(shown), 1), squeeze=False)[0]
    for axes, name in zip(panels, shown, strict=False):
        _panel(axes, curves, name)
        axes.grid(alpha=0.2)
    return figure


def draw(curves: Curves, figure: str) -> str | None:
    """Draw "loss", "accuracy" or "learning_rate" over the epochs as SVG.

    Args:
        curves: the figures of each epoch by name.
        figure: which to draw, with its validation curve if there is one.

    Returns:
        The text of the SVG; None if there is no such curve.
    """
    if not any(curves.get(prefix + figure) for prefix in COLOURS):
        return None
    return svg(lambda axes: _panel(axes, curves, figure))


def svg(panel: Callable[[Axes], None]) -> str:
    """Draw a panel as SVG, in the colour and the font of the page in which it will stand.

    Args:
        panel: draws on the axes.
    """
    import matplotlib
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "striate",  # the same figure gives the same text
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": INK,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(style)
        drawing = Figure(figsize=(4.2, 2.6), layout="constrained")
        axes = drawing.subplots()
        panel(axes)
        axes.grid(color=INK, alpha=0.15)
        file = io.StringIO()
        drawing.savefig(
            file, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    text = file.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def _panel(axes: Axes, curves: Curves, name: str) -> None:
    """The curve of one name over the epochs, and its validation curve."""
    from matplotlib.ticker import MaxNLocator

    lines = {prefix: curves.get(prefix + name) for prefix in COLOURS}
    for prefix, values in lines.items():
        if values:
            _line(axes, values, COLOURS[prefix], NAMES[prefix])
    axes.set_xlabel("epoch")
    axes.set_ylabel(name.replace("_", " "))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if name == "accuracy":
        axes.yaxis.set_major_formatter("{x:.0%}")
    if sum(map(bool, lines.values())) > 1:
        axes.legend(frameon=False)


def _line(axes: Axes, values: Sequence[float | None], colour: str, name: str) -> None:
    epochs = range(1, len(values) + 1)
    numbers = [float("nan") if value is None else value for value in values]
    marker = "o" if len(numbers) <= 30 else ""
    axes.plot(epochs, numbers, color=colour, label=name, marker=marker, markersize=3)
