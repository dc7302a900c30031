"""What a check finds in a second or two: before a training, which is not to wait for it."""

from __future__ import annotations

import numpy as np

from striate.checking.checked_images import CheckedImages
from striate.checking.file_headers import file_headers
from striate.checking.flat_images import flat_rows
from striate.checking.image_hashes import LEAST_CONTRAST, image_hashes
from striate.checking.near_duplicates import near_pairs
from striate.checking.shortcuts import (
    border_table,
    file_tables,
    guessed,
    sample_rows,
    shortcut_findings,
)
from striate.common.text import counted
from striate.data.dataset import Dataset
from striate.data.image_digests import digests

MOST_PAIRS = 25_000_000
"""Pairs of a training and a test image that are compared: with more, only some test images are."""
MOST_VALUES = 200_000_000
"""Values of images that are looked at; of more, some images are."""
MOST_HEADERS = 1000
"""Files whose headers are read."""
MOST_BORDERS = 3000
"""Images whose borders are looked at."""


def short_check(dataset: Dataset, source: str) -> list[str]:
    """Return sentences about leaks into the test part, images of one colour, and shortcuts.

    What `striate.data.load` notes already, such as test images that are training images to the last
    bit, is left out.

    Args:
        dataset: what a network is to learn.
        source: what a person named, for the advice.
    """
    images = CheckedImages.of(dataset)
    notes = _leaks(images)
    if dataset.task == "classes":  # the others look at one class of each image
        notes = [*_flat(images), *notes, *_shortcuts(images)]
    if notes:
        notes[-1] += f"; striate check {source} shows more"
    return notes


def _flat(images: CheckedImages) -> list[str]:
    height, width, channels = images.shape
    if len(images) * height * width * channels > MOST_VALUES:
        return []
    flat = flat_rows(images)
    if not len(flat) or len(flat) == len(images):
        return []  # of all it is noted where they are loaded
    labels = images.labels
    for label in np.unique(labels[flat]):
        if (labels[flat] == label).sum() == (labels == label).sum():
            return []  # and so it is of all of a class
    first = images.called(int(flat[0]))
    return [
        f"{counted(len(flat), 'image')} {'is' if len(flat) == 1 else 'are'} of one colour "
        f"({first}{' and others' if len(flat) > 1 else ''})"
    ]


def _leaks(images: CheckedImages) -> list[str]:
    """A note about test images that are nearly training images."""
    if not {"train", "test"} <= set(images.parts):
        return []
    height, width, channels = images.shape
    if len(images) * height * width * channels > MOST_VALUES:
        return []
    names = list(images.parts)
    numbers = images.part_numbers
    hashes = image_hashes(images)
    usable = hashes.contrast() > LEAST_CONTRAST
    train = np.flatnonzero(usable & (numbers == names.index("train")))
    test = np.flatnonzero(usable & (numbers == names.index("test")))
    if not len(train) or not len(test):
        return []
    every = len(test)
    test = test[:: max(1, -(-every * len(train) // MOST_PAIRS))]
    pairs = near_pairs(hashes, test, train)
    found: dict[int, tuple[int, bool]] = {}
    for first, second, flip in zip(
        pairs.first.tolist(), pairs.second.tolist(), pairs.mirrored.tolist(), strict=True
    ):
        row, other = (second, first) if numbers[second] == names.index("test") else (first, second)
        found.setdefault(row, (other, flip))
    # Images that are the same to the last bit are noted where they are loaded.
    rows = np.array(sorted(found), np.intp)
    if not len(rows):
        return []
    others = np.array([found[row][0] for row in rows.tolist()], np.intp)
    same = digests(images.images(rows)) == digests(images.images(others))
    rows, others = rows[~same], others[~same]
    if not len(rows):
        return []
    first, other = int(rows[0]), int(others[0])
    flip = found[first][1]
    looked = f" looked at, of {every:,}" if len(test) < every else ""
    return [
        f"{len(rows):,} of the {counted(len(test), 'test image')}{looked} "
        f"{'shows' if len(rows) == 1 else 'show'} nearly what a training image shows "
        f"({images.called(first)} is {images.called(other)}{' mirrored' if flip else ''})"
    ]


def _shortcuts(images: CheckedImages) -> list[str]:
    labels = images.labels
    guesses = {}
    rows = sample_rows(labels, MOST_HEADERS)
    headers = file_headers(images, rows)
    if headers is not None:
        for name, table in file_tables(headers).items():
            guesses[name] = guessed(table, labels[rows])
    rows = sample_rows(labels, MOST_BORDERS)
    guesses["the colours of the borders"] = guessed(border_table(images, rows), labels[rows])
    return [finding.sentence for finding in shortcut_findings(images, guesses)]
