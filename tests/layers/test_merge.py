"""Add and Concat: which shapes go together."""

import numpy as np
import pytest

from striate.layers import Add, Concat, PassContext


def test_add_needs_equal_shapes():
    with pytest.raises(
        ValueError, match=r"Add: inputs must have the same shape, got \(4, 5, 3\), \(4, 5, 2\)"
    ):
        Add().output_shape((4, 5, 3), (4, 5, 2))


def test_concat_needs_equal_images():
    with pytest.raises(ValueError, match=r"Concat: inputs must agree in all but the channels"):
        Concat().output_shape((4, 5, 3), (4, 6, 3))
    assert Concat().output_shape((4, 5, 3), (4, 5, 2), (4, 5, 1)) == (4, 5, 6)


def test_concat_keeps_the_order():
    a, b = np.zeros((2, 3, 4, 1)), np.ones((2, 3, 4, 2))
    output, _ = Concat().forward((a, b), {}, {}, PassContext())
    np.testing.assert_array_equal(output[0, 0, 0], [0, 1, 1])
