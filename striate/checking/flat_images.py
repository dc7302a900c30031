"""Images of one colour, in which there is nothing to see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from striate.checking.checked_images import CheckedImages
from striate.checking.finding import CheckOutcome, Finding
from striate.common.text import counted, percent
from striate.data.image_digests import one_colour


def flat_rows(checked: CheckedImages) -> npt.NDArray[np.intp]:
    """The rows of images whose pixels all have the same colour."""
    found = []
    for start, images in checked.chunks():
        found.append(start + np.flatnonzero(one_colour(images)))
    return np.concatenate(found) if found else np.empty(0, np.intp)


def check_one_colour(checked: CheckedImages, rows: npt.NDArray[np.intp]) -> CheckOutcome:
    """Tell of the images of one colour, `rows` as `flat_rows` gives them."""
    count = len(checked)
    if not len(rows):
        return CheckOutcome(("one-colour",), f"None of {counted(count, 'image')}.")
    colours = checked.images(rows)[:, 0, 0]
    findings = [
        Finding(
            "one-colour",
            f"{checked.called(row)}: all pixels are {_written(colour)}; there is nothing to see",
            (row,),
        )
        for row, colour in zip(rows.tolist(), colours, strict=True)
    ]
    sentence = f"{len(rows):,} of {counted(count, 'image')} ({percent(len(rows) / count, '.1f')})."
    return CheckOutcome(("one-colour",), sentence, findings)


def _written(colour: npt.NDArray[np.generic]) -> str:
    values = [f"{float(value):.4g}" for value in colour]
    return values[0] if len(set(values)) == 1 else f"({', '.join(values)})"
