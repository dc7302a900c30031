"""Many image files as one array: chooses a size and a colour, then decodes all of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Images
from striate.common.short_repr import short_repr
from striate.common.text import counted
from striate.data import decode, worker_pool
from striate.data.dataset import (
    COLOURS,
    MAX_PIXELS,
    MODES,
    DataError,
    OnProgress,
)
from striate.data.image_sizes import choose_size, default_sides, losses, resized
from striate.data.image_storage import HeldImages, ImageStorage
from striate.ranks.joint_findings import any_of, join_rows, part_of

if TYPE_CHECKING:
    from PIL import Image as Pillow

    from striate.model.preprocessing import Preprocessing

# Files of 16 bits in which no image uses more than so many are made brighter. With one bit more
# they are dark, but lose little; and of 16 a bright picture may be missing by chance.
_FEW_BITS = 14


@short_repr
@dataclass
class Decoded:
    """The pixels of the files that could be read.

    Attributes:
        images: uint8 (n, height, width, 1 or 3), in the order of `kept`, as the storage gives them.
        kept: int64 (n,), the indices of the files that could be read, ascending.
        bad: (index of the file, sentence) for each of the others.
        resize: how a new image file becomes such an image; see `Dataset`.
        colour: "gray" or "rgb".
        notes: the choice of the size, and what else was decided of many images, in words.
    """

    images: npt.NDArray[np.uint8]
    kept: npt.NDArray[np.int64]
    bad: list[tuple[int, str]]
    resize: dict[str, Any]
    colour: str
    notes: list[str] = field(default_factory=list)


def decode_images(
    paths: Sequence[decode.Source],
    *,
    size: tuple[int, int] | None = None,
    colour: str | None = None,
    mode: str = "crop",
    cut_from: tuple[int, int] | None = None,
    skip_bad: bool = False,
    max_pixels: int = MAX_PIXELS,
    white: int | None = None,
    progress: OnProgress | None = None,
    crew: tuple[int, bool] | None = None,
    storage: ImageStorage | None = None,
    sides: tuple[int, int] | None = None,
) -> Decoded:
    """Decode image files to arrays of one size.

    Without a `size`, one is chosen: that which at least half of the images have, else the median
    height and width. If the long side then is longer than the first of `sides` (the second where
    the size is that of at least half) both are scaled down in proportion until the long side is
    that long or, of narrow images, the short side is 8, and rounded to multiples of 8, so that
    pooling fits. Without a `colour`, images become gray if every pixel of every image is, else RGB.

    Args:
        paths: one or more image files.
        size: height and width.
        colour: "gray" or "rgb".
        mode: how other sizes are brought to this one, "crop", "pad" or "stretch"; see `Dataset`.
        cut_from: with a `size`, the larger one of which it is the centre; see `Dataset`.
        skip_bad: leave out files that cannot be read.
        max_pixels: larger images are errors.
        white: the value of white in files of 16 bits. Without it, 65535; but where all such images
            use 14 bits or fewer, the largest number of so many bits.
        progress: called with (done, total, text).
        crew: the number of workers and whether they are processes; see `pool.crew`.
        storage: where the images go; by default into an array of all. Ranks that it connects decode
            a share each, and return the same.
        sides: see above; by default 128 pixels, and fewer for many images: see
            `striate.data.image_sizes.default_sides`.

    Raises:
        DataError: a file that cannot be read (unless `skip_bad`).
    """
    storage = storage or HeldImages(len(paths))
    crew = worker_pool.at_most(crew or worker_pool.crew(paths), storage.exchange.threads)
    job = _Decoding(list(paths), skip_bad, progress, crew, storage)
    sides = sides or default_sides(len(paths))
    target = _first_target(job, size, colour, mode, max_pixels, sides[1])
    target = replace(target, cut_from=cut_from)
    target = job.run(replace(target, white=white or decode.WHITE), "reading images")
    readable = job.sizes[job.states != decode.BAD]
    if size is None:
        height, width, note = choose_size(readable, mode, sides)
        target = replace(target, height=height, width=width, exact=False)
        if (height, width) != job.storage.shape[1:3]:
            job.restart(target)
    else:
        note = resized(readable, *size, mode, "as asked for", cut_from)
    text = "resizing images" if note and size is None else "reading images"
    target = job.finish(target, text)
    if white is None and (used := _white(job.peaks)) != decode.WHITE:
        job.states[job.peaks >= 0] = decode.OTHER_SIZE
        target = job.finish(replace(target, white=used), "reading images again")
    kept = np.flatnonzero(job.states == decode.DONE).astype(np.int64)
    gray = colour is None and not job.coloured and job.storage.shape[3] == 3
    images = job.storage.taken(kept, target, gray=gray)
    resize = {"height": images.shape[1], "width": images.shape[2], "mode": mode}
    if cut_from is not None:
        resize["cut_from"] = list(cut_from)
    if target.white != decode.WHITE:
        resize["white"] = target.white
    found = "gray" if images.shape[3] == 1 else "rgb"
    notes = [note] if note else []
    notes += _remarks(job, target.white, told=white is not None)
    return Decoded(images, kept, sorted(job.bad), resize, found, notes)


def _white(peaks: npt.NDArray[np.int32]) -> int:
    """Return the value of white for images of 16 bits whose largest values are these.

    Instruments often write 10, 12 or 14 bits into 16, which would all be nearly black.
    """
    peak = int(peaks.max(initial=-1))
    bits = max(8, peak.bit_length())
    return decode.WHITE if peak < 0 or bits > _FEW_BITS else 2**bits - 1


def _remarks(job: _Decoding, white: int, *, told: bool) -> list[str]:
    """Return sentences about what was decided of many images.

    Args:
        job: what was decoded.
        white: the value of white in files of 16 bits.
        told: whether that was given and not found here.
    """

    def some(bit: int) -> str:
        return counted(int(np.count_nonzero(job.remarks & bit)), "image")

    notes = []
    deep = int(np.count_nonzero(job.peaks >= 0))
    if deep and white != decode.WHITE and not told:
        notes.append(
            f"{counted(deep, 'image')} of 16 bits {'uses' if deep == 1 else 'use'} only values up "
            f"to {int(job.peaks.max())}: {white} is taken for white"
        )
    if (job.remarks & decode.CLIPPED).any():
        notes.append(f"{some(decode.CLIPPED)} of 16 bits brighter than the model's white, {white}")
    if (job.remarks & decode.ALPHA_IGNORED).any():
        notes.append(
            f"{some(decode.ALPHA_IGNORED)} transparent everywhere: shown as if without transparency"
        )
    if (job.remarks & decode.OVER_BLACK).any():
        notes.append(
            f"{some(decode.OVER_BLACK)} white on a transparent ground: laid over black, not white"
        )
    return notes


def load_images(
    paths: str | os.PathLike[str] | Pillow.Image | Sequence[str | os.PathLike[str] | Pillow.Image],
    preprocessing: Preprocessing,
    *,
    on_bad: Callable[[int, str], None] | None = None,
    on_note: Callable[[str], None] | None = None,
    max_pixels: int = MAX_PIXELS,
    progress: OnProgress | None = None,
) -> Images:
    """Decode image files exactly as the images that a network was trained on.

    Args:
        paths: an image file or several, see `find_images`; or pictures of Pillow, which are not
            changed.
        preprocessing: its `resize` and `colour` are used. With a `resize` of None all images must
            have the same size, which is kept; with a `colour` of None they are gray if all are.
        on_bad: called with the index and the sentence of each file that cannot be read, which
            then is left out; without it the first one is an error.
        on_note: called with sentences about what the images lose: where more than half of some is
            cut off, where values of 16 bits are larger than in training.
        max_pixels: larger images are errors.
        progress: called with (done, total, text).

    Returns:
        uint8 (n, height, width, channels), or float32 where white is not 255 for the network
        (``resize["maximum"]``). Still raw pixels: mean and std are not applied.

    Raises:
        DataError: a file that cannot be read, or images of several sizes without a `resize`.
    """
    resize, colour = preprocessing.resize, preprocessing.colour
    if isinstance(paths, (str, os.PathLike)) or not isinstance(paths, Iterable):
        files = [_source(paths)]
    else:
        files = [_source(path) for path in paths]
    if not files:
        raise DataError("there are no images to read")
    mode = str(resize.get("mode", "crop")) if resize else "crop"
    if mode not in MODES or colour not in (None, *COLOURS):
        raise DataError(f"the model asks for images by unknown rules: {mode!r}, {colour!r}")
    size = (int(resize["height"]), int(resize["width"])) if resize else None
    if size is None:
        size = _one_size(files, max_pixels, skip=on_bad is not None)
    decoded = decode_images(
        files,
        size=size,
        colour=colour,
        mode=mode,
        cut_from=cut_from_of(resize),
        skip_bad=on_bad is not None,
        max_pixels=max_pixels,
        white=_white_of(resize),
        progress=progress,
    )
    if on_note is not None:
        for note in losses(decoded.notes):
            on_note(note)
    for index, sentence in decoded.bad:
        if on_bad is not None:
            on_bad(index, sentence)
    maximum = float(resize.get("maximum", 255)) if resize else 255.0
    if maximum == 255.0:
        return decoded.images
    return decoded.images * np.float32(maximum / 255.0)


def _source(image: str | os.PathLike[str] | Pillow.Image) -> decode.Source:
    """The file's name; of a picture its file if nothing but the header has been read: Pillow can
    then decode a large JPEG in a smaller size, as it does for files.
    """
    if isinstance(image, str | os.PathLike):
        return os.fspath(image)
    unread = image.format == "JPEG" and getattr(image, "tile", None)
    name = getattr(image, "filename", "")
    return str(name) if unread and name and os.path.isfile(name) else image


def _white_of(resize: Mapping[str, Any] | None) -> int:
    """Return the value of white in files of 16 bits by the rules of a model."""
    white = (resize or {}).get("white", decode.WHITE)
    if not isinstance(white, int) or not 0 < white <= decode.WHITE:
        raise DataError(f"the model asks for images by unknown rules: white is {white!r}")
    return white


def cut_from_of(resize: Mapping[str, Any] | None) -> tuple[int, int] | None:
    """Return the larger size of which images are the centre, by the rules of a model."""
    height, width = (resize or {}).get("cut_from") or (0, 0)
    return (int(height), int(width)) if height else None


def refit(images: Images, size: tuple[int, int] | None, colour: str | None, mode: str) -> Images:
    """Return images that are an array already, (n, h, w, c), in another size and colour.

    The dtype stays. Gray becomes three equal channels; RGB becomes gray by the usual weights.

    Raises:
        DataError: another number of channels than 1 or 3, where the colour has to change.
    """
    from PIL import Image

    channels: int = images.shape[3]
    if colour is not None:
        channels = 1 if colour == "gray" else 3
    if channels != images.shape[3]:
        if images.shape[3] not in (1, 3):
            raise DataError(
                f"images with {images.shape[3]} channels cannot become {colour}: only those with "
                "1 or 3 channels can"
            )
        if channels == 1:
            mixed = images @ np.array([[0.299], [0.587], [0.114]], dtype=np.float32)
            images = np.rint(mixed).astype(np.uint8) if images.dtype == np.uint8 else mixed
    given: int = images.shape[3]
    if size is None or size == images.shape[1:3]:
        return images if given == channels else np.repeat(images, channels, axis=3)
    result = np.empty((len(images), *size, channels), images.dtype)
    # Channel by channel: Pillow has no images of several real-valued channels.
    for before, after in zip(images, result, strict=True):
        for channel in range(given):
            plane = Image.fromarray(np.ascontiguousarray(before[..., channel]))
            after[..., channel] = np.asarray(decode.fit(plane, *size, mode))
        if given < channels:
            after[...] = after[..., :1]
    return result


class _Decoding:
    """The images of some files while they are decoded in several passes."""

    def __init__(
        self,
        paths: list[decode.Source],
        skip_bad: bool,
        progress: OnProgress | None,
        crew: tuple[int, bool],
        storage: ImageStorage,
    ) -> None:
        self.paths = paths
        self.storage = storage
        self.skip_bad = skip_bad
        self.progress = progress
        self.workers, self.processes = crew
        self.sizes = np.zeros((len(paths), 2), np.int32)
        self.states = np.full(len(paths), decode.OTHER_SIZE, np.uint8)
        self.peaks = np.full(len(paths), -1, np.int32)
        self.remarks = np.zeros(len(paths), np.uint8)
        self.coloured = False
        self.bad: list[tuple[int, str]] = []

    def restart(self, target: decode.WantedImages) -> None:
        """Make room for images of the target's size; all readable files are to be decoded."""
        shape = (len(self.paths), target.height, target.width, target.channels)
        self.storage.restart(shape)
        self.states[self.states != decode.BAD] = decode.OTHER_SIZE

    def finish(self, target: decode.WantedImages, text: str) -> decode.WantedImages:
        """Decode until every file is decoded or bad; return the target that it came to."""
        # Once more for coloured images among what had seemed to be gray.
        while not ((self.states == decode.DONE) | (self.states == decode.BAD)).all():
            target = self.run(target, text)
        return target

    def run(self, target: decode.WantedImages, text: str) -> decode.WantedImages:
        """Decode the files that are not done yet into the storage.

        Where coloured images turn up among what had seemed to be gray, it gets three
        channels. Returns the target for what is left to do.
        """
        all_wanted = np.flatnonzero((self.states != decode.DONE) & (self.states != decode.BAD))
        wanted = part_of(self.storage.exchange, all_wanted)

        def take(start: int, chunk: decode.Chunk) -> None:
            where = wanted[start : start + len(chunk.states)]
            done = chunk.states == decode.DONE
            self.storage.put(where[done], chunk.images[done])
            self.sizes[where] = chunk.sizes
            self.states[where] = chunk.states
            self.peaks[where] = chunk.peaks
            self.remarks[where] = chunk.remarks
            self.coloured = self.coloured or chunk.coloured
            if chunk.errors and not self.skip_bad:
                raise DataError(chunk.errors[0][1])
            self.bad += [(int(where[index]), sentence) for index, sentence in chunk.errors]
            if self.progress is not None:
                self.progress(start + len(where), len(wanted), text)

        files = [self.paths[index] for index in wanted]
        worker_pool.decode_all(files, target, take, workers=self.workers, processes=self.processes)
        self._join(all_wanted)
        if (self.states == decode.COLOURED).any():
            if not self.storage.widen():
                self.states[self.states == decode.DONE] = decode.OTHER_SIZE
            target = replace(target, channels=3)
        return target

    def _join(self, wanted: npt.NDArray[np.intp]) -> None:
        """Take over what other ranks have found of these files."""
        exchange = self.storage.exchange
        if exchange.is_alone:
            return
        join_rows(exchange, wanted, self.sizes, self.states, self.peaks, self.remarks)
        self.coloured = any_of(exchange, self.coloured)
        told = exchange.meet(json.dumps(self.bad).encode())
        self.bad = sorted({(index, text) for one in told for index, text in json.loads(one)})
        self.storage.join(wanted)


