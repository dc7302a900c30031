"""Files that cannot be read, and images whose lower part was lost before they were saved."""

from __future__ import annotations

import numpy as np

from striate.checking.checked_images import CheckedImages
from striate.checking.finding import CheckOutcome, Finding, strongest_first
from striate.common.text import counted

LOST_SHARE = 0.1
"""The share of an image's rows that must be gray before it is taken for cut off."""
# What libjpeg fills the missing part of an image with: a gray of 128, but for rounding.
_GRAY = (126, 130)


def check_files(checked: CheckedImages) -> CheckOutcome:
    """Look for damaged files.

    Readers that go on at the end of a truncated JPEG fill the rest with the middle gray; saved
    again, such an image can be read, and has lost its lower part all the same.
    """
    if checked.folder is None:
        return CheckOutcome(
            ("damaged",), "The images come from no image files: there are none to look at.",
            made=False,
        )  # fmt: skip
    findings = [
        Finding("damaged", _told(checked, path, sentence), files=(checked.below(path),), strength=2)
        for path, sentence in checked.bad_files
    ]
    bad = len(findings)
    if checked.white == 255:
        findings += _cut_off(checked)
    every = counted(len(checked) + bad, "file")
    if not findings:
        return CheckOutcome(("damaged",), f"All of {every} can be read to the end.")
    told = [f"{bad:,} of {every} cannot be read"] if bad else []
    if cut := len(findings) - bad:
        told.append(f"{counted(cut, 'image')} without their lower part" if cut > 1 else
                    "1 image without its lower part")  # fmt: skip
    return CheckOutcome(("damaged",), ", ".join(told) + ".", strongest_first(findings))


def _told(checked: CheckedImages, path: str, sentence: str) -> str:
    """The sentence of an error without its advice for who loads images, and with a short name."""
    about, _, _ = sentence.rpartition("; ")
    return (about or sentence).replace(path, checked.below(path))


def _cut_off(checked: CheckedImages) -> list[Finding]:
    findings = []
    height = checked.shape[0]
    least = max(2, round(LOST_SHARE * height))
    for start, images in checked.chunks():
        # The last rows first, in which most images show that they are whole.
        low, high = images[:, -least:].min(axis=(1, 2, 3)), images[:, -least:].max(axis=(1, 2, 3))
        for index in np.flatnonzero((low >= _GRAY[0]) & (high <= _GRAY[1])).tolist():
            image = images[index]
            gray = ((image >= _GRAY[0]) & (image <= _GRAY[1])).all(axis=(1, 2))
            rows = height if gray.all() else int(gray[::-1].argmin())
            if rows == height:
                continue  # an image of one colour is another matter
            share = rows / height
            findings.append(
                Finding(
                    "damaged",
                    f"{checked.called(start + index)}: the lower {share:.0%} are gray, as readers "
                    "show what is missing of a truncated JPEG",
                    (start + index,),
                    share,
                )
            )
    return findings
