"""The network: its buffers, first parameters, copies, prediction."""

import copy
import math
import pickle
import threading
import time

import numpy as np
import pytest

import striate.engines
from striate.layers import BatchNorm, Conv2D, Dense, Flatten, Parameter, ReLU
from striate.model.parameters import initial
from striate.model.preprocessing import Preprocessing
from striate.network import Network


def small(seed=0):
    return Network([Conv2D(5, 3), BatchNorm(), ReLU(), Flatten(), Dense(3)], (6, 5, 2), seed=seed)


def images(count=7):
    return np.random.default_rng(1).integers(0, 256, (count, 6, 5, 2), dtype=np.uint8)


# Buffers.


def test_all_parameters_lie_in_one_aligned_buffer():
    network = small()
    assert network.flat.dtype == np.float32
    assert network.flat.ctypes.data % 64 == 0
    assert network.state_flat.ctypes.data % 64 == 0
    assert [(slot.node, slot.parameter.name, slot.start, slot.stop) for slot in network.slots] == [
        (0, "filters", 0, 90),
        (0, "bias", 96, 101),
        (1, "scale", 112, 117),
        (1, "shift", 128, 133),
        (4, "weights", 144, 324),
        (4, "bias", 336, 339),
    ]
    assert network.flat.size == 352
    assert network.parameter_count == 90 + 5 + 5 + 5 + 180 + 3
    assert [(slot.node, slot.parameter.name) for slot in network.state_slots] == [
        (1, "mean"),
        (1, "variance"),
    ]


def test_parameters_are_views_by_name():
    network = small()
    assert list(network.parameters) == [
        "conv2d_1/filters",
        "conv2d_1/bias",
        "batch_norm_1/scale",
        "batch_norm_1/shift",
        "dense_1/weights",
        "dense_1/bias",
    ]
    assert network.parameters["conv2d_1/filters"].shape == (3, 3, 2, 5)
    network.parameters["dense_1/bias"][:] = 7
    assert (network.flat[336:339] == 7).all()
    network.state["batch_norm_1/mean"][1] = 9
    assert network.state_flat[1] == 9
    assert network.parameters_of(4)["bias"] is not None
    assert set(network.state_of(1)) == {"mean", "variance"}
    with pytest.raises(TypeError):  # would only disconnect the name from the buffer
        network.parameters["dense_1/bias"] = np.zeros(3)


def test_weight_decay_spares_biases_batch_normalisation_and_padding():
    network = small()
    decayed = {
        network.nodes[slot.node].name
        for slot in network.slots
        if network.decay_mask[slot.start : slot.stop].all()
    }
    assert decayed == {"conv2d_1", "dense_1"}
    assert network.decay_mask.sum() == 90 + 180


def test_what_is_learned_is_in_parts_between_what_is_frozen():
    """In whole cache lines of 16 numbers."""
    network = small()
    assert network.learned_parts() == [(0, 352, 1.0)]
    network.freeze("batch_norm_1")
    assert network.learned_parts() == [(0, 112, 1.0), (144, 352, 1.0)]
    network.set_rate(0.25, "conv2d_1", "batch_norm_1")
    assert network.learned_parts() == [(0, 112, 0.25), (144, 352, 1.0)]
    rates = network.learning_rates(0.5)
    assert (rates[:112] == 0.125).all() and (rates[144:] == 0.5).all()
    network.freeze("conv2d_1")
    assert network.learned_parts() == [(144, 352, 1.0)]
    network.freeze()
    assert network.learned_parts() == []


def test_identity_filters_of_even_sizes_hand_on_the_place_before_the_middle():
    network = Network([Conv2D(3, (4, 2), initial="identity", bias=False)], (6, 5, 2))
    filters = network.parameters["conv2d_1/filters"]
    expected = np.zeros((4, 2, 2, 2))
    expected[1, 0] = np.eye(2)
    np.testing.assert_array_equal(filters[..., :2], expected)
    assert filters[..., 2].all()


def test_a_network_without_parameters():
    network = Network([ReLU()], (3,))
    assert network.flat.size == 0
    np.testing.assert_array_equal(
        network.predict_logits(np.array([[-1, 0, 2]]), engine="numpy"), [[0, 0, 2]]
    )


# First parameters.


def test_the_same_seed_gives_the_same_parameters():
    np.testing.assert_array_equal(small(seed=3).flat, small(seed=3).flat)
    assert (small(seed=3).flat != small(seed=4).flat).any()


