"""The learning-rate finder: leaves all as it was, and suggests a rate that trains well."""

import numpy as np
import pytest

from striate.data.augment import Augment
from striate.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU
from striate.network import Network
from striate.optim.optimizers import SGD, AdamW
from striate.training import learning_rate_finder
from striate.training.learning_rate_finder import _smooth


def digits():
    from striate import load_data

    found = load_data("digits")
    return found.train_images, found.train_labels


def small(seed=0, **conv):
    layers = [
        Conv2D(8, 3, padding="same", **conv), BatchNorm(), ReLU(), MaxPool2D(2), Flatten(),
        Dropout(0.1), Dense(10),
    ]  # fmt: skip
    return Network(layers, (8, 8, 1), seed=seed)


def everything(network):
    return network.flat.tobytes(), network.state_flat.tobytes(), network.preprocessing


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
@pytest.mark.parametrize("conv", [{}, {"initial": "whitening", "bias": False}])
def test_the_network_is_as_it_was(engine, conv):
    network = small(**conv)
    network.state_flat[:] += 0.25
    before = everything(network)
    images, labels = digits()
    network.find_learning_rate(images, labels, steps=12, engine=engine, augment=Augment(shift=1))
    assert everything(network) == before
    # And so it is if training fails on the way.
    with pytest.raises(ZeroDivisionError):
        network.find_learning_rate(
            images, labels, steps=12, engine=engine, augment=lambda some, rng: 1 / 0
        )
    assert everything(network) == before


def test_training_afterwards_has_the_same_bits():
    images, labels = digits()
    plain, searched = small(), small()
    optimizer = AdamW()
    searched.find_learning_rate(images, labels, steps=20, optimizer=optimizer)
    for network, rule in ((plain, AdamW()), (searched, optimizer)):
        network.fit(images, labels, epochs=1, optimizer=rule, progress=False)
    assert everything(plain) == everything(searched)


def test_the_same_curve_for_any_number_of_threads():
    images, labels = digits()
    one, two = (
        small().find_learning_rate(images, labels, steps=15, seed=3, threads=threads)
        for threads in (1, 2)
    )
    np.testing.assert_array_equal(one.losses, two.losses)
    other = small().find_learning_rate(images, labels, steps=15, seed=4)
    assert not np.array_equal(one.losses, other.losses)


def test_the_steps_are_those_of_training():
    """The losses of a training with these rates, one by one."""
    images, labels = digits()
    curve = small().find_learning_rate(
        images, labels, steps=10, lowest=1e-3, highest=1e-2, optimizer=SGD(), engine="numpy"
    )
    np.testing.assert_allclose(curve.rates, 10 ** np.linspace(-3, -2, 10))
    network, losses, rule = small(), [], SGD()
    from striate.engines import make_engine
    from striate.training.prepare import prepare

    nothing = dict.fromkeys(["loss", "class_weight", "sample_weight", "validation_data"])
    data = prepare(network, images, labels, **nothing, validation_fraction=0.0, seed=0)
    engine = make_engine(network, "numpy", batch_size=128, loss=data.loss)
    with data.training.batches(epochs=1, batch_size=128, seed=0) as batches:
        for rate, batch in zip(curve.rates, batches, strict=False):
            losses.append(
                engine.step(
                    batch.groups[0].images,
                    batch.targets,
                    batch.groups[0].weights,
                    batch.groups[0].keys,
                )[0]
            )
            engine.update(rule, float(rate))
    np.testing.assert_array_equal(curve.losses, losses)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_what_is_suggested_trains(optimizer):
    images, labels = digits()
    network = small()
    curve = network.find_learning_rate(images, labels, optimizer=optimizer, batch_size=32)
    assert 1e-3 < curve.suggestion < 0.2
    assert curve.rates[-1] > 10 * curve.suggestion * 0.99
    history = network.fit(
        images, labels, optimizer=optimizer, learning_rate=curve.suggestion, batch_size=32,
        epochs=4, progress=False,
    )  # fmt: skip
    assert history[-1].accuracy > 0.9


def test_a_rate_that_is_too_high_ends_it():
    images, labels = digits()
    curve = small().find_learning_rate(images, labels, optimizer="sgd", highest=1e6, seed=1)
    assert curve.diverged
    assert len(curve.rates) == len(curve.losses) == len(curve.smoothed) < 100
    assert np.isfinite(curve.losses).all()
    assert curve.suggestion == curve.rates[curve.smoothed.argmin()] / 10
    assert "where the loss diverged" in str(curve)


def test_a_rate_that_is_too_low_finds_nothing():
    """Its first batch has the smallest loss: the network is right about these images only."""
    images, labels = digits()
    network = small()
    curve = network.find_learning_rate(
        images, labels, lowest=1e-12, highest=1e-11, steps=10, batch_size=len(images)
    )
    falls = curve.smoothed.min() < curve.smoothed[0]
    assert (curve.suggestion is None) == (not falls)
    assert not curve.diverged
    made = learning_rate_finder.LearningRateCurve(
        curve.rates, curve.losses, curve.smoothed, None, False
    )
    assert str(made).startswith("no learning rate made the loss fall in 10 steps")
    assert "suggestion none" in repr(made)


def scripted(values, steps=10, **options):
    """The curve of a training whose losses are these, whatever it does; the last one stays."""
    left = [*values]

    def loss(outputs, targets):
        return left.pop(0) if len(left) > 1 else left[0], np.zeros_like(outputs)

    images, labels = digits()
    return small().find_learning_rate(
        images[:40], labels[:40], loss=loss, steps=steps, engine="numpy", batch_size=16, **options
    )


