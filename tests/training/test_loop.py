"""The training loop: it learns, repeats itself, validates, weighs and refuses."""

import json

import numpy as np
import pytest

from striate.engines import make_engine
from striate.optim import optimizers, schedules
from striate.optim.losses import MeanSquaredError, SoftmaxCrossEntropy
from striate.optim.optimizers import SGD, AdamW
from striate.optim.schedules import ConstantRate
from striate.training.loop import fit
from striate.training.split import stratified_split
from striate.training.stopping import EarlyStopping


def train(network, data, **options):
    settings = {"epochs": 3, "batch_size": 16, "progress": False, "engine": "numpy"} | options
    return fit(network, *data, **settings)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("schedule", ["constant", "one-cycle"])
def test_it_learns(problem, make_network, engine, optimizer, schedule):
    network = make_network()
    history = train(
        network,
        problem(),
        optimizer=optimizer,
        schedule=schedule,
        learning_rate=0.01,
        engine=engine,
    )
    assert history[-1].accuracy > 0.95
    assert history[-1].loss < history[0].loss
    images, labels = problem(seed=1)
    logits = network.predict_logits(images, engine=engine)
    assert (logits.argmax(axis=1) == labels).mean() > 0.95


def test_history_holds_the_figures(problem, make_network):
    rows = []
    history = train(
        make_network(), problem(50), validation_fraction=0.2, on_epoch=rows.append, epochs=2
    )
    assert history.rows == rows == list(history)
    assert history.column("epoch") == [1, 2]
    assert [row.images for row in history] == [40, 40]
    for row in history:
        assert row.loss > 0
        assert row.val_loss > 0
        assert 0 <= row.accuracy <= 1
        assert 0 <= row.val_accuracy <= 1
        assert row.seconds > 0
        assert row.images_per_second > 0
    assert not history.interrupted
    assert not history.stopped_early
    assert history.best_epoch is None
    assert history.seconds >= sum(row.seconds for row in history) * 0.99
    assert json.loads(json.dumps(history.to_dict()))["epochs"][1]["epoch"] == 2


def test_the_figures_are_the_networks(problem, make_network, engine):
    """The validation figures are those of the trained network; so are weighted ones."""
    images, labels = problem(64)
    network = make_network(batch_norm=True, dropout=0.3)
    weight = {0: 1.0, 1: 3.0, 2: 0.5}
    history = train(
        network, (images, labels), validation_data=problem(30, seed=2), class_weight=weight,
        loss=SoftmaxCrossEntropy(0.1), engine=engine,
    )  # fmt: skip
    held, truth = problem(30, seed=2)
    logits = network.predict_logits(held, engine=engine)
    loss = SoftmaxCrossEntropy(0.1)
    losses = loss.per_image(logits, loss.targets(truth, 3))
    shares = np.array([weight[label] for label in truth])
    assert history[-1].val_accuracy == (logits.argmax(axis=1) == truth).mean()
    np.testing.assert_allclose(
        history[-1].val_loss, (losses * shares).sum() / shares.sum(), rtol=1e-5
    )


def test_one_epoch_is_the_steps_written_out(problem, make_network):
    """Against the engine, optimiser and schedule called by hand, in the order of the seed."""
    images, labels = problem(40)
    network, by_hand = make_network(), make_network()
    history = train(
        network, (images, labels), epochs=2, optimizer=SGD(0.8, weight_decay=0.01),
        schedule="cosine", warmup=2, learning_rate=0.03, seed=5,
    )  # fmt: skip
    by_hand.preprocessing = network.preprocessing
    loss = SoftmaxCrossEntropy()
    engine = make_engine(by_hand, "numpy", batch_size=16, loss=loss)
    optimizer = optimizers.by_name("sgd", momentum=0.8, weight_decay=0.01)
    rate = schedules.by_name("cosine", warmup=2)
    step, total = 0, 0.0
    for epoch in range(2):
        order = np.random.default_rng([5, 2, epoch]).permutation(40)
        for rows in (order[:16], order[16:32], order[32:]):
            value, _ = engine.step(
                images[rows],
                loss.targets(labels[rows], 3),
                np.full(len(rows), 1 / len(rows), np.float32),
                np.zeros(len(rows), np.uint32),
            )
            total += value * len(rows) if epoch == 1 else 0.0
            engine.update(optimizer, rate(step, 6, 0.03))
            step += 1
    np.testing.assert_allclose(network.flat, by_hand.flat, rtol=1e-5, atol=1e-7)
    assert history[1].loss == pytest.approx(total / 40, rel=1e-5)
    assert history[1].learning_rate == pytest.approx(rate(5, 6, 0.03))