def _first_target(
    job: _Decoding,
    size: tuple[int, int] | None,
    colour: str | None,
    mode: str,
    max_pixels: int,
    kept: int,
) -> decode.WantedImages:
    """Make room for what the images probably become, by the first that can be read; a size is
    `kept` up to so many pixels.
    """
    height, width, gray = 1, 1, False
    if size is None or colour is None:
        for path in job.paths:
            try:
                height, width, gray = decode.measure(path, max_pixels)
                break
            except DataError:
                continue  # it is reported in its turn
    if size is not None:
        height, width = size
    elif max(height, width) > kept:
        height, width = 0, 0  # its size cannot be the chosen one: measure only
    channels = 1 if colour == "gray" or (colour is None and gray) else 3
    target = decode.WantedImages(
        height=height,
        width=width,
        channels=channels,
        mode=mode,
        convert=colour is not None,
        exact=size is None,
        max_pixels=max_pixels,
    )
    job.restart(target)
    return target


def _one_size(paths: Sequence[decode.Source], max_pixels: int, skip: bool) -> tuple[int, int]:
    """Return the size that all of these files have."""
    first: tuple[int, int] | None = None
    named: decode.Source = ""
    for path in paths:
        try:
            height, width, _ = decode.measure(path, max_pixels)
        except DataError:
            if skip:
                continue
            raise
        if first is None:
            first, named = (height, width), path
        elif first != (height, width):
            raise DataError(
                f"{path}: the image has {height} × {width} pixels, but {named} has "
                f"{first[0]} × {first[1]}; the model names no size, so they must be equal"
            )
    return first or (1, 1)
