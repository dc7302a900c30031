"""The classifier on top of a network that was trained before."""

from __future__ import annotations

import pickle
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, RidgeCV
from sklearn.metrics import average_precision_score, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score

import striate
from striate.common import progress
from striate.data.images import load_images
from striate.estimators import ConvNetClassifier, ConvNetRegressor
from striate.estimators.backbone_images import BackboneInput
from striate.layers import BatchNorm, Conv2D, Dense, GlobalAvgPool2D, MaxPool2D, ReLU
from striate.model.preprocessing import Preprocessing
from striate.network import Network
from striate.transfer import kept_features
from striate.transfer.backbone import Backbone
from striate.transfer.pretrained import is_installed

pytest.importorskip("llvmlite")

Array = np.ndarray[Any, Any]
WIDE: tuple[int, ...] = (14, 12, 3)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many features were computed by each call of an extractor."""
    found: list[int] = []
    call = kept_features.FeatureExtractor.__call__

    def spy(self: Any, *arguments: Any, **options: Any) -> Any:
        before = self.computed
        features = call(self, *arguments, **options)
        found.append(self.computed - before)
        return features

    monkeypatch.setattr(kept_features.FeatureExtractor, "__call__", spy)
    return found


def backbone(shape: tuple[int, ...] = (14, 14, 3)) -> Network:
    """A network of random weights, and what it says of its images."""
    layers = [
        Conv2D(8, 3), BatchNorm(), ReLU(), MaxPool2D(2), Conv2D(12, 3), ReLU(), GlobalAvgPool2D(),
        Dense(5),
    ]  # fmt: skip
    made = Network(layers, shape, seed=0)
    made.preprocessing = Preprocessing((128.0,) * shape[2], (64.0,) * shape[2])
    return made


def stripes(count: int, seed: int, shape: tuple[int, ...] = WIDE) -> tuple[Array, Array]:
    """Stripes of three distances and two directions in noise, uint8."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    y, x = np.mgrid[: shape[0], : shape[1]]
    images = np.empty((count, *shape), np.uint8)
    for image, label in zip(images, labels, strict=True):
        along = x + y if label < 3 else x - y
        wave = np.sin(along * (0.5 + 0.5 * min(label, 2)) + random.uniform(0, 6))
        noisy = 128 + 60 * wave[..., None] + random.normal(0, 40, shape)
        image[...] = np.clip(noisy, 0, 255)
    return images, labels


def classifier(**options: Any) -> ConvNetClassifier:
    return ConvNetClassifier(
        **{"backbone": backbone(), "tune": False, "random_state": 0, **options}
    )


# --- what is learnt -------------------------------------------------------------------------------


def test_it_is_as_good_as_a_regression_on_the_same_features() -> None:
    X, y = stripes(120, 1)
    fresh, truth = stripes(400, 2)
    model = classifier(augment=None).fit(X, y)
    peer = LogisticRegressionCV(Cs=list(np.logspace(-3, 3, 7)), max_iter=500)
    assert model.notes_[0] == (
        "Images: 14×12×3 from 0 (black) to 255 (white) become 14×14×3; the centre is cut out, "
        "86 % of each image"
    )
    features = Backbone.of(backbone()).features()
    seen, unseen = (
        features.predict_logits(np.asarray(model._reading.images(images, "")))
        for images in (X, fresh)
    )
    scale = seen.std()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # its arguments are about to change
        peer.fit(seen / scale, y)
    score = model.score(fresh, truth)
    assert score > 0.5
    assert score >= peer.score(unseen / scale, truth) - 0.01
    assert model.n_iter_ == 0 and model.loss_curve_ == [] and len(model.history_) == 0
    assert model.input_shape_ == WIDE and model.n_features_in_ == 14 * 12 * 3
    chances = model.predict_proba(fresh)
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-12)
    assert model.network_.answers.temperature != 1  # calibrated


