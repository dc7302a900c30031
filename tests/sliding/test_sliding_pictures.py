"""Pictures of sums: what is written and where, read from the figures."""

import io
import itertools
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from striate.signal.convolution import convolve, correlate
from striate.signal.steps import steps
from striate.teaching.number_planes import GIVES, READS
from striate.teaching.sliding import slide
from striate.teaching.sliding.matrix_frames import MatrixFrames
from striate.teaching.sliding.matrix_sum import draw_matrices, draw_matrix, draw_matrix_sums
from striate.teaching.sliding.signal_strip import draw_signal_strip
from striate.teaching.sliding.signal_sum import draw_signal_sum, view_of

F = [10, 9, 10, 9, 10, 1, 10, 9, 10, 8]  # article 001
SQUARE = np.arange(1, 10).reshape(3, 3)


def both(f: Any, g: Any, **how: Any) -> tuple[Any, Any]:
    """The sums that are written out, and the whole result."""
    how = {"mode": "same", "origin": "corner", **how}
    written = steps(f, g, **how)
    del how["at"]
    run = correlate if how.pop("correlate", False) else convolve
    return written, run(np.asarray(f, float), np.asarray(g, float), **how)


def texts(figure: Figure) -> list[tuple[float, float, str]]:
    """Each text with its place."""
    (axes,) = figure.axes
    return [(*text.get_position(), text.get_text()) for text in axes.texts if text.get_text()]


def grid_at(figure: Figure, left: float, top: float, rows: int, columns: int) -> list[list[str]]:
    """The numbers in cells whose first one has its corner at `left`, `top`."""
    found: dict[tuple[int, int], str] = {}
    for x, y, text in texts(figure):
        column, row = int(np.floor(x - left)), int(np.floor(y - top))
        if abs(x - left - column - 0.5) < 0.01 and 0 <= row < rows and 0 <= column < columns:
            found.setdefault((row, column), text)
    return [[found.get((row, column), "") for column in range(columns)] for row in range(rows)]


def boxes(figure: Figure, colour: str) -> list[tuple[float, float, float, float]]:
    """Left, top, width and height of the boxes of a colour."""
    (axes,) = figure.axes
    return [
        (*patch.get_xy(), patch.get_width(), patch.get_height())
        for patch in axes.patches
        if isinstance(patch, Rectangle)
        and not patch.get_fill()
        and to_hex(patch.get_edgecolor()) == to_hex(colour)
    ]


# A signal.


