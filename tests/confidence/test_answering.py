"""Networks that say "unknown": calibration, files, copies, features."""

import copy
import json
import pickle
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate
from striate.confidence.scores import distance
from striate.layers import (
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    MaxPool2D,
    ReLU,
    Scale,
)
from striate.model.answers import Answers
from striate.model.files import ModelFileError
from striate.model.rejection import Rejection
from striate.network import Input, Network

SCORES = ("softmax", "logit", "energy", "mahalanobis", "neighbours", "exposure")


def layers(*, scaled: bool = False) -> list[Any]:
    end = [Scale(0.2)] if scaled else []
    return [Conv2D(5, 3), ReLU(), MaxPool2D(2), Flatten(), Dropout(0.5), Dense(3), *end]


def make(score: str | None = None, **options: Any) -> Network:
    """A network of 6×8 images and three classes, with 30 features."""
    network = Network(layers(**options), (6, 8, 2), seed=4)
    network.classes = ["a", "b", "c"]
    if score is not None:
        network.answers = Answers(temperature=0.5, rejection=rejection(score))
    return network


def rejection(score: str, features: int = 30, classes: int = 3) -> Rejection:
    rng = np.random.default_rng(2)
    arrays = {
        "mahalanobis": {
            "whitening": rng.normal(size=(features, 4)).astype(np.float32),
            "means": rng.normal(size=(classes, 4)).astype(np.float32),
        },
        "neighbours": {
            "centre": rng.normal(size=(1, features)).astype(np.float32),
            "directions": rng.normal(size=(features, 4)).astype(np.float32),
            "bank": rng.normal(size=(9, 4)).astype(np.float32),
        },
        "exposure": {
            "hidden": rng.normal(size=(features + 1, 5)).astype(np.float32),
            "decided": rng.normal(size=(6, classes + 1)).astype(np.float32),
        },
    }
    known = np.sort(rng.normal(size=40).astype(np.float32))
    return Rejection(score, 0.25, 0.02, known, arrays.get(score, {}))


IMAGES = np.random.default_rng(1).integers(0, 256, (7, 6, 8, 2), dtype=np.uint8)


# Features


def graph() -> Network:
    """Shared layers, a head, and a vector at the end."""
    x = image = Input((6, 8, 2))
    shared = Conv2D(2, 3, padding="same", name="again")
    x = shared(ReLU()(shared(x)))
    head = Dense(3)(Flatten()(x))
    x = GlobalAvgPool2D()(ReLU()(Conv2D(4, 3)(x)))
    return Network(inputs=image, output=Dense(3)(x), heads={"aux": (head, 0.3)}, seed=1)


def convolutional() -> Network:
    """Which ends with a convolution and the average, as SqueezeNet does."""
    return Network([Conv2D(4, 3), ReLU(), Conv2D(3, 1), GlobalAvgPool2D()], (6, 8, 2), seed=1)


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
@pytest.mark.parametrize(
    ("network", "last"),
    [
        (make(), "flatten_1"),
        (make(scaled=True), "flatten_1"),
        (graph(), "global_avg_pool2d_1"),
        (convolutional(), "relu_1"),
    ],
)
def test_features_follow_the_outputs(network: Network, last: str, engine: str) -> None:
    """They are the values of the layer before the last one with weights."""
    from striate.inspect.values import Tape

    both = network.with_features().predict_logits(IMAGES, engine=engine)
    index = [vertex.name for vertex in network.nodes].index(last)
    values = Tape(network, IMAGES).values[index]
    features = values.mean(axis=(1, 2)) if values.ndim == 4 else values
    assert network.feature_count == features.shape[1]
    expected = np.concatenate([network.predict_logits(IMAGES, engine="numpy"), features], axis=1)
    np.testing.assert_allclose(both, expected, rtol=1e-4, atol=1e-3)


def test_features_have_the_weights_of_now() -> None:
    network = make()
    before = network.with_features().predict_logits(IMAGES, engine="numpy")
    network.parameters["dense_1/bias"][...] = 9
    network.preprocessing = striate.Preprocessing(mean=(100, 120), std=(50, 60))
    after = network.with_features().predict_logits(IMAGES, engine="numpy")
    assert not np.allclose(before, after)
    np.testing.assert_allclose(
        after[:, :3], network.predict_logits(IMAGES, engine="numpy"), rtol=1e-5
    )


