"""Losses against PyTorch, finite differences and worked numbers."""

import numpy as np
import pytest

from striate.optim.losses import MeanSquaredError, SoftmaxCrossEntropy, from_dict, softmax


def differences(loss, outputs, targets, weights, step=1e-6):
    """The gradient by central differences, one output at a time."""
    result = np.zeros_like(outputs)
    for index in np.ndindex(*outputs.shape):
        ends = []
        for sign in (1, -1):
            moved = outputs.copy()
            moved[index] += sign * step
            ends.append(float((weights * loss.per_image(moved, targets)).sum()))
        result[index] = (ends[0] - ends[1]) / (2 * step)
    return result


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
@pytest.mark.parametrize(("images", "classes"), [(1, 2), (7, 3), (16, 10), (33, 17)])
def test_cross_entropy_agrees_with_torch(images, classes, smoothing):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng([images, classes])
    outputs = rng.normal(size=(images, classes)) * 5
    labels = rng.integers(0, classes, images)
    weights = rng.random(images)
    loss = SoftmaxCrossEntropy(smoothing)
    targets = loss.targets(labels, classes).astype(np.float64)
    value, gradient = loss.value_and_gradient(outputs, targets, weights)

    theirs = torch.tensor(outputs, requires_grad=True)
    each = torch.nn.functional.cross_entropy(
        theirs, torch.tensor(labels), reduction="none", label_smoothing=smoothing
    )
    total = (each * torch.tensor(weights)).sum()
    total.backward()
    np.testing.assert_allclose(value, total.item(), rtol=1e-6)
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        loss.per_image(outputs, targets), each.detach().numpy(), rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize("outputs_per_image", [1, 2, 5])
def test_squared_error_agrees_with_torch(outputs_per_image):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    outputs = rng.normal(size=(9, outputs_per_image))
    targets = rng.normal(size=(9, outputs_per_image))
    weights = np.full(9, 1 / 9)
    value, gradient = MeanSquaredError().value_and_gradient(outputs, targets, weights)
    theirs = torch.tensor(outputs, requires_grad=True)
    total = torch.nn.functional.mse_loss(theirs, torch.tensor(targets))
    total.backward()
    np.testing.assert_allclose(value, total.item(), rtol=1e-12)
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(0.1), MeanSquaredError()])
def test_gradients_agree_with_finite_differences(loss):
    rng = np.random.default_rng(5)
    outputs = rng.normal(size=(4, 3))
    targets = rng.random((4, 3))  # need not sum to one
    weights = np.array([0.1, 0.0, 0.5, 2.0])
    _, gradient = loss.value_and_gradient(outputs, targets, weights)
    np.testing.assert_allclose(
        gradient, differences(loss, outputs, targets, weights), rtol=1e-6, atol=1e-8
    )
    assert not gradient[1].any()  # an image of weight zero has no say


@pytest.mark.filterwarnings("error")
def test_cross_entropy_is_stable_for_large_outputs():
    loss = SoftmaxCrossEntropy()
    outputs = np.array([[1e4, -1e4], [-3e4, 3e4]], dtype=np.float32)
    weights = np.full(2, 0.5, dtype=np.float32)
    value, gradient = loss.value_and_gradient(outputs, loss.targets([0, 0], 2), weights)
    assert value == 0.5 * 6e4
    np.testing.assert_array_equal(gradient, [[0, 0], [-0.5, 0.5]])
    np.testing.assert_array_equal(softmax(outputs), [[1, 0], [0, 1]])


def test_dtype_of_the_outputs_is_kept():
    for loss in (SoftmaxCrossEntropy(), MeanSquaredError()):
        outputs = np.ones((2, 3), dtype=np.float32)
        _, gradient = loss.value_and_gradient(outputs, outputs, np.ones(2, dtype=np.float32))
        assert gradient.dtype == np.float32


def test_smoothed_targets():
    targets = SoftmaxCrossEntropy(0.2).targets([2, 0], 4)
    assert targets.dtype == np.float32
    np.testing.assert_allclose(
        targets, [[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]], rtol=1e-6
    )


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0]])
def test_labels_out_of_range_are_told(labels):
    with pytest.raises(ValueError, match=r"network has 3 outputs: labels must lie in 0 … 2"):
        SoftmaxCrossEntropy().targets(labels, 3)


@pytest.mark.parametrize("labels", [[0.5, 1.0], [[0], [1]]])
def test_labels_of_the_wrong_kind_are_told(labels):
    with pytest.raises(ValueError, match="one row of whole class indices"):
        SoftmaxCrossEntropy().targets(labels, 3)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan")])
def test_label_smoothing_out_of_range(smoothing):
    with pytest.raises(ValueError, match="label_smoothing must be at least 0 and below 1"):
        SoftmaxCrossEntropy(smoothing)


def test_losses_travel_as_plain_values():
    loss = from_dict(SoftmaxCrossEntropy(0.25).to_dict())
    assert isinstance(loss, SoftmaxCrossEntropy)
    assert loss.label_smoothing == 0.25
    assert isinstance(from_dict(MeanSquaredError().to_dict()), MeanSquaredError)
    with pytest.raises(ValueError, match="unknown loss 'hinge'"):
        from_dict({"kind": "hinge"})