def test_the_last_stages_are_trained_on_where_asked() -> None:
    X, y = stripes(80, 3)
    model = classifier(tune=True, epochs=3, learning_rate=0.01, batch_size=20, augment=None)
    model.fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == len(model.history_) == 3
    assert "Trained on from" in model.notes_[-1] and "batches" not in model.notes_[-1]
    before = backbone().parameters["conv2d_2/filters"]
    assert not np.array_equal(model.network_.parameters["conv2d_2/filters"], before)
    again = clone(model).set_params(n_jobs=1).fit(X, y)
    np.testing.assert_array_equal(again.network_.flat, model.network_.flat)
    assert again.set_params(random_state=1).fit(X, y).network_.flat.tolist() != (
        model.network_.flat.tolist()
    )
    # Left open, it is told what was found out.
    found = classifier(tune=None, epochs=1, learning_rate=1e-9, augment=None).fit(X, y)
    assert "on 24 images held out" in found.notes_[-1]


def test_mirror_images_are_learnt_from_where_asked(computed: list[int]) -> None:
    X, y = stripes(40, 4)
    for augment, calls in ((None, 1), (False, 1), ({"flip": True}, 2), ({"flip": False}, 1)):
        computed.clear()
        model = classifier(augment=augment).fit(X, y)
        assert len(computed) == calls
        assert ("both ways round" in model.notes_[1]) == (calls == 2)
    classifier().fit(X, y)
    assert computed[-2:] == [0, 0]  # both were tried


# --- images ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(9, 14, 3), (20, 31, 3), (14, 14, 3), (10, 10, 1), (30, 14, 1)])
def test_images_become_what_files_with_their_pixels_become(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    X, y = stripes(24, 5, shape)
    model = classifier(augment=None).fit(X, y)
    known = model.network_.preprocessing
    assert known.resize == {"height": 14, "width": 14, "mode": "crop"} and known.colour == "rgb"
    files = [str(tmp_path / f"{index}.png") for index in range(24)]
    for image, file in zip(X, files, strict=True):
        Image.fromarray(image if shape[2] == 3 else image[..., 0]).save(file)
    made = np.asarray(model._reading.images(X, ""))
    np.testing.assert_array_equal(made, load_images(files, known))
    # So the estimator and its model file answer alike, of arrays and of files.
    np.testing.assert_array_equal(model.predict_proba(files), model.predict_proba(X))
    model.network_.save(tmp_path / "m.safetensors")
    network = striate.load(tmp_path / "m.safetensors")
    assert network.predict(files).tolist() == model.predict(X).astype(str).tolist()


def test_every_form_of_x_is_the_same_images() -> None:
    X, y = stripes(40, 6, (10, 12, 1))
    gray = X[..., 0]
    expected = classifier().fit(X, y).predict_proba(X)
    forms = [
        gray, gray + np.random.default_rng(0).uniform(-0.4, 0.4, gray.shape), gray / 255,
        (gray / 255).astype(np.float32), gray.astype(np.int64), gray.astype(np.uint16) * 257,
    ]  # fmt: skip
    for form in forms:
        model = classifier().fit(form, y)
        np.testing.assert_array_equal(model.predict_proba(form), expected)
    rows = X.reshape(40, -1)
    model = classifier(image_shape=(10, 12)).fit(rows, y)
    np.testing.assert_array_equal(model.predict_proba(rows), expected)
    np.testing.assert_array_equal(model.predict_proba(gray), expected)
    # Colour, of which nothing is to be seen, for a backbone that reads gray.
    thin = classifier(backbone=backbone((14, 14, 1)))
    of_gray = thin.fit(gray, y).predict_proba(gray)
    of_colour = thin.fit(X.repeat(3, axis=3), y).predict_proba(X.repeat(3, axis=3))
    np.testing.assert_allclose(of_colour, of_gray, atol=0.02)
    assert thin.network_.preprocessing.colour == "gray"


@pytest.mark.parametrize(
    ("high", "white"), [(0, 1), (1, 1), (1.05, 1), (2, 16), (16, 16), (17, 16), (200, 255),
                        (255, 255), (900, 1023), (4000, 4095), (10_000, 16_383), (65_535, 65_535)],
)  # fmt: skip
def test_white_is_found(high: float, white: int) -> None:
    samples = np.zeros((2, 14, 14, 3), np.float32)
    samples[0, 0] = high
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = BackboneInput.find(backbone(), samples, "it")
    assert found.white == white
    made = np.asarray(found.images(samples, "it"))
    assert made.dtype == np.uint8 and made.max() == round(min(high / white, 1) * 255)


@pytest.mark.parametrize(
    ("known", "white"),
    [
        (Preprocessing((128.0,) * 3, (64.0,) * 3), 255),
        (Preprocessing((0.85,) * 3, (0.35,) * 3), 1),  # of black and white
        (Preprocessing((4.9,) * 3, (6.0,) * 3), 16),  # of scikit-learn's digits
        (Preprocessing((33.0,) * 3, (78.0,) * 3), 255),
        (Preprocessing(), 255),
        (Preprocessing((5.0,) * 3, (6.0,) * 3, {"height": 14, "width": 14, "maximum": 16}), 16),
    ],
)
def test_the_backbone_gets_its_own_scale(known: Preprocessing, white: int) -> None:
    network = backbone()
    network.preprocessing = known
    X, y = stripes(24, 7)
    model = classifier(backbone=network).fit(X, y)
    bytes_ = np.asarray(classifier().fit(X, y)._reading.images(X, ""))
    made = np.asarray(model._reading.images(X, ""))
    np.testing.assert_allclose(made, bytes_ * (white / 255), rtol=1e-6)
    assert model.network_.preprocessing.resize.get("maximum", 255) == white
    assert (model.network_.preprocessing.mean, model.network_.preprocessing.std) == (
        known.mean, known.std,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "change", "message"),
    [
        ((14 * 14 * 3,), 0, r"X is flat: give image_shape=\(height, width\)"),
        ((14, 14, 4), 0, "with 4 channels, which cannot become the 3"),
        ((3, 14, 14), 0, r"channels come last here: np.moveaxis\(X, 1, -1\)"),
        ((14, 14, 3), -3, "reads brightnesses, from 0 .* but X holds numbers from -2"),
        ((14, 14, 3), 90_000, "give raw pixels, and leave out what standardises them"),
    ],
)
def test_images_that_do_not_fit_are_told(
    shape: tuple[int, ...], change: float, message: str
) -> None:
    X = np.random.default_rng(0).random((8, *shape)) + change
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, np.arange(8) % 2)
    assert not hasattr(classifier(), "network_")