def bits(problem, make_network, **options):
    network = make_network(batch_norm=True, dropout=0.25)
    history = train(
        network, problem(70), augment=noise, validation_fraction=0.2, **options
    )  # 56 images: the last batch is smaller
    return network.flat.copy(), network.state_flat.copy(), history.column("val_loss")


def noise(images, rng):
    return np.minimum(images, 200) + rng.integers(0, 50, images.shape, dtype=np.uint8)


def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads(problem, make_network, engine):
    first = bits(problem, make_network, engine=engine, threads=1, seed=3)
    for threads in (1, 2, 3):
        again = bits(problem, make_network, engine=engine, threads=threads, seed=3)
        for one, two in zip(first, again, strict=True):
            np.testing.assert_array_equal(one, two)
    other = bits(problem, make_network, engine=engine, threads=1, seed=4)
    assert (first[0] != other[0]).any()


def test_engines_agree(problem, make_network):
    pytest.importorskip("llvmlite")
    # SGD, as AdamW makes steps of what is but rounding: a bias before batch normalisation.
    ours, theirs = (
        bits(problem, make_network, engine=name, optimizer="sgd") for name in ("numpy", "llvm")
    )
    for one, two in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("images", [33, 17, 1, 2])
def test_batches_left_over_are_trained_with_batch_normalisation(problem, make_network, images):
    network = make_network(batch_norm=True)
    history = train(network, problem(images), epochs=2)
    assert history[0].images == images
    assert np.isfinite(network.flat).all()


def test_images_of_weight_zero_are_as_if_they_were_not_there(problem, make_network, engine):
    images, labels = problem(60)
    weights = np.random.default_rng(0).integers(0, 3, 60).astype(float)
    spoiled = images.copy()
    spoiled[weights == 0] = 255
    networks = []
    for pixels in (images, spoiled):
        network = make_network()
        history = train(network, (pixels, labels), sample_weight=weights, engine=engine)
        assert history[0].images == (weights > 0).sum()
        networks.append(network)
    np.testing.assert_array_equal(networks[0].flat, networks[1].flat)
    assert networks[0].preprocessing == networks[1].preprocessing


def test_weights_are_repetitions_in_one_batch(problem, make_network):
    images, labels = problem(12)
    weights = np.array([1, 2, 3] * 4)
    weighted, repeated = make_network(), make_network()
    train(weighted, (images, labels), sample_weight=weights, batch_size=100, optimizer="sgd")
    train(
        repeated, (images.repeat(weights, 0), labels.repeat(weights)), batch_size=100,
        optimizer="sgd",
    )  # fmt: skip
    np.testing.assert_allclose(weighted.flat, repeated.flat, rtol=1e-3, atol=1e-5)


def test_class_weights_are_sample_weights(problem, make_network):
    images, labels = problem(30)
    by_class, by_sample = make_network(), make_network()
    # Preprocessing counts images as they are weighted, classes not: give both the same.
    by_class.preprocessing = by_sample.preprocessing = preprocessing()
    train(by_class, (images, labels), class_weight={0: 2.0, 2: 0.0})
    train(by_sample, (images, labels), sample_weight=np.array([2.0, 1.0, 0.0])[labels])
    np.testing.assert_array_equal(by_class.flat, by_sample.flat)


def preprocessing():
    from striate.model.preprocessing import Preprocessing

    return Preprocessing(mean=(50.0,), std=(60.0,))


def test_preprocessing_comes_from_the_training_images_alone(problem, make_network):
    images, labels = problem(40)
    network = make_network()
    train(network, (images, labels), validation_data=(images * 0, labels))
    np.testing.assert_allclose(network.preprocessing.mean, [images.mean()])
    np.testing.assert_allclose(network.preprocessing.std, [images.std()])
    split = make_network()
    images[30:] = 0  # of one class each, so that some of them are held back
    train(split, (images, labels), validation_fraction=0.5)
    kept, _ = stratified_split(labels, 0.5, seed=0)
    np.testing.assert_allclose(split.preprocessing.mean, [images[kept].mean()])
    assert images[kept].mean() != images.mean()
    own = make_network()
    own.preprocessing = preprocessing()
    train(own, (images, labels))
    assert own.preprocessing == preprocessing()


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64, np.uint16])
def test_any_real_dtype_trains_alike(problem, make_network, dtype):
    images, labels = problem(40)
    first, second = make_network(), make_network()
    train(first, (images, labels))
    given = images.astype(dtype)[..., 0]  # gray images need no channel axis
    train(second, (given, labels))
    np.testing.assert_allclose(first.flat, second.flat, rtol=1e-5, atol=1e-6)
    given.setflags(write=False)
    train(second, (given, labels), epochs=1)  # nothing writes into the user's images


