"""Classes that can be told apart without looking at what the images show.

If the size of a file, its format or the colour of its border tell the class, a network learns
these, and fails on images from elsewhere. Each is tried alone: the class of an image is guessed
from its nearest neighbours in these numbers only. How many guesses would be right by chance is
known: the share of the most frequent class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.checking.checked_images import CheckedImages, Rows
from striate.checking.file_headers import FileHeaders
from striate.checking.finding import CheckOutcome, Finding, strongest_first
from striate.common.text import counted, listed, percent
from striate.data.part import Labels

NEIGHBOURS = 9
"""How many images an image is guessed from."""
MOST_IMAGES = 6000
"""Images that are tried at most."""
LEAST_OF_CLASS = 10
"""Images that a class must have to count."""
GAIN = 0.5
"""The share of the way from the most frequent class to certainty from which on it is a finding."""
TOLD = 0.6
"""The share of a class's images that are found, and of those taken for it that are right, from
which on that class alone is a finding."""
_SURE = 3.1
"""Standard deviations of a bound that one in a thousand exceeds by chance."""

BORDERS = "the colours of the borders"
_BLOCK = 512

Table = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Guesses:
    """What the neighbours of images say.

    Attributes:
        accuracy: the share that is right.
        baseline: the share of the most frequent class.
        least: the lower bound of the accuracy that holds but for one in a thousand.
        told: the classes that are told from all others.
    """

    accuracy: float
    baseline: float
    least: float
    told: tuple[int, ...]

    @property
    def gain(self) -> float:
        """How much of the way from the baseline to certainty it goes at least, 0...1."""
        return max(0.0, (self.least - self.baseline) / max(1 - self.baseline, 1e-9))

    @property
    def is_shortcut(self) -> bool:
        """Whether the classes, or one of them, are told apart by this alone."""
        return self.gain >= GAIN or bool(self.told)


def check_shortcuts(checked: CheckedImages, headers: FileHeaders | None) -> CheckOutcome:
    """Try to tell the classes by the files' sizes and formats, and by the images' borders."""
    tables: dict[str, tuple[Table, Rows]] = {}
    if headers is not None:
        tables |= {name: (table, headers.rows) for name, table in file_tables(headers).items()}
    sample = sample_rows(checked.labels)
    tables[BORDERS] = (border_table(checked, sample), sample)
    guesses = {name: guessed(table, checked.labels[rows]) for name, (table, rows) in tables.items()}
    findings = strongest_first(shortcut_findings(checked, guesses))
    tried = listed(list(guesses), 10)
    without = "" if headers is not None else "; there are no files whose sizes and formats could"
    if not findings:
        return CheckOutcome(("shortcut",), f"Not told by {tried}{without}.")
    return CheckOutcome(
        ("shortcut",),
        f"{counted(len(findings), 'way')} to tell classes without looking at what is shown; tried: "
        f"{tried}{without}.",
        findings,
    )


def shortcut_findings(
    checked: CheckedImages, guesses: Mapping[str, Guesses | None]
) -> list[Finding]:
    """What is a finding of these guesses, by the words for what they were made from."""
    findings = []
    for name, guess in guesses.items():
        if guess is None or not guess.is_shortcut:
            continue
        if guess.gain >= GAIN:
            who, verb = "the classes are", f"in {percent(guess.accuracy, '.0f')} of all cases"
        else:
            classes = [repr(checked.classes[label]) for label in guess.told]
            who = f"{listed(classes)} {'is' if len(classes) == 1 else 'are'}"
            verb = "from all other classes"
        findings.append(
            Finding(
                "shortcut",
                f"{who} told by {name} alone, {verb}; "
                f"the most frequent class is {percent(guess.baseline, '.0f')}, and a network may "
                "learn that instead of what the images show"
                + ", unless what they show reaches the border"
                * (name == BORDERS),
                strength=max(guess.gain, TOLD if guess.told else 0),
            )
        )
    return findings


def sample_rows(labels: Labels, most: int = MOST_IMAGES) -> Rows:
    """At most so many rows, ascending, spread evenly over all."""
    if len(labels) <= most:
        return np.arange(len(labels))
    chosen = np.random.default_rng(0).permutation(len(labels))[:most]
    return np.sort(chosen)


def guessed(table: Table, labels: Labels) -> Guesses | None:
    """Guess the class of each row from its nearest neighbours; None with too few images.

    Args:
        table: (n, numbers), of any scale.
        labels: (n,).
    """
    counts = np.bincount(labels)
    kept = np.flatnonzero(counts[labels] >= LEAST_OF_CLASS)
    table, labels = table[kept], labels[kept]
    if len(np.unique(labels)) < 2:
        return None
    baseline = float(np.bincount(labels).max() / len(labels))
    spread = table.std(axis=0)
    table = (table - table.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    if not table.shape[1]:
        return Guesses(baseline, baseline, baseline, ())
    near = _nearest(table, NEIGHBOURS)
    votes = np.zeros((len(table), labels.max() + 1), np.int64)
    np.add.at(votes, (np.arange(len(table))[:, None], labels[near]), 1)
    guess = votes.argmax(axis=1)
    right = guess == labels
    told = []
    for label in np.unique(labels).tolist():
        members, taken = labels == label, guess == label
        if members.mean() > 0.5 or not taken.any():
            continue
        hits = int((members & taken).sum())
        if min(lower_bound(hits, int(members.sum())), lower_bound(hits, int(taken.sum()))) >= TOLD:
            told.append(label)
    accuracy = float(right.mean())
    return Guesses(accuracy, baseline, lower_bound(int(right.sum()), len(right)), tuple(told))


def _nearest(table: Table, count: int) -> Rows:
    """The nearest other rows of each row, (rows, count), in no order."""
    lengths = np.einsum("nk,nk->n", table, table)
    found = np.empty((len(table), count), np.intp)
    for start in range(0, len(table), _BLOCK):
        block = table[start : start + _BLOCK]
        squares = lengths - 2 * (block @ table.T)
        squares[np.arange(len(block)), start + np.arange(len(block))] = np.inf
        found[start : start + len(block)] = np.argpartition(squares, count)[:, :count]
    return found


def lower_bound(hits: int, count: int) -> float:
    """The lower end of Wilson's interval of a share, which one in a thousand exceeds by chance."""
    if not count:
        return 0.0
    share, z2 = hits / count, _SURE**2
    centre = share + z2 / (2 * count)
    spread = _SURE * float(np.sqrt(share * (1 - share) / count + z2 / (4 * count**2)))
    return max(0.0, (centre - spread) / (1 + z2 / count))