def test_names_of_files_are_for_predictions(tmp_path: Path) -> None:
    Image.fromarray(stripes(1, 0)[0][0]).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="fit takes images as an array, not their names"):
        classifier().fit([str(tmp_path / "a.png")] * 2, [0, 1])


def test_images_of_another_scale_or_size_than_in_training_are_told() -> None:
    X, y = stripes(24, 8)
    model = classifier().fit(X / 255, y)
    with pytest.raises(ValueError, match=r"fitted to images from 0 \(black\) to 1 \(white\)"):
        model.predict(X)
    with pytest.raises(ValueError, match=r"numbers from -0\.5"):
        model.predict(X / 255 - 0.5)
    with pytest.raises(
        ValueError, match=r"shape \(14, 14, 3\), but it was fitted to \(14, 12, 3\)"
    ):
        model.predict(stripes(4, 8, (14, 14, 3))[0])
    network = backbone()
    network.preprocessing = Preprocessing((900.0,) * 3, (10.0,) * 3)
    with pytest.warns(UserWarning, match="give images on that scale"):
        classifier(backbone=network).fit(X, y)


# --- as an estimator of scikit-learn --------------------------------------------------------------


def test_folds_and_candidates_share_what_was_seen(computed: list[int]) -> None:
    X, y = stripes(48, 9)
    scores = cross_val_score(classifier(), X, y, cv=3)
    assert len(scores) == 3 and sum(computed) == 2 * 48  # each image, and its mirror image, once
    computed.clear()
    search = GridSearchCV(
        classifier(epochs=1), {"tune": [False, True], "augment": [None, "auto"]}, cv=2
    )
    search.fit(X, y)
    # Of two candidates two folds look at both views, of two at one; and the last fit at its own.
    last = 2 if search.best_params_["augment"] else 1
    assert not any(computed) and len(computed) == 2 * 2 * (2 + 1) + last
    assert search.best_score_ > 0.3
    # Whatever the labels and the order.
    computed.clear()
    classifier().fit(X[::-1], y)
    assert not any(computed)


