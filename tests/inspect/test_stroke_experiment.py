"""The experiment with the "2": a stroke altered, and what survives of Sobel's answers."""

import json
from pathlib import Path

import numpy as np
import pytest

from striate.inspect.drawn_two import drawn_two
from striate.inspect.stroke_drawing import draw_stroke
from striate.inspect.stroke_experiment import (
    _compared,
    altered_stroke,
    altered_two,
    level_upper_left,
)
from striate.layers import MaxPool2D
from striate.network import Network


def two() -> np.ndarray:
    """A "2" whose upper left line rises by one pixel every two columns; uint8 16×16."""
    digit = np.zeros((16, 16), np.uint8)
    for column in range(3, 8):
        digit[4 - (column - 3) // 2, column] = 200
    digit[2, 8:11] = 200
    digit[3:8, 10] = 200
    digit[12, 3:12] = 200
    return digit


def test_the_line_becomes_level() -> None:
    digit = two()
    level = level_upper_left(digit, 1, 9)
    assert (level[2, 3:8] == 200).all()
    assert not level[3:5, 3:8].any()
    # Everything else stays.
    np.testing.assert_array_equal(level[:, 8:], digit[:, 8:])
    np.testing.assert_array_equal(level[5:], digit[5:])
    assert level.sum() == digit.sum()
    assert digit[4, 3] == 200  # the digit itself is left alone


def test_half_way_and_bounded() -> None:
    assert level_upper_left(two(), 0.5, 9)[3, 3] == 200
    assert level_upper_left(two(), 1, 1)[3, 3] == 200
    np.testing.assert_array_equal(level_upper_left(two(), 0, 9), two())
    assert not level_upper_left(np.zeros((5, 5)), 1, 9).any()


def test_answers_by_hand() -> None:
    """Sobel's answer to a level line: brightness rises above it; below it, it falls."""
    found = altered_stroke(two()[None], amount=1)
    before, after = found.answers[1]
    # Above the middle of the level line: 200·(1 + 2 + 1), from both neighbours and the line.
    assert after[0, 1, 5] == 800
    assert after[0, 3, 5] == 0  # negative, so the ReLU stops it
    assert before[0, 11, 6] == after[0, 11, 6] == 800
    pooled = found.answers[4]
    np.testing.assert_array_equal(pooled[0][0], before[0].reshape(4, 4, 4, 4).max((1, 3)))


def test_survival_counted_by_hand() -> None:
    found = altered_stroke(two()[None], amount=1)
    before, after = (answers[0] for answers in found.answers[1])
    changed = found.before[0] != found.after[0]
    near = np.zeros((16, 16), bool)
    for row, column in zip(*changed.nonzero(), strict=True):
        near[row - 1 : row + 2, column - 1 : column + 2] = True
    strong = (before >= before.max() / 2) & near
    first = found.survival[0]
    assert (first.pool, first.strong) == (1, int(strong.sum()))
    assert first.survived == int((strong & (after >= before.max() / 2)).sum())
    assert 0 < first.share < 1
    assert first.change == pytest.approx(
        np.sqrt(((after - before)[near] ** 2).sum() / (before[near] ** 2).sum())
    )


def test_pooling_lets_more_survive_of_real_digits(mnist_folder: Path) -> None:
    from striate.data import load

    data = load(mnist_folder)
    found = altered_stroke(data.test_images[data.test_labels == 2][:100])
    shares = {row.pool: row.share for row in found.survival}
    assert found.digits > 50
    assert shares[1] < 0.65
    assert shares[2] > shares[1] + 0.05
    assert shares[4] > 0.8
    changes = [row.change for row in found.survival]
    assert changes == sorted(changes, reverse=True)


def test_bundled_digits_and_both_engines() -> None:
    from striate.data import load

    data = load("digits", test_fraction=0)
    twos = data.train_images[data.train_labels == 2]
    one, other = (altered_stroke(twos, engine=engine) for engine in ("llvm", "numpy"))
    assert one.survival == other.survival
    assert [row.pool for row in one.survival] == [1, 2, 4]
    assert one.survival[1].share > one.survival[0].share
    assert str(one).startswith("16 of 177 digits, the upper left stroke made more level")
    assert json.loads(json.dumps(one.to_dict()))["survival"][0]["pool"] == 1


def longest_row(marked: np.ndarray) -> int:
    """The most marked cells beside each other in a row, counted one by one."""
    best = 0
    for cells in marked:
        run = 0
        for cell in cells:
            run = run + 1 if cell else 0
            best = max(best, run)
    return best


@pytest.mark.parametrize("change", ["hook", "slant"])
def test_the_bar_is_strong_before_and_after(change: str) -> None:
    found = altered_two(3, seed=7, change=change, engine="numpy")
    for index in range(3):
        for row in found.survival:
            one, two = (answers[index] for answers in found.answers[row.pool])
            strong = (one >= one.max() / 2) & (two >= one.max() / 2)
            bar = found.bar(row.pool, index)
            assert bar is not None
            cells = slice(bar.first, bar.last + 1)
            assert strong[bar.row, cells].all()
            assert bar.length == longest_row(found.kept[row.pool][index])
            # Nothing strong of the row's marked cells lies beside it.
            kept = np.pad(found.kept[row.pool][index], ((0, 0), (1, 1)))
            assert not kept[bar.row, bar.first]
            assert not kept[bar.row, bar.last + 2]
    assert sum(row.strong for row in found.survival) > 20


def test_a_digit_may_keep_no_bar() -> None:
    digit, moved = np.zeros((2, 16, 16), np.uint8)
    digit[4, 2:9] = 200
    moved[12, 2:9] = 200
    found = _compared(digit[None], moved[None], "moved down", "numpy")
    assert [row.survived for row in found.survival if row.pool < 8] == [0, 0, 0]
    assert found.bar(1, 0) is None
    assert str(found).endswith("there before and after:\n- none")
    assert all(bar["pool"] == 8 for bar in found.to_dict()["bars"])


def test_a_drawn_two() -> None:
    one = drawn_two(3)
    assert (one.shape, one.dtype) == ((28, 28), np.uint8)
    np.testing.assert_array_equal(one, drawn_two(3))
    assert (one != drawn_two(4)).any()
    # A foot, a bow to the right, and a diagonal between them: where a "2" has ink and where not.
    ink = one > 128
    rows = np.nonzero(ink.any(1))[0]
    columns = np.nonzero(ink.any(0))[0]
    assert ink[rows[-1] - 1, columns[0] + 2 : columns[-1] - 2].all()
    assert ink[rows[0] : rows[0] + 8, columns[-1] - 4 :].any()
    middle = rows[0] + (rows[-1] - rows[0]) // 3
    assert not ink[middle, columns[0] + 4 : columns[0] + 8].any()
    # Nothing of it is cut off, whichever hand draws it and however it leans.
    for seed in range(40):
        for slant in (-1, 0, 1):
            image = drawn_two(seed, slant=slant)
            assert not np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]).any()
            assert (image == 255).sum() > 20