# Of the smoothed loss: that of two steps weighs the first one 9 to 10.
SECOND = 10 / 19


@pytest.mark.parametrize(
    ("first", "second", "diverged"),
    [
        # It may rise to four times the smallest,
        (1.0, 1 + 2.99 / SECOND, False),
        (1.0, 1 + 3.01 / SECOND, True),
        # of what is negative by as much,
        (-1.0, -1 + 2.99 / SECOND, False),
        (-1.0, -1 + 3.01 / SECOND, True),
    ],
)
def test_it_has_diverged_where_the_smoothed_loss_is_so_far_above_its_least(first, second, diverged):
    curve = scripted([first, second, first])
    assert (len(curve.rates), curve.diverged) == ((2, True) if diverged else (10, False))


@pytest.mark.parametrize(("last", "diverged"), [(2.99, False), (3.01, True)])
def test_a_loss_next_to_nothing_may_rise_by_three_quarters_of_the_first(last, diverged):
    """From 4 to 0.5 by 300 steps of that, and then up."""
    curve = scripted([4.0, *[0.5] * 300, 0.5 + 10 * last, 0.5], steps=310)
    assert curve.smoothed[300] == pytest.approx(0.5)
    assert (len(curve.rates), curve.diverged) == ((302, True) if diverged else (310, False))


def test_the_suggestion_is_a_tenth_of_the_best_rate():
    curve = scripted([4, 3, 2, 1, 90], lowest=1e-3, highest=1e6)
    assert curve.smoothed.argmin() == 3 and len(curve.rates) == 5
    assert curve.suggestion == pytest.approx(0.1)
    assert str(curve) == ("learning rate 0.1, by 5 steps from 0.001 to 10, where the loss diverged")
    assert repr(curve) == "LearningRateCurve(suggestion 0.1, 5 steps up to 10)"
    assert curve.to_dict() == {
        "rates": curve.rates.tolist(),
        "losses": [4, 3, 2, 1, 90],
        "smoothed": curve.smoothed.tolist(),
        "suggestion": curve.suggestion,
        "diverged": True,
    }


def test_a_loss_that_stays_suggests_nothing():
    curve = scripted([2.0], lowest=1e-3, highest=1.0)
    assert curve.suggestion is None and not curve.diverged
    assert str(curve) == (
        "no learning rate made the loss fall in 10 steps from 0.001 to 1: more steps may tell"
    )
    (axes,) = curve.plot().axes
    assert len(axes.lines) == 2


def test_a_loss_that_is_not_finite_ends_it():
    curve = scripted([2.0, 1.0, np.nan])
    assert curve.losses.tolist() == [2.0, 1.0] and curve.diverged
    assert len(curve.rates) == 2 and curve.suggestion == curve.rates[1] / 10
    for losses in ([2.0, np.inf], [np.nan]):
        with pytest.raises(ValueError, match=r"rate of 0\.001: lower lowest, to 1e-06 for"):
            scripted(losses, lowest=1e-3)


def test_images_are_gone_through_again_where_there_are_few():
    """Three batches an epoch: eleven steps and twelve both take four epochs."""
    for steps in (10, 11, 12, 13):
        assert len(scripted([1.0], steps=steps).losses) == steps


def test_what_is_asked_for_by_default():
    curve = scripted([1.0], steps=100)
    assert curve.rates[[0, -1]].tolist() == pytest.approx([1e-6, 10.0])
    images, labels = digits()
    assert (
        len(small().find_learning_rate(images, labels, engine="numpy", highest=1e-5).rates) == 100
    )


def test_smoothing_forgets():
    assert _smooth([3.0]) == 3.0
    assert _smooth([1.0, 2.0]) == pytest.approx((0.9 + 2.0) / 1.9)
    assert _smooth([100.0, *[1.0] * 300]) == pytest.approx(1.0)


def test_it_is_drawn_and_told():
    images, labels = digits()
    curve = small().find_learning_rate(images, labels, steps=30)
    (axes,) = curve.plot().axes
    assert axes.get_xscale() == "log"
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), curve.losses)
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), curve.smoothed)
    assert axes.lines[2].get_xdata()[0] == curve.suggestion
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["of each step", "smoothed", f"{curve.suggestion:.2g}"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate", "loss")
    np.testing.assert_allclose(curve.plot().get_size_inches(), (5.2, 3.2))
    assert len(repr(curve)) < 160
    assert str(curve).startswith(f"learning rate {curve.suggestion:.3g}, by ")
    assert curve.to_dict()["losses"] == curve.losses.tolist()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"steps": 9}, ValueError, "steps must be at least 10, got 9"),
        ({"steps": 20.5}, TypeError, "steps must be a whole number"),
        ({"lowest": 0.0}, ValueError, "above 0, the lower one first, got 0 and 10"),
        ({"lowest": 1.0, "highest": 0.1}, ValueError, "got 1 and 0.1"),
        ({"highest": float("inf")}, ValueError, "highest must be finite"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"optimizer": "adam"}, ValueError, "adam"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"lowest": 1e30, "highest": 1e31}, ValueError, "at a rate of 1e[+]30: lower lowest"),
    ],
)
def test_mistakes_are_explained(options, error, message):
    images, labels = digits()
    network = small()
    before = everything(network)
    with pytest.raises(error, match=message):
        network.find_learning_rate(images, labels, **options)
    assert everything(network) == before
