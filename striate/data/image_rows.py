"""Images that are decoded when a batch needs them: folders larger than memory.

All are decoded once before (`SurveyedImages`), which finds damaged files, tells gray images from
coloured ones, and gives each image the digest by which it is known again. From then on rows are
decoded as they are asked for; what a cache on disk has room for is read from there. Of many ranks
each looks at a share of the images, and tells the others what it has found.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Images
from striate.common.fork import in_child, renewed_lock
from striate.common.rows_on_demand import Rows, RowsOnDemand
from striate.data import worker_pool
from striate.data.dataset import DataError
from striate.data.decode import DONE, Source, WantedImages
from striate.data.image_digests import Digests, digest, one_colour
from striate.data.image_storage import ImageStorage
from striate.data.row_cache import RowCache, row_cache
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange
from striate.ranks.joint_findings import any_of, join_rows

Flags = npt.NDArray[np.bool_]


class ImageReader:
    """Decodes images of one source, from several threads at once.

    Args:
        sources: where the images are.
        target: what they become.
        digests: of their pixels then, (n,).
        cache: where decoded images are kept.
        workers: the most threads or processes that decode; None for all processors.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        target: WantedImages,
        digests: Digests,
        cache: RowCache,
        workers: int | None = None,
    ) -> None:
        self.sources, self.target, self.digests, self.cache = sources, target, digests, cache
        self._most_workers = workers
        self._crew: worker_pool.Crew | None = None
        self._lock = renewed_lock(self, "_lock")
        _readers.add(self)

    def read(self, numbers: Rows) -> npt.NDArray[np.uint8]:
        """Return images by their numbers, (n, height, width, channels).

        Raises:
            DataError: a file is not any more what it was.
        """
        target = self.target
        shape = (len(numbers), target.height, target.width, target.channels)
        images = np.empty(shape, np.uint8)
        left = np.flatnonzero(~self.cache.read(numbers, images, self.digests))
        if len(left):
            wanted = [self.sources[number] for number in numbers[left].tolist()]
            for start, chunk in self._workers().decode(wanted, target):
                if chunk.errors:
                    raise DataError(chunk.errors[0][1])
                for index, pixels in enumerate(chunk.images):
                    place = left[start + index]
                    self._check(wanted[start + index], numbers[place], chunk.states[index], pixels)
                    images[place] = pixels
                    self.cache.write(int(numbers[place]), pixels)
        return images

    def _check(self, source: Source, number: int, state: int, pixels: Images) -> None:
        if state != DONE or digest(pixels) != self.digests[number]:
            raise DataError(
                f"{source}: the image has changed since training began; run the command again, "
                "and leave the images as they are meanwhile"
            )

    def _workers(self) -> worker_pool.Crew:
        with self._lock:
            if self._crew is None:
                chosen = worker_pool.at_most(worker_pool.crew(self.sources), self._most_workers)
                self._crew = crew = worker_pool.Crew(*chosen)
                self._ending = weakref.finalize(self, crew.close)
            return self._crew

    def forget_workers(self) -> None:
        """Leave the workers of the process that this one was forked from to it."""
        if self._crew is not None:
            self._ending.detach()
            self._crew = None


class ImageRows(RowsOnDemand):
    """Some images of a reader: uint8 (n, height, width, channels), decoded when asked for.

    Args:
        reader: what decodes them.
        numbers: which of the reader's images, in this order.
        flat: whether each has one colour only.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, reader: ImageReader, numbers: Rows, flat: Flags) -> None:
        self.reader, self._numbers, self._flat = reader, numbers, flat
        target = reader.target
        self.shape = (len(numbers), target.height, target.width, target.channels)

    def read(self, rows: Rows) -> npt.NDArray[np.uint8]:
        """Return these rows, decoded."""
        return self.reader.read(self._numbers[rows])

    def part(self, rows: Rows) -> ImageRows:
        """Return these rows, still to be decoded."""
        return ImageRows(self.reader, self._numbers[rows], self._flat[rows])

    def with_rows_of(self, other: RowsOnDemand) -> ImageRows | None:
        """Return these rows and the other's, if they are of the same reader."""
        if not isinstance(other, ImageRows) or other.reader is not self.reader:
            return None
        return ImageRows(
            self.reader,
            np.concatenate([self._numbers, other._numbers]),
            np.concatenate([self._flat, other._flat]),
        )

    @property
    def digests(self) -> Digests:
        """The digest of each row."""
        return self.reader.digests[self._numbers]

    @property
    def one_colour(self) -> Flags:
        """Whether each row has one colour only."""
        return self._flat

    def __repr__(self) -> str:
        return f"ImageRows({self.shape}, read when needed)"