@pytest.mark.parametrize(
    "network",
    [
        Network([Dense(3)], (5,)),
        Network([Conv2D(3, 1)], (6, 8, 2)),
        Network([GlobalAvgPool2D()], (6, 8, 3)),
    ],
)
def test_networks_without_features(network: Network) -> None:
    assert network.feature_count is None
    x = np.random.default_rng(0).normal(size=(3, *network.input_shape)).astype(np.float32)
    found = network.with_features().predict_logits(x, engine="numpy")
    np.testing.assert_array_equal(found, network.predict_logits(x, engine="numpy"))


# What is said


@pytest.mark.parametrize("score", SCORES)
def test_unknown_images(score: str) -> None:
    network = make(score)
    told = network.distances(IMAGES, engine="numpy")
    both = network.with_features().predict_logits(IMAGES, engine="numpy")
    rejected = network.answers.rejection
    assert rejected is not None
    expected = distance(score, both[:, :3], both[:, 3:], rejected.arrays)
    np.testing.assert_array_equal(told.values, expected)
    for value, nearer, unknown in zip(told.values, told.nearer, told.unknown, strict=True):
        assert unknown == (value > 0.25)
        assert nearer == pytest.approx(sum(float(k) < value for k in rejected.distances) / 40)
    names = network.predict(IMAGES, engine="numpy")
    plain = network.predict(IMAGES, engine="numpy", reject=False)
    assert set(plain) <= {"a", "b", "c"}
    np.testing.assert_array_equal(names, np.where(told.unknown, "unknown", plain))
    network.classes = None
    numbers = network.predict(IMAGES, engine="numpy")
    indices = network.predict(IMAGES, engine="numpy", reject=False)
    np.testing.assert_array_equal(numbers, np.where(told.unknown, -1, indices))


def test_what_is_no_number_is_not_known() -> None:
    network = make("energy")
    network.parameters["dense_1/bias"][...] = np.nan
    assert network.distances(IMAGES, engine="numpy").unknown.all()
    assert (network.predict(IMAGES, engine="numpy") == "unknown").all()


def test_a_network_that_cannot_tell() -> None:
    network = make()
    assert "unknown" not in network.predict(IMAGES, engine="numpy")
    for call in (network.distances, lambda images: network.predict(images, reject=True)):
        with pytest.raises(ValueError, match="has no rejection to tell unknown images by"):
            call(IMAGES)


def test_a_head_does_not_reject() -> None:
    network = graph()
    network.answers = Answers(rejection=rejection("neighbours", 4))
    assert (network.predict(IMAGES, engine="numpy", head="aux") >= 0).all()
    with pytest.raises(ValueError, match="only its output rejects, not a head"):
        network.predict(IMAGES, head="aux", reject=True)
    network.without_heads().predict(IMAGES, engine="numpy")


def test_probabilities_have_the_temperature() -> None:
    network = make()
    network.parameters["dense_1/weights"][...] *= 0.01
    network.answers = Answers(temperature=0.25)
    outputs = network.predict_logits(IMAGES, engine="numpy").astype(float) * 4
    expected = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(network.predict_proba(IMAGES, engine="numpy"), expected, atol=1e-6)
    rows, labels = np.arange(7), np.arange(7) % 3
    loss = network.evaluate(IMAGES, labels, engine="numpy").loss
    assert loss == pytest.approx(-np.log(expected[rows, labels]).mean(), rel=1e-4)


# Calibrating


