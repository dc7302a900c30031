"""What every source of images becomes: arrays, labels, class names and notes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Images
from striate.common.errors import StriateValueError
from striate.common.iterative_stratification import iteratively_stratified
from striate.common.short_repr import short_repr, shown
from striate.common.stratified import nearest_shares, stratified_parts
from striate.common.text import counted, listed, sizes
from striate.data.check_record import CheckRecord
from striate.data.part import Labels, Part
from striate.data.rows import part_rows
from striate.data.shard_streams import WINDOW, ShardStreams
from striate.data.suspicions import suspicions
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange

OnProgress = Callable[[int, int, str], None]  # (done, total, text)

ONE_OF = {"classes": "class", "labels": "label", "numbers": "number"}
"""What one of the `Dataset.classes` is, by its task."""
COLOURS = ("gray", "rgb")
MODES = ("crop", "pad", "stretch")
MAX_PIXELS = 100_000_000
LARGEST_SIDE = 4096


class DataError(StriateValueError):
    """Data that cannot be used: one sentence that says what, which file and what to do."""


@short_repr
@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with labels, in a training and a test part.

    Attributes:
        train_images, test_images: (n, height, width, channels), uint8, or float32 from an .npz
            whose values are not whole numbers of 0...255. The test part may be empty.
        train_labels, test_labels: of classes int64 (n,), indices into `classes`; of labels float32
            (n, labels), 1 where an image has one and else 0; of numbers float64 (n, numbers).
        classes: the names of the classes, of the labels, or of the numbers.
        name: a short name of the source, such as a folder's.
        resize: {"height", "width", "mode"}: how an image file becomes one of these images
            ("crop": scaled to cover height × width, then the centre is cut out; "pad": scaled to
            fit into height × width, then black is added; "stretch": scaled without keeping the
            aspect), with "cut_from", a larger [height, width], where images are brought to that by
            the mode and height × width is cut out of the centre; with "maximum" where white is not
            255 but that number, and with "white" where white in files of 16 bits is not 65535 but
            that number; None where image files cannot become such images. Belongs into
            `Preprocessing.resize`.
        colour: "gray" (one channel), "rgb" (three), or None for another number of channels.
        split: True if the test part was drawn here from the training data, with the seed.
        notes: sentences for people: sizes, choices made, files left out.
        train_paths, test_paths: the files of the images, in their order; None where they come from
            no image files.
        folder: the folder in which these files lie.
        validation_images, validation_labels, validation_paths: as those above, of a folder for
            validation beside the test images; no images where there is none.
        bad_files: the image files that could not be read and were left out, each with the sentence
            that tells why.
        task: what images have: "classes", one each; "labels", any number each; or "numbers".
        label_columns: of a table of labels the columns that were used, as arguments of `load`.
        checked: what was found wrong with them before a training; None where nobody looked.
        shard_places: of images in tar shards, the shard and the place in it by the path of each;
            None of others.
    """

    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    classes: list[str]
    name: str
    resize: dict[str, Any] | None = None
    colour: str | None = None
    split: bool = False
    notes: list[str] = field(default_factory=list)
    train_paths: list[str] | None = None
    test_paths: list[str] | None = None
    folder: str | None = None
    validation_images: Images | None = None
    validation_labels: Labels | None = None
    validation_paths: list[str] | None = None
    bad_files: list[tuple[str, str]] = field(default_factory=list)
    task: str = "classes"
    label_columns: dict[str, Any] | None = None
    checked: CheckRecord | None = None
    shard_places: Mapping[str, tuple[str, int]] | None = None

    def shard_streams(self, window: int = WINDOW) -> ShardStreams:
        """Return the streams of the training images, for ``fit(streams=…)``.

        Args:
            window: about so many images that follow each other are mixed.

        Raises:
            DataError: the images do not lie in tar shards.
        """
        if self.shard_places is None or self.train_paths is None:
            raise DataError(
                f"{self.name}: its images do not lie in tar shards, of which streams (--stream) "
                "are made: write them into some, or leave that out"
            )
        if isinstance(window, bool) or window != int(window) or window < 0:
            raise DataError(f"window must be a number of images, 0 or more, not {window!r}")
        places = [self.shard_places[path] for path in self.train_paths]
        numbers = {shard: number for number, shard in enumerate(sorted({s for s, _ in places}))}
        return ShardStreams(
            np.array([numbers[shard] for shard, _ in places], np.intp),
            np.array([offset for _, offset in places], np.int64),
            int(window),
        )

    @property
    def parts(self) -> dict[str, Part]:
        """The parts that there are, by their names: "train", "test" and "validation"."""
        found = {
            "train": Part(self.train_images, self.train_labels, self.train_paths),
            "test": Part(self.test_images, self.test_labels, self.test_paths),
        }
        if self.validation_images is not None and self.validation_labels is not None:
            found["validation"] = Part(
                self.validation_images, self.validation_labels, self.validation_paths
            )
        return found

    def _brief(self) -> str:
        kind = f"{sizes(self.train_images.shape[1:])} {self.train_images.dtype}"
        return (
            f"{shown(self.name)}, {counted(len(self.train_images), 'training image')} and "
            f"{counted(len(self.test_images), 'test image')} of {kind}, "
            f"{counted(len(self.classes), ONE_OF[self.task])}"
        )


