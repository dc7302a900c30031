"""Pooling written out, against loops in float64 that are written here; what is said and drawn."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from striate.common.arrays import Array
from striate.teaching.pooling.pooled import WrittenPooling, pooled
from striate.teaching.pooling.pooling_drawing import pooling_figure

# Unequal height and width, padding, dilation, channels: (H, W, C), window, stride, padding, gap.
CASES: list[Any] = [
    ((4, 4, 1), (2, 2), (2, 2), (0, 0, 0, 0), (1, 1)),
    ((5, 7, 3), (3, 2), (2, 1), (0, 0, 0, 0), (1, 2)),
    ((6, 5, 2), (3, 3), (1, 2), (1, 1, 1, 1), (1, 1)),
    ((7, 6, 1), (2, 3), (3, 1), (1, 0, 0, 2), (1, 2)),
]


def by_loops(
    x: Array, gradient: Array, kind: str, window: Any, stride: Any, pads: Any, gap: Any, whole: bool
) -> tuple[Array, Array]:
    """O and ∂L/∂X: windows over an image in which padding is None."""
    height, width, channels = x.shape
    down = (height + pads[0] + pads[1] - gap[0] * (window[0] - 1) - 1) // stride[0] + 1
    across = (width + pads[2] + pads[3] - gap[1] * (window[1] - 1) - 1) // stride[1] + 1
    out, back = np.zeros((down, across, channels)), np.zeros(x.shape)
    for i in range(down):
        for j in range(across):
            for c in range(channels):
                real = []
                for r in range(window[0]):
                    for s in range(window[1]):
                        y = i * stride[0] + r * gap[0] - pads[0]
                        z = j * stride[1] + s * gap[1] - pads[2]
                        if 0 <= y < height and 0 <= z < width:
                            real.append((y, z))
                values = [float(x[y, z, c]) for y, z in real]
                divisor = window[0] * window[1] if whole else len(real)
                if kind == "max":
                    out[i, j, c] = max(values)
                    y, z = real[values.index(max(values))]
                    back[y, z, c] += gradient[i, j, c]
                    continue
                share = 1 / divisor if kind == "average" else 1.0
                out[i, j, c] = math.fsum(values) * share
                for y, z in real:
                    back[y, z, c] += gradient[i, j, c] * share
    return out, back


@pytest.mark.parametrize(("shape", "window", "stride", "pads", "gap"), CASES)
@pytest.mark.parametrize("kind", ["max", "average", "sum", "average, padding counted"])
def test_outputs_and_gradients(
    shape: Any, window: Any, stride: Any, pads: Any, gap: Any, kind: str
) -> None:
    random = np.random.default_rng(7)
    kind, _, counted = kind.partition(", ")
    x = random.integers(-3, 4, shape).astype(float)  # few values: many are equal
    how: dict[str, Any] = {
        "stride": stride, "padding": pads, "dilation": gap, "count_padding": bool(counted),
    }  # fmt: skip
    out = pooled(kind, window, x=x, engine="numpy", **how).output.shape
    gradient = random.standard_normal(out)
    made = pooled(kind, window, x=x, gradient=gradient, engine="llvm", **how)
    expected = by_loops(x, gradient, kind, window, stride, pads, gap, bool(counted))
    np.testing.assert_allclose(made.output, expected[0], atol=1e-14)
    np.testing.assert_allclose(made.input_gradient, expected[1], atol=1e-14)
    # The windows that are written out say the same, each by itself.
    back = np.zeros(shape)
    for one in made.windows():
        assert one.value == pytest.approx(expected[0][one.place])
        for index, (row, column) in enumerate(one.pixels):
            back[row, column, one.place[2]] += one.slope(index) * gradient[one.place]
    np.testing.assert_allclose(back, expected[1], atol=1e-14)
    assert max(made.checked.values()) < 1e-14
    assert made.compared == made.count


@pytest.fixture(scope="module")
def article() -> WrittenPooling:
    """4×4 in windows of 2×2, as in article 003."""
    x = [[1, -3, 2, 4], [5, 6, -7, 8], [3, 2, -1, 0], [1, 2, 3, 4]]
    return pooled(x=x, gradient=[[10, 20], [30, 40]], engine="numpy")


def test_each_window_is_written_with_its_winner(article: WrittenPooling) -> None:
    text = str(article)
    assert "O_11 = max(X_11, X_12, X_21, X_22) = max(1, -3, 5, 6) = 6: X_22 wins\n" in text
    assert "O_21 = max(X_31, X_32, X_41, X_42) = max(3, 2, 1, 2) = 3: X_31 wins\n" in text
    assert "∂L/∂X_31 = ∂L/∂O_21 = 30\n" in text
    assert "The other 12 of X get 0.\n" in text
    assert "16 numbers become 4, 75 % fewer. Pooling has no weights" in text


def test_means_sums_and_padding_in_words() -> None:
    x = [[2, 4], [6, 8]]
    mean = pooled("average", 2, stride=1, padding=(1, 0, 0, 0), x=x, backward=True, engine="numpy")
    text = str(mean)
    assert "O_11 = (X_11 + X_12)/2 = (2 + 4)/2 = 3\n" in text
    assert "O_21 = (X_11 + X_12 + X_21 + X_22)/4 = (2 + 4 + 6 + 8)/4 = 5\n" in text
    assert "Padding does not count" in text
    assert re.search(r"∂L/∂X_11 = ∂L/∂O_11/2 \+ ∂L/∂O_21/4 = [\d.]+ \+ [\d.]+ = [\d.]+\n", text)
    whole = pooled("average", 2, stride=1, padding=(1, 0, 0, 0), x=x, count_padding=True)
    assert "O_11 = (X_11 + X_12)/4 = (2 + 4)/4 = 1.5\n" in str(whole)
    assert "O_11 = X_11 + X_12 + X_21 + X_22 = 2 + 4 + 6 + 8 = 20" in str(pooled("sum", x=x))


def test_equal_numbers_and_unread_ones_are_told() -> None:
    made = pooled(x=[[5, 5, 1], [5, 0, 9]], uncovered="drop", backward=True, engine="numpy")
    text = str(made)
    assert "X_11 wins, the first of 3 equal" in text
    assert "No window reads the last 1 column." in text
    assert "The other 5 of X get 0." in text


def test_what_is_too_much_to_read_is_cut() -> None:
    made = pooled("sum", 8, input=(80, 88), channels=2, engine="numpy")
    text = str(made)
    assert "X and O are too large to be printed." in text
    assert "O^1_11 = X^1_11 + X^1_12 + X^1_13 + … + X^1_88 = " in text
    assert text.count("O^1_") == 36
    assert "… 184 more" in text
    assert max(map(len, text.splitlines())) < 125


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "median"}, "the kind must be max, average or sum, got 'median'"),
        ({"kind": "sum", "count_padding": True}, "sum divides by nothing"),
        ({"input": (5, 4)}, "MaxPool2D: .* is not whole along the height: the last 1 row"),
        ({"x": [[1, 2], [3, 4]], "input": 3}, "told twice, differently: 3×3 of input and 2×2 of x"),
        ({"x": [[1, 2], [3, 4]], "channels": 2}, "2 of channels and 1 of x"),
        ({"gradient": [[1, 2, 3]]}, "gradient must have the shape of the output, 2×2×1, got 1×3"),
        ({"x": [[1, math.nan]]}, "x must be finite"),
        ({"padding": 2}, "could lie in the padding of 2 alone"),
    ],
)
def test_mistakes(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pooled(**arguments)


def _patches(figure: Any, gid: str) -> list[Any]:
    return [patch for patch in figure.axes[0].patches if patch.get_gid() == gid]


def _cells(figure: Any) -> list[Any]:
    """The cells that are not white, by their place, with their colours."""
    return [
        (patch.get_x(), patch.get_y(), patch.get_facecolor()[:3])
        for patch in figure.axes[0].patches
        if hasattr(patch, "get_x") and patch.get_fill()
    ]


def test_the_drawing_gives_each_window_a_colour(article: WrittenPooling) -> None:
    figure = pooling_figure(article)
    cells = _cells(figure)
    assert len(cells) == 2 * (16 + 4)
    colours = {colour for _, _, colour in cells}
    assert len(colours) == 4
    for colour in colours:  # 4 cells of X side by side, 1 of O, and the same of the gradients
        places = [(left, top) for left, top, one in cells if one == colour]
        assert len(places) == 2 * (4 + 1)
        lefts = sorted({left for left, _ in places[:4]})
        assert lefts == [lefts[0], lefts[0] + 1]
    winners = [circle.center for circle in _patches(figure, "winner")]
    assert len(winners) == 8
    left, top, _ = cells[0]
    # X_22, X_24, X_31 and X_44 are circled.
    places = {(x - left - 0.5, y - top - 0.5) for x, y in winners[:4]}
    assert places == {(1.0, 1.0), (3.0, 1.0), (0.0, 2.0), (3.0, 3.0)}


def test_overlapping_windows_are_boxed_true_to_size() -> None:
    made = pooled("average", (2, 2), stride=1, dilation=(2, 1), padding=1, input=5)
    figure = pooling_figure(made, ["O_22"])
    boxes = [
        (patch.get_width(), patch.get_height())
        for patch in figure.axes[0].patches
        if hasattr(patch, "get_width") and not patch.get_fill()
    ]
    assert boxes == [(2, 3), (1, 1)]  # width, height
    assert not _patches(figure, "winner")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts.count("–") == 7 * 7 - 5 * 5  # padding does not count


def test_large_inputs_are_drawn_as_images() -> None:
    made = pooled(input=(40, 60), channels=3, backward=True, engine="numpy")
    figure = pooling_figure(made)
    shapes = [axes.images[0].get_array().shape[:2] for axes in figure.axes]
    assert shapes == [(40, 60), (20, 30), (40, 60), (20, 30)]