def test_first_parameters_follow_he():
    network = Network([Conv2D(64, 3, groups=2), Flatten(), Dense(50)], (8, 8, 16))
    filters = network.parameters["conv2d_1/filters"]
    assert filters.std() == pytest.approx(math.sqrt(2 / (9 * 8)), rel=0.03)
    weights = network.parameters["dense_1/weights"]
    assert weights.std() == pytest.approx(math.sqrt(2 / (36 * 64)), rel=0.03)
    expected = np.random.default_rng([0, 0]).standard_normal(filters.size) * math.sqrt(2 / 72)
    np.testing.assert_array_equal(filters.ravel(), expected.astype(np.float32))
    assert not network.parameters["dense_1/bias"].any()
    padded = np.ones(network.flat.size, bool)
    for slot in network.slots:
        padded[slot.start : slot.stop] = False
    assert not network.flat[padded].any()


def test_glorot_keeps_within_its_limit():
    parameter = Parameter("weights", (400,), "glorot_uniform", fan_in=10, fan_out=14)
    values = initial(parameter, np.random.default_rng(0), 400)
    assert 0.48 < values.max() <= 0.5
    assert -0.5 <= values.min() < -0.48


def test_numbers_drawn_in_parts_are_those_drawn_at_once(monkeypatch):
    expected = Network([Dense(70, name="d")], (40,)).flat.copy()
    random = np.random.default_rng([0, 0])
    whole = random.standard_normal(2800) * np.sqrt(2 / 40)
    np.testing.assert_array_equal(expected[:2800], whole.astype(np.float32))
    monkeypatch.setattr("striate.model.parameters._DRAWN", 64)
    np.testing.assert_array_equal(Network([Dense(70, name="d")], (40,)).flat, expected)


def test_initialise_starts_over():
    network = small()
    before = network.flat.copy()
    network.flat += 1
    network.state["batch_norm_1/variance"][:] = 5
    network.initialise(seed=0)
    np.testing.assert_array_equal(network.flat[:90], before[:90])
    assert (network.state["batch_norm_1/variance"] == 1).all()


# Copies.


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_copies_are_whole_and_independent(duplicate):
    network = small()
    network.classes = ["a", "b", "c"]
    network.preprocessing = Preprocessing(mean=(100, 120), std=(60, 80))
    network.state["batch_norm_1/mean"][:] = 3
    before = network.predict_logits(images(), engine="numpy")
    again = duplicate(network)
    np.testing.assert_array_equal(again.predict_logits(images(), engine="numpy"), before)
    assert (again.classes, again.preprocessing) == (network.classes, network.preprocessing)
    assert again.flat.ctypes.data % 64 == 0
    again.parameters["dense_1/bias"][:] = 100
    again.state["batch_norm_1/mean"][:] = 100
    assert (again.predict_logits(images(), engine="numpy") != before).all()
    np.testing.assert_array_equal(network.predict_logits(images(), engine="numpy"), before)


def test_engines_are_not_part_of_a_copy():
    network = small()
    network.predict(images(), engine="numpy")
    assert network._engines
    assert not copy.deepcopy(network)._engines
    assert not pickle.loads(pickle.dumps(network))._engines


# Prediction.


def test_probabilities_classes_and_names():
    network = small()
    network.preprocessing = Preprocessing(mean=(128, 128), std=(64, 64))
    logits = network.predict_logits(images(), engine="numpy")
    probabilities = network.predict_proba(images(), engine="numpy")
    expected = np.exp(logits.astype(float))
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-5)
    winners = network.predict(images(), engine="numpy")
    np.testing.assert_array_equal(winners, logits.argmax(1))
    network.classes = ["ant", "bee", "cat"]
    names = network.predict(images(), engine="numpy")
    assert list(names) == [network.classes[winner] for winner in winners]


def test_large_outputs_do_not_overflow():
    network = small()
    network.parameters["dense_1/bias"][:] = [1e4, -1e4, 0]
    np.testing.assert_allclose(network.predict_proba(images(2), engine="numpy"), [[1, 0, 0]] * 2)


def test_batches_do_not_change_the_result():
    network = small()
    whole = network.predict_logits(images(7), engine="numpy")
    parts = network.predict_logits(images(7), engine="numpy", batch_size=3)
    np.testing.assert_allclose(parts, whole, rtol=1e-4, atol=1e-3)
    assert network.predict_logits(images(0), engine="numpy").shape == (0, 3)
    assert network.predict(images(0), engine="numpy").shape == (0,)