def test_labels_weights_and_classes(computed: list[int]) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = stripes(60, 10)
    names = np.array(["wide", "narrow", "fine", "other way"])[y]
    model = classifier().fit(X, pandas.Series(names, dtype="category"))
    assert model.classes_.tolist() == sorted(set(names.tolist()))
    assert model.network_.classes == model.classes_.tolist()
    assert set(model.predict(X).tolist()) <= set(names.tolist())
    rows = pandas.DataFrame(X.reshape(60, -1)).rename(columns=str)
    by_rows = classifier(image_shape=WIDE).fit(rows, names)
    np.testing.assert_array_equal(by_rows.predict_proba(rows), model.predict_proba(X))
    assert len(by_rows.feature_names_in_) == 14 * 12 * 3
    # Samples of weight 0 are not there: neither their pixels nor their classes count.
    weights = (np.arange(60) % 3 > 0) * 2.0
    spoilt, strange = X.astype(np.float32), names.astype(object)
    spoilt[::3], strange[::3] = -1e9, "none"
    weighted = classifier().fit(spoilt, strange.astype(str), sample_weight=weights)
    removed = classifier().fit(X[weights > 0], names[weights > 0])
    np.testing.assert_array_equal(weighted.network_.flat, removed.network_.flat)
    assert weighted.classes_.tolist() == removed.classes_.tolist()


def test_weights_have_their_say() -> None:
    X, y = stripes(80, 11)
    y = np.random.default_rng(0).permutation(y)  # of which the images say nothing
    plain = classifier(augment=None).fit(X, y).predict_proba(X)[:, 3].mean()
    by_class, by_sample, balanced, even = (
        classifier(augment=None, class_weight=of_class).fit(X, y, sample_weight=of_sample)
        for of_class, of_sample in (
            ({3: 20.0}, None),
            (None, np.where(y == 3, 20.0, 1.0)),
            ("balanced", np.where(y == 3, 20.0, 1.0)),
            (None, None),
        )
    )
    assert by_class.predict_proba(X)[:, 3].mean() > plain + 0.2
    np.testing.assert_array_equal(by_class.network_.flat, by_sample.network_.flat)
    np.testing.assert_allclose(balanced.predict_proba(X), even.predict_proba(X), atol=1e-4)
    settings: dict[str, Any] = {"tune": True, "epochs": 6, "learning_rate": 0.02}
    tuned = classifier(augment=None, class_weight={3: 20.0}, **settings).fit(X, y)
    assert tuned.predict_proba(X)[:, 3].mean() > plain + 0.2


def test_a_clone_a_pickle_and_a_backbone_of_every_kind(tmp_path: Path) -> None:
    X, y = stripes(40, 12)
    model = classifier().fit(X, y)
    expected = model.predict_proba(X)
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(twin.predict_proba(X), expected)
    assert "backbone=Network(8 layers" in repr(model) and "tune=False" in repr(model)
    assert model.get_params()["tune"] is False
    assert not hasattr(clone(model), "network_")
    path = tmp_path / "backbone.safetensors"
    backbone().save(path)
    sources: list[Any] = [path, str(path)]
    if find_spec("onnx") is not None:
        backbone().to_onnx(tmp_path / "backbone.onnx")
        sources.append(tmp_path / "backbone.onnx")
    for source in sources:
        by_file = clone(model).set_params(backbone=source).fit(X, y)
        np.testing.assert_allclose(by_file.predict_proba(X), expected, atol=1e-5)
    # Trained from scratch afterwards, nothing of it is left.
    scratch = model.set_params(
        backbone=None, tune=None, network=[Conv2D(2, 3), ReLU()], epochs=1
    ).fit(X, y)
    assert not hasattr(scratch, "notes_") and scratch.network_.input_shape == WIDE
    assert scratch.predict(X).shape == (40,)


