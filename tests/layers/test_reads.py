"""Which pixels lie under a window."""

import numpy as np

from striate.layers import Conv2D
from striate.layers.reads import Window
from striate.ops import conv


def test_the_pixels_under_a_window_by_hand() -> None:
    """Stride 2, three taps 2 apart, one row of padding above and three columns on the left."""
    window = Window((3, 1), (2, 1), (2, 1), (1, 0, 3, 0), 1)
    assert window.pixels(0, 2).tolist() == [[-1, 1, 3], [1, 3, 5]]
    assert window.pixels(1, 4).tolist() == [[-3], [-2], [-1], [0]]


def test_a_convolution_multiplies_these_pixels() -> None:
    """With one tap that is not zero, each output is the pixel under that tap, or 0 in padding."""
    shape = (7, 8, 1)
    layer = Conv2D(1, (2, 3), stride=(2, 1), padding=(1, 1, 2, 1), dilation=(2, 2), bias=False)
    image = np.arange(1.0, 57.0).reshape(1, *shape)
    rows, columns, _ = layer.output_shape(shape)
    ys, xs = (layer.reads(shape).pixels(axis, n) for axis, n in ((0, rows), (1, columns)))
    for r, s in np.ndindex(2, 3):
        filters = np.zeros((2, 3, 1, 1))
        filters[r, s] = 1
        output = conv.conv2d(image, filters, *layer.window(image))[0, ..., 0]
        for i, j in np.ndindex(rows, columns):
            y, x = ys[i, r], xs[j, s]
            inside = 0 <= y < 7 and 0 <= x < 8
            assert output[i, j] == (image[0, y, x, 0] if inside else 0)
