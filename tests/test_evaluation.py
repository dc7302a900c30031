"""Evaluation against scikit-learn's metrics and worked numbers."""

import json

import numpy as np
import pytest

from striate.layers import Conv2D, Dense, Flatten
from striate.network import Network
from striate.training.evaluation import Evaluation


def test_figures_are_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    outputs = rng.normal(size=(200, 5))
    labels = rng.integers(0, 4, 200)  # nobody is of the last class
    outputs[:, 3] = -10  # and nothing is called the one before
    result = Evaluation.from_outputs(outputs, labels)
    found = outputs.argmax(axis=1)
    assert result.accuracy == metrics.accuracy_score(labels, found)
    assert result.images == 200
    np.testing.assert_array_equal(
        result.confusion, metrics.confusion_matrix(labels, found, labels=range(5))
    )
    probabilities = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    expected = metrics.log_loss(labels, probabilities, labels=range(5))
    assert result.loss == pytest.approx(expected)
    expected = metrics.precision_recall_fscore_support(
        labels, found, labels=range(5), zero_division=0
    )
    for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        ours = [getattr(report, name) for report in result.classes]
        if name != "support":  # scikit-learn has no sign for what was not measured
            assert ours[4 if name == "recall" else 3 if name == "precision" else 4] is None
            ours = [value or 0.0 for value in ours]
        np.testing.assert_allclose(ours, values)
    assert result.classes[3].f1 == 0.0


def test_worked_example():
    outputs = np.array([[9, 0], [0, 9], [0, 9], [0, 9]])
    result = Evaluation.from_outputs(outputs, [0, 0, 1, 1], ["cat", "dog"])
    np.testing.assert_array_equal(result.confusion, [[1, 1], [0, 2]])
    assert result.accuracy == 0.75
    cat, dog = result.classes
    assert (cat.precision, cat.recall, cat.support) == (1.0, 0.5, 2)
    assert (dog.precision, dog.recall) == (pytest.approx(2 / 3), 1.0)
    assert str(result).splitlines() == [
        f"accuracy 75.00%, always the most frequent class 50.00%, loss {result.loss:.4f}, 4 images",
        "",
        "class  precision  recall      f1  images  most often taken for",
        "cat      100.00%  50.00%  66.67%       2  dog (1)",
        "dog       66.67% 100.00%  80.00%       2",
    ]


def test_it_is_plain_values_for_json():
    result = Evaluation.from_outputs(np.eye(3), [0, 1, 1], ["a", "b", "c"])
    values = json.loads(json.dumps(result.to_dict()))
    assert values["accuracy"] == pytest.approx(2 / 3)
    assert values["images"] == 3
    assert values["baseline"] == pytest.approx(2 / 3)
    assert [entry["recall"] for entry in values["classes"]] == [1.0, 0.5, None]
    assert [entry["precision"] for entry in values["classes"]] == [1.0, 1.0, 0.0]
    assert [entry["f1"] for entry in values["classes"]] == [1.0, pytest.approx(2 / 3), None]
    assert str(result).splitlines()[-1] == "c          0.00%       –       –       0"
    assert values["confusion"] == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]
    assert [entry["name"] for entry in values["classes"]] == ["a", "b", "c"]
    assert values["classes"][1]["recall"] == 0.5
    assert values["classes"][1]["support"] == 2


@pytest.fixture
def network():
    return Network([Conv2D(2, 3), Flatten(), Dense(3)], input_shape=(5, 5, 1))


def test_a_network_is_evaluated_by_indices_or_names(network):
    images = np.random.default_rng(1).integers(0, 255, (20, 5, 5)).astype(np.uint8)
    labels = network.predict(images[..., None], engine="numpy")
    labels[:5] = (labels[:5] + 1) % 3
    result = network.evaluate(images, labels, engine="numpy")
    assert result.accuracy == 0.75
    assert result.classes[2].name == "2"
    network.classes = ["x", "y", "z"]
    by_name = network.evaluate(images, np.array(network.classes)[labels], engine="numpy")
    assert by_name.accuracy == 0.75
    assert by_name.classes[2].name == "z"
    np.testing.assert_array_equal(by_name.confusion, result.confusion)
    assert network.evaluate(images, labels, engine="numpy").accuracy == 0.75


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.ones((2, 5, 5)), [0], "2 images but 1 labels"),
        (np.ones((0, 5, 5)), np.zeros(0, int), "no images to evaluate on"),
        (np.ones((2, 5, 5)), [0, 3], "labels must lie in 0 … 2"),
        (np.ones((2, 5, 5)), [0.5, 1], "class indices"),
        (np.ones((2, 4, 5)), [0, 1], "shape"),
    ],
)
def test_bad_data_are_told(network, images, labels, message):
    with pytest.raises(ValueError, match=message):
        network.evaluate(images, labels, engine="numpy")