def learned(count: int = 400) -> tuple[Network, np.ndarray, np.ndarray]:
    """A network that tells dark from light and lighter images, and images for it."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 3
    noise = rng.normal(0, 12, (count, 6, 8, 2))
    images = np.clip(40 + 60 * labels[:, None, None, None] + noise, 0, 255).astype(np.uint8)
    network = make()
    network.fit(images, labels, epochs=6, batch_size=32, engine="numpy", progress=False)
    return network, images, labels


def test_calibrate() -> None:
    network, images, labels = learned()
    found = network.calibrate(images[200:], labels[200:], engine="numpy")
    assert network.answers == Answers(temperature=found.temperature)
    assert found.choice is None and found.images == 200
    found = network.calibrate(
        images[200:],
        np.array(["a", "b", "c"])[labels[200:]],
        reject=0.05,
        training=(images[:200], labels[:200]),
        engine="numpy",
    )
    assert found.choice is not None
    assert network.answers.rejection == found.choice.rejection
    names = network.predict(images[200:], engine="numpy")
    assert 0.02 <= (names == "unknown").mean() <= 0.05
    json.dumps(found.to_dict())
    assert network.distances(images[:50], engine="numpy").score == found.choice.rejection.score


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"reject": 0.0}, "reject must be a share above 0 and below 1, such as 0.02, got 0"),
        ({"reject": 1.5}, "reject must be a share"),
        ({"reject": 0.1}, "give training="),
        ({"reject": 0.01, "training": True}, "needs at least 99 images"),
        ({"classes": ["a", "unknown", "c"], "reject": 0.1}, 'class is called "unknown"'),
        ({"kind": "labels"}, "are no classes"),
        ({"few": 10}, "needs at least 20 images"),
        ({"few": 0}, "there are 0 images"),
    ],
)
def test_what_cannot_be_calibrated(options: dict[str, Any], match: str) -> None:
    network = make()
    count = options.pop("few", 60)
    images = np.random.default_rng(0).integers(0, 256, (60, 6, 8, 2), dtype=np.uint8)
    labels = np.arange(60) % 3
    if options.pop("training", False):
        options["training"] = (images, labels)
    network.classes = options.pop("classes", network.classes)
    network.answers = Answers(kind=options.pop("kind", "classes"))
    before = network.answers
    with pytest.raises(ValueError, match=match):
        network.calibrate(images[:count], labels[:count], engine="numpy", **options)
    assert network.answers is before


def test_training_on_drops_what_was_found() -> None:
    network, images, labels = learned()
    network.calibrate(images, labels, reject=0.05, training=(images, labels), engine="numpy")
    assert network.answers.rejection is not None
    network.fit(images, labels, epochs=1, engine="numpy", progress=False)
    assert network.answers == Answers()


# Files and copies


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("scaled", [False, True])
def test_a_rejection_comes_back(tmp_path: Path, score: str, scaled: bool) -> None:
    network = make(score, scaled=scaled)
    path = tmp_path / "m.safetensors"
    network.save(path)
    loaded = striate.load(path)
    assert loaded.answers == network.answers
    assert loaded.answers != replace(network.answers, temperature=1.0)
    for again in (loaded, copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert again.answers == network.answers
        np.testing.assert_allclose(
            again.distances(IMAGES, engine="numpy").values,
            network.distances(IMAGES, engine="numpy").values,
            rtol=1e-9,
        )
    first = path.read_bytes()
    loaded.save(path)
    assert path.read_bytes() == first


def test_rejections_are_compared_by_their_numbers() -> None:
    one, other = rejection("neighbours"), rejection("neighbours")
    assert one == other and hash(one) == hash(other)
    changed = one.arrays["bank"].copy()
    changed[3, 3] += 1
    assert one != replace(other, arrays={**other.arrays, "bank": changed})
    assert one != rejection("mahalanobis") and one != "neighbours"
    assert repr(one).startswith("Rejection(score='neighbours', threshold=0.25")


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edit what a file says of answers, as another program would."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    answers = json.loads(header["__metadata__"]["answers"])
    edit({"header": header, "answers": answers, **answers.get("rejection", {})})
    header["__metadata__"]["answers"] = json.dumps(answers)
    header["__metadata__"].pop("checksum", None)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def rename(given: dict[str, Any], old: str, new: str) -> None:
    given["header"][new] = given["header"].pop(old)


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda g: g["answers"]["rejection"].update(score="nearest"), "score must be one of"),
        (lambda g: g["answers"]["rejection"].update(score=["energy"]), "score must be one of"),
        (lambda g: g["answers"]["rejection"].update(score="energy"), "needs the arrays none"),
        (lambda g: g["answers"]["rejection"].update(threshold="1"), "threshold must be a number"),
        (lambda g: g["answers"]["rejection"].update(threshold=10**400), "is too large"),
        (lambda g: g["answers"]["rejection"].update(rate=0), "rate must be above 0"),
        (lambda g: g["answers"]["rejection"].update(more=0), "expected the entries"),
        (lambda g: g["answers"]["rejection"].pop("rate"), "expected the entries"),
        (lambda g: g["answers"].update(rejection=3), "expected the entries"),
        (lambda g: g["answers"].update(rejection=None), "expected the entries"),
        (lambda g: g["answers"].update(kind="numbers"), 'for the kind "classes"'),
        (lambda g: g["answers"].update(temperature=0), "temperature must be of"),
        (lambda g: g["answers"].pop("rejection"), "there is no rejection that needs the arrays"),
        (lambda g: rename(g, "answers/bank", "answers/means"), "needs the arrays centre, dir"),
        (lambda g: rename(g, "answers/bank", "answers/other"), "holds answers/other, which its"),
        (lambda g: rename(g, "answers/distances", "x/y"), "holds x/y"),
        (lambda g: g["header"]["answers/bank"].update(shape=[4, 9]), r"has the shape \(30, 4\)"),
        (lambda g: g["header"]["answers/bank"].update(shape=[36]), r"bank has the shape \(36,\)"),
        (lambda g: g["header"]["answers/centre"].update(shape=[30, 1]), r"the shape \(30, 1\)"),
        (lambda g: g["header"]["answers/distances"].update(shape=[4, 10]), r"the shape \(4, 10\)"),
        (lambda g: g["header"]["answers/bank"].update(dtype="I32"), "stored as I32"),
    ],
)
def test_files_whose_answers_are_wrong(
    tmp_path: Path, edit: Callable[[dict[str, Any]], object], match: str
) -> None:
    path = tmp_path / "m.safetensors"
    make("neighbours").save(path)
    change(path, edit)
    with pytest.raises(ModelFileError, match=match) as caught:
        striate.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) <= 500


@pytest.mark.parametrize("place", ["distances", "bank"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_of_answers_that_are_not_finite(tmp_path: Path, place: str, value: float) -> None:
    path = tmp_path / "m.safetensors"
    make("neighbours").save(path)

    def spoil(given: dict[str, Any]) -> None:
        start, end = given["header"][f"answers/{place}"]["data_offsets"]
        spoiled.append((start, end))

    spoiled: list[tuple[int, int]] = []
    change(path, spoil)
    content = path.read_bytes()
    begin = 8 + struct.unpack("<Q", content[:8])[0]
    _, end = spoiled[0]
    at = begin + end
    path.write_bytes(content[: at - 4] + struct.pack("<f", value) + content[at:])
    with pytest.raises(ModelFileError, match=f"{place} holds numbers that are not finite"):
        striate.load(path)


def test_a_changed_bit_of_answers_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    make("neighbours").save(path)
    content = path.read_bytes()
    begin = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:begin])
    for name in ("answers/bank", "answers/distances"):
        place = begin + header[name]["data_offsets"][0]
        wrong = bytearray(content)
        wrong[place] ^= 1
        path.write_bytes(wrong)
        with pytest.raises(ModelFileError, match=r"checksum does not match|must be ascending"):
            striate.load(path)
    path.write_bytes(content.replace(b'\\"threshold\\":0.25', b'\\"threshold\\":0.75'))
    assert path.read_bytes() != content
    with pytest.raises(ModelFileError, match="checksum does not match"):
        striate.load(path)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (rejection("neighbours", 29), r"answers/centre has the shape \(1, 29\), its network"),
        (rejection("mahalanobis", 30, 4), r"answers/means has the shape \(4, 4\)"),
    ],
)
def test_a_rejection_of_another_network(wrong: Rejection, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        make().answers = Answers(rejection=wrong)
    with pytest.raises(ValueError, match="needs features, which its network does not have"):
        Network([Dense(3)], (5,)).answers = Answers(rejection=wrong)
    with pytest.raises(ValueError, match="which are no classes"):
        Network([Conv2D(3, 1)], (6, 8, 2)).answers = Answers(rejection=wrong)


def test_a_layer_may_be_called_answers(tmp_path: Path) -> None:
    network = Network([Flatten(), Dense(4), ReLU(), Dense(3, name="answers")], (2, 3, 1))
    network.answers = Answers(rejection=rejection("neighbours", 4))
    network.save(tmp_path / "m")
    loaded = striate.load(tmp_path / "m")
    assert loaded.answers == network.answers
    np.testing.assert_array_equal(loaded.flat, network.flat)
