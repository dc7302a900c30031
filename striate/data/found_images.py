"""Image files that were found and are not yet decoded: what their size may be chosen by."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from striate.data import worker_pool
from striate.data.dataset import LoadOptions
from striate.data.decode import Source, WantedImages
from striate.data.holding import room_for, sampled
from striate.data.image_sizes import Sizes, choose_size, default_sides

# Files that are decoded to see how long that takes.
_TIMED = 48


@dataclass(frozen=True, eq=False)
class FoundImages:
    """Image files of a source, of which none is decoded yet.

    Attributes:
        name: of the source.
        sources: the files.
        sizes: (m, 2) int32, the heights and widths of up to 500 of them.
        gray: whether these are gray by their headers.
        room: how many bytes of decoded images are held in memory.
        mode: how they become one size, "crop", "pad" or "stretch".
    """

    name: str
    sources: Sequence[Source]
    sizes: Sizes
    gray: bool
    room: int
    mode: str

    def size_for(self, side: int) -> tuple[int, int]:
        """Return the height and width that they get if no side may be longer than `side`."""
        return choose_size(self.sizes, self.mode, (side, side))[:2]

    def decoding_seconds(self, size: tuple[int, int]) -> float:
        """Return how long it takes to decode all of them to a height and width, by some of them."""
        step = max(1, len(self.sources) // _TIMED)
        some = self.sources[::step][:_TIMED]
        target = WantedImages(*size, 3, self.mode)
        workers, processes = worker_pool.crew(self.sources)
        begin = time.perf_counter()
        # Processes take a moment to start, which is not to count; threads are nearly as fast.
        worker_pool.decode_all(
            some, target, lambda start, chunk: None, workers=workers, processes=False
        )
        seconds = (time.perf_counter() - begin) / len(some) * len(self.sources)
        # What many small files take is Python's own work, which threads cannot share.
        return seconds / workers if processes else seconds


def with_sides(sources: Sequence[Source], options: LoadOptions, name: str) -> LoadOptions:
    """Return the options with the sides that images get, where their size is not asked for."""
    if options.size is not None or options.sides is not None or not sources:
        return options
    side = None
    if options.choose_side is not None:
        sizes, gray = sampled(sources, options.max_pixels)
        found = FoundImages(name, sources, sizes, gray, room_for(options), options.mode)
        side = options.choose_side(found)
    sides = default_sides(len(sources)) if side is None else (side, side)
    return replace(options, sides=sides)
