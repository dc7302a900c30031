"""What is wrong with a set of images, before anything is learnt from it.

Reading order: `checked_images` (all parts of a data set as rows), `finding` (what checks say); the
checks, each by itself: `damaged_files`, `flat_images`; `image_hashes`, `near_duplicates` and
`duplicates`; `out_of_fold`, `confident_learning` and `label_check`; `odd_images`; `file_headers`
and `shortcuts`; `value_ranges`. `checks` makes them all, `short_form` those that cost little.
`check_page` shows them on a page, on which images are ticked that `moving` then moves.
"""

from __future__ import annotations

from striate.checking.checks import Checked, check
from striate.checking.finding import KINDS, CheckOutcome, Finding

__all__ = ["KINDS", "CheckOutcome", "Checked", "Finding", "check"]