@dataclass(frozen=True)
class LoadOptions:
    """The checked options of `striate.data.load`; see there.

    Attributes:
        sides: how long the long side of an image may be where the size is chosen, and where it is
            that of at least half of them; None for what suits their number.
        choose_side: returns one for both, of a `striate.data.found_images.FoundImages`, or None.

    The others are its arguments.
    """

    size: tuple[int, int] | None = None
    colour: str | None = None
    mode: str = "crop"
    cut_from: tuple[int, int] | None = None
    skip_bad: bool = False
    test_fraction: float = 0.2
    seed: int = 0
    progress: OnProgress | None = None
    cache: bool = True
    classes: tuple[str, ...] | None = None
    max_pixels: int = MAX_PIXELS
    white: int | None = None
    nested: bool = False
    validation: bool = True
    only: str | None = None
    memory: int | None = None
    image_cache: int | None = None
    task: str | None = None
    sides: tuple[int, int] | None = None
    choose_side: Callable[[Any], int | None] | None = None
    exchange: Exchange = ALONE


def checked_size(size: int | Sequence[int] | None) -> tuple[int, int] | None:
    """Return `size` (a side, or height and width) as a pair; DataError if it is no size."""
    if size is None:
        return None
    sides: tuple[Any, ...] = ()
    if isinstance(size, (int, np.integer)):
        sides = (size, size)
    elif isinstance(size, (tuple, list)):
        sides = tuple(size)
    whole = all(isinstance(s, (int, np.integer)) and not isinstance(s, bool) for s in sides)
    if len(sides) != 2 or not whole or not all(1 <= s <= LARGEST_SIDE for s in sides):
        raise DataError(
            f"size must be one side or (height, width), each from 1 to {LARGEST_SIDE} pixels, "
            f"not {size!r}"
        )
    return int(sides[0]), int(sides[1])


def natural_key(text: str) -> tuple[list[tuple[int, int, str]], str]:
    """Return a sorting key that puts "img2" before "img10" and is otherwise plain text order."""
    pieces = re.split(r"([0-9]+)", text)
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in pieces if p], text


def class_indices(present: Sequence[str], wanted: Sequence[str] | None, where: str) -> list[int]:
    """Return the index of each class of `present` in `wanted` (in `present`, where None).

    Raises:
        DataError: fewer than two classes where none are `wanted`; a class that is not wanted.
    """
    if wanted is None:
        if len(present) < 2:
            only = f" ({present[0]!r})" if present else ""
            raise DataError(
                f"{where} holds one class only{only}: a classifier needs two or more classes"
            )
        return list(range(len(present)))
    known = {same_text(name): index for index, name in reversed(list(enumerate(wanted)))}
    for name in present:
        if same_text(name) not in known:
            raise DataError(
                f"{where} has a class {name!r} that the model does not know; "
                f"it knows {listed(list(wanted), 10)}: give images of these classes only, or a "
                "model trained on the others, too"
            )
    return [known[same_text(name)] for name in present]


def same_text(name: str) -> str:
    """Return a name in the form that is the same however its accents are written: macOS keeps
    letters and accents apart (NFD), most others write them as one (NFC).
    """
    return unicodedata.normalize("NFC", name)