def test_what_it_says_goes_to_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine work takes more than a second, and is counted there, too.
    monkeypatch.setattr(progress.Interval, "is_over", lambda *_, **__: False)
    X, y = stripes(24, 13)
    model = classifier(verbose=True).fit(X, y)
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines() == model.notes_
    classifier().fit(X, y)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"network": [Dense(3)]}, ValueError, "network is for training from scratch: leave it out"),
        (
            {"optimizer": "sgd", "schedule": "cosine", "early_stopping": True, "warm_start": True,
             "validation_fraction": 0.1},
            ValueError,
            "optimizer, schedule, early_stopping, validation_fraction, warm_start are for training",
        ),
        ({"engine": "numpy"}, ValueError, "needs the compiled engine: leave engine='numpy' out"),
        ({"augment": {"shift": 2}}, ValueError, r"\"auto\", None or {\"flip\": True}"),
        ({"augment": lambda images, rng: images}, ValueError, "perhaps once mirrored"),
        ({"augment": "always"}, TypeError, 'augment must be "auto", None'),
        ({"tune": "yes"}, TypeError, "tune must be True, False or None, not 'yes'"),
        ({"backbone": None, "tune": True}, ValueError, "give backbone, too, or leave tune out"),
        ({"backbone": [Dense(2)]}, TypeError, "backbone must be the name of a pretrained network"),
        ({"backbone": "efficientnet-lite"}, ValueError, "did you mean 'efficientnet-lite0'"),
        ({"backbone": "none.safetensors"}, ValueError, "there is no such model file"),
        ({"backbone": Network([Dense(2)], (5,))}, ValueError, "a backbone reads images"),
        ({"epochs": 0}, ValueError, "epochs must be at least 1"),
        ({"learning_rate": -1.0}, ValueError, "learning_rate must be finite and above 0"),
        ({"label_smoothing": 1.0}, ValueError, "label_smoothing must be"),
        ({"class_weight": "even"}, ValueError, 'class_weight must be "balanced"'),
        ({"n_jobs": 0}, ValueError, "n_jobs must not be 0"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_it(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    model = classifier(**options)
    with pytest.raises(error, match=message):
        model.fit(*stripes(16, 14))
    assert not hasattr(model, "network_")


def test_what_is_for_training_from_scratch() -> None:
    X, y = stripes(16, 15)
    with pytest.raises(ValueError, match="partial_fit is for networks that are trained from"):
        classifier().partial_fit(X, y, classes=range(4))
    with pytest.raises(ValueError, match="a checkpoint is for training from scratch"):
        classifier().fit(X, y, checkpoint="c.checkpoint")
    model = classifier().fit(X, y).set_params(backbone=None, tune=None)
    with pytest.raises(ValueError, match="partial_fit is for networks"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match="warm_start is for networks"):
        model.set_params(warm_start=True).fit(X, y)


# --- labels and numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize("tune", [False, True])
def test_labels(tune: bool) -> None:
    """Against a logistic regression of each label on the same features, and its figures."""
    X, kinds = stripes(120, 21)
    fresh, others = stripes(200, 22)
    y, truth = (np.column_stack([kind < 2, kind % 2 == 0, kind == 3]) for kind in (kinds, others))
    model = classifier(augment=None, tune=tune, epochs=3).fit(X, y.astype(int))
    assert model.multilabel_ and model.network_.answers.kind == "labels"
    chances = model.predict_proba(fresh)
    assert chances.shape == (200, 3)
    np.testing.assert_array_equal(model.predict(fresh), chances >= 0.5)
    ranked = average_precision_score(truth, chances)
    features = Backbone.of(backbone()).features()
    seen, unseen = (
        features.predict_logits(np.asarray(model._reading.images(images, "")))
        for images in (X, fresh)
    )
    peer = np.column_stack(
        [
            LogisticRegression(max_iter=500)
            .fit(seen / seen.std(), label)
            .predict_proba(unseen / seen.std())[:, 1]
            for label in y.T
        ]
    )
    assert ranked > truth.mean() + 0.15
    assert ranked > average_precision_score(truth, peer) - 0.03


def test_weights_of_labels() -> None:
    """A label that weighs a hundred times as much is given to nearly all, if nothing tells it."""
    X, _ = stripes(80, 23)
    y = (np.random.default_rng(23).random((80, 2)) < 0.3).astype(int)
    plain, heavy = (
        classifier(class_weight=weights).fit(X, y).predict_proba(X)
        for weights in (None, {0: 100.0, 1: 1.0})
    )
    assert heavy[:, 0].mean() > plain[:, 0].mean() + 0.3
    np.testing.assert_allclose(heavy[:, 1].mean(), plain[:, 1].mean(), atol=0.1)


@pytest.mark.parametrize("tune", [False, True])
def test_numbers(tune: bool) -> None:
    """Against ridge regression on the same features; in the users' units."""
    X, kinds = stripes(160, 24)
    fresh, others = stripes(200, 25)
    both, truth = (
        np.column_stack([1000 + 50 * np.minimum(kind, 2), -0.1 * (kind == 3)])
        for kind in (kinds, others)
    )
    model = ConvNetRegressor(backbone=backbone(), tune=tune, random_state=0, epochs=3).fit(X, both)
    assert model.predict(fresh).shape == (200, 2)
    single = clone(model).set_params(tune=False).fit(X, both[:, 0])
    found = single.predict(fresh)
    assert found.shape == (200,) and 950 < found.mean() < 1150
    features = Backbone.of(backbone()).features()
    seen, unseen = (
        features.predict_logits(np.asarray(model._reading.images(images, "")))
        for images in (X, fresh)
    )
    peer = RidgeCV(np.logspace(-4, 4, 17)).fit(seen / seen.std(), both[:, 0])
    score = r2_score(truth[:, 0], found)
    assert score > 0.2 and score > peer.score(unseen / seen.std(), truth[:, 0]) - 0.03
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(fresh[:9]), model.predict(fresh[:9]))


def test_numbers_of_weight_zero_are_left_out() -> None:
    X, kinds = stripes(60, 26)
    y, weights = kinds.astype(float), np.ones(60)
    y[40:], weights[40:] = 1e6, 0
    one, other = (ConvNetRegressor(backbone=backbone(), tune=False, random_state=0) for _ in "ab")
    one.fit(X, y, weights)
    other.fit(X[:40], y[:40])
    np.testing.assert_allclose(one.predict(X[:9]), other.predict(X[:9]), rtol=1e-5)


def test_onnx_where_nothing_is_resized() -> None:
    skl2onnx = pytest.importorskip("skl2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    from skl2onnx.common.data_types import UInt8TensorType

    X, y = stripes(40, 16, (14, 14, 3))
    model = classifier().fit(X, y)
    initial = [("X", UInt8TensorType([None, 14, 14, 3]))]
    made = skl2onnx.to_onnx(model, initial_types=initial, target_opset=17)
    session = onnxruntime.InferenceSession(made.SerializeToString())
    labels, probabilities = session.run(None, {"X": X})
    np.testing.assert_array_equal(labels, model.predict(X))
    np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=1e-4, atol=1e-6)
    resized = classifier().fit(*stripes(40, 16))
    with pytest.raises(ValueError, match="cannot write how samples 14×12×3 become images 14×14×3"):
        skl2onnx.to_onnx(resized, initial_types=[("X", UInt8TensorType([None, 14, 12, 3]))])


@pytest.mark.skipif(
    not is_installed("efficientnet-lite0"), reason="the package with the weights is not installed"
)
def test_the_pretrained_network_knows_photographs() -> None:
    """Pieces of two photographs are told apart."""
    from sklearn.datasets import load_sample_image

    random = np.random.default_rng(0)
    pieces = []
    for name in ("china.jpg", "flower.jpg"):
        whole = load_sample_image(name)
        for _ in range(16):
            top, left = random.integers(0, (whole.shape[0] - 96, whole.shape[1] - 96))
            pieces.append(whole[top : top + 96, left : left + 96])
    X, y = np.array(pieces), np.repeat(["china", "flower"], 16)
    train = np.arange(32) % 2 == 0
    model = ConvNetClassifier(backbone="efficientnet-lite0", tune=False, random_state=0)
    model.fit(X[train], y[train])
    assert model.network_.input_shape == (224, 224, 3) and model.input_shape_ == (96, 96, 3)
    assert model.score(X[~train], y[~train]) > 0.89
