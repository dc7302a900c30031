"""Weight packing: weights laid out in panels, as a nest reads them, once a step.

Where channels fill the lanes, nests read whole vectors of weights.  For an input gradient these
lie along the input's channels, which are far apart in the filters as they are; and rows of many
filters fall on the same lines of the cache.  So weights are first copied into panels, at most 64
channels side by side.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from striate.nest.algebra import Element, Nest
from striate.plan.layout import Buffer, Location
from striate.plan.lowering.builder import Builder
from striate.plan.stage import Locations, When

_PANEL = 64
# Of equal panels, the best first.
_WIDTHS = (_PANEL, 48, 32, 16)
# Channels of a panel where a register holds one number.
_NARROW = 4
# A panel of so few, or fewer, would load a weight for nearly every product.
_FEW = 16
# Weights, and pixels that should share one pass over them.
_ROUNDS = ((1 << 17, 64), (1 << 12, 32), (1 << 11, 16))
# Buffers of more numbers are filled just before they are used, in memory that others use too.
_LARGE = 1 << 17


def pixels_at_once(weights: int) -> int:
    """Pixels (or tiles) that should share one pass over so many weights: the more, the farther
    away these are.
    """
    return next((pixels for size, pixels in _ROUNDS if weights >= size), 1)


def panel(count: int) -> int:
    """How many of `count` channels lie side by side, where all panels have to be equal."""
    if count <= _PANEL:
        return count
    return next((width for width in _WIDTHS if count % width == 0), count)


@dataclass(frozen=True)
class PanelRun:
    """Equal panels in a row: `panels` of `width` channels each, from channel `first` on."""

    first: int
    width: int
    panels: int

    @property
    def stop(self) -> int:
        """The channel behind the last one."""
        return self.first + self.width * self.panels


def whole(count: int) -> PanelRun:
    """All channels in one panel: as they are."""
    return PanelRun(0, count, 1)


@functools.cache
def panel_runs(count: int) -> tuple[PanelRun, ...]:
    """The channels in equal panels, or, where no width of whole vectors divides them, in some of 64
    and one or two with what is left: 1,000 are 15 · 64 + 40, and 72 are 48 + 24.
    """
    width = panel(count)
    if count <= _PANEL or width < count:
        return (PanelRun(0, width, count // width),)
    whole, rest = divmod(count, _PANEL)
    if rest > _FEW:
        return PanelRun(0, _PANEL, whole), PanelRun(whole * _PANEL, rest, 1)
    # Too few for a panel of their own: some of the last whole one go with them.
    first = (whole - 1) * _PANEL
    last = (PanelRun(first, 48, 1), PanelRun(first + 48, rest + _FEW, 1))
    return (PanelRun(0, _PANEL, whole - 1), *last) if whole > 1 else last


def narrowed(run: PanelRun) -> PanelRun:
    """The same channels in panels for processors without vectors: of as many as a tile of outputs
    has, so that a loop finds its weights one behind the other; as they are, where these do not
    divide them.
    """
    if run.width % _NARROW:
        return run
    return PanelRun(run.first, _NARROW, run.panels * run.width // _NARROW)


def lay_out(
    builder: Builder,
    name: str,
    size: int,
    nests: Nest | Sequence[Nest],
    places: Locations,
    along: str,
    element: Element = "real",
) -> Location:
    """Memory of `size` numbers, filled by nests, whose stores go to the role "laid".

    Each index of the axis `along` is a task.
    """
    late = size > _LARGE and builder.settings.loss is not None
    place = Location(Buffer(name, size, element, "temporary" if late else "global"))
    when: When = "before" if late else "first"
    for nest in (nests,) if isinstance(nests, Nest) else nests:
        builder.recorder.spread(nest, along, {**places, "laid": place}, when=when)
    return place