def test_a_sum_of_a_signal() -> None:
    written, y = both(F, [1 / 3, 2, -1], at=5)
    figure = draw_signal_sum(view_of(written, y), written[0])
    top, kernel, products = figure.axes
    gray, red, ring = (line.get_xydata() for line in top.lines)
    np.testing.assert_array_equal(gray, np.c_[range(10), F])
    np.testing.assert_allclose(red, np.c_[range(10), np.convolve(F, [1 / 3, 2, -1])[:10]])
    np.testing.assert_allclose(ring, [[5, 9 * -1 + 10 * 2 + 1 / 3]])
    assert top.get_legend()._loc == 4  # lower right
    bars = [[(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in axes.patches
             if bar.get_width() == 0.5] for axes in (kernel, products)]  # fmt: skip
    assert bars[0] == [(3, -1), (4, 2), (5, 1 / 3)]  # flipped, and put at 5
    assert bars[1] == [(3, -9), (4, 20), (5, 1 / 3)]
    assert [text.get_text() for text in kernel.texts] == ["g(2)\n-1", "g(1)\n2", "g(0)\n1/3"]
    assert "g(5 - i)" in kernel.get_title(loc="left")
    assert products.get_title(loc="left").endswith("y(5) = 9·(-1) + 10·2 + 1·1/3 = 11.3333")
    ticks = dict(zip(products.get_xticks(), products.get_xticklabels(), strict=True))
    assert all(tick == round(tick) for tick in ticks)
    assert ticks[5].get_color() == "red"
    assert sum(label.get_color() == "red" for label in ticks.values()) == 1


@pytest.mark.parametrize("at", [0, 9, 137, 299])
def test_the_place_has_a_tick_and_is_seen(at: int) -> None:
    """Also where the signal is long, and its surroundings only are drawn."""
    f = np.random.default_rng(0).normal(size=300)
    written, y = both(f, [1, 2, 3], at=at)
    figure = draw_signal_sum(view_of(written, y), written[0])
    low, high = figure.axes[0].get_xlim()
    assert low < at < high < low + 40
    assert at in figure.axes[2].get_xticks()


def test_a_correlation_a_border_and_a_dilation() -> None:
    written, y = both(F, [1, 2, 3], at=1, correlate=True, border="mirror", origin="center",
                      dilation=2)  # fmt: skip
    figure = draw_signal_sum(view_of(written, y), written[0])
    beyond = figure.axes[0].lines[1]
    assert beyond.get_label() == "f beyond its ends"
    np.testing.assert_array_equal(beyond.get_xydata(), [[-1, F[1]]])
    assert "g as it is, put at 1: g((i - 1)/2)" in figure.axes[1].get_title(loc="left")


def test_only_what_is_computed_so_far() -> None:
    written, y = both(F, [1, 2], at=None)
    figure = draw_signal_sum(view_of(written, y), written[3], until=3)
    assert len(figure.axes[0].lines[1].get_xydata()) == 4


# Matrices.


@pytest.mark.parametrize("correlated", [False, True])
def test_a_sum_of_matrices(correlated: bool) -> None:
    rng = np.random.default_rng(3)
    f, g = rng.integers(1, 99, (4, 5)), rng.integers(1, 99, (2, 3))
    written, y = both(f, g, at=(1, 2), mode="valid", correlate=correlated)
    figure = draw_matrix_sums([(written, y)])
    ((left, top, wide, tall),) = boxes(figure, READS)
    assert (wide, tall) == (3, 2)
    assert grid_at(figure, left - 2, top - 1, 4, 5) == f.astype(str).tolist()
    laid = g if correlated else g[::-1, ::-1]
    part = f[1:3, 2:5]
    assert part[0, 0] == int(grid_at(figure, left, top, 1, 1)[0][0])
    ((green_left, green_top, *size),) = boxes(figure, GIVES)
    assert size == [1, 1]
    assert grid_at(figure, green_left - 2, green_top - 1, 3, 3) == [
        [f"{value:g}" for value in row] for row in y
    ]
    total = int((part * laid).sum())
    assert grid_at(figure, green_left, green_top, 1, 1) == [[str(total)]]
    words = [text for *_, text in texts(figure)]
    assert sum(text in ("flip ↕", "flip ↔") for text in words) == (0 if correlated else 2)
    for value in (part * laid).ravel():
        assert str(value) in words
    assert any(text.startswith("y(1, 2) = ") and text.endswith(f" = {total}") for text in words)


def test_the_flips_are_drawn_one_after_the_other() -> None:
    written, y = both(SQUARE, SQUARE, at=(1, 1))
    figure = draw_matrix_sums([(written, y)])
    (left,) = (x for x, _, text in texts(figure) if text == "g")
    (top,) = (y for _, y, text in texts(figure) if text == "g")
    apart = 3 + 2.1
    for order, turned in enumerate((SQUARE, SQUARE[::-1], SQUARE[::-1, ::-1])):
        place = left + order * apart, top + 0.65
        assert grid_at(figure, *place, 3, 3) == turned.astype(str).tolist()
        # The numbers of rows and columns are turned over too: from the corner 0 1 2, then 2 1 0.
        above = [text for x, y, text in texts(figure) if y == place[1] - 0.3 and place[0] < x
                 < place[0] + 3]  # fmt: skip
        assert above == (["2", "1", "0"] if order == 2 else ["0", "1", "2"])
    # Only what meets f is in the product: four terms, 5 + 8 + 8 + 5.
    assert any(text == "y(1, 1) = 1·5 + 2·4 + 4·2 + 5·1 = 26" for *_, text in texts(figure))


def test_both_beside_each_other() -> None:
    """Article 002, figure 2: 20 and 25; and a ramp, 2 and -2."""
    f, g = [[3, 1, 2], [0, 5, 4], [7, 6, 8]], [[1, 2], [3, 4]]
    for signal, kernel, place, values in (
        (f, g, (0, 0), ("20", "25")),
        ([1, 2, 3, 4, 5], [1, 0, -1], 0, ("2", "-2")),
    ):
        sums = [
            both(signal, kernel, at=place, mode="valid", correlate=flag) for flag in (False, True)
        ]
        figure = draw_matrix_sums(sums)
        marked = [grid_at(figure, x, y, 1, 1)[0][0] for x, y, *_ in boxes(figure, GIVES)]
        assert tuple(marked) == values


def test_a_large_matrix_is_cut() -> None:
    f = np.arange(3000).reshape(60, 50)
    written, y = both(f, [[1, 2]], at=(30, 49))
    figure = draw_matrix_sums([(written, y)])
    words = [text for *_, text in texts(figure)]
    assert "f  (a part of 60×50)" in words
    assert len(words) < 250
    ((left, top, *_),) = boxes(figure, READS)
    assert grid_at(figure, left, top, 1, 2) == [["1548", "1549"]]


def test_a_kernel_may_be_too_large() -> None:
    written, y = both(np.ones((40, 40)), np.ones((2, 21)), at=(1, 1))
    with pytest.raises(ValueError, match=r"room for a kernel that spans 20 .* spans 2×21"):
        draw_matrix_sums([(written, y)])


def test_matrices_without_a_window() -> None:
    y = convolve(SQUARE, SQUARE, "full")
    words = [text for *_, text in texts(draw_matrices(SQUARE, SQUARE, [(y, True)]))]
    assert {"flip ↕", "flip ↔", "g flipped", "y = f ∗ g", "165"} <= set(words)
    words = [text for *_, text in texts(draw_matrix(SQUARE))]
    assert words[:9] == [str(value) for value in range(1, 10)]


# The kernel slides.


def test_frames_of_a_matrix() -> None:
    f, g = np.arange(12).reshape(3, 4) ** 2, np.array([[1, 2], [3, 5]])
    written, y = both(f, g, at=None, mode="valid")
    frames = MatrixFrames(written, y)
    seen = []
    for step in written:
        figure = frames.figure(step)
        assert (
            figure.get_size_inches().tolist()
            == frames.figure(written[0]).get_size_inches().tolist()
        )
        ((left, top, *_),) = boxes(figure, READS)
        seen.append((top, left))
        ((x, at, *_),) = boxes(figure, GIVES)
        assert grid_at(figure, x, at, 1, 1) == [[f"{y[step.position]:g}"]]
        later = [text for row in grid_at(figure, x + 1, at, 1, 1) for text in row]
        assert later == [""]
    first = seen[0]
    assert [(round(a - first[0]), round(b - first[1])) for a, b in seen] == [
        *itertools.product(range(2), range(3))
    ]
    strip = frames.strip(list(written))
    assert len(boxes(strip, READS)) == 6


def test_a_strip_of_a_signal() -> None:
    written, y = both(F, [1, 2, 3], at=None)
    words = [text for *_, text in texts(draw_signal_strip(written, y))]
    assert [word for word in words if word.startswith("y(") and "Σ" not in word] == [
        f"y({n})" for n in range(10)
    ]
    for value in np.convolve(F, [1, 2, 3])[:10]:
        assert str(value) in words
    long = both(np.ones(50), [1, 2], at=None)
    with pytest.raises(
        ValueError, match="room for 30 elements and 40 outputs, and here are 51 and 50"
    ):
        draw_signal_strip(*long)


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_an_animation(monkeypatch: pytest.MonkeyPatch) -> None:
    written, y = both([[1, 2, 3], [4, 5, 6]], [[1, 2]], at=None, mode="valid")
    movie = opened(slide.slide_bytes(written, y, "gif"))
    assert movie.n_frames == 4  # type: ignore[attr-defined]
    assert movie.info["loop"] == 0
    frames = []
    for index in range(4):
        movie.seek(index)
        frames.append(np.asarray(movie.convert("RGB")))
    assert all((a != b).any() for a, b in itertools.pairwise(frames))
    # Of a long signal every so many outputs have a frame.
    monkeypatch.setattr(slide, "MOST_FRAMES", 3)
    movie = opened(slide.slide_bytes(*both(F, [1, 2], at=None), "gif"))
    assert movie.n_frames == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("f", "g", "how", "match"),
    [
        (np.ones(401), [1], {}, "at most 400 samples, and here are 401"),
        (np.ones((13, 3)), [[1]], {}, "at most 12×12, and f has 13×3"),
        (
            np.ones((9, 9)),
            [[1]],
            {},
            "at most 64 places of the window are drawn, and y has 9×9 = 81",
        ),
        (np.ones((12, 2)), [[1, 1]], {"mode": "full", "stride": (1, 1)}, None),
        (np.ones((12, 2)), np.ones((2, 1)), {"mode": "full"}, "y has 13×2"),
    ],
)
def test_what_is_too_large_to_slide(f: Any, g: Any, how: Any, match: str | None) -> None:
    f, y = np.asarray(f), convolve(f, g, **{"mode": "same", **how})
    if match is None:
        slide.check_slide(f, y)
        return
    with pytest.raises(ValueError, match=match):
        slide.check_slide(f, y)
