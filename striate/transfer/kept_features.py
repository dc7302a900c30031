"""What a backbone sees in images, as numbers: computed once, and kept on disk by content.

The features of an image depend on its pixels and on the network alone, not on where the image came
from, nor on its class.  So they are kept under digests of both, and are found again when a folder
has grown, was renamed or was sorted anew.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from striate.common.arrays import Array, Floats
from striate.common.cache import CacheStore
from striate.common.digests import digest_of
from striate.network import Network
from striate.transfer.backbone import Backbone
from striate.transfer.rows_by_ranks import BATCH

if TYPE_CHECKING:
    from striate.plan.inference import CompiledNetwork

OnProgress = Callable[[int, int, str], None]  # (done, total, text)

STORE = CacheStore("features", ".features", "features 1", limit=1024**3)
# An entry has the features of the images whose digest begins with one byte: all of its images that
# were ever seen, up to so many bytes.  Content: digests of 16 bytes, then rows of float32.
_BUCKETS = 64
_BUCKET_BYTES = 2**23
_DIGEST = 16
# Images that are read at a time, where they are decoded as they are needed.
_CHUNK = 256
_TEXT = "computing features"


class FeatureExtractor:
    """Computes the features of images.

    Args:
        backbone: the network.
        threads: None for all processors.
        kept: whether features are kept on disk, and taken from there.

    Attributes:
        count: how many numbers an image has.
        computed: how many images it has computed, and not found on disk.
    """

    def __init__(
        self, backbone: Backbone, *, threads: int | None = None, kept: bool = True
    ) -> None:
        network = backbone.features()
        self.count = math.prod(network.output_shape)
        self._network, self._threads = network, threads
        self._compiled: CompiledNetwork | None = None
        self._key = _key_of(network) if kept else None
        self.computed = 0

    def compute(self, images: Array, mirrored: bool) -> Floats:
        """The features (n, count) of a batch of raw images, whether they are known or not."""
        batch = np.ascontiguousarray(images[:, :, ::-1] if mirrored else images)
        if self._compiled is None:  # it is not needed where all features are found
            self._compiled = self._network.compile(
                batch_size=BATCH, threads=self._threads, dtype=batch.dtype
            )
        return self._compiled(batch).reshape(len(batch), -1)

    def __call__(
        self,
        images: Array,
        *,
        mirrored: bool = False,
        progress: OnProgress | None = None,
        compute: Callable[[NDArray[np.intp]], Floats] | None = None,
    ) -> Floats:
        """The features (n, count) of raw images (n, height, width, channels).

        Args:
            images: an array, or anything of that shape whose rows can be taken by slices.
            mirrored: of the images with left and right exchanged.
            progress: called with (done, total, text).
            compute: gives the features of images by their places, in place of `self.compute`.
        """
        found = np.empty((len(images), self.count), np.float32)
        kept = _Kept(f"{self._key} {mirrored}") if self._key is not None else None
        for start in range(0, len(images), _CHUNK):
            chunk = np.ascontiguousarray(images[start : start + _CHUNK])
            rows = found[start : start + len(chunk)]
            known = np.zeros(len(chunk), np.bool_) if kept is None else kept.find(chunk, rows)
            missing = np.flatnonzero(~known)
            if compute is not None and len(missing):
                rows[missing] = compute(start + missing)
            for first in range(0, len(missing) if compute is None else 0, BATCH):
                some = missing[first : first + BATCH]
                rows[some] = self.compute(chunk[some], mirrored)
                if progress is not None:
                    progress(start + int(some[-1]) + 1, len(images), _TEXT)
            if progress is not None:
                progress(start + len(chunk), len(images), _TEXT)
            self.computed += len(missing)
            if kept is not None:
                kept.add(missing, rows)
        if kept is not None:
            kept.write()
        return found


class _Kept:
    """The features on disk of one network and view, as far as they are needed."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._buckets: dict[int, dict[bytes, Floats]] = {}
        self._new: dict[int, dict[bytes, Floats]] = defaultdict(dict)
        self._digests: list[bytes] = []

    def find(self, images: Array, rows: Floats) -> Array:
        """Fill in the features of those images that are known, and return which these are."""
        self._digests = [
            hashlib.blake2b(image.data, digest_size=_DIGEST, key=str(image.dtype).encode()).digest()
            for image in images
        ]
        known = np.zeros(len(images), np.bool_)
        for index, digest in enumerate(self._digests):
            row = self._bucket(digest, rows.shape[1]).get(digest)
            if row is not None:
                rows[index], known[index] = row, True
        return known

    def add(self, indices: Array, rows: Floats) -> None:
        """Take over the features of images that were just looked for and not found."""
        for index in indices.tolist():
            digest = self._digests[index]
            self._new[digest[0] % _BUCKETS][digest] = rows[index].copy()

    def write(self) -> None:
        """Write what is new, together with what is there."""
        for number, new in self._new.items():
            count = len(next(iter(new.values())))
            together = {**new, **self._buckets.get(number, {})}
            room = max(1, _BUCKET_BYTES // (_DIGEST + 4 * count))
            chosen = dict(list(together.items())[:room])  # the new ones first
            numbers = np.stack(list(chosen.values()))
            STORE.write(
                self._key(number),
                b"".join(chosen),
                numbers.astype("<f4").reshape(-1).data.cast("B"),
            )
        self._new.clear()

    def _bucket(self, digest: bytes, count: int) -> dict[bytes, Floats]:
        number = digest[0] % _BUCKETS
        if number not in self._buckets:
            content = STORE.read(self._key(number))
            self._buckets[number] = {} if content is None else _parsed(content, count)
        return self._buckets[number]

    def _key(self, number: int) -> str:
        return f"{self.key} {number}"


def _parsed(content: memoryview, count: int) -> dict[bytes, Floats]:
    size = _DIGEST + 4 * count
    images = len(content) // size
    if images * size != len(content):
        return {}
    rows = np.frombuffer(content[images * _DIGEST :], "<f4").reshape(images, count)
    keys = [
        bytes(content[start : start + _DIGEST]) for start in range(0, images * _DIGEST, _DIGEST)
    ]
    return dict(zip(keys, rows, strict=True))


def _key_of(network: Network) -> str:
    """What tells a network from all others: its layers, weights and preprocessing."""
    from striate.nest.target import host

    given = network.preprocessing
    parts: Sequence[object] = (
        network.get_config(),
        [list(given.mean), list(given.std)],
        str(host().vector_bytes),  # another machine may round differently
    )
    return digest_of(*parts, network.flat, network.state_flat)
