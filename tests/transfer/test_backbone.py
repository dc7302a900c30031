"""Where a trained network is cut, and what it sees as features, kept on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from striate import architectures
from striate.layers import Conv2D, Dense, Dropout, Flatten, GlobalAvgPool2D, MaxPool2D, ReLU, Scale
from striate.model.preprocessing import Preprocessing
from striate.network import Network
from striate.transfer.backbone import Backbone, find_backbone
from striate.transfer.kept_features import FeatureExtractor

RANDOM = np.random.default_rng(6)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))


def small(channels: int = 3) -> Network:
    layers = [Conv2D(6, 3), ReLU(), MaxPool2D(2), Conv2D(5, 2), ReLU(), GlobalAvgPool2D(),
              Dropout(0.3), Dense(4), Scale(0.5)]  # fmt: skip
    made = Network(layers, (10, 10, channels))
    made.preprocessing = Preprocessing((100.0,) * channels, (50.0,) * channels)
    return made


def test_the_last_layer_with_weights_is_cut_off() -> None:
    backbone = Backbone.of(small())
    assert backbone.network.nodes[backbone.node].name == "global_avg_pool2d_1"
    assert backbone.dropout == 0.3
    made = backbone.with_head(7)
    assert made.output_shape == (7,)
    assert [v.name for v in made.nodes[-2:]] == ["dropout", "head"]
    assert made.preprocessing == small().preprocessing
    np.testing.assert_array_equal(
        made.parameters["conv2d_2/filters"], small().parameters["conv2d_2/filters"]
    )


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("efficientnet_lite0", 1280), ("resnet18", 512), ("squeezenet1_1", 512), ("vgg11", 4096)],
)
def test_architectures(name: str, numbers: int) -> None:
    network = getattr(architectures, name)(classes=10, seed=None)
    backbone = Backbone.of(network, name)
    assert backbone.features().output_shape == (numbers,)
    assert backbone.with_head(3).output_shape == (3,)


def test_what_is_no_backbone_is_said() -> None:
    with pytest.raises(ValueError, match="reads images"):
        Backbone.of(Network([Dense(3), Dense(2)], (5,)), "b")
    with pytest.raises(ValueError, match="no layer before"):
        Backbone.of(Network([Conv2D(4, 3), Flatten()], (5, 5, 1)), "b")
    with pytest.raises(ValueError, match="no pretrained network 'efficientnet-lite'; did you mean"):
        find_backbone("efficientnet-lite")
    with pytest.raises(ValueError, match="no such ONNX file"):
        find_backbone("nothing.onnx")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("mirrored", [False, True])
def test_features_are_what_the_numpy_engine_computes(dtype: type, mirrored: bool) -> None:
    network = small()
    images = RANDOM.integers(0, 256, (37, 10, 10, 3)).astype(dtype)
    backbone = Backbone.of(network)
    found = FeatureExtractor(backbone)(images, mirrored=mirrored)
    seen = images[:, :, ::-1] if mirrored else images
    expected = backbone.features().predict_logits(np.ascontiguousarray(seen), engine="numpy")
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert found.std() > 0.01


def test_images_that_were_seen_are_not_computed_again() -> None:
    images = RANDOM.integers(0, 256, (300, 10, 10, 3)).astype(np.uint8)
    backbone = Backbone.of(small())
    first = FeatureExtractor(backbone)
    found = first(images[:200])
    assert first.computed == 200
    again = FeatureExtractor(backbone)
    order = RANDOM.permutation(300)
    later = again(images[order])
    assert again.computed == 100
    np.testing.assert_array_equal(later[np.argsort(order)][:200], found)
    third = FeatureExtractor(backbone)
    np.testing.assert_array_equal(third(images), later[np.argsort(order)])
    assert third.computed == 0
    # Another view, other pixels, other weights or another preprocessing are something else.
    mirrored = FeatureExtractor(backbone)
    mirrored(images[:10], mirrored=True)
    assert mirrored.computed == 10
    floats = FeatureExtractor(backbone)
    floats(images[:10].astype(np.float32))
    assert floats.computed == 10
    other = small()
    other.parameters["conv2d_1/bias"][0] += 1
    changed = FeatureExtractor(Backbone.of(other))
    assert not np.array_equal(changed(images[:10]), found[:10]) and changed.computed == 10
    other = small()
    other.preprocessing = Preprocessing((90.0,) * 3, (50.0,) * 3)
    changed = FeatureExtractor(Backbone.of(other))
    changed(images[:10])
    assert changed.computed == 10
    unkept = FeatureExtractor(backbone, kept=False)
    unkept(images[:5])
    assert unkept.computed == 5


def test_damaged_entries_are_computed_again(tmp_path: Path) -> None:
    images = RANDOM.integers(0, 256, (80, 10, 10, 3)).astype(np.uint8)
    backbone = Backbone.of(small())
    found = FeatureExtractor(backbone)(images)
    entries = list((tmp_path / "cache").rglob("*.features"))
    assert len(entries) > 30
    for entry in entries:
        content = bytearray(entry.read_bytes())
        content[-1] ^= 1
        entry.write_bytes(content)
    again = FeatureExtractor(backbone)
    np.testing.assert_array_equal(again(images), found)
    assert again.computed == 80


def test_progress_ends_with_all() -> None:
    told: list[tuple[int, int, str]] = []
    images = RANDOM.integers(0, 256, (300, 10, 10, 3)).astype(np.uint8)
    FeatureExtractor(Backbone.of(small()))(images, progress=lambda *given: told.append(given))
    assert told[-1][:2] == (300, 300) and sorted(told) == told
