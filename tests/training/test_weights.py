"""Sample and class weights."""

import numpy as np
import pytest

from striate.training.sample_weights import check_sample_weight, class_weights, normalised


def test_balanced_is_scikit_learns():
    utils = pytest.importorskip("sklearn.utils")
    labels = np.array([0, 0, 0, 2, 2, 1])
    expected = utils.compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(class_weights("balanced", labels, 3, np.ones(6)), expected)


def test_balanced_counts_weights_and_classes_that_are_there():
    labels = np.array([0, 0, 1, 3])
    weights = class_weights("balanced", labels, 4, np.array([1.0, 1.0, 4.0, 0.0]))
    np.testing.assert_allclose(weights, [6 / 4, 6 / 8, 1, 1])


def test_a_mapping_names_some_classes():
    np.testing.assert_array_equal(class_weights({1: 3.0}, np.array([0]), 3, np.ones(1)), [1, 3, 1])


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("even", ValueError, 'must be "balanced", a mapping or None'),
        ({3: 1.0}, ValueError, "names class 3, but classes run from 0 to 2"),
        ({0: -1.0}, ValueError, "class 0 must be finite and at least 0"),
        ({0: float("nan")}, ValueError, "class 0 must be finite"),
        ({"a": 1.0}, TypeError, "'a' is not a class index"),
    ],
)
def test_bad_class_weights_are_told(value, error, message):
    with pytest.raises(error, match=message):
        class_weights(value, np.array([0, 1]), 3, np.ones(2))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0, 2.0], "one number for each of the 3 images"),
        ([[1.0], [1.0], [1.0]], "one number for each"),
        ([1.0, -1.0, 1.0], "finite and at least 0"),
        ([1.0, np.inf, 1.0], "finite and at least 0"),
        ([0.0, 0.0, 0.0], "0 for every image"),
    ],
)
def test_bad_sample_weights_are_told(value, message):
    with pytest.raises(ValueError, match=message):
        check_sample_weight(value, 3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1e-300, 1e-5, 1.0, 1e300])
def test_normalised_weights_sum_to_one_at_any_scale(scale):
    weights = normalised(np.array([1.0, 3.0, 0.5]) * scale)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, np.array([1.0, 3.0, 0.5]) / 4.5, rtol=1e-6)