def test_the_hook_changes_the_upper_left_only() -> None:
    for seed in range(5):
        before, after = drawn_two(seed), drawn_two(seed, hook=1)
        rows, columns = np.nonzero(before != after)
        assert rows.max() < 15
        assert columns.max() < 16
        # Level: in its left half the top row that has ink is the same in each column.
        tops = [int(np.argmax(after[:, column] > 100)) for column in range(8, 13)]
        assert max(tops) - min(tops) <= 1


def test_the_slant_moves_the_top_to_the_right() -> None:
    before, after = (drawn_two(0, slant=slant).astype(float) for slant in (0, 1))
    columns = np.arange(28)
    moved = [
        (image[rows] * columns).sum() / image[rows].sum()
        for image in (before, after)
        for rows in (slice(0, 8), slice(20, 28))
    ]
    assert moved[2] - moved[0] > 1  # the top
    assert moved[3] - moved[1] < -1  # the foot


def test_the_figure_has_a_bar_in_each_map() -> None:
    found = altered_two(engine="numpy")
    figure = draw_stroke(found)
    bars = [
        (axes.get_title(), *patch.get_xy(), patch.get_width())
        for axes in figure.axes
        for patch in axes.patches
    ]
    assert len(bars) == 2 * len(found.seen)
    assert [row.pool for row in found.seen] == [1, 2, 4, 7]
    for row, (_, x, y, wide) in zip(found.seen, bars[: len(found.seen)], strict=True):
        bar = found.bar(row.pool, 0)
        assert bar is not None
        assert (x + 0.5, y + 0.5, wide) == (bar.first, bar.row, bar.length)


def test_wrong_arguments_of_a_drawn_two() -> None:
    with pytest.raises(ValueError, match='change must be "hook" or "slant", got \'size\''):
        altered_two(change="size")
    with pytest.raises(ValueError, match="no pixel changes with hook 0"):
        altered_two(amount=0.0, engine="numpy")
    with pytest.raises(ValueError, match="seed must be at least 0"):
        drawn_two(-1)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((2, 8, 8, 3)), r"images must be gray, \(n, height, width\), got shape \(2, 8"),
        (np.zeros((2, 8, 8)), "none of 2 images has a stroke at its upper left"),
    ],
)
def test_mistakes(images: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        altered_stroke(images, engine="numpy")


def test_max_pooling_is_the_layers() -> None:
    found = altered_stroke(two()[None], amount=1)
    image = found.answers[1][0][..., None]
    pooled = Network([MaxPool2D(2)], (16, 16, 1)).predict_logits(image, engine="numpy")
    np.testing.assert_array_equal(found.answers[2][0], pooled[..., 0])