def test_regression(problem, make_network, engine):
    images, labels = problem()
    targets = np.stack([labels - 1.0, 1.0 - labels], axis=1)
    network = make_network(outputs=2)
    history = train(
        network, (images, targets), validation_fraction=0.25, engine=engine, epochs=15,
        learning_rate=0.01,
    )  # fmt: skip
    assert history[-1].accuracy is None
    assert history[-1].val_accuracy is None
    assert history[-1].val_loss < 0.1
    single = make_network(outputs=1)
    train(single, (images, labels / 2), epochs=1, loss="mean_squared_error", engine=engine)


def test_labels_may_be_the_networks_class_names(problem, make_network):
    images, labels = problem(30)
    named, indexed = make_network(), make_network()
    named.classes = ["left", "middle", "right"]
    train(named, (images, np.array(named.classes)[labels]))
    train(indexed, (images, labels))
    np.testing.assert_array_equal(named.flat, indexed.flat)


def test_an_optimizer_goes_on_with_its_state(problem, make_network):
    optimizer = AdamW()
    network = make_network()
    train(network, problem(32), optimizer=optimizer, epochs=2)
    assert optimizer.steps == 4
    train(network, problem(32), optimizer=optimizer, epochs=1)
    assert optimizer.steps == 6


def test_early_stopping_restores_the_best_weights_and_statistics(problem, make_network, engine):
    images, labels = problem(48)
    network = make_network(batch_norm=True)
    kept = {}

    def remember(row):
        kept[row.epoch] = network.flat.copy(), network.state_flat.copy()

    rule = EarlyStopping(patience=2)
    # Validated on wrong labels, the network gets worse as it learns.
    history = train(
        network, (images, labels), validation_data=(images, (labels + 1) % 3), epochs=20,
        early_stopping=rule, on_epoch=remember, engine=engine, learning_rate=0.01,
        schedule=ConstantRate(),
    )  # fmt: skip
    losses = history.column("val_loss")
    best = int(np.argmin(losses))
    assert history.stopped_early
    assert len(history) == best + 3 < 20
    assert history.best_epoch == best + 1
    flat, state = kept[best + 1]
    assert (kept[len(history)][0] != flat).any()
    assert (kept[len(history)][1] != state).any()
    np.testing.assert_array_equal(network.flat, flat)
    np.testing.assert_array_equal(network.state_flat, state)


def test_early_stopping_restores_also_where_training_ran_to_its_end(problem, make_network):
    images, labels = problem(48)
    network = make_network()
    kept = {}
    history = train(
        network, (images, labels), validation_data=(images, (labels + 1) % 3), epochs=3,
        early_stopping=10, on_epoch=lambda row: kept.update({row.epoch: network.flat.copy()}),
    )  # fmt: skip
    assert not history.stopped_early
    assert len(history) == 3
    np.testing.assert_array_equal(network.flat, kept[history.best_epoch])
    assert history.best_epoch == 1 + int(np.argmin(history.column("val_loss")))


def test_early_stopping_on_accuracy(problem, make_network):
    history = train(
        make_network(), problem(), validation_fraction=0.25, epochs=30,
        early_stopping=EarlyStopping(patience=3, monitor="val_accuracy"),
    )  # fmt: skip
    accuracies = history.column("val_accuracy")
    assert history.best_epoch == 1 + int(np.argmax(accuracies))
    assert history.stopped_early
    assert len(history) == history.best_epoch + 3


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_weights(
    problem, make_network, engine, optimizer
):
    network = make_network(batch_norm=True)
    good = []

    def remember(row):
        good.append((network.flat.copy(), network.state_flat.copy()))

    with pytest.raises(FloatingPointError, match=r"not finite.*lower learning_rate, to") as caught:
        train(
            network, problem(), learning_rate=1e30, schedule=explode, epochs=9, engine=engine,
            optimizer=optimizer, on_epoch=remember,
        )  # fmt: skip
    assert len(good) >= 1
    assert f"weights from the end of epoch {len(good)}" in str(caught.value)
    np.testing.assert_array_equal(network.flat, good[-1][0])
    np.testing.assert_array_equal(network.state_flat, good[-1][1])
    assert np.isfinite(network.flat).all()
    assert np.isfinite(network.state_flat).all()