class SurveyedImages(ImageStorage):
    """Keeps of each image its digest, and pixels on disk only.

    Args:
        sources: where the images are.
        key: names them in the cache.
        limit: the bytes on disk at most.
        exchange: connects ranks that share the work.
    """

    def __init__(
        self, sources: Sequence[Source], key: str, limit: int, exchange: Exchange = ALONE
    ) -> None:
        self._sources, self._key, self._limit, self.exchange = sources, key, limit, exchange
        self.shape: tuple[int, ...] = (len(sources), 0, 0, 1)
        self._cache: RowCache | None = None

    def restart(self, shape: tuple[int, ...]) -> None:
        """Forget the digests, and take another file on disk."""
        self.shape = shape
        count = shape[0]
        # Of one channel, too, until an image turns up that is not gray.
        self._of_one = np.zeros(count, np.uint32) if shape[3] == 3 else None
        self._digests = np.zeros(count, np.uint32)
        self._flat = np.zeros(count, np.bool_)
        self._cache = self._new_cache() if shape[1] else None

    def put(self, rows: npt.NDArray[Any], pixels: npt.NDArray[np.uint8]) -> None:
        """Note the digests, and keep what the file has room for."""
        if not len(rows):  # only their sizes are looked at, perhaps
            return
        self._flat[rows] = one_colour(pixels)
        for row, image in zip(rows.tolist(), pixels, strict=True):
            self._digests[row] = digest(image)
            if self._cache is not None:
                self._cache.write(row, image)
        if self._of_one is not None:
            if bool((pixels == pixels[..., :1]).all()):
                self._of_one[rows] = [digest(image[..., 0]) for image in pixels]
            else:
                self._of_one = None

    def join(self, rows: npt.NDArray[np.intp]) -> None:
        """Take over the digests that other ranks have noted."""
        join_rows(self.exchange, rows, self._digests, self._flat)
        if any_of(self.exchange, self._of_one is None):
            self._of_one = None
        else:
            join_rows(self.exchange, rows, cast("Digests", self._of_one))

    def widen(self) -> bool:
        """Begin anew."""
        self.restart((*self.shape[:3], 3))
        return False

    def taken(self, kept: npt.NDArray[np.int64], target: WantedImages, *, gray: bool) -> Images:
        """Return the rows, which are decoded when they are asked for."""
        digests = self._digests
        if gray and self._of_one is not None:
            digests, self.shape = self._of_one, (*self.shape[:3], 1)
            self._cache = None
        return image_rows(
            self._sources,
            replace(target, channels=self.shape[3]),
            digests,
            self._flat,
            kept,
            self._cache or self._new_cache(),
            self.exchange.threads,
        )

    def _new_cache(self) -> RowCache:
        return row_cache(self._key, self.shape, self._limit, self.exchange)


def image_rows(
    sources: Sequence[Source],
    target: WantedImages,
    digests: Digests,
    flat: Flags,
    kept: npt.NDArray[np.int64],
    cache: RowCache,
    workers: int | None = None,
) -> Images:
    """Return the images `kept` of some sources, as `ImageRows`.

    Args:
        sources: where all images are.
        target: what they become.
        digests, flat: the digest of each image, and whether it has one colour; of all.
        kept: which of them, ascending.
        cache: for all of them.
        workers: see `ImageReader`.
    """
    target = replace(target, exact=False)
    numbers = kept.astype(np.intp)
    reader = ImageReader(sources, target, digests, cache, workers)
    rows = ImageRows(reader, numbers, flat[numbers])
    return cast("Images", rows)


_readers: weakref.WeakSet[ImageReader] = weakref.WeakSet()


def _forget_workers() -> None:
    for reader in list(_readers):
        reader.forget_workers()


in_child(_forget_workers)
