"""The estimators as people use them; scikit-learn's own checks are in test_estimator_checks.py."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import striate
from striate.estimators import ConvNetClassifier, ConvNetRegressor
from striate.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU
from striate.network import Network

DIGITS = load_digits()
IMAGES = DIGITS.images.astype(np.uint8)


@pytest.fixture(params=["numpy", "llvm"])
def engine(request):
    """Every engine that there is."""
    if request.param == "llvm":
        pytest.importorskip("llvmlite")
    return request.param


def small(inputs=(8, 8, 1), outputs=10):
    """A network that is quick to train; at the top of the module, so that it can be pickled."""
    return Network([Conv2D(4, 3), ReLU(), Flatten(), Dense(outputs)], input_shape=inputs)


def classifier(**options):
    settings = {
        "network": small, "epochs": 2, "engine": "numpy", "random_state": 0, "learning_rate": 0.01,
    }  # fmt: skip
    return ConvNetClassifier(**(settings | options))


def regressor(**options):
    settings = {
        "network": small, "epochs": 2, "engine": "numpy", "random_state": 0, "learning_rate": 0.01,
    }  # fmt: skip
    return ConvNetRegressor(**(settings | options))


def blobs(rows=60, features=5, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    X = rng.normal(size=(rows, features))
    X[np.arange(rows), labels] += 3
    return X, labels


def test_the_automatic_network_learns_digits(engine):
    model = ConvNetClassifier(random_state=0, engine=engine, epochs=5, augment=None)
    model.fit(IMAGES[:1000], DIGITS.target[:1000])
    assert model.score(IMAGES[1000:], DIGITS.target[1000:]) > 0.9
    assert model.network_.input_shape == model.input_shape_ == (8, 8, 1)
    assert model.n_features_in_ == 64
    assert model.n_iter_ == len(model.loss_curve_) == len(model.history_) == 5
    np.testing.assert_array_equal(model.classes_, range(10))


def test_automatic_settings_are_the_recipes(monkeypatch):
    from dataclasses import replace

    from striate.training import loop, recipes

    recipe = recipes.choose((8, 8, 1), 10, 100)
    settings = replace(recipe.training, warmup=0.15)
    recipe = replace(recipe, training=settings)
    monkeypatch.setattr(recipes, "choose", lambda *arguments: recipe)

    given = {}
    fit = loop.fit

    def spy(*arguments, **options):
        given.update(options)
        return fit(*arguments, **(options | {"epochs": 1}))

    monkeypatch.setattr(loop, "fit", spy)
    ConvNetClassifier(engine="numpy").fit(IMAGES[:100], DIGITS.target[:100])
    assert given["epochs"] == settings.epochs
    assert given["batch_size"] == settings.batch_size
    assert given["schedule"] == settings.schedule
    assert given["warmup"] == 0.15
    assert given["loss"].label_smoothing == settings.label_smoothing
    assert given["learning_rate"] == settings.learning_rate
    changes = {name: value for name, value in settings.augment.items() if value}
    assert (given["augment"] is not None) == bool(changes)
    # What the user says goes first.
    ConvNetClassifier(
        engine="numpy", augment=None, batch_size=50, optimizer="sgd", weight_decay=0.1,
        label_smoothing=0.2, schedule="cosine",
    ).fit(IMAGES[:100], DIGITS.target[:100])  # fmt: skip
    assert given["augment"] is None
    assert given["batch_size"] == 50
    assert given["schedule"] == "cosine"
    assert given["warmup"] is None
    assert given["loss"].label_smoothing == 0.2
    assert given["optimizer"].weight_decay == 0.1
    if settings.optimizer != "sgd":
        assert given["learning_rate"] is None  # AdamW's would not suit


def test_images_may_come_in_any_form():
    y = DIGITS.target[:200]
    model = classifier().fit(IMAGES[:200], y)
    expected = model.predict_proba(IMAGES[200:300])
    channels = classifier().fit(IMAGES[:200, ..., None], y)
    flat = classifier(image_shape=(8, 8)).fit(IMAGES[:200].reshape(200, 64), y)
    for other in (channels, flat):
        np.testing.assert_array_equal(other.predict_proba(IMAGES[200:300]), expected)
    # A fitted model takes its images in all forms too.
    for given in (IMAGES[200:300, ..., None], IMAGES[200:300].reshape(100, 64)):
        np.testing.assert_array_equal(model.predict_proba(given), expected)
    wide = classifier(image_shape=(4, 8, 2)).fit(IMAGES[:200].reshape(200, 64), y)
    assert wide.input_shape_ == (4, 8, 2)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float32, np.float64, ">i2"])
def test_any_real_dtype(dtype):
    y = DIGITS.target[:100]
    model = classifier().fit(IMAGES[:100].astype(dtype), y)
    expected = classifier().fit(IMAGES[:100], y).predict_proba(IMAGES[:50])
    np.testing.assert_allclose(model.predict_proba(IMAGES[:50]), expected, rtol=1e-4, atol=1e-6)


def test_true_and_false_are_pixels_too():
    pixels = IMAGES[:100] > 7
    model = classifier().fit(pixels, DIGITS.target[:100])
    expected = classifier().fit(pixels.astype(float), DIGITS.target[:100])
    np.testing.assert_allclose(
        model.predict_proba(pixels), expected.predict_proba(pixels), rtol=1e-4, atol=1e-6
    )


def test_uint8_images_are_trained_on_as_they_are(monkeypatch):
    from striate.training import loop

    seen = []
    fit = loop.fit
    monkeypatch.setattr(loop, "fit", lambda n, X, y, **o: seen.append(X) or fit(n, X, y, **o))
    images = IMAGES[:200, ..., None]
    classifier(batch_size=32).fit(images, DIGITS.target[:200])
    assert seen[0].dtype == np.uint8
    assert np.shares_memory(seen[0], images)


def test_labels_may_be_names(tmp_path):
    names = np.array([f"digit {digit}" for digit in range(10)])
    y = names[DIGITS.target]
    model = classifier(epochs=4).fit(IMAGES[:400], y[:400])
    by_number = classifier(epochs=4).fit(IMAGES[:400], DIGITS.target[:400])
    found = model.predict(IMAGES[400:])
    assert found.dtype == names.dtype
    np.testing.assert_array_equal(found, names[by_number.predict(IMAGES[400:])])
    assert model.network_.classes == names.tolist()
    model.network_.save(tmp_path / "digits.striate")
    network = striate.load(tmp_path / "digits.striate")
    np.testing.assert_array_equal(network.predict(IMAGES[400:450], engine="numpy"), found[:50])


def test_flat_features_get_a_dense_network(engine):
    X, y = blobs()
    model = ConvNetClassifier(random_state=0, engine=engine).fit(X, y)
    assert model.score(*blobs(seed=1)) > 0.9
    assert model.input_shape_ == (5,)
    assert not any(isinstance(vertex.layer, Conv2D) for vertex in model.network_.nodes)


def test_the_unit_of_the_features_does_not_matter():
    X, y = blobs()
    scale, offset = np.array([1e-6, 1.0, 1e4, 1.0, 100.0]), np.array([0, 50, 0, 0, -300])
    plain = ConvNetClassifier(random_state=0, engine="numpy").fit(X, y)
    scaled = ConvNetClassifier(random_state=0, engine="numpy").fit(X * scale + offset, y)
    np.testing.assert_allclose(
        plain.predict_proba(X), scaled.predict_proba(X * scale + offset), atol=0.02
    )


@pytest.mark.parametrize("make", [ConvNetClassifier, ConvNetRegressor])
def test_weights_are_repetitions_and_order_does_not_matter_to_the_last_bit(make, engine):
    X, y = blobs(30)
    if make is ConvNetRegressor:
        y = y + X[:, 4]
    rng = np.random.default_rng(3)
    weights = rng.integers(0, 4, 30)
    order = rng.permutation(30)
    options = {"random_state": 0, "engine": engine, "epochs": 20}
    weighted = make(**options).fit(X[order], y[order], sample_weight=weights[order])
    repeated = make(**options).fit(X.repeat(weights, 0), y.repeat(weights))
    np.testing.assert_array_equal(weighted.network_.flat, repeated.network_.flat)
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))
    removed = make(**options).fit(X[weights > 0], y[weights > 0], weights[weights > 0] * 2.0)
    np.testing.assert_allclose(removed.predict(X), repeated.predict(X), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("rows", [60, 400])
def test_weights_have_their_say(rows):
    """Three quarters of the weight at each place speak for one class."""
    X = np.repeat([[0.0], [1.0]], rows // 2, axis=0)
    y = np.arange(rows) % 2
    weights = np.where(y == (X[:, 0] > 0.5), 3.0, 1.0)
    model = ConvNetClassifier(engine="numpy", random_state=0).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(
        model.predict_proba([[0.0], [1.0]]), [[0.75, 0.25], [0.25, 0.75]], atol=0.03
    )
    mean = ConvNetRegressor(engine="numpy", random_state=0).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(mean.predict([[0.0], [1.0]]), [0.25, 0.75], atol=0.03)


def test_samples_of_weight_zero_count_for_nothing():
    X, y = blobs(200)  # of which half fit in one batch
    weights = np.arange(200) % 2
    options = {"engine": "numpy", "random_state": 0, "epochs": 3}
    weighted = ConvNetClassifier(**options).fit(X, y, sample_weight=weights)
    removed = ConvNetClassifier(**options).fit(X[1::2], y[1::2])
    np.testing.assert_array_equal(weighted.network_.flat, removed.network_.flat)


def test_the_users_optimizer_is_copied_without_its_memory():
    used = striate.SGD(0.8)
    first = classifier(optimizer=used).fit(IMAGES[:50], DIGITS.target[:50])
    assert used.steps == 0
    used.prepare(3)
    used.state[0][:] = 7
    used.steps = 5
    second = classifier(optimizer=used).fit(IMAGES[:50], DIGITS.target[:50])
    np.testing.assert_array_equal(first.network_.flat, second.network_.flat)
    assert used.steps == 5


def test_a_class_of_weight_zero_is_not_there():
    X, y = blobs()
    model = ConvNetClassifier(engine="numpy", epochs=2).fit(X, y, sample_weight=(y != 1) * 1.0)
    np.testing.assert_array_equal(model.classes_, [0, 2])
    assert model.predict_proba(X).shape == (60, 2)
    with pytest.raises(ValueError, match="at least two classes, but y has one class only"):
        ConvNetClassifier(engine="numpy").fit(X, y, sample_weight=(y == 1) * 1.0)


def test_class_weights_are_by_label():
    X = np.random.default_rng(0).normal(size=(300, 2))
    y = np.array(["rare", "common", "common", "common"] * 75)  # X says nothing about it

    def share(class_weight):
        model = ConvNetClassifier(
            engine="numpy", random_state=0, epochs=20, class_weight=class_weight
        )
        return (model.fit(X, y).predict(X) == "rare").mean()

    assert share(None) < 0.1
    assert 0.2 < share("balanced") < 0.8
    assert share({"rare": 100.0}) > 0.95
    # Balanced weights are these, and a class that is not there has no say.
    by_hand = ConvNetClassifier(
        engine="numpy", random_state=0, epochs=3,
        class_weight={"rare": 2.0, "common": 2 / 3, "other": 9.0},
    ).fit(X, y)  # fmt: skip
    balanced = ConvNetClassifier(
        engine="numpy", random_state=0, epochs=3, class_weight="balanced"
    ).fit(X, y)
    np.testing.assert_allclose(
        by_hand.predict_proba(X), balanced.predict_proba(X), rtol=1e-3, atol=1e-5
    )


def test_the_same_random_state_gives_the_same_bits(engine):
    options = {"engine": engine, "augment": {"shift": 1}, "validation_fraction": 0.2}
    y = DIGITS.target[:150]
    models = [
        classifier(random_state=state, n_jobs=jobs, **options).fit(IMAGES[:150], y)
        for state, jobs in ((1, 1), (1, 2), (1, -1), (2, 1))
    ]
    for other in models[1:3]:
        np.testing.assert_array_equal(models[0].network_.flat, other.network_.flat)
    assert (models[0].network_.flat != models[3].network_.flat).any()
    seeded = np.random.RandomState(1)
    first = classifier(random_state=seeded).fit(IMAGES[:150], y)
    second = classifier(random_state=seeded).fit(IMAGES[:150], y)
    assert (first.network_.flat != second.network_.flat).any()


def test_the_first_weights_come_from_the_random_state():
    first, again, other = (
        classifier(random_state=state, learning_rate=1e-9).fit(IMAGES[:50], DIGITS.target[:50])
        for state in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.network_.flat, again.network_.flat)
    assert np.abs(first.network_.flat - other.network_.flat).max() > 0.1


def test_names_of_features_are_forgotten_with_them():
    model = classifier()
    model.feature_names_in_ = np.array(["a"])  # as of a data frame fitted before
    model.fit(IMAGES[:50], DIGITS.target[:50])
    assert not hasattr(model, "feature_names_in_")


def test_a_prediction_does_not_depend_on_the_images_beside_it(engine):
    X, y = IMAGES[:200].reshape(200, 64), DIGITS.target[:200]
    for model in (
        ConvNetClassifier(engine=engine, epochs=1, random_state=0).fit(X, y),
        classifier(engine=engine).fit(IMAGES[:200], y),
    ):
        together = model.predict_proba(X)
        for size in (1, 3, 33):
            parts = [model.predict_proba(X[i : i + size]) for i in range(0, 200, size)]
            np.testing.assert_array_equal(np.concatenate(parts), together)


def test_networks_may_be_lists_of_layers():
    y = DIGITS.target[:100]
    ends = [Conv2D(4, 3), ReLU(), Flatten(), Dense(10)]
    open_ended = ends[:2]
    models = [classifier(network=layers).fit(IMAGES[:100], y) for layers in (ends, open_ended)]
    np.testing.assert_array_equal(models[0].network_.flat, models[1].network_.flat)
    flat = ConvNetClassifier([Dense(7), ReLU()], engine="numpy", epochs=1).fit(*blobs())
    assert [v.layer.units for v in flat.network_.nodes if isinstance(v.layer, Dense)] == [7, 3]
    none = ConvNetClassifier([], engine="numpy", epochs=1).fit(*blobs())
    assert len(none.network_.nodes) == 1
    # The layers can be used again: nothing was written into them.
    again = classifier(network=ends).fit(IMAGES[:100], y)
    np.testing.assert_array_equal(models[0].network_.flat, again.network_.flat)


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        ([Conv2D(2, 3), Flatten(), Dense(9)], ValueError, r"10 numbers are wanted.*Dense\(10\)"),
        (lambda shape, classes: small(outputs=9), ValueError, r"end it with Dense\(10\)"),
        (lambda shape, classes: small((8, 6, 1)), ValueError, r"reads \(8, 6, 1\)"),
        (lambda shape, classes: None, TypeError, "returned None, not a Network"),
        ([Conv2D(2, 3), "relu"], TypeError, "a list of layers, but it holds 'relu'"),
        ([Conv2D(2, 9)], ValueError, "conv2d_1"),
    ],
)
def test_networks_that_do_not_fit_are_told(network, error, message):
    with pytest.raises(error, match=message):
        classifier(network=network).fit(IMAGES[:50], DIGITS.target[:50])


def test_a_ready_network_and_convolution_of_flat_features_are_told():
    with pytest.raises(TypeError, match="network must be a list of layers"):
        classifier(network=small()).fit(IMAGES[:50], DIGITS.target[:50])
    with pytest.raises(ValueError, match=r"X is flat.*image_shape=\(height, width\)"):
        classifier(network=[Conv2D(2, 3)]).fit(IMAGES[:50].reshape(50, 64), DIGITS.target[:50])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"image_shape": (8,)}, ValueError, "image_shape must be"),
        ({"image_shape": (8, 7.5)}, ValueError, "image_shape must be"),
        ({"image_shape": 8}, ValueError, "image_shape must be"),
        ({"image_shape": (8, 9)}, ValueError, "X holds images of shape"),
        ({"epochs": 0}, ValueError, "epochs must be at least 1"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"learning_rate": -1.0}, ValueError, "learning_rate must be finite and above 0"),
        ({"optimizer": "adam"}, ValueError, "unknown optimizer"),
        ({"schedule": "linear"}, ValueError, "unknown schedule"),
        ({"weight_decay": -1.0}, ValueError, "weight_decay must be finite and at least 0"),
        ({"optimizer": striate.SGD(), "weight_decay": 0.1}, ValueError, "has its own"),
        ({"label_smoothing": 1.0}, ValueError, "label_smoothing must be"),
        ({"augment": "always"}, TypeError, 'augment must be "auto", None'),
        ({"class_weight": "even"}, ValueError, 'class_weight must be "balanced"'),
        ({"class_weight": [1, 2]}, TypeError, "class_weight must be a mapping"),
        ({"validation_fraction": 1.5}, ValueError, "validation_fraction must lie"),
        ({"early_stopping": True, "validation_fraction": 0.0}, ValueError, "needs validation"),
        ({"n_jobs": 0}, ValueError, "n_jobs must not be 0"),
        ({"n_jobs": 1.5}, TypeError, "n_jobs must be a whole number"),
        ({"engine": "cuda"}, ValueError, "engine must be"),
        ({"random_state": "a"}, ValueError, "cannot be used to seed"),
    ],
)
def test_bad_parameters_are_told_by_fit(options, error, message):
    model = classifier(**options)
    with pytest.raises(error, match=message):
        model.fit(IMAGES[:50], DIGITS.target[:50])
    assert not hasattr(model, "network_")


def test_images_that_do_not_fit_are_told():
    model = classifier().fit(IMAGES[:50], DIGITS.target[:50])
    with pytest.raises(ValueError, match=r"shape \(8, 7, 1\), but it was fitted to \(8, 8, 1\)"):
        model.predict(IMAGES[:5, :, :7])
    with pytest.raises(ValueError, match="60 features, but ConvNetClassifier is expecting 64"):
        model.predict(np.ones((5, 60)))
    with pytest.raises(ValueError, match=r"X has 64 features, but image_shape=.* has 63"):
        classifier(image_shape=(7, 9)).fit(np.ones((5, 64)), range(5))
    with pytest.raises(ValueError, match=r"X must be \(n, height, width\)"):
        model.predict(np.ones((5, 8, 8, 1, 1)))
    with pytest.raises(ValueError, match="NaN"):
        model.predict(np.full((5, 8, 8), np.nan))
    with pytest.raises(ValueError, match="too large for dtype"):
        model.predict(np.full((5, 8, 8), 1e300))
    with pytest.raises(ValueError, match="X has 50 samples, but y has 49"):
        classifier().fit(IMAGES[:50], DIGITS.target[:49])


def test_a_rate_that_is_too_high_is_told():
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        classifier(learning_rate=1e30, schedule="constant", epochs=20, optimizer="sgd").fit(
            IMAGES[:50], DIGITS.target[:50]
        )


def test_early_stopping_keeps_the_best_epoch():
    model = ConvNetClassifier(
        [Dense(32), ReLU()], engine="numpy", random_state=0, epochs=200, early_stopping=3,
        learning_rate=0.05,
    )  # fmt: skip
    X, y = blobs(120)
    y = np.where(np.random.default_rng(0).random(120) < 0.3, (y + 1) % 3, y)  # to overfit on
    model.fit(X, y)
    assert model.history_.stopped_early
    assert model.n_iter_ == model.history_.best_epoch + 3 < 200
    assert model.history_[0].val_loss is not None
    assert ConvNetClassifier(early_stopping=True)._early_stopping().patience == 10
    assert ConvNetClassifier(early_stopping=True)._validation_fraction() == 0.1


def test_warm_start_goes_on(engine):
    y = DIGITS.target[:200]
    model = classifier(warm_start=True, engine=engine, schedule="constant").fit(IMAGES[:200], y)
    network, first = model.network_, model.loss_curve_
    model.fit(IMAGES[:200], y)
    assert model.network_ is network
    assert model.loss_curve_[0] < first[-1]
    cold = classifier(engine=engine, schedule="constant").fit(IMAGES[:200], y)
    cold.fit(IMAGES[:200], y)
    assert cold.loss_curve_ == pytest.approx(first, rel=1e-4)
    with pytest.raises(ValueError, match=r"y holds \[10\], which are none of the classes"):
        model.fit(IMAGES[:200], y + 1)
    with pytest.raises(ValueError, match="was fitted to"):
        model.fit(IMAGES[:200, :6], y)


def test_partial_fit_learns_batch_by_batch(engine):
    model = classifier(engine=engine)
    classes = range(10)
    for _ in range(4):
        for start in range(0, 600, 100):
            part = slice(start, start + 100)
            model.partial_fit(IMAGES[part], DIGITS.target[part], classes=classes)
    assert model.score(IMAGES[600:], DIGITS.target[600:]) > 0.85
    assert model.n_iter_ == len(model.loss_curve_) == 24
    assert model.network_.classes == [str(digit) for digit in range(10)]
    assert model._optimizer.steps == 24
    # It goes on in a copy just the same, and after fit it starts from what fit has made.
    twin = pickle.loads(pickle.dumps(model))
    for each in (model, twin):
        each.partial_fit(IMAGES[:100], DIGITS.target[:100])
    np.testing.assert_array_equal(model.network_.flat, twin.network_.flat)
    model.fit(IMAGES[:600], DIGITS.target[:600])
    before = model.network_.flat.copy()
    model.partial_fit(IMAGES[:100], DIGITS.target[:100])
    assert 0 < np.abs(model.network_.flat - before).max() < 0.1
    assert model._optimizer.steps == 1


def test_partial_fit_tells_what_is_wrong():
    X, y = IMAGES[:100], DIGITS.target[:100]
    with pytest.raises(ValueError, match="first call of partial_fit must name all classes"):
        classifier().partial_fit(X, y)
    with pytest.raises(ValueError, match="at least two classes"):
        classifier().partial_fit(X, y, classes=[3])
    with pytest.raises(ValueError, match=r"y holds \[5, 6, 7, 8, 9\]"):
        classifier().partial_fit(X, y, classes=range(5))
    model = classifier().partial_fit(X, y, classes=range(10))
    with pytest.raises(ValueError, match="are not those of the first call"):
        model.partial_fit(X, y, classes=range(9))


def test_partial_fit_draws_anew_each_time(monkeypatch):
    from striate.training import loop

    seeds = []
    fit = loop.fit
    monkeypatch.setattr(loop, "fit", lambda *a, **o: seeds.append(o["seed"]) or fit(*a, **o))
    model = classifier()
    for _ in range(3):
        model.partial_fit(IMAGES[:50], DIGITS.target[:50], classes=range(10))
    assert len(set(seeds)) == 3


def test_partial_fit_with_weights():
    X, y = IMAGES[:100], DIGITS.target[:100]
    weights = np.arange(100) % 3
    one = classifier().partial_fit(X, y, range(10), weights)
    spoiled = np.where(weights[:, None, None] == 0, 255, X).astype(np.uint8)
    two = classifier().partial_fit(spoiled, y, range(10), weights)
    np.testing.assert_array_equal(one.network_.flat, two.network_.flat)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_compiled_code_is_no_part_of_the_state(make, engine, tmp_path):
    model = make(engine=engine).fit(IMAGES[:100], DIGITS.target[:100] / 1)
    expected = model.predict(IMAGES[:50])  # so that an engine is there
    stored = pickle.dumps(model)
    assert b"striate.engines" not in stored
    assert b"striate.plan" not in stored
    assert b"llvmlite" not in stored
    assert len(stored) < 20_000  # some 1,500 parameters
    joblib.dump(model, tmp_path / "model.joblib")
    for twin in (
        pickle.loads(stored),
        copy.deepcopy(model),
        joblib.load(tmp_path / "model.joblib"),
        joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
    ):
        np.testing.assert_array_equal(twin.predict(IMAGES[:50]), expected)
        twin.fit(IMAGES[:50], DIGITS.target[:50] / 1)
    np.testing.assert_array_equal(model.predict(IMAGES[:50]), expected)


def test_clones_share_nothing_and_know_nothing():
    model = classifier(network=[Conv2D(3, 3), BatchNorm(), ReLU(), Flatten(), Dropout(0.2)])
    model.fit(IMAGES[:50], DIGITS.target[:50])
    twin = clone(model)
    assert not hasattr(twin, "network_")
    twin.fit(IMAGES[:50], DIGITS.target[:50])
    np.testing.assert_array_equal(model.network_.flat, twin.network_.flat)
    assert "network=[" in repr(model)


def test_in_a_pipeline():
    flat = IMAGES.reshape(-1, 64)
    pipeline = make_pipeline(MinMaxScaler(), classifier(image_shape=(8, 8), epochs=8))
    pipeline.fit(flat[:600], DIGITS.target[:600])
    assert pipeline.score(flat[600:], DIGITS.target[600:]) > 0.85


def test_in_a_grid_search_in_two_processes(engine):
    search = GridSearchCV(
        classifier(engine=engine), {"learning_rate": [1e-6, 0.01], "batch_size": [16]},
        cv=2, n_jobs=2,
    )  # fmt: skip
    search.fit(IMAGES[:200], DIGITS.target[:200])
    assert search.best_params_["learning_rate"] == 0.01
    assert search.score(IMAGES[200:300], DIGITS.target[200:300]) > 0.5


def predict(model, images):
    return model.predict_proba(images)


def test_in_joblib_processes_and_threads(engine):
    model = classifier(engine=engine).fit(IMAGES[:100], DIGITS.target[:100])
    expected = model.predict_proba(IMAGES[:200])
    for backend in ("loky", "threading"):
        parts = joblib.Parallel(n_jobs=2, backend=backend)(
            joblib.delayed(predict)(model, IMAGES[start : start + 50])
            for start in range(0, 200, 50)
        )
        np.testing.assert_array_equal(np.concatenate(parts), expected)
    scores = cross_val_score(
        classifier(engine=engine), IMAGES[:100], DIGITS.target[:100], cv=2, n_jobs=2
    )
    assert np.isfinite(scores).all()


def test_verbose_goes_to_standard_error(capsys):
    classifier(verbose=True).fit(IMAGES[:50], DIGITS.target[:50])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("epoch") == 2
    classifier().fit(IMAGES[:50], DIGITS.target[:50])
    assert capsys.readouterr() == ("", "")


def mirrored():
    """Images whose target is where they are bright."""
    rng = np.random.default_rng(0)
    places = rng.uniform(1, 6, 300)
    columns = np.exp(-np.square(np.arange(8) - places[:, None]))
    images = columns[:, None, :, None] * rng.uniform(0.8, 1.2, (300, 8, 1, 1))
    return images, places


def test_regression_of_images(engine):
    X, y = mirrored()
    layers = [Conv2D(8, 3), ReLU(), MaxPool2D(2)]
    model = regressor(network=layers, epochs=30, engine=engine).fit(X[:200], y[:200])
    assert model.score(X[200:], y[200:]) > 0.9
    assert model.predict(X[200:]).shape == (100,)
    automatic = ConvNetRegressor(epochs=1, engine=engine).fit(X[:50], y[:50])
    assert automatic.network_.output_shape == (1,)
    assert automatic.augment is None


def test_regression_with_several_outputs_of_different_units(engine):
    X, y = mirrored()
    targets = np.stack([y, 1e6 - 3e4 * y, np.full(300, 7.0)], axis=1)
    model = regressor(network=[Conv2D(8, 3), ReLU()], epochs=30, engine=engine)
    model.fit(X[:200], targets[:200])
    found = model.predict(X[200:])
    assert found.shape == (100, 3)
    errors = np.abs(found - targets[200:]).mean(axis=0)
    assert errors[0] < 0.4
    assert errors[1] < 0.4 * 3e4
    assert errors[2] < 0.3
    np.testing.assert_allclose(model.target_mean_, targets[:200].mean(axis=0))
    np.testing.assert_allclose(model.target_scale_[:2], targets[:200].std(axis=0)[:2])
    assert model.target_scale_[2] == 1.0
    with pytest.raises(ValueError, match="y has 2 outputs, but ConvNetRegressor was fitted to 3"):
        model.set_params(warm_start=True).fit(X, targets[:, :2])


def test_targets_are_standardised_by_their_weights_in_any_order():
    rng = np.random.default_rng(0)
    X, weights = rng.normal(size=(60, 3)), rng.random(60) * (rng.random(60) < 0.8)
    y = rng.integers(0, 4, 60) / 3  # each several times
    model = ConvNetRegressor(engine="numpy", epochs=1).fit(X, y, sample_weight=weights)
    mean = np.average(y, weights=weights)
    np.testing.assert_allclose(model.target_mean_, [mean])
    spread = np.sqrt(np.average(np.square(y - mean), weights=weights))
    np.testing.assert_allclose(model.target_scale_, [spread])
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(60)
        other = ConvNetRegressor(engine="numpy", epochs=1).fit(X[order], y[order], weights[order])
        np.testing.assert_array_equal(other.target_mean_, model.target_mean_)
        np.testing.assert_array_equal(other.target_scale_, model.target_scale_)


def test_regression_does_not_depend_on_the_unit_of_the_target():
    X, y = mirrored()
    one = regressor().fit(X, y).predict(X)
    # A power of two and no offset: the same numbers but for their exponent.
    two = regressor().fit(X, y * 1024).predict(X)
    np.testing.assert_array_equal(one * 1024, two)


def test_regression_batch_by_batch(engine):
    X, y = mirrored()
    model = regressor(network=[Conv2D(8, 3), ReLU()], engine=engine)
    for _ in range(15):
        for start in range(0, 200, 50):
            model.partial_fit(X[start : start + 50], y[start : start + 50])
    assert model.score(X[200:], y[200:]) > 0.8
    assert model.n_iter_ == 60


def test_a_column_of_targets_comes_back_as_a_column():
    X, y = mirrored()
    assert regressor().fit(X, y[:, None]).predict(X).shape == (300, 1)
    assert regressor().fit(X, y).predict(X).shape == (300,)


@pytest.mark.parametrize("size", [0.0, 1e-12, 1e-7])
def test_a_flat_feature_of_next_to_no_spread_throws_nothing_off(size):
    noise = size * np.random.default_rng(0).standard_normal(len(IMAGES))
    flat = np.c_[IMAGES.reshape(len(IMAGES), -1) / 16, noise][:400]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ConvNetClassifier(random_state=0, epochs=10).fit(flat, DIGITS.target[:400])
    moved = flat.copy()
    moved[:, -1] = 1.0
    assert model.score(moved, DIGITS.target[:400]) > model.score(flat, DIGITS.target[:400]) - 0.02


@pytest.mark.parametrize(
    ("shape", "outputs"),
    [
        ((5, 5, 3), 1),
        ((8, 8), 2),
        ((12, 13, 3), 1),
        ((13, 16, 2), 2),
        ((16, 16, 3), 1),
        ((40, 13, 3), 2),
        ((41, 20, 3), 1),
        ((1, 30, 3), 2),
    ],
)
def test_the_automatic_regressor_takes_images_of_any_size(shape, outputs):
    random = np.random.default_rng(0)
    X = random.integers(0, 256, (12, *shape)).astype(np.uint8)
    y = random.random((12, outputs))
    model = ConvNetRegressor(epochs=1).fit(X, y[:, 0] if outputs == 1 else y)
    assert model.predict(X).shape == (12,) if outputs == 1 else (12, 2)
    assert model.network_.output_shape == (outputs,)


# --- labels, any number for each sample -----------------------------------------------------------


def _labelled(count: int = 150, seed: int = 0):
    rng = np.random.default_rng(seed)
    y = (rng.random((count, 3)) < (0.5, 0.3, 0.4)).astype(int)
    X = rng.normal(size=(count, 6, 5))
    X[:, :2, 0] += 3 * y[:, :1]
    X[:, 3:5, 2] += 3 * y[:, 1:2]
    X[:, 0, 3:] += 3 * y[:, 2:]
    return X, y


def test_a_classifier_learns_labels():
    from scipy.sparse import csr_matrix
    from sklearn.metrics import accuracy_score

    X, y = _labelled()
    fresh, truth = _labelled(60, seed=1)
    model = ConvNetClassifier(epochs=20, random_state=0, augment=None)
    assert model.__sklearn_tags__().classifier_tags.multi_label
    model.fit(X, y)
    assert model.multilabel_ and model.classes_.tolist() == [0, 1, 2]
    said = model.predict(fresh)
    assert said.shape == (60, 3) and said.dtype == np.int64
    assert (said == truth).mean() > 0.9
    chances = model.predict_proba(fresh)
    np.testing.assert_array_equal(said, chances >= 0.5)
    assert model.score(fresh, truth) == accuracy_score(truth, said)
    assert model.network_.answers.kind == "labels"
    again = ConvNetClassifier(epochs=20, random_state=0, augment=None).fit(X, csr_matrix(y))
    np.testing.assert_array_equal(again.network_.flat, model.network_.flat)


def test_class_weights_of_labels():
    X, y = _labelled()
    plain, weighted = (
        ConvNetClassifier(epochs=3, random_state=0, class_weight=weight).fit(X, y)
        for weight in (None, {1: 20.0})
    )
    more = weighted.predict_proba(X)[:, 1] - plain.predict_proba(X)[:, 1]
    assert more.mean() > 0.1


def test_labels_and_classes_do_not_mix():
    X, y = _labelled(40)
    model = ConvNetClassifier(epochs=1, random_state=0, warm_start=True, engine="numpy").fit(X, y)
    model.fit(X, y)
    with pytest.raises(ValueError, match=r"y has 2 labels, but this .* was fitted to 3 labels"):
        model.fit(X, y[:, :2])
    with pytest.raises(ValueError, match="y has one class for each sample"):
        model.fit(X, y[:, 0])
    with pytest.raises(ValueError, match="X has 40 samples, but y has 39"):
        ConvNetClassifier(epochs=1).fit(X, y[:39])
    with pytest.raises(ValueError, match="skl2onnx takes classifiers of one class"):
        model.onnx_converter()
