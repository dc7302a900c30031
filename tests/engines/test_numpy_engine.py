"""The NumPy engine: whole networks against finite differences and PyTorch."""

import numpy as np
import pytest

from striate.engines import make_engine
from striate.engines.numpy import NumPyEngine
from striate.layers import (
    Add,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Input,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Sigmoid,
    SumPool2D,
    Tanh,
)
from striate.model.preprocessing import Preprocessing
from striate.network import Network
from striate.optim.losses import MeanSquaredError, SoftmaxCrossEntropy
from striate.optim.optimizers import SGD, AdamW


def everything():
    """A graph with every layer, lopsided sizes, and values that are read twice."""
    image = Input((7, 9, 2))
    x = Conv2D(6, (3, 2), padding=(1, 0, 2, 1), groups=2)(image)
    x = BatchNorm()(x)
    x = ReLU()(x)
    branch = Conv2D(6, 3, padding=2, dilation=2, bias=False)(x)
    x = Add()(x, LeakyReLU(0.1)(branch), x)
    x = MaxPool2D((2, 3), uncovered="drop")(x)
    pools = [
        AvgPool2D(2, stride=1)(x),
        SumPool2D(2, stride=1)(Tanh()(x)),
        MaxPool2D(2, stride=1)(x),
    ]
    x = Dropout(0.3)(Concat()(*pools))
    vectors = [Flatten()(x), GlobalAvgPool2D()(Sigmoid()(x))]
    return Network(inputs=image, output=Dense(4)(Concat()(*vectors)), seed=5)


def batch(count=5, outputs=4):
    random = np.random.default_rng(6)
    images = random.standard_normal((count, 7, 9, 2)).astype(np.float32)
    targets = SoftmaxCrossEntropy().targets(random.integers(0, outputs, count), outputs)
    weights = random.uniform(0.1, 1, count).astype(np.float32)
    return images, targets, weights / weights.sum(), random.integers(0, 2**32, count, np.uint32)


@pytest.mark.parametrize(
    "loss", [SoftmaxCrossEntropy(), MeanSquaredError()], ids=lambda loss: loss.kind
)
def test_the_gradient_of_a_whole_network_agrees_with_finite_differences(loss):
    network = everything()
    data = batch()
    engine = NumPyEngine(network, batch_size=5, loss=loss, dtype=np.float64)
    engine.step(*data)
    gradient = engine.gradient.copy()
    assert gradient.dtype == np.float64
    covered = np.zeros(network.flat.size, bool)
    probe = NumPyEngine(network, batch_size=5, loss=loss, dtype=np.float64)
    for slot in network.slots:
        covered[slot.start : slot.stop] = True
        places = np.random.default_rng(slot.start).integers(slot.start, slot.stop, 12)
        for place in places:
            value = network.flat[place]
            ends = []
            for step in (1e-3, -1e-3):
                network.flat[place] = value + step
                ends.append((float(network.flat[place]), probe.step(*data)[0]))
            network.flat[place] = value
            (above, high), (below, low) = ends
            slope = (high - low) / (above - below)
            assert gradient[place] == pytest.approx(slope, rel=2e-3, abs=2e-5)
    assert not gradient[~covered].any()


