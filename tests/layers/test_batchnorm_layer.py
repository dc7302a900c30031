"""Batch normalisation as a layer: running averages, as PyTorch keeps them."""

import numpy as np
import pytest

from striate.layers import BatchNorm, PassContext


@pytest.mark.parametrize("shape", [(6, 7), (3, 4, 5, 8)])
def test_training_and_prediction_agree_with_torch(shape):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    random = np.random.default_rng(1)
    channels = shape[-1]
    scale, shift = random.standard_normal((2, channels))
    theirs = (torch.nn.BatchNorm1d if len(shape) == 2 else torch.nn.BatchNorm2d)(
        channels, momentum=0.1, dtype=torch.float64
    )
    with torch.no_grad():
        theirs.weight[:], theirs.bias[:] = torch.tensor(scale), torch.tensor(shift)
    ours = BatchNorm(momentum=0.9)
    parameters = {"scale": scale, "shift": shift}
    state = {"mean": np.zeros(channels), "variance": np.ones(channels)}

    def both(x, training):
        theirs.train(training)
        first = (0, 1) if len(shape) == 2 else (0, 3, 1, 2)
        back = (0, 1) if len(shape) == 2 else (0, 2, 3, 1)
        expected = theirs(torch.tensor(x.transpose(first))).detach().numpy().transpose(back)
        got, _ = ours.forward((x,), parameters, state, PassContext(training=training))
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)

    for _ in range(3):
        both(random.standard_normal(shape) * 2 + 3, training=True)
    np.testing.assert_allclose(state["mean"], theirs.running_mean.numpy())
    np.testing.assert_allclose(state["variance"], theirs.running_var.numpy())
    both(random.standard_normal(shape), training=False)


def test_a_single_value_per_channel_is_normalised_to_zero():
    state = {"mean": np.zeros(2), "variance": np.ones(2)}
    parameters = {"scale": np.ones(2), "shift": np.full(2, 5.0)}
    output, _ = BatchNorm().forward(
        (np.array([[3.0, 4.0]]),), parameters, state, PassContext(training=True)
    )
    np.testing.assert_array_equal(output, [[5, 5]])
    assert np.isfinite(state["variance"]).all()


@pytest.mark.parametrize("momentum", [-0.1, 1.0])
def test_momentum_is_checked(momentum):
    with pytest.raises(ValueError, match="BatchNorm: momentum must be at least 0 and below 1"):
        BatchNorm(momentum=momentum)


def test_eps_is_checked():
    with pytest.raises(ValueError, match="BatchNorm: eps must be positive, got 0"):
        BatchNorm(eps=0)
    with pytest.raises(TypeError, match="eps must be a number, got 'x'"):
        BatchNorm(eps="x")
    with pytest.raises(ValueError, match="eps must be finite"):
        BatchNorm(eps=10**400)
