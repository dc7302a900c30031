"""What is odd about images with labels, though all of them could be read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from striate.common.text import counted, listed
from striate.data.image_digests import digests, one_colour
from striate.data.part import Part


def suspicions(parts: Mapping[str, Part], classes: list[str]) -> list[str]:
    """Return sentences about images from which nothing can be learnt, and about test images that
    are training images, too: they say nothing about images that are new.

    Args:
        parts: "train", "test" and perhaps "validation".
        classes: the names of the classes.
    """
    notes = _without_content([parts["train"], parts["test"]], classes)
    for name in ("test", "validation"):
        if name in parts:
            notes += _in_both(parts["train"], parts[name], name)
    return notes


def _without_content(parts: list[Part], classes: list[str]) -> list[str]:
    labels = np.concatenate([part.labels for part in parts])
    flat = np.concatenate([one_colour(part.images) for part in parts])
    if not flat.any():
        return []
    if flat.all():
        return [
            f"all {counted(len(flat), 'image')} are of one colour each: there is nothing to see"
        ]
    if labels.ndim == 1:
        of_each = np.bincount(labels, minlength=len(classes))
        without = np.bincount(labels[flat], minlength=len(classes))
    elif labels.dtype == np.float32:
        of_each, without = labels.sum(axis=0), labels[flat].sum(axis=0)
    else:  # numbers
        return []
    empty = np.flatnonzero((of_each > 0) & (without == of_each))
    if not len(empty):
        return []
    names = listed([repr(classes[index]) for index in empty])
    return [f"all images of {names} are of one colour each: there is nothing to see in them"]


def _in_both(train: Part, other: Part, name: str) -> list[str]:
    """Return a note about images of another part that are among the training images."""
    places: dict[int, list[int]] = {}
    if not len(train.images) or not len(other.images):
        return []
    for row, digest in enumerate(digests(train.images).tolist()):
        places.setdefault(digest, []).append(row)
    found: list[tuple[int, int]] = []
    elsewhere = 0
    for row, digest in enumerate(digests(other.images).tolist()):
        same = [
            place
            for place in places.get(digest, ())
            if np.array_equal(train.images[place], other.images[row])
        ]
        if same:
            found.append((row, same[0]))
            elsewhere += not any(
                np.array_equal(train.labels[place], other.labels[row]) for place in same
            )
    if not found:
        return []
    row, place = found[0]
    first = ""
    if other.paths is not None and train.paths is not None:
        first = f" ({other.paths[row]} is {train.paths[place]})"
    labels = f", {elsewhere:,} of them with another class" if elsewhere else ""
    return [
        f"{len(found):,} of the {counted(len(other.images), f'{name} image')} "
        f"{'is' if len(found) == 1 else 'are'} among the training images, too{first}{labels}: "
        "what is measured on them says nothing about new images"
    ]
