"""The experiment with the "2": a stroke altered, and what survives of Sobel's answers."""

import json
from pathlib import Path

import numpy as np
import pytest

from striate.inspect.stroke_experiment import altered_stroke, level_upper_left
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
    assert "digits, the upper left stroke of each made more level" in str(one)
    assert json.loads(json.dumps(one.to_dict()))["survival"][0]["pool"] == 1


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