def test_a_loss_that_is_never_finite_leaves_the_network_as_it_was(problem, make_network):
    network = make_network(batch_norm=True)
    before = network.flat.copy(), network.state_flat.copy()

    def loss(outputs, targets):
        return np.inf, 0 * outputs

    told = (
        r"^the loss is not finite in epoch 1, step 1, at the learning rate 0\.16: lower "
        r"learning_rate, to 0\.02 for example\. The network keeps its weights from before "
        r"training\.$"
    )
    with pytest.raises(FloatingPointError, match=told):
        train(network, problem(), loss=loss, schedule="constant", learning_rate=0.16)
    np.testing.assert_array_equal(network.flat, before[0])
    np.testing.assert_array_equal(network.state_flat, before[1])


def test_validation_images_that_do_not_count_have_no_loss(problem, make_network):
    """But an accuracy: all of them are of a class of weight zero."""
    images, labels = problem()
    history = train(
        make_network(), (images, labels), class_weight={2: 0.0},
        validation_data=(images[labels == 2], labels[labels == 2]),
    )  # fmt: skip
    assert history.column("val_loss") == [0.0] * 3
    assert history[-1].val_accuracy == 0.0


def test_numbers_have_no_accuracy_to_stop_by(problem, make_network):
    images, labels = problem(24)
    rule = EarlyStopping(monitor="val_accuracy")
    options = {"early_stopping": rule, "validation_fraction": 0.25}
    train(make_network(), (images, labels), **options)
    with pytest.raises(ValueError, match='numbers have no accuracy, monitor "val_loss"'):
        train(make_network(outputs=1), (images, labels / 2), **options)


def test_the_step_whose_loss_is_not_finite_is_not_made(problem, make_network, engine):
    steps = []
    optimizer = SGD()
    with pytest.raises(FloatingPointError, match=r"epoch 2, step \d") as caught:
        train(
            make_network(), problem(), learning_rate=1e30, schedule=explode, epochs=9,
            engine=engine, optimizer=optimizer, progress=steps.append,
        )  # fmt: skip
    assert optimizer.steps == len(steps)
    assert f"step {len(steps) - 6 + 1}," in str(caught.value)


def test_a_last_step_that_is_too_large_is_found_too(problem, make_network):
    class Last(schedules.RateSchedule):
        def rate(self, step, total_steps, base):
            return base if step == total_steps - 1 else 1e-42

    network = make_network()
    with pytest.raises(FloatingPointError, match="epoch 3, step 6"):
        train(network, problem(), learning_rate=1e40, schedule=Last())
    assert np.isfinite(network.flat).all()


class _Explode(schedules.RateSchedule):
    """Gentle for an epoch, then the whole base rate."""

    name = "explode"

    def rate(self, step, total_steps, base):
        return base * (1e-32 if step < 6 else 1.0)