def train_test_split(
    labels: Labels, fraction: float, seed: int, classes: Sequence[str]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the indices (train, test), each ascending, of a split that keeps class shares.

    Of each class the nearest whole number to `fraction` goes to the test part, at least one image
    and not all; a fraction of 0 or 1 puts everything into one part. The same images are drawn
    whatever number a class has, so that a model is tested with those that it was not trained on.

    Raises:
        DataError: a class with one image only, which cannot be in both parts.
    """
    everything = np.arange(len(labels), dtype=np.intp)
    if fraction in (0.0, 1.0):
        nothing = everything[:0]
        return (everything, nothing) if fraction == 0.0 else (nothing, everything)
    _, first, counts = np.unique(labels, return_index=True, return_counts=True)
    if (counts == 1).any():
        name = classes[labels[first[counts == 1].min()]]
        raise DataError(
            f"class {name!r} has one image only and cannot be split into a training and a test "
            "part: give it two or more, or give a test part of your own"
        )
    rng = np.random.default_rng(seed)
    return stratified_parts(labels, lambda n: nearest_shares(n, fraction), rng, together=False)


def split_rows(
    labels: Labels, task: str, fraction: float, seed: int, classes: Sequence[str]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the indices (train, test), each ascending, of a split of images with any labels.

    Classes are split by `train_test_split`. Of images with several labels, each label keeps its
    share as nearly as can be; of images with one number, small and large ones do.

    Raises:
        DataError: as `train_test_split`, or there is one image only.
    """
    count = len(labels)
    if task == "classes" or fraction in (0.0, 1.0):
        return train_test_split(labels, fraction, seed, classes)
    if count < 2:
        raise DataError(
            "there is one image only, which cannot be split into a training and a test part: "
            "give more, or give a test part of your own"
        )
    rng = np.random.default_rng(seed)
    if task == "labels":
        wanted = int(np.clip(round(fraction * count), 1, count - 1))
        return iteratively_stratified(labels > 0.5, wanted, rng)
    bins = max(1, min(10, count // 10)) if labels.shape[1] == 1 else 1
    ranks = np.argsort(np.argsort(labels[:, 0], kind="stable"), kind="stable")
    return stratified_parts(
        ranks * bins // count, lambda n: nearest_shares(n, fraction), rng, together=False
    )


def assemble(
    parts: Sequence[Part],
    classes: Sequence[str],
    options: LoadOptions,
    *,
    name: str,
    resize: dict[str, Any] | None,
    colour: str | None,
    notes: Sequence[str],
    folder: str | None = None,
    bad_files: Sequence[tuple[str, str]] = (),
    task: str = "classes",
    shard_places: Mapping[str, tuple[str, int]] | None = None,
) -> Dataset:
    """Make a Dataset of a training part and, where given, a test and a validation part; of one
    part alone the test part is split off.

    `classes` are those of the source; the labels are indices into the classes that `options` ask
    for, or else into these. The images may be used up. Labels of another `task` are as `Dataset`
    has them.
    """
    classes = classes if options.classes is None else options.classes
    split = len(parts) == 1
    if split:
        parts = _split(parts[0], classes, options, task)
    train, test, *rest = parts
    height, width, channels = train.images.shape[1:]
    kind = {"gray": "gray", "rgb": "RGB"}.get(colour or "", counted(channels, "channel"))
    drawn = split and len(train.images) and len(test.images)
    how = f", split with seed {options.seed}" if drawn else ""
    labels = np.concatenate([train.labels, test.labels])
    first = (
        f"{counted(len(train.images), 'training image')} and "
        f"{counted(len(test.images), 'test image')} of {height} × {width} pixels, {kind}, "
        f"{_content(labels, task, classes, how)}"
    )
    made = Dataset(
        train_images=train.images,
        train_labels=train.labels,
        test_images=test.images,
        test_labels=test.labels,
        classes=list(classes),
        name=name,
        resize=resize,
        colour=colour,
        split=split,
        notes=[first, *notes],
        train_paths=train.paths,
        test_paths=test.paths,
        folder=folder,
        validation_images=rest[0].images if rest else None,
        validation_labels=rest[0].labels if rest else None,
        validation_paths=rest[0].paths if rest else None,
        bad_files=list(bad_files),
        task=task,
        shard_places=shard_places,
    )
    if options.exchange.is_first:  # copies are read again to be sure
        made.notes.extend(suspicions(made.parts, made.classes))
    return made


def _content(labels: Labels, task: str, classes: Sequence[str], how: str) -> str:
    """Return what images have, in words: "in 2 classes, split with seed 0: cat (3), dog (5)"."""
    told = f"{counted(len(classes), ONE_OF[task])}{how}"
    if task == "numbers":
        spans = zip(classes, labels.min(axis=0), labels.max(axis=0), strict=True)
        of_each = [f"{name} ({low:g} … {high:g})" for name, low, high in spans]
        return f"with {told}: {listed(of_each, 10)}"
    if task == "labels":
        counts = labels.sum(axis=0).astype(np.int64)
    else:
        counts = np.bincount(labels, minlength=len(classes))
    of_each = [f"{label} ({count:,})" for label, count in zip(classes, counts, strict=True)]
    return f"{'in' if task == 'classes' else 'with'} {told}: {listed(of_each, 10)}"


def _split(part: Part, classes: Sequence[str], options: LoadOptions, task: str) -> list[Part]:
    """Return the training and the test part of images that have none."""
    train, test = split_rows(part.labels, task, options.test_fraction, options.seed, classes)
    images = part_rows(part.images, train, test)
    return [
        Part(
            some,
            part.labels[rows],
            None if part.paths is None else [part.paths[row] for row in rows.tolist()],
        )
        for some, rows in zip(images, (train, test), strict=True)
    ]
