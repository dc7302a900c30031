"""Networks in which a layer became another: the same outputs, trainable and saved as before."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import striate
from striate.layers import (
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    GroupedDense,
    LocallyConnected2D,
    MaxPool2D,
    ReLU,
)
from striate.model.preprocessing import Preprocessing
from striate.network import Network
from striate.teaching.conversions import (
    TrainedLayer,
    replaced,
    to_conv2d,
    to_dense,
    to_grouped_dense,
    to_locally_connected,
)


def network() -> Network:
    layers = [
        Conv2D(4, 3, padding=1), BatchNorm(), ReLU(), MaxPool2D(2), Conv2D(6, 2), ReLU(), Flatten(),
        Dense(5),
    ]  # fmt: skip
    made = Network(layers, (6, 8, 2))
    rng = np.random.default_rng(3)
    made.flat[:] += 0.1 * rng.standard_normal(made.flat.size).astype(np.float32)
    made.state["batch_norm_1/mean"][:] = 0.2
    made.classes = list("abcde")
    made.preprocessing = Preprocessing(mean=(0.5, 0.1), std=(2.0, 1.0))
    return made


def images(n: int = 5) -> np.ndarray:
    return np.random.default_rng(4).uniform(0, 1, (n, 6, 8, 2)).astype(np.float32)


def same(one: Network, other: Network) -> bool:
    outputs = [net.predict_logits(images(), engine="numpy") for net in (one, other)]
    return bool(np.abs(outputs[0] - outputs[1]).max() <= 1e-5)


def test_a_convolution_becomes_others_and_again_one() -> None:
    original = network()
    local = replaced(
        original, "conv2d_1", to_locally_connected(TrainedLayer.of(original, "conv2d_1"))
    )
    assert isinstance(local.nodes[0].layer, LocallyConnected2D)
    assert local.nodes[0].name == "conv2d_1"
    assert same(original, local)
    assert local.classes == original.classes
    assert local.preprocessing == original.preprocessing
    back = replaced(local, "conv2d_1", to_conv2d(TrainedLayer.of(local, "conv2d_1")))
    assert back.get_config() == original.get_config()
    for name, array in original.parameters.items():
        np.testing.assert_array_equal(back.parameters[name], array)


def test_what_follows_a_dense_layer_is_flat() -> None:
    original = network()
    dense = replaced(original, "conv2d_2", to_dense(TrainedLayer.of(original, "conv2d_2")))
    kinds = [type(vertex.layer) for vertex in dense.nodes]
    assert kinds[4:] == [Flatten, Dense, ReLU, Flatten, Dense]
    assert same(original, dense)
    windows = {"like": Conv2D(6, 2), "image": (3, 4, 4)}
    back = replaced(dense, "conv2d_2", to_conv2d(TrainedLayer.of(dense, "conv2d_2"), **windows))
    assert Conv2D in [type(vertex.layer) for vertex in back.nodes[4:]]
    assert same(original, back)


def test_training_sets_shared_weights_free(tmp_path: Path) -> None:
    """Converted, trained on, saved and read: positions part, so it is no convolution any more."""
    local = replaced(
        network(), "conv2d_2", to_locally_connected(TrainedLayer.of(network(), "conv2d_2"))
    )
    local.fit(images(20), np.arange(20) % 5, epochs=2, engine="numpy", progress=False)
    with pytest.raises(ValueError, match='LocallyConnected2D "conv2d_2": weights'):
        to_conv2d(TrainedLayer.of(local, "conv2d_2"))
    local.save(tmp_path / "local.safetensors")
    assert same(local, striate.load(tmp_path / "local.safetensors"))


def test_groups_in_a_network() -> None:
    original = Network([Dense(6), ReLU(), Dense(2)], (4,))
    weights = original.parameters["dense_1/weights"]
    weights[:] = np.repeat(weights[:, ::3], 3, axis=1)
    grouped = replaced(
        original, "dense_1", to_grouped_dense(TrainedLayer.of(original, "dense_1"), 3)
    )
    assert isinstance(grouped.nodes[0].layer, GroupedDense)
    x = images()[:, 0, :2].reshape(5, 4)
    np.testing.assert_allclose(
        grouped.predict_logits(x, engine="numpy"),
        original.predict_logits(x, engine="numpy"),
        atol=1e-6,
    )


def test_what_does_not_fit_is_explained() -> None:
    original = network()
    with pytest.raises(ValueError, match="has no layer 'conv'; it has conv2d_1, batch_norm_1"):
        TrainedLayer.of(original, "conv")
    dense = to_dense(TrainedLayer.of(original, "conv2d_1"))
    with pytest.raises(ValueError, match='MaxPool2D "max_pool2d_1": needs images'):
        replaced(original, "conv2d_1", dense)
    small = Network([Conv2D(4, 3), BatchNorm(), Flatten(), Dense(2)], (4, 4, 1))
    with pytest.raises(ValueError, match=re.escape("batch_norm_1/scale has shape (4,), but would")):
        replaced(small, "conv2d_1", to_dense(TrainedLayer.of(small, "conv2d_1")))
    with pytest.raises(ValueError, match=re.escape("the layer reads (96,), but in its place the")):
        replaced(original, "conv2d_2", dense)
    other = TrainedLayer(
        Conv2D(3, 2, bias=False), {"filters": np.zeros((2, 2, 4, 3), np.float32)}, (3, 4, 4)
    )
    with pytest.raises(ValueError, match=re.escape("gives (2, 3, 6), but Conv2D(3, (2, 2)")):
        replaced(original, "conv2d_2", other)