def test_gray_images_may_come_without_the_channel_axis():
    network = Network([Flatten(), Dense(2)], (4, 5, 1))
    x = np.random.default_rng(0).random((3, 4, 5), np.float32)
    np.testing.assert_array_equal(
        network.predict_logits(x, engine="numpy"),
        network.predict_logits(x[..., None], engine="numpy"),
    )


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((6, 5, 2), r"reads images of shape \(n, 6, 5, 2\), got \(6, 5, 2\); for a single image"),
        ((3, 6, 6, 2), r"got \(3, 6, 6, 2\)$"),
        ((3, 60), r"got \(3, 60\)$"),
        ((), r"got \(\)"),
    ],
)
def test_images_of_another_shape_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        small().predict(np.zeros(shape), engine="numpy")


def test_other_mistakes_are_explained():
    network = small()
    with pytest.raises(TypeError, match="must be an array of real numbers, got dtype <U1"):
        network.predict(np.full((1, 6, 5, 2), "x"), engine="numpy")
    with pytest.raises(ValueError, match='engine must be "llvm" or "numpy", got \'cuda\''):
        network.predict(images(), engine="cuda")
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        network.predict(images(), engine="numpy", batch_size=0)
    with pytest.raises(ValueError, match="preprocessing has 3 channels, the network reads 2"):
        network.preprocessing = Preprocessing(mean=(1, 2, 3), std=(1, 1, 1))
    with pytest.raises(TypeError, match="preprocessing must be a Preprocessing"):
        network.preprocessing = {"mean": ()}
    with pytest.raises(ValueError, match=r"output .* is an image, not one number per class"):
        Network([ReLU()], (6, 5, 2)).predict(images(), engine="numpy")


def test_engines_are_kept_until_the_preprocessing_changes(monkeypatch):
    made = []
    make = striate.engines.make_engine

    def counting(*args, **options):
        made.append(options)
        return make(*args, **options)

    monkeypatch.setattr(striate.engines, "make_engine", counting)
    network = small()
    for batch_size in (4, 4, 5, 4):
        network.predict(images(), engine="numpy", batch_size=batch_size)
    assert len(made) == 2
    before = network.predict_logits(images(), engine="numpy", batch_size=4)
    network.preprocessing = Preprocessing(mean=(100, 100), std=(9, 9))
    after = network.predict_logits(images(), engine="numpy", batch_size=4)
    assert len(made) == 3
    assert (before != after).any()


def test_several_threads_may_predict_at_once():
    network = small()
    inputs = [images(20) // (1 + part) for part in range(8)]
    expected = [network.predict_logits(x, engine="numpy", batch_size=4) for x in inputs]
    busy = threading.Lock()
    engine = next(iter(network._engines.values()))
    forward = engine.forward

    def exclusive(x):  # an engine has buffers of its own: two calls at once would mix them up
        assert busy.acquire(blocking=False)
        try:
            time.sleep(1e-3)
            return forward(x)
        finally:
            busy.release()

    engine.forward = exclusive
    results = [None] * len(inputs)

    def work(part):
        results[part] = network.predict_logits(inputs[part], engine="numpy", batch_size=4)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for got, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_the_representation_is_short():
    assert repr(small()) == "Network(5 layers, (6, 5, 2) → (3,), 288 parameters)"


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
def test_outputs_that_are_not_finite_are_refused(engine: str) -> None:
    """Instead of a class and the probability nan: weights may be finite, and still too large."""
    network = Network([Conv2D(4, 3), Flatten(), Dense(3)], (5, 5, 1))
    images = np.ones((4, 5, 5, 1), np.float32)
    images[:2] = 0
    assert np.isfinite(network.predict_logits(images, engine=engine)).all()
    network.parameters["conv2d_1/filters"][...] = 3e38
    network.parameters["dense_1/weights"][...] = 3e38
    for ask in (
        network.predict,
        network.predict_proba,
        lambda images, engine: network.evaluate(images, np.arange(4) % 3, engine=engine),
    ):
        with (
            np.errstate(all="ignore"),
            pytest.raises(ValueError, match=r"for 2 images, the first is number 2 .* is 3e\+38"),
        ):
            ask(images, engine=engine)
