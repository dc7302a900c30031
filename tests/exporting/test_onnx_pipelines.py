"""Pipelines of scikit-learn with an estimator of striate, turned into ONNX by skl2onnx."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from striate import BatchNorm, Conv2D, ConvNetClassifier, ConvNetRegressor, Flatten, MaxPool2D, ReLU

onnxruntime = pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")
from skl2onnx.common.data_types import (  # noqa: E402
    DoubleTensorType,
    FloatTensorType,
    UInt8TensorType,
)

Array = np.ndarray[Any, Any]
DIGITS = load_digits()
SETTINGS: dict[str, Any] = {"epochs": 2, "random_state": 0, "engine": "numpy", "batch_size": 64}
LAYERS = [Conv2D(5, 3, padding=1), BatchNorm(), ReLU(), MaxPool2D(2), Flatten()]


def run(model: Any, X: Array, kind: Any) -> list[Array]:
    """What onnxruntime computes of X by a model that skl2onnx has converted."""
    initial = [("X", kind([None, *X.shape[1:]]))]
    made = skl2onnx.to_onnx(model, initial_types=initial, target_opset=17)
    session = onnxruntime.InferenceSession(made.SerializeToString())
    return [np.asarray(value) for value in session.run(None, {"X": X})]


def classified(model: Any, X: Array, kind: Any = FloatTensorType) -> None:
    """onnxruntime gives the classes and probabilities of the model."""
    labels, probabilities = run(model, X, kind)
    assert np.array_equal(labels, model.predict(X))
    np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()])
def test_a_classifier_behind_a_scaler(scaler: Any) -> None:
    X, y = DIGITS.data[:400].astype(np.float32), DIGITS.target[:400]
    pipeline = Pipeline(
        [("scale", scaler), ("net", ConvNetClassifier(LAYERS, image_shape=(8, 8), **SETTINGS))]
    )
    classified(pipeline.fit(X, y), X)


@pytest.mark.parametrize(
    "names",
    [np.array([f"digit {k}" for k in range(10)]), np.arange(10) - 4, np.arange(10) > 4],
    ids=["text", "negative", "boolean"],
)
def test_labels(names: Array) -> None:
    X, y = DIGITS.data[:300].astype(np.float32), names[DIGITS.target[:300]]
    classified(ConvNetClassifier(LAYERS, image_shape=(8, 8), **SETTINGS).fit(X, y), X)


def test_calibrated_probabilities() -> None:
    X, y = DIGITS.data[:300].astype(np.float32), DIGITS.target[:300]
    model = ConvNetClassifier(LAYERS, image_shape=(8, 8), **SETTINGS).fit(X, y)
    held_out = DIGITS.images[300:500, ..., None].astype(np.float32)
    model.network_.calibrate(held_out, DIGITS.target[300:500])
    assert abs(model.network_.answers.temperature - 1) > 0.05
    classified(model, X)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (64,)])
@pytest.mark.parametrize(
    ("dtype", "kind"),
    [(np.float32, FloatTensorType), (np.float64, DoubleTensorType), (np.uint8, UInt8TensorType)],
)
def test_every_form_of_x(shape: tuple[int, ...], dtype: type, kind: Any) -> None:
    """Images and rows of numbers, without a layer list where these are plain features."""
    X, y = DIGITS.data[:300].astype(dtype).reshape(-1, *shape), DIGITS.target[:300]
    layers = None if len(shape) == 1 else LAYERS
    classified(ConvNetClassifier(layers, **SETTINGS).fit(X, y), X, kind)


def test_colour_images_in_rows() -> None:
    """Rows of (height, width, channels), of which no two sides are equal."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 6 * 4 * 2)).astype(np.float32)
    y = rng.integers(0, 3, 60)
    model = make_pipeline(
        StandardScaler(), ConvNetClassifier(LAYERS, image_shape=(6, 4, 2), **SETTINGS)
    )
    classified(model.fit(X, y), X)


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_regressor(outputs: int) -> None:
    X = DIGITS.data[:200].astype(np.float32)
    y = np.stack([X.mean(1) * 10 + 500, X[:, 20], X[:, 30] - 1000], 1)[:, :outputs]
    model = make_pipeline(
        StandardScaler(), ConvNetRegressor(LAYERS, image_shape=(8, 8), **SETTINGS)
    )
    model.fit(X, y[:, 0] if outputs == 1 else y)
    (values,) = run(model, X, FloatTensorType)
    assert values.shape == (200, outputs)
    np.testing.assert_allclose(values, model.predict(X).reshape(200, outputs), rtol=2e-5, atol=1e-4)


def test_what_is_refused() -> None:
    X, y = DIGITS.data[:100].astype(np.float32), DIGITS.target[:100]
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        run(ConvNetClassifier(), X, FloatTensorType)
    halves = ConvNetClassifier(LAYERS, image_shape=(8, 8), **SETTINGS).fit(X, y)
    with pytest.raises(ValueError, match=r"hands on \[60\] numbers for a sample"):
        run(halves, X[:, :60], FloatTensorType)
    with pytest.raises(ValueError, match=r"ConvNetClassifier: .* 10 of .*; give .*_opset=\d\d"):
        skl2onnx.to_onnx(halves, X[:1], target_opset=10)
    halves.classes_ = halves.classes_ + 0.5
    with pytest.raises(TypeError, match=r"text or whole numbers, not \[0.5, .*; fit it to such"):
        run(halves, X, FloatTensorType)


def test_nothing_of_skl2onnx_is_imported() -> None:
    code = (
        "import sys; sys.modules['skl2onnx'] = None; import striate.exporting.onnx_pipelines; "
        "from striate import ConvNetClassifier as C; print(C().onnx_parser())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
