"""What a chip has no room for: errors that name the layers that are too large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from striate.common.errors import StriateValueError
from striate.common.text import choices, in_bytes, listed
from striate.freestanding.exported import CodeFigures

if TYPE_CHECKING:
    from striate.model.model import Model

_MOST = 4


def check_limits(
    network: Model, figures: CodeFigures, *, max_ram: int | None, max_flash: int | None
) -> None:
    """Refuse code that takes more memory than there is.

    Args:
        network: what it was made of.
        figures: what it takes.
        max_ram: bytes for the arena, the images, the outputs and the stack; None for any number.
        max_flash: bytes for code and constants; None for any number.

    Raises:
        ValueError: the message has the layers that take most.
    """
    if max_ram is not None and figures.ram_bytes > max_ram:
        parts = [
            ("arena", figures.arena_bytes),
            ("images", figures.image_bytes),
            ("outputs", figures.output_bytes),
            ("stack", figures.stack_bytes or 0),
        ]
        peak = figures.arena_peak[:_MOST]
        alive = f"; the arena is fullest where {choices(_sized(peak), 'and')} are needed at once"
        raise StriateValueError(
            f"a run takes {in_bytes(figures.ram_bytes)} of RAM, more than the {in_bytes(max_ram)} "
            f"of --max-ram: {listed(_sized(parts))}"
            + alive * bool(len(peak) > 1)
            + "; make these smaller, or the images"
        )
    if max_flash is not None and figures.flash_bytes > max_flash:
        parts = [("code", figures.code_bytes or 0), ("weights", figures.constant_bytes)]
        largest = _sized(layer_weights(network))
        raise StriateValueError(
            f"the network takes {in_bytes(figures.flash_bytes)} of flash, more than the "
            f"{in_bytes(max_flash)} of --max-flash: {listed(_sized(parts))}; most weights are "
            f"those of {listed(largest, _MOST)}: make these smaller"
        )


def layer_weights(network: Model) -> list[tuple[str, int]]:
    """The layers that have weights, with their bytes; the largest first."""
    sizes: dict[str, int] = {}
    for name, array in network.parameters.items():
        layer = name.rpartition("/")[0]
        sizes[layer] = sizes.get(layer, 0) + array.nbytes
    return sorted(sizes.items(), key=lambda item: -item[1])


def _sized(items: list[tuple[str, int]] | tuple[tuple[str, int], ...]) -> list[str]:
    return [f"{name} ({in_bytes(size)})" for name, size in items]