def file_tables(headers: FileHeaders) -> dict[str, Table]:
    """The tables of numbers that files have, without looking at their pixels."""
    heights, widths = np.maximum(headers.heights, 1), np.maximum(headers.widths, 1)
    pixels = np.stack([np.log(heights), np.log(widths), np.log(heights / widths)], axis=1)
    names = np.char.add(np.char.add(headers.formats, " "), headers.modes)
    kinds = (names[:, None] == np.unique(names)).astype(np.float64)
    formats = np.concatenate([kinds, np.log1p(headers.tables)[:, None]], axis=1)
    density = np.log(np.maximum(headers.sizes, 1) / (heights * widths))
    return {
        "the height and width of the files": pixels,
        "the format of the files (kind, colours, compression)": formats,
        "the size of the files in bytes per pixel": density[:, None],
    }


def border_table(checked: CheckedImages, rows: Rows) -> Table:
    """The median colour of each image's border and its deviation, (rows, 2 × channels)."""
    height, width, channels = checked.shape
    thick = max(1, min(height, width) // 16)
    ring = np.zeros((height, width), np.bool_)
    ring[:thick] = ring[-thick:] = ring[:, :thick] = ring[:, -thick:] = True
    found = np.empty((len(rows), 2 * channels))
    step = checked.chunk
    for start in range(0, len(rows), step):
        pixels = checked.images(rows[start : start + step])[:, ring]
        # One channel after the other, in the images' own type: that is sorted the fastest.
        pixels = np.ascontiguousarray(pixels.transpose(0, 2, 1))
        found[start : start + step] = np.concatenate(
            [np.median(pixels, axis=2), pixels.std(axis=2, dtype=np.float64)], axis=1
        )
    return found
