"""Duplicates, and what they spoil: tests on images that were learnt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from striate.checking.checked_images import CheckedImages, Rows
from striate.checking.finding import CheckOutcome, Finding, strongest_first
from striate.checking.image_hashes import LEAST_CONTRAST, ImageHashes
from striate.checking.near_duplicates import NearPairs, near_pairs
from striate.common.text import counted
from striate.data.dataset import OnProgress
from striate.data.image_digests import digests

_LISTED = 3


def identical_groups(checked: CheckedImages, leave_out: Rows) -> list[list[int]]:
    """Return the rows of images with the same pixels, two or more each, ascending.

    Args:
        checked: the images.
        leave_out: rows that are in no group, such as those of one colour.
    """
    found = np.concatenate([digests(part.images) for part in checked.parts.values()])
    places: dict[int, list[int]] = defaultdict(list)
    repeated = np.unique(found, return_counts=True)
    several = set(repeated[0][repeated[1] > 1].tolist())
    without = set(leave_out.tolist())
    for row in np.flatnonzero(np.isin(found, list(several))).tolist():
        if row not in without:
            places[int(found[row])].append(row)
    groups = []
    for rows in places.values():
        left = rows
        while len(left) > 1:  # different images may have the same digest
            images = checked.images(np.array(left))
            same = (images == images[:1]).all(axis=(1, 2, 3))
            if same.sum() > 1:
                groups.append([row for row, equal in zip(left, same, strict=True) if equal])
            left = [row for row, equal in zip(left, same, strict=True) if not equal]
    return sorted(groups)


def check_duplicates(
    checked: CheckedImages,
    hashes: ImageHashes,
    flat: Rows,
    progress: OnProgress | None = None,
) -> tuple[CheckOutcome, list[list[int]]]:
    """Look for images that are there more than once, within a part and between parts.

    Args:
        checked: the images.
        hashes: of them.
        flat: the rows of images of one colour, which are no duplicates of each other.
        progress: called with (done, total, text).

    Returns:
        The outcome, and the groups of images that show the same.
    """
    identical = identical_groups(checked, flat)
    usable = hashes.contrast() > LEAST_CONTRAST
    usable[flat] = False
    for group in identical:
        usable[group[1:]] = False  # the first one stands for them
    pairs = near_pairs(hashes, np.flatnonzero(usable), progress=progress)
    groups = joined([*identical, *np.stack([pairs.first, pairs.second], axis=1).tolist()])
    relations = _Relations(identical, pairs)
    findings = strongest_first([_finding(checked, group, relations) for group in groups])
    return CheckOutcome(
        ("leak", "duplicate"), _sentence(checked, findings, pairs.complete), findings
    ), groups


def joined(groups: Iterable[list[int]]) -> list[list[int]]:
    """Return groups of which no two share a row: those that do are one, ascending."""
    parent: dict[int, int] = {}

    def top(row: int) -> int:
        while parent.setdefault(row, row) != row:
            parent[row] = row = parent[parent[row]]
        return row

    for first, *others in groups:
        for row in others:
            low, high = sorted((top(first), top(row)))
            parent[high] = low
    found: dict[int, list[int]] = defaultdict(list)
    for row in sorted(parent):
        found[top(row)].append(row)
    return sorted(found.values())


class _Relations:
    """What the images of a group are to each other."""

    def __init__(self, identical: list[list[int]], pairs: NearPairs) -> None:
        self.first_of = {row: group[0] for group in identical for row in group}
        self.near: dict[int, list[tuple[int, bool, float]]] = defaultdict(list)
        for first, second, flip, similarity in zip(
            pairs.first.tolist(), pairs.second.tolist(), pairs.mirrored.tolist(),
            pairs.similarity.tolist(), strict=True,
        ):  # fmt: skip
            self.near[first].append((second, flip, similarity))
            self.near[second].append((first, flip, similarity))

    def to_first(self, group: list[int]) -> tuple[dict[int, str], float]:
        """What each other image of a group is to its first, and the least similarity on the way."""
        start = self.first_of.get(group[0], group[0])
        flips, least = {start: False}, 1.0
        waiting = [start]
        while waiting:
            row = waiting.pop()
            for other, flip, similarity in self.near[row]:
                if other not in flips:
                    flips[other] = flips[row] != flip
                    least = min(least, similarity)
                    waiting.append(other)
        relation = {}
        for row in group[1:]:
            stands = self.first_of.get(row, row)
            if stands == start:
                relation[row] = "identical"
            else:
                relation[row] = "mirrored" if flips.get(stands, False) else "near"
        return relation, least


def _finding(checked: CheckedImages, group: list[int], relations: _Relations) -> Finding:
    relation, similarity = relations.to_first(group)
    parts = list(dict.fromkeys(checked.part_of(row) for row in group))
    classes = list(dict.fromkeys(checked.class_of(row) for row in group))
    kinds = set(relation.values())
    how = {
        frozenset({"identical"}): "identical",
        frozenset({"mirrored"}): "mirrored",
    }.get(frozenset(kinds), "nearly the same" if "mirrored" not in kinds else "the same, mirrored")
    names = [checked.called(row) for row in group]
    if len(group) == 2:
        who = f"{names[0]} and {names[1]} are {how}"
        if how == "mirrored":
            who = f"{names[1]} is {names[0]} mirrored"
    else:
        rest = len(names) - _LISTED
        shown = ", ".join(names[:_LISTED]) + (f" and {rest:,} more" if rest > 0 else "")
        who = f"{counted(len(group), 'image')} are {how}: {shown}"
    told = []
    if len(parts) > 1:
        told.append(f"in the parts {' and '.join(parts)}")
    if len(classes) > 1:
        told.append(f"in the classes {', '.join(map(repr, classes[:_LISTED]))}")
    sentence = "; ".join([who, *told])
    # Those with several classes and parts do most harm.
    strength = (len(classes) > 1) + (len(parts) > 1) + similarity
    return Finding(
        "leak" if len(parts) > 1 else "duplicate",
        sentence,
        tuple(group),
        float(strength),
        relation=tuple(relation[row] for row in group[1:]),
    )


def _sentence(checked: CheckedImages, findings: list[Finding], complete: bool) -> str:
    every = counted(len(checked), "image")
    if not findings:
        return f"No two of {every} show the same."
    copies = sum(len(finding.images) - 1 for finding in findings)
    told = f"{copies:,} of {every} show what another one shows"
    leaks = [finding for finding in findings if finding.kind == "leak"]
    if leaks:
        told += f"; {counted(len(leaks), 'picture')} {'is' if len(leaks) == 1 else 'are'} in "
        told += "several parts, so that tests are made on what was learnt"
    elif len(checked.parts) == 1:
        told += "; a test part that is drawn at random shares them with the training part"
    labels = checked.labels
    mixed = sum(len(set(labels[list(finding.images)].tolist())) > 1 for finding in findings)
    if mixed:
        told += f"; {counted(mixed, 'picture')} {'has' if mixed == 1 else 'have'} several classes"
    return told + ("." if complete else "; there are so many that not all were counted.")
