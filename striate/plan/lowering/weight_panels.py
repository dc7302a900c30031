"""Weight packing: weights laid out in panels, as a nest reads them, once a step.

Where channels fill the lanes, nests read whole vectors of weights.  For an input gradient these
lie along the input's channels, which are far apart in the filters as they are; and rows of many
filters fall on the same lines of the cache.  So weights are first copied into panels, at most 64
channels side by side.
"""

from __future__ import annotations

from collections.abc import Sequence

from striate.nest.algebra import Element, Nest
from striate.plan.layout import Buffer, Location
from striate.plan.lowering.builder import Builder
from striate.plan.stage import Locations, When

_PANEL = 64
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
    """How many of `count` channels lie side by side."""
    if count <= _PANEL:
        return count
    return next((width for width in (_PANEL, 48, 32, 16) if count % width == 0), count)


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
