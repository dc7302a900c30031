"""Networks of signals, which are images of height 1: against PyTorch and by hand."""

import numpy as np
import pytest

from striate import (
    AvgPool1D,
    Conv1D,
    Dense,
    Flatten,
    GlobalAvgPool1D,
    GlobalMaxPool1D,
    Input,
    MaxPool1D,
    Network,
    ReLU,
)


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
@pytest.mark.parametrize(
    ("length", "channels", "filters", "size", "options"),
    [
        (33, 3, 7, 5, {}),
        (32, 4, 8, 4, {"stride": 2, "padding": 3, "groups": 2}),
        (31, 2, 9, 3, {"dilation": 4, "padding": (2, 0)}),
        (17, 17, 17, 3, {"groups": 17, "padding": "same"}),
        (16, 1, 5, 4, {"padding": "causal", "dilation": 3}),
    ],
)
def test_convolution_agrees_with_torch(engine, length, channels, filters, size, options):
    torch = pytest.importorskip("torch")
    network = Network([Conv1D(filters, size, **options), Flatten()], (length, channels), seed=3)
    x = np.random.default_rng(0).standard_normal((5, length, channels)).astype(np.float32)
    weights, bias = network.parameters.values()
    bias[...] = np.arange(filters)
    pads = {"causal": (options.get("dilation", 1) * (size - 1), 0), "same": (1, 1)}
    before, after = pads.get(p := options.get("padding", 0), p if isinstance(p, tuple) else (p, p))
    padded = torch.nn.functional.pad(torch.tensor(x.transpose(0, 2, 1)), (before, after))
    expected = torch.nn.functional.conv1d(
        padded, torch.tensor(weights[0].transpose(2, 1, 0).copy()), torch.tensor(bias.copy()),
        options.get("stride", 1), 0, options.get("dilation", 1), options.get("groups", 1),
    )  # fmt: skip
    got = network.predict_logits(x, engine=engine).reshape(5, -1, filters)
    np.testing.assert_allclose(got, expected.numpy().transpose(0, 2, 1), rtol=1e-4, atol=1e-5)


def test_a_causal_convolution_reads_nothing_that_comes_later():
    network = Network([Conv1D(2, 3, padding="causal", dilation=2), Flatten()], (12, 1), seed=0)
    x = np.random.default_rng(0).standard_normal((1, 12, 1)).astype(np.float32)
    changed = x.copy()
    changed[:, 7] += 1
    before, after = (network.predict_logits(v).reshape(12, 2) for v in (x, changed))
    np.testing.assert_array_equal(before[:7], after[:7])
    assert (before[[7, 9, 11]] != after[[7, 9, 11]]).all()


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_pooling_agrees_with_torch(engine):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((4, 19, 5)).astype(np.float32)
    tx = torch.tensor(x.transpose(0, 2, 1).copy())
    f = torch.nn.functional
    for layer, expected in [
        (MaxPool1D(3, stride=2, padding=1), f.max_pool1d(tx, 3, 2, 1)),
        (MaxPool1D(4, dilation=2, uncovered="overhang"),
         f.max_pool1d(tx, 4, dilation=2, ceil_mode=True)),
        (AvgPool1D(3, stride=4, padding=1, count_padding=True, uncovered="overhang"),
         f.avg_pool1d(tx, 3, 4, 1, ceil_mode=True)),
    ]:  # fmt: skip
        got = Network([layer, Flatten()], (19, 5)).predict_logits(x, engine=engine)
        wanted = expected.numpy().transpose(0, 2, 1).reshape(4, -1)
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)
    for layer, expected in [
        (GlobalAvgPool1D(), x.mean(1)), (GlobalMaxPool1D(), x.max(1))
    ]:  # fmt: skip
        got = Network([layer], (19, 5)).predict_logits(x, engine=engine)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_signals_may_come_with_or_without_their_height():
    image = Input((8, 2))
    assert image.shape == (1, 8, 2)
    network = Network(inputs=image, output=Dense(3)(Flatten()(Conv1D(4, 3)(image))), seed=0)
    x = np.random.default_rng(0).standard_normal((6, 8, 2)).astype(np.float32)
    got = network.predict_logits(x)
    np.testing.assert_array_equal(got, network.predict_logits(x[:, None]))
    with pytest.raises(ValueError, match=r"shape \(n, 1, 8, 2\), got \(6, 2, 8\)"):
        network.predict_logits(x.transpose(0, 2, 1))


def test_a_network_of_signals_learns():
    """Which of two tones is in the noise: no input tells that by its mean."""
    random = np.random.default_rng(0)
    time, labels = np.arange(64), random.integers(0, 2, 400)
    tone = np.sin(time * np.where(labels, 0.9, 0.5)[:, None] + random.uniform(0, 6, (400, 1)))
    signals = (tone + 0.5 * random.standard_normal(tone.shape)).astype(np.float32)[..., None]
    network = Network(
        [Conv1D(8, 9, padding="same"), ReLU(), MaxPool1D(4), Conv1D(8, 5), ReLU(),
         GlobalMaxPool1D(), Dense(2)],
        (64, 1), seed=0,
    )  # fmt: skip
    network.fit(signals[:300], labels[:300], epochs=15, seed=0, progress=False)
    assert (network.predict(signals[300:]) == labels[300:]).mean() > 0.95


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv1D(4, (3, 3)), r"Conv1D: size must be one number, got \(3, 3\)"),
        (lambda: MaxPool1D(2, stride=(1, 2)), "MaxPool1D: stride must be one number"),
        (lambda: Conv1D(4, 3, padding="full"), 'padding must be "valid", "same", "causal"'),
        (lambda: Conv1D(4, 3, padding=(1, 2, 3, 4)), r"padding must be \(before, after\)"),
        (lambda: AvgPool1D(3, padding=-1), "padding must be at least 0, got -1"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
