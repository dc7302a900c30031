"""Optimisers against PyTorch's, over several steps."""

import copy
import pickle

import numpy as np
import pytest

from striate.optim.layerwise import LAMB, LARS
from striate.optim.optimizers import SGD, AdamW, by_name, from_dict

SIZE = 37


def march(optimizer, steps=7):
    """Run some steps with changing rates; the parameters, gradients and rates."""
    rng = np.random.default_rng(11)
    start = rng.normal(size=SIZE).astype(np.float32)
    gradients = rng.normal(size=(steps, SIZE)).astype(np.float32)
    rates = rng.uniform(0.01, 0.2, size=steps)
    mask = (np.arange(SIZE) % 3 != 0).astype(np.float32)
    flat = start.copy()
    for gradient, rate in zip(gradients, rates, strict=True):
        optimizer.apply(flat, gradient, mask, float(rate))
    return start, flat, gradients, rates, mask


def torch_march(make, start, gradients, rates, mask, weight_decay):
    torch = pytest.importorskip("torch")
    decayed = torch.tensor(start[mask == 1], requires_grad=True)
    plain = torch.tensor(start[mask == 0], requires_grad=True)
    theirs = make(
        torch,
        [
            {"params": [decayed], "weight_decay": weight_decay},
            {"params": [plain], "weight_decay": 0.0},
        ],
    )
    for gradient, rate in zip(gradients, rates, strict=True):
        for group in theirs.param_groups:
            group["lr"] = float(rate)
        decayed.grad = torch.tensor(gradient[mask == 1])
        plain.grad = torch.tensor(gradient[mask == 0])
        theirs.step()
    result = np.empty_like(start)
    result[mask == 1] = decayed.detach().numpy()
    result[mask == 0] = plain.detach().numpy()
    return result


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize(
    ("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True), (0.5, True)]
)
def test_sgd_agrees_with_torch(momentum, nesterov, weight_decay):
    optimizer = SGD(momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)
    start, flat, gradients, rates, mask = march(optimizer)
    expected = torch_march(
        lambda torch, groups: torch.optim.SGD(
            groups, lr=0.1, momentum=momentum, nesterov=nesterov
        ),
        start, gradients, rates, mask, weight_decay,
    )  # fmt: skip
    np.testing.assert_allclose(flat, expected, rtol=2e-6, atol=1e-6)
    assert optimizer.steps == 7


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize(("beta1", "beta2", "eps"), [(0.9, 0.999, 1e-8), (0.8, 0.95, 1e-3)])
def test_adamw_agrees_with_torch(beta1, beta2, eps, weight_decay):
    optimizer = AdamW(beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay)
    start, flat, gradients, rates, mask = march(optimizer)
    expected = torch_march(
        lambda torch, groups: torch.optim.AdamW(groups, lr=0.1, betas=(beta1, beta2), eps=eps),
        start, gradients, rates, mask, weight_decay,
    )  # fmt: skip
    np.testing.assert_allclose(flat, expected, rtol=2e-6, atol=1e-6)
    assert optimizer.steps == 7


@pytest.mark.parametrize("optimizer", [SGD(), AdamW(), LARS(), LAMB()])
def test_state_is_aligned_float32(optimizer):
    optimizer.prepare(SIZE)
    assert len(optimizer.state) == optimizer.slots
    for buffer in optimizer.state:
        assert buffer.dtype == np.float32
        assert buffer.shape == (SIZE,)
        assert buffer.ctypes.data % 64 == 0
        assert not buffer.any()
    flat = np.ones(SIZE, dtype=np.float32)
    optimizer.apply(flat, flat.copy(), flat.copy(), 0.1)
    assert flat.dtype == np.float32
    kept = optimizer.state[0]
    optimizer.prepare(SIZE)  # same size: training goes on
    assert optimizer.state[0] is kept
    assert optimizer.steps == 1
    optimizer.prepare(SIZE + 1)  # another network: from zero
    assert optimizer.steps == 0
    assert not optimizer.state[0].any()


@pytest.mark.parametrize("make", [SGD, AdamW, LARS, LAMB])
def test_stored_state_goes_on_with_the_same_bits(make):
    whole = make(weight_decay=0.1)
    first = make(weight_decay=0.1)
    rng = np.random.default_rng(2)
    gradients = rng.normal(size=(6, SIZE)).astype(np.float32)
    mask = np.ones(SIZE, dtype=np.float32)
    one, two = np.ones((2, SIZE), dtype=np.float32)
    for gradient in gradients:
        whole.apply(one, gradient, mask, 0.05)
    for gradient in gradients[:3]:
        first.apply(two, gradient, mask, 0.05)
    second = from_dict(first.to_dict())
    second.load_arrays(first.arrays())
    for gradient in gradients[3:]:
        second.apply(two, gradient, mask, 0.05)
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
@pytest.mark.parametrize("make", [SGD, AdamW, LARS, LAMB])
def test_copies_have_state_of_their_own_and_aligned(make, copied):
    optimizer = make()
    flat = np.ones(SIZE, dtype=np.float32)
    optimizer.apply(flat, flat.copy(), flat.copy(), 0.1)
    twin = copied(optimizer)
    assert twin.steps == 1
    assert twin.hyperparameters() == optimizer.hyperparameters()
    for ours, theirs in zip(optimizer.state, twin.state, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert theirs.ctypes.data % 64 == 0
        assert theirs.flags.writeable
        assert not np.shares_memory(ours, theirs)


def test_stored_state_that_does_not_fit_is_told():
    with pytest.raises(ValueError, match="sgd keeps"):
        SGD().load_arrays({"state_0": np.ones(3), "state_1": np.ones(3)})
    with pytest.raises(ValueError, match="different sizes"):
        AdamW().load_arrays({"state_0": np.ones(3), "state_1": np.ones(4)})


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (SGD, {"momentum": 1.0}, "sgd: momentum must be at least 0 and below 1, not 1.0"),
        (SGD, {"momentum": -0.1}, "sgd: momentum"),
        (SGD, {"weight_decay": -1e-4}, "sgd: weight_decay must be finite and at least 0"),
        (AdamW, {"beta1": 1.5}, "adamw: beta1"),
        (AdamW, {"beta2": float("nan")}, "adamw: beta2"),
        (AdamW, {"eps": 0.0}, "adamw: eps must be above 0"),
        (AdamW, {"weight_decay": float("inf")}, "adamw: weight_decay"),
    ],
)
def test_bad_hyperparameters_are_told(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_bad_types_names_and_rates_are_told():
    with pytest.raises(TypeError, match="nesterov must be True or False"):
        SGD(nesterov="yes")
    with pytest.raises(
        ValueError, match="unknown optimizer 'adam': known are 'sgd', 'adamw', 'lars'"
    ):
        by_name("adam")
    with pytest.raises(TypeError, match=r"optimizer 'sgd'.*beta1"):
        by_name("sgd", beta1=0.9)
    flat = np.ones(3, dtype=np.float32)
    for rate in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="learning rate must be finite and at least 0"):
            SGD().apply(flat, flat, flat, rate)


def test_by_name():
    assert isinstance(by_name("sgd", momentum=0.5), SGD)
    assert isinstance(by_name("adamw"), AdamW)
    assert isinstance(by_name("lars", trust_coefficient=0.01), LARS)
    assert isinstance(by_name("lamb"), LAMB)
    assert repr(by_name("sgd")) == "SGD(momentum=0.9, nesterov=True, weight_decay=0.0)"
