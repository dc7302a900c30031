"""Which loss targets ask for, which of them are taken for one-hot rows, and which are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from striate.layers import Dense, Flatten
from striate.network import Network
from striate.optim.losses import FunctionLoss, MeanSquaredError, SoftmaxCrossEntropy
from striate.training.evaluation import Evaluation
from striate.training.targets import as_images, choose_loss, indices_of_labels, make_targets


def network(outputs: int) -> Network:
    return Network([Flatten(), Dense(outputs)], (2, 3, 1))


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        ([0, 1, 2], SoftmaxCrossEntropy),
        (["a", "b"], SoftmaxCrossEntropy),
        ([0.0, 1.0], MeanSquaredError),
        # Rows that do not sum to 1, or not nearly,
        ([[0.5, 0.5], [0.5, 0.4]], MeanSquaredError),
        ([[0.5, 0.5011]], MeanSquaredError),
        ([[0.5, 0.4989]], MeanSquaredError),
        # have a number below 0 or above 1,
        ([[-0.1, 0.6, 0.5]], MeanSquaredError),
        ([[1.0005, 0.0]], MeanSquaredError),
        # or are none: a single column, no rows, three axes.
        ([[1.0], [1.0]], MeanSquaredError),
        (np.zeros((0, 3)), MeanSquaredError),
        (np.full((2, 2, 3), 0.5), MeanSquaredError),
    ],
)
def test_the_loss_that_targets_ask_for(y: Any, kind: type) -> None:
    assert type(choose_loss(None, np.array(y))) is kind


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([[0.5, 0.5009]], r"each row of the targets \(1, 2\) sums to 1, like probabilities"),
        ([[0.5, 0.4991]], r"each row of the targets \(1, 2\) sums to 1, like probabilities"),
        ([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]], r"each row of the targets \(2, 3\) sums to 1"),
        ([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], r"the labels of shape \(2, 3\) are one-hot rows"),
    ],
)
def test_probabilities_and_one_hot_rows_are_told(y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_loss(None, np.array(y))
    assert isinstance(choose_loss("mean_squared_error", np.array(y)), MeanSquaredError)


def test_what_is_no_loss() -> None:
    y = np.arange(2)
    with pytest.raises(TypeError, match=r"not <class .*>; write it with parentheses$"):
        choose_loss(SoftmaxCrossEntropy, y)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"or None, not 3$"):
        choose_loss(3, y)  # type: ignore[arg-type]


# Targets


def own(outputs: Any, targets: Any) -> Any:
    return 0.0, 0 * outputs


@pytest.mark.parametrize(
    ("y", "loss", "outputs", "rows"),
    [
        ([2, 0], SoftmaxCrossEntropy(), 3, [[0, 0, 1], [1, 0, 0]]),
        # Whole numbers are classes for a loss of one's own, unless there is only one output,
        ([2, 0], FunctionLoss(own), 3, [[0, 0, 1], [1, 0, 0]]),
        ([2, 0], FunctionLoss(own), 1, [[2], [0]]),
        # and numbers for the squared error.
        ([[2, 0], [1, 3]], MeanSquaredError(), 2, [[2, 0], [1, 3]]),
        ([2.5, 0.0], FunctionLoss(own), 1, [[2.5], [0]]),
        ([True, False], MeanSquaredError(), 1, [[1], [0]]),
    ],
)
def test_rows_for_the_outputs(y: Any, loss: Any, outputs: int, rows: Any) -> None:
    targets = make_targets(network(outputs), np.array(y), loss)
    assert len(targets) == 2
    found = targets[np.arange(2)]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, rows)


@pytest.mark.parametrize(
    ("y", "outputs", "error", "message"),
    [
        ([1.0, 2.0], 2, ValueError, r"targets have the shape \(2,\), but the network has 2 out"),
        ([[1.0], [2.0]], 2, ValueError, r"shape \(2, 1\), but the network has 2 outputs; to train"),
        (["a", "b"], 1, TypeError, "targets must be real numbers, not <U1"),
        ([3.5e38], 1, ValueError, "targets hold NaN or infinity, or numbers too large"),
    ],
)
def test_targets_that_do_not_fit(
    y: Any, outputs: int, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make_targets(network(outputs), np.array(y), MeanSquaredError())
    np.testing.assert_array_equal(
        make_targets(network(1), np.array([3.4e38]), MeanSquaredError()).values,
        np.float32([[3.4e38]]),
    )


# Labels


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([0, 3], 3, r"labels run from 0 to 3, but the network has 3 outputs: .* 0 … 2$"),
        ([-1, 2], 3, r"labels run from -1 to 2, but the network has 3 outputs: .* 0 … 2$"),
        ([-1.0, 2.0], 3, r"labels run from -1 to 2, but"),
        ([0, 1], 1, r"must lie in 0 … 0; to train on numbers, give them as floats$"),
        ([[0, 1], [1, 2]], 3, r"labels must be one row, one per image, not of shape \(2, 2\)$"),
        ([0.5, 1.0], 3, r"class indices \(whole numbers\) or names, not float64$"),
        # Not one-hot: a row of two ones, and one of none.
        ([[1, 1], [0, 0]], 3, "one row, one per image"),
        ([*"abcdefg"], 3, r"labels \['a', 'b', 'c', 'd', 'e'\] are none of the network's"),
    ],
)
def test_labels_that_are_none(labels: Any, classes: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        indices_of_labels(labels, classes, ["x", "y", "z"])


def test_labels_at_both_ends() -> None:
    assert indices_of_labels([2, 0], 3).tolist() == [2, 0]
    assert indices_of_labels([0.0, 2.0], 3).tolist() == [0, 2]
    assert indices_of_labels([[2], [1]], 3).tolist() == [2, 1]
    assert indices_of_labels([], 3).tolist() == []
    with pytest.raises(ValueError, match=r"set network\.classes"):
        indices_of_labels(["a"], 3)


# Images


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "images hold NaN or infinity"),
        (np.inf, "images hold NaN or infinity"),
        (-np.inf, "images hold NaN or infinity"),
        (3.5e38, r"images hold 3\.5e\+38, which is too large for float32: scale them$"),
        (-3.5e38, r"images hold 3\.5e\+38, which is too large for float32: scale them$"),
    ],
)
def test_images_that_float32_cannot_hold(value: float, message: str) -> None:
    images = np.zeros((2, 2, 3, 1))
    images[1, 0, 2] = value
    with pytest.raises(ValueError, match=message):
        as_images(network(1), images)


def test_images_that_it_can() -> None:
    for value in (3.4e38, -3.4e38):
        assert as_images(network(1), np.full((1, 2, 3, 1), value)).min() == value
    assert as_images(network(1), np.zeros((0, 2, 3))).shape == (0, 2, 3, 1)


# Evaluation


def test_a_table_tells_the_worst_mistake_of_each_class() -> None:
    """Of 1100 images: the middle class is taken for the last most often, the last for the first."""
    confusion = np.array([[500, 0, 0], [1, 200, 99], [150, 50, 100]])
    truth = np.repeat([0, 1, 2], confusion.sum(axis=1))
    called = np.concatenate([np.repeat([0, 1, 2], row) for row in confusion])
    result = Evaluation.from_outputs(np.eye(3)[called], truth, ["a", "b", "c"])
    np.testing.assert_array_equal(result.confusion, confusion)
    assert [row[-1].strip() for row in result.table()] == [
        "most often taken for", "", "c (99)", "a (150)",
    ]  # fmt: skip
    assert [row[-2].strip() for row in result.table()[1:]] == ["500", "300", "300"]
    assert result.baseline == 500 / 1100
    assert str(result).startswith(
        f"accuracy 72.73%, always the most frequent class 45.45%, loss {result.loss:.4f}, 1,100 im"
    )
    assert repr(result) == (
        f"Evaluation(accuracy 72.73%, loss {result.loss:.4f}, 1,100 images, 3 classes)"
    )