def test_a_network_agrees_with_torch():
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    network = Network(
        [
            Conv2D(5, 3, padding=(1, 0)),
            BatchNorm(),
            ReLU(),
            MaxPool2D(2, uncovered="drop"),
            Flatten(),
            Dense(4),
        ],
        (7, 9, 2),
    )
    images, targets, weights, keys = batch()
    # PyTorch flattens (channels, height, width), striate (height, width, channels).
    rows, columns, channels = network.nodes[3].shape
    filters, weight = network.parameters["conv2d_1/filters"], network.parameters["dense_1/weights"]
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(2, 5, 3, padding=(1, 0)),
        torch.nn.BatchNorm2d(5),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(rows * columns * channels, 4),
    )
    with torch.no_grad():
        theirs[0].weight[:] = torch.tensor(filters.transpose(3, 2, 0, 1))
        theirs[0].bias[:] = 0
        shuffled = weight.reshape(rows, columns, channels, 4).transpose(3, 2, 0, 1)
        theirs[5].weight[:] = torch.tensor(shuffled.reshape(4, -1))
        theirs[5].bias[:] = 0
    engine = NumPyEngine(network, batch_size=5, loss=SoftmaxCrossEntropy())
    ours = SGD(momentum=0.9, nesterov=True, weight_decay=0.0)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    for _ in range(3):
        loss, outputs = engine.step(images, targets, weights, keys)
        engine.update(ours, 0.05)
        logits = theirs(torch.tensor(images.transpose(0, 3, 1, 2)))
        each = torch.nn.functional.cross_entropy(logits, torch.tensor(targets), reduction="none")
        total = (each * torch.tensor(weights)).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        assert loss == pytest.approx(total.item(), rel=1e-4)
        np.testing.assert_allclose(outputs, logits.detach().numpy(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        filters, theirs[0].weight.detach().numpy().transpose(2, 3, 1, 0), rtol=1e-3, atol=1e-5
    )
    theirs.eval()
    expected = theirs(torch.tensor(images.transpose(0, 3, 1, 2))).detach().numpy()
    np.testing.assert_allclose(engine.forward(images), expected, rtol=1e-3, atol=1e-4)


def test_steps_reduce_the_loss():
    network = everything()
    data = batch()
    engine = make_engine(network, "numpy", batch_size=8, loss=SoftmaxCrossEntropy())
    optimizer = AdamW()
    losses = []
    for _ in range(30):
        losses.append(engine.step(*data)[0])
        engine.update(optimizer, 0.01)
    assert losses[-1] < losses[0] / 2


def test_a_step_changes_statistics_but_no_parameter():
    network = everything()
    flat, state = network.flat.copy(), network.state_flat.copy()
    engine = NumPyEngine(network, batch_size=5, loss=SoftmaxCrossEntropy())
    engine.forward(batch()[0])
    np.testing.assert_array_equal(network.state_flat, state)
    engine.step(*batch())
    np.testing.assert_array_equal(network.flat, flat)
    assert (network.state_flat != state).any()


def test_the_same_keys_give_the_same_bits():
    first, second = (
        NumPyEngine(everything(), batch_size=5, loss=SoftmaxCrossEntropy()) for _ in range(2)
    )
    images, targets, weights, keys = batch()
    assert (
        first.step(images, targets, weights, keys)[0]
        == (second.step(images, targets, weights, keys)[0])
    )
    np.testing.assert_array_equal(first.gradient, second.gradient)
    second.step(images, targets, weights, keys + np.uint32(1))
    assert (first.gradient != second.gradient).any()


def test_each_dropout_layer_chooses_for_itself():
    network = Network([Dropout(0.5), Dropout(0.5)], (1000,))
    engine = NumPyEngine(network, batch_size=1, loss=MeanSquaredError())
    ones, targets = np.ones((1, 1000), np.float32), np.zeros((1, 1000), np.float32)
    _, outputs = engine.step(ones, targets, np.ones(1, np.float32), np.array([9], np.uint32))
    assert 180 < np.count_nonzero(outputs) < 320  # a quarter, not a half


def test_the_preprocessing_is_applied():
    network = everything()
    raw = np.random.default_rng(0).integers(0, 256, (3, 7, 9, 2), dtype=np.uint8)
    plain = NumPyEngine(network, batch_size=3)
    expected = plain.forward((raw.astype(np.float32) - [100, 90]).astype(np.float32) / 50)
    network.preprocessing = Preprocessing(mean=(100, 90), std=(50, 50))
    np.testing.assert_allclose(plain.forward(raw), expected, rtol=1e-4, atol=1e-5)


def test_precision_follows_the_dtype():
    network = everything()
    images = batch()[0]
    single = NumPyEngine(network, batch_size=5).forward(images)
    double = NumPyEngine(network, batch_size=5, dtype=np.float64).forward(images)
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-5)


def test_mistakes_are_explained():
    network = everything()
    images, targets, weights, keys = batch()
    with pytest.raises(ValueError, match="made without a loss"):
        NumPyEngine(network, batch_size=5).step(images, targets, weights, keys)
    with pytest.raises(ValueError, match="made for batches of 4, got 5 images"):
        engine = NumPyEngine(network, batch_size=4, loss=SoftmaxCrossEntropy())
        engine.step(images, targets, weights, keys)
    with pytest.raises(ValueError, match="reads images of shape"):
        NumPyEngine(network, batch_size=5).forward(images[:, 1:])
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        NumPyEngine(network, batch_size=0)
    with pytest.raises(ValueError, match=r'engine must be "llvm" or "numpy"'):
        make_engine(network, "torch", batch_size=1)


def test_without_llvmlite_numpy_does_the_work(monkeypatch):
    monkeypatch.setattr("striate.nest.target.compiler_error", lambda: "is not installed")
    with pytest.warns(RuntimeWarning, match="llvmlite is not installed"):
        engine = make_engine(everything(), batch_size=2)
    assert isinstance(engine, NumPyEngine)
