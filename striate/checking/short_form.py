"""What a check finds in a second or two: before a training, which is not to wait for it."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from striate.checking.checked_images import CheckedImages, Rows
from striate.checking.duplicates import identical_groups
from striate.checking.file_headers import file_headers
from striate.checking.flat_images import flat_rows
from striate.checking.image_hashes import LEAST_CONTRAST, image_hashes
from striate.checking.near_duplicates import near_pairs
from striate.checking.shortcuts import (
    BORDERS,
    border_table,
    file_tables,
    guessed,
    sample_rows,
    shortcut_findings,
)
from striate.common.text import counted
from striate.data.check_record import CheckedFor, CheckRecord
from striate.data.dataset import Dataset

MOST_PAIRS = 25_000_000
"""Pairs of a training and a test image that are compared: with more, only some test images are."""
MOST_VALUES = 200_000_000
"""Values of images that are looked at; of more, some images are."""
MOST_HEADERS = 1000
"""Files whose headers are read."""
MOST_BORDERS = 3000
"""Images whose borders are looked at."""


def short_check(dataset: Dataset) -> CheckRecord:
    """Look for leaks into the test part, images of one colour, and shortcuts.

    The record has no sentence for what `striate.data.load` notes already, such as test images that
    are training images to the last bit.

    Args:
        dataset: what a network is to learn.
    """
    images = CheckedImages.of(dataset)
    height, width, channels = images.shape
    small = len(images) * height * width * channels <= MOST_VALUES
    with threadpool_limits(1, "blas"):  # other threads would mostly wait: the products are small
        found = _leaks(images) if small else []
        if dataset.task == "classes":  # the others look at one class of each image
            found = [*found, *(_flat(images) if small else []), *_shortcuts(images)]
    return CheckRecord(tuple(found))


def _flat(images: CheckedImages) -> list[CheckedFor]:
    flat = flat_rows(images)
    count = len(images)
    told = (
        f"{counted(len(flat), 'image')} {'is' if len(flat) == 1 else 'are'} of one colour "
        f"({images.called(int(flat[0]))}{' and others' if len(flat) > 1 else ''})"
        if len(flat) and not _are_a_class(images, flat)
        else ""
    )
    return [CheckedFor("one-colour", len(flat), count, count, told)]


def _are_a_class(images: CheckedImages, rows: Rows) -> bool:
    """Whether all images of a class are among some, as is noted where they are loaded."""
    labels = images.labels
    return any(
        (labels[rows] == label).sum() == (labels == label).sum()
        for label in np.unique(labels[rows])
    )


def _leaks(images: CheckedImages) -> list[CheckedFor]:
    """Test images that are, or nearly are, training images."""
    if not {"train", "test"} <= set(images.parts):
        return []
    names = list(images.parts)
    numbers = images.part_numbers
    of_test = names.index("test")
    train = np.flatnonzero(numbers == names.index("train"))
    test = np.flatnonzero(numbers == of_test)
    if not len(train) or not len(test):
        return []
    every = len(test)
    copies = _copies(images, test)
    test = test[:: max(1, -(-every * len(train) // MOST_PAIRS))]
    hashes = image_hashes(images, rows=np.union1d(train, test))
    usable = hashes.contrast() > LEAST_CONTRAST
    looked = np.setdiff1d(test[usable[test]], copies)
    pairs = near_pairs(hashes, looked, train[usable[train]])
    found: dict[int, tuple[int, bool]] = {}
    for first, second, flip in zip(
        pairs.first.tolist(), pairs.second.tolist(), pairs.mirrored.tolist(), strict=True
    ):
        row, other = (second, first) if numbers[second] == of_test else (first, second)
        found.setdefault(row, (other, flip))
    told = ""
    if found:
        first = min(found)
        other, flip = found[first]
        only = f" looked at, of {every:,}" if len(test) < every else ""
        told = (
            f"{len(found):,} of the {counted(len(test), 'test image')}{only} "
            f"{'shows' if len(found) == 1 else 'show'} nearly what a training image shows "
            f"({images.called(first)} is {images.called(other)}{' mirrored' if flip else ''})"
        )
    return [
        CheckedFor("copy", len(copies), every, every),
        CheckedFor("leak", len(found), len(test), every, told),
    ]


def _copies(images: CheckedImages, test: Rows) -> Rows:
    """The test images that are training images to the last bit."""
    of_train = list(images.parts).index("train")
    found = [
        row
        for group in identical_groups(images, np.empty(0, np.intp))
        if (images.part_numbers[group] == of_train).any()
        for row in group
    ]
    return np.intersect1d(np.array(found, np.intp), test)


def _shortcuts(images: CheckedImages) -> list[CheckedFor]:
    labels = images.labels
    guesses = {}
    rows = sample_rows(labels, MOST_HEADERS)
    headers = file_headers(images, rows)
    if headers is not None:
        for name, table in file_tables(headers).items():
            guesses[name] = guessed(table, labels[rows])
    rows = sample_rows(labels, MOST_BORDERS)
    guesses[BORDERS] = guessed(border_table(images, rows), labels[rows])
    findings = shortcut_findings(images, guesses)
    told = "; ".join(finding.sentence for finding in findings)
    return [CheckedFor("shortcut", len(findings), len(rows), len(images), told)]
