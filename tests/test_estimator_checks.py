"""The whole of scikit-learn's own checks, with no expected failures, and all of them."""

import importlib.util

import pytest
from sklearn import __version__ as sklearn_version
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from striate.estimators import ConvNetClassifier, ConvNetRegressor

ENGINES = ["numpy"]
if importlib.util.find_spec("llvmlite") is not None:
    ENGINES.append("llvm")

# How many checks there are for a dense classifier with sample weights and partial_fit, and for
# such a regressor with several outputs.  A wrong tag would silently drop most of them.
COUNTS = {"1.9": {ConvNetClassifier: 67, ConvNetRegressor: 60}}


@parametrize_with_checks(
    [
        kind(engine=engine, n_jobs=1)
        for kind in (ConvNetClassifier, ConvNetRegressor)
        for engine in ENGINES
    ]
)
def test_scikit_learns_checks(estimator, check, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # or one check would skip itself
    check(estimator)


@pytest.mark.parametrize("kind", [ConvNetClassifier, ConvNetRegressor])
def test_no_check_is_left_out(kind):
    found = []
    for _, check in estimator_checks_generator(kind()):
        while hasattr(check, "func"):
            check = check.func
        found.append(check.__name__)
    release = ".".join(sklearn_version.split(".")[:2])
    if release in COUNTS:
        assert len(found) == COUNTS[release][kind]
    assert len(found) >= 55  # whatever the release
    assert {
        "check_sample_weight_equivalence_on_dense_data",
        "check_methods_subset_invariance",
        "check_methods_sample_order_invariance",
        "check_estimators_partial_fit_n_features",
        "check_estimators_nan_inf",
        "check_estimators_pickle",
        "check_fit_idempotent",
        "check_n_features_in",
    } <= set(found)