explode = _Explode()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs must be at least 1"),
        ({"epochs": 1.5}, TypeError, "epochs must be a whole number"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"batch_size": True}, TypeError, "batch_size must be a whole number"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be finite and above 0"),
        ({"learning_rate": float("nan")}, ValueError, "learning_rate must be finite"),
        ({"optimizer": "adam"}, ValueError, "unknown optimizer 'adam'"),
        ({"optimizer": 3}, TypeError, "optimizer must be an Optimizer or its name"),
        ({"optimizer": SGD(), "weight_decay": 0.1}, ValueError, "weight_decay is for"),
        ({"schedule": "linear"}, ValueError, "unknown schedule 'linear'"),
        ({"schedule": 3}, TypeError, "schedule must be a RateSchedule or its name"),
        ({"schedule": ConstantRate(), "warmup": 3}, ValueError, "warmup is for"),
        ({"loss": "hinge"}, ValueError, "unknown loss 'hinge'"),
        ({"loss": 3}, TypeError, "loss must be a Loss"),
        ({"loss": MeanSquaredError()}, ValueError, "targets have the shape"),
        ({"loss": MeanSquaredError(), "class_weight": "balanced"}, ValueError, "targets have"),
        ({"validation_fraction": 1.0}, ValueError, "validation_fraction must lie between"),
        ({"early_stopping": 3}, ValueError, "early stopping needs validation images"),
        ({"early_stopping": 0, "validation_fraction": 0.5}, ValueError, "at least 1 epoch"),
        ({"early_stopping": 0.5, "validation_fraction": 0.5}, TypeError, "must be an int"),
        ({"sample_weight": [1.0]}, ValueError, "one number for each of the 24 images"),
        ({"class_weight": dict.fromkeys(range(3), 0.0)}, ValueError, "leave no image"),
        ({"engine": "cuda"}, ValueError, 'engine must be "llvm" or "numpy"'),
        ({"validation_data": (np.ones((2, 6, 6, 1)), [0])}, ValueError, "2 images and 1 targets"),
        ({"validation_data": (np.ones((0, 6, 6, 1)), [])}, ValueError, "0 images and 0 targets"),
        ({"validation_data": (np.ones((2, 6, 6, 1)),)}, ValueError, "must be a pair"),
        ({"validation_data": (1, 2), "validation_fraction": 0.1}, ValueError, "not both"),
        ({"validation_data": (np.ones((2, 5, 6, 1)), [0, 1])}, ValueError, "shape"),
    ],
)
def test_bad_options_are_told_before_training(problem, make_network, options, error, message):
    network = make_network()
    before = network.flat.copy()
    with pytest.raises(error, match=message):
        train(network, problem(24), **options)
    np.testing.assert_array_equal(network.flat, before)


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        (np.ones((3, 5, 6, 1)), [0, 1, 2], ValueError, r"\(n, 6, 6, 1\), got \(3, 5, 6, 1\)"),
        (np.ones((3, 6, 6, 1)), [0, 1], ValueError, "3 images but 2 targets"),
        (np.ones((3, 6, 6, 1)), 1, ValueError, "3 images but a single target"),
        (np.ones((0, 6, 6, 1)), np.zeros(0, int), ValueError, "no images to train on"),
        (np.ones((3, 6, 6, 1)), [0, 1, 3], ValueError, "labels must lie in 0 … 2"),
        (np.ones((3, 6, 6, 1)), [0, -1, 2], ValueError, "labels must lie in 0 … 2"),
        (np.ones((3, 6, 6, 1)), ["a", "b", "a"], ValueError, "no names for its classes"),
        (np.ones((3, 6, 6, 1)), [[0, 1], [1, 2], [2, 0]], ValueError, "one row, one per image"),
        (np.ones((3, 6, 6, 1)), np.eye(3), ValueError, r"one-hot.*argmax"),
        (np.ones((3, 6, 6, 1)), np.eye(3, dtype=int), ValueError, r"one-hot.*argmax"),
        (np.ones((3, 6, 6, 1)), np.full((3, 3), 1 / 3), ValueError, "like probabilities"),
        (np.ones((3, 6, 6, 1)), [0.0, 1.0, 2.0], ValueError, "give whole numbers or class names"),
        (np.full((3, 6, 6, 1), np.nan), [0, 1, 2], ValueError, "NaN or infinity"),
        (np.full((3, 6, 6, 1), 1e300), [0, 1, 2], ValueError, "too large for float32"),
        (np.ones((3, 6, 6, 1), complex), [0, 1, 2], TypeError, "real numbers"),
        (np.full((3, 6, 6, 1), "a"), [0, 1, 2], TypeError, "real numbers"),
        (np.ones((3, 6, 6, 1)), np.full((3, 3), np.inf), ValueError, "targets hold NaN"),
    ],
)
def test_bad_data_are_told(make_network, X, y, error, message):
    with pytest.raises(error, match=message):
        train(make_network(), (X, y))


def test_names_that_the_network_does_not_know_are_told(problem, make_network):
    network = make_network()
    network.classes = ["a", "b", "c"]
    with pytest.raises(ValueError, match=r"labels \['d'\] are none of the network's classes"):
        train(network, (np.ones((2, 6, 6, 1)), np.array(["a", "d"])))


def test_a_network_that_ends_in_an_image_is_told():
    from striate.layers import Conv2D
    from striate.network import Network

    with pytest.raises(ValueError, match=r"the network ends in \(4, 4, 2\).*add Flatten\(\)"):
        train(Network([Conv2D(2, 3)], input_shape=(6, 6, 1)), (np.ones((3, 6, 6, 1)), [0, 1, 1]))


def test_digits_are_learnt_well(engine):
    datasets = pytest.importorskip("sklearn.datasets")
    from striate.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU
    from striate.network import Network

    digits = datasets.load_digits()
    images = digits.images.astype(np.uint8)
    layers = [Conv2D(16, 3, padding=1), ReLU(), MaxPool2D(2), Flatten(), Dense(10)]
    network = Network(layers, input_shape=(8, 8, 1))
    train(
        network, (images[:1000], digits.target[:1000]), epochs=6, batch_size=32, engine=engine,
        learning_rate=0.01,
    )  # fmt: skip
    found = network.predict_logits(images[1000:], engine=engine).argmax(axis=1)
    assert (found == digits.target[1000:]).mean() > 0.9
