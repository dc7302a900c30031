"""Borders around images and crops: NumPy against textbook loops, and each undoing the other."""

import numpy as np
import pytest

from striate.ops import borders, conv

PADS = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 2, 0, 0), (0, 0, 1, 0), (0, 0, 0, 2), (1, 2, 0, 1)]


@pytest.mark.parametrize("pads", PADS)
def test_both_agree_with_loops(pads):
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 3))
    wider = conv.pad(x, pads)
    np.testing.assert_array_equal(wider, borders.zero_pad2d_loops(x, pads))
    np.testing.assert_array_equal(conv.crop(x, pads), borders.crop2d_loops(x, pads))
    np.testing.assert_array_equal(borders.crop2d_loops(wider, pads), x)
