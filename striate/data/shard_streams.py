"""Images in the order of their shards, each read from its beginning to its end, and mixed a little.

Disks, and servers of files, give a file from its beginning to its end many times faster than its
pieces at random. So an epoch takes the shards, not the images, in random order, and cuts their
images into as many streams as a batch has groups, each of which follows its own run of shards. How
many there are depends on the groups alone: whoever computes a group reads its stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.common.text import counted

WINDOW = 1000


@short_repr
@dataclass(frozen=True, eq=False)
class ShardStreams:
    """Where images lie in shards, and how well they are mixed.

    Attributes:
        shards: (n,), the number of the shard of each image, 0 or more.
        offsets: (n,), where in there it is; only their order counts.
        window: how many images of a stream an image may come later than it lies there; 0: all
            stay as they lie.
    """

    shards: NDArray[np.intp]
    offsets: NDArray[np.int64]
    window: int = WINDOW

    def check(self, images: int, rows: NDArray[np.intp], groups: int) -> None:
        """Check that they are of so many images, and that those of `rows` make enough streams.

        Raises:
            ValueError: they are not.
        """
        if not len(self.shards) == len(self.offsets) == images:
            raise StriateValueError(
                f"there are {images:,} images, but streams of {len(self.shards):,}: take those of "
                "the same images"
            )
        count = len(np.unique(self.shards[rows]))
        if count < groups:
            raise StriateValueError(
                f"{counted(count, 'shard')} {'is' if count == 1 else 'are'} too few for "
                f"{groups} streams, one for each group of a batch: write the images into {groups} "
                f"shards or more, or give --groups {count} (groups={count}) or fewer"
            )

    def order(
        self,
        rows: NDArray[np.intp],
        sizes: Sequence[Sequence[int]],
        rng: np.random.Generator,
    ) -> NDArray[np.intp]:
        """Return the rows of an epoch in the order in which its batches take them.

        Args:
            rows: the indices of the images.
            sizes: of each batch, how many images each of its groups has; in all as many as rows.
            rng: of the epoch.
        """
        places = rng.permutation(int(self.shards.max()) + 1)
        run = rows[np.lexsort((self.offsets[rows], places[self.shards[rows]]))]
        groups = max(map(len, sizes))
        table = np.array([[*batch, *[0] * (groups - len(batch))] for batch in sizes])
        # What group g has of batch b: a part of the stream of g.
        starts = np.cumsum(table, axis=0) - table
        streams = [
            self._mixed(stream, rng) for stream in np.split(run, np.cumsum(table.sum(axis=0))[:-1])
        ]
        parts = [
            streams[group][start : start + size]
            for batch, begins in zip(table, starts, strict=True)
            for group, (size, start) in enumerate(zip(batch, begins, strict=True))
        ]
        return np.concatenate(parts)

    def _mixed(self, stream: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
        late = np.arange(len(stream)) + (self.window + 1) * rng.random(len(stream))
        return stream[np.argsort(late, kind="stable")]
