"""The settings of a training run: checks, what goes together, what they make."""

import inspect
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from striate import ConvNetClassifier, ConvNetRegressor, Dense, Network
from striate.cli.train import train
from striate.data.augment import Augment
from striate.optim.optimizers import SGD, AdamW
from striate.optim.schedules import ConstantRate, Cosine, OneCycle
from striate.training.loop import fit
from striate.training.training_settings import NAMES, TrainingSettings


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ({"epochs": 0}, ValueError, "epochs must be at least 1, not 0"),
        ({"epochs": 2.0}, TypeError, "epochs must be a whole number, not 2.0"),
        ({"epochs": True}, TypeError, "epochs must be a whole number, not True"),
        ({"batch_size": -1}, ValueError, "batch_size must be at least 1, not -1"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be finite and above 0, not 0$"),
        ({"learning_rate": np.nan}, ValueError, "learning_rate must be finite and above 0"),
        ({"optimizer": "adam"}, ValueError, "unknown optimizer 'adam'"),
        (
            {"optimizer": 3},
            TypeError,
            "optimizer must be an Optimizer or its name, not 3",
        ),
        ({"weight_decay": -1.0}, ValueError, "weight_decay must be finite and at least 0"),
        ({"optimizer": SGD(), "weight_decay": 0.1}, ValueError, "weight_decay is for an optimizer"),
        ({"schedule": "linear"}, ValueError, "unknown schedule 'linear'"),
        (
            {"schedule": 3},
            TypeError,
            "schedule must be a RateSchedule .* not 3",
        ),
        ({"schedule": Cosine(), "warmup": 2}, ValueError, "warmup is for a schedule given by name"),
        ({"warmup": 1.5}, ValueError, "as a share of all steps must lie in 0 … 1"),
        ({"label_smoothing": 1.0}, ValueError, "label_smoothing must be at least 0 and below 1"),
        (
            {"warmup_epochs": 11},
            ValueError,
            "warmup_epochs must lie in 0 … 10, the epochs of the training, not 11",
        ),
        ({"warmup_epochs": -0.5}, ValueError, "warmup_epochs must lie in 0 … 10"),
        ({"warmup_epochs": np.nan}, ValueError, "warmup_epochs must lie in 0 … 10"),
        ({"warmup_epochs": "2"}, TypeError, "warmup_epochs must be a number, not '2'"),
        ({"warmup_epochs": True}, TypeError, "warmup_epochs must be a number, not True"),
        (
            {"warmup_epochs": 2, "warmup": 0.1},
            ValueError,
            r"warmup \(0.1\) and warmup_epochs \(2\) say the same in other units: give one of them",
        ),
        (
            {"schedule": Cosine(), "warmup_epochs": 2},
            ValueError,
            "warmup_epochs is for a schedule given by name",
        ),
        (
            {"reduce_dtype": "float16"},
            ValueError,
            "reduce_dtype must be 'float32' or 'bfloat16', not 'float16'",
        ),
        ({"base_batch_size": 0}, ValueError, "base_batch_size must be at least 1, not 0"),
        ({"base_batch_size": 2.5}, TypeError, "base_batch_size must be a whole number, not 2.5"),
        (
            {"base_batch_size": 256, "schedule": lambda step, total: 0.1},
            ValueError,
            "a function says the rates itself: leave base_batch_size out",
        ),
    ],
)
def test_settings_are_checked(given: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        TrainingSettings(**given)
    with pytest.raises(error, match=match):
        TrainingSettings().changed(**given)


def test_what_they_make() -> None:
    settings = TrainingSettings(weight_decay=0.25, warmup=0.5, epochs=np.int64(3))
    made = settings.make_optimizer()
    assert isinstance(made, AdamW) and made.weight_decay == 0.25
    assert settings.make_optimizer() is not made
    schedule = settings.make_schedule()
    assert isinstance(schedule, OneCycle) and schedule.peak == 0.5
    assert type(settings.epochs) is int
    own, constant = SGD(), ConstantRate()
    settings = TrainingSettings(optimizer=own, schedule=constant)
    assert settings.make_optimizer() is own
    assert settings.make_schedule() is constant
    assert TrainingSettings(label_smoothing=0.25).make_loss().label_smoothing == 0.25


def test_what_is_usual() -> None:
    """As the pages say it."""
    assert asdict(TrainingSettings()) == {
        "optimizer": "adamw", "learning_rate": None, "weight_decay": None, "schedule": "one-cycle",
        "warmup": None, "warmup_epochs": None, "epochs": 10, "batch_size": 128,
        "base_batch_size": None, "groups": 1, "reduce_dtype": "float32", "label_smoothing": 0.0,
        "augment": None,
    }  # fmt: skip
    assert TrainingSettings().description == (
        "10 epochs, batches of 128, adamw (one-cycle), augmentation: none"
    )


@pytest.mark.parametrize("rate", [np.inf, -0.1, "0.1", "", True, [0.1]])
def test_what_is_no_learning_rate(rate: Any) -> None:
    number = isinstance(rate, float)
    with pytest.raises(
        ValueError if number else TypeError,
        match="learning_rate must be " + ("finite and above 0" if number else "a number") + ", not",
    ):
        TrainingSettings(learning_rate=rate)


@pytest.mark.parametrize(
    ("augment", "example"),
    [(["crop"], "crop"), ([], "flip"), ([3], "flip"), ("crop", "flip"), (Augment, "flip")],
)
def test_what_is_no_augmentation(augment: Any, example: str) -> None:
    with pytest.raises(
        TypeError, match=f'^augment must be None, a mapping .* {{"{example}": True}}'
    ):
        TrainingSettings(augment=augment)


def test_the_highest_rate() -> None:
    assert TrainingSettings().highest_rate == 0.002
    assert TrainingSettings(optimizer="sgd").highest_rate == 0.05
    assert TrainingSettings(optimizer=SGD()).highest_rate == 0.05
    assert TrainingSettings(optimizer="sgd", learning_rate=3).highest_rate == 3.0
    assert np.isnan(TrainingSettings(schedule=lambda step, total: 0.1).highest_rate)


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [("sgd", 3.2), ("lars", 3.2), (SGD(), 3.2), ("adamw", 0.1 * 32**0.5), ("lamb", 0.1 * 32**0.5)],
)
def test_the_rate_grows_with_the_batch(optimizer: Any, rate: float) -> None:
    """In proportion, or with the square root of the batch."""
    settings = TrainingSettings(
        optimizer=optimizer, learning_rate=0.1, batch_size=8192, base_batch_size=256, groups=32
    )
    assert settings.highest_rate == pytest.approx(rate, rel=1e-12)
    assert replace(settings, batch_size=256).highest_rate == 0.1
    few = settings.fitted_to(256)
    assert (few.batch_size, few.groups, few.highest_rate) == (256, 32, 0.1)
    assert settings.fitted_to(20).groups == 20


def test_the_usual_rate_grows_with_the_batch_too() -> None:
    settings = TrainingSettings(optimizer="sgd", batch_size=1024, base_batch_size=256)
    assert settings.highest_rate == 0.2


@pytest.mark.parametrize(
    ("epochs", "share"), [(2, 0.25), (0.5, 0.0625), (8, 1.0), (np.int64(1), 1 / 8)]
)
def test_a_warmup_of_epochs_is_a_share_of_them(epochs: Any, share: float) -> None:
    settings = TrainingSettings(schedule="constant", epochs=8, warmup_epochs=epochs)
    assert repr(settings.make_schedule()) == repr(ConstantRate(share))


def test_a_warmup_given_in_one_unit_takes_the_place_of_that_in_the_other() -> None:
    settings = TrainingSettings(warmup=0.2)
    changed = settings.changed(warmup_epochs=1)
    assert (changed.warmup, changed.warmup_epochs) == (None, 1)
    back = changed.changed(warmup=0.3)
    assert (back.warmup, back.warmup_epochs) == (0.3, None)
    assert changed.changed(schedule="cosine").warmup_epochs is None
    assert changed.changed(epochs=3).warmup_epochs == 1


def test_what_is_told_of_large_batches() -> None:
    settings = TrainingSettings(
        optimizer="sgd", learning_rate=0.1, batch_size=8192, base_batch_size=256, groups=32,
        schedule="step", epochs=30, warmup_epochs=5, reduce_dtype="bfloat16",
    )  # fmt: skip
    assert settings.description == (
        "30 epochs, batches of 8192 in 32 groups, sgd at 3.2, that is 0.1 for batches of 256 "
        "(step, warm-up over 5 epochs), gradients added in bfloat16, augmentation: none"
    )


def test_rates_are_for_one_optimizer_and_a_warmup_for_one_schedule() -> None:
    settings = TrainingSettings(
        optimizer="sgd", learning_rate=0.1, weight_decay=0.01, warmup=0.2, epochs=5
    )
    assert settings.changed() == settings
    assert settings.changed(optimizer=None, epochs=None) == settings
    same = settings.changed(optimizer="sgd", schedule="one-cycle", epochs=7)
    assert same == replace(settings, epochs=7)
    other = settings.changed(optimizer="adamw")
    assert (other.learning_rate, other.weight_decay, other.warmup) == (None, None, 0.2)
    other = settings.changed(optimizer="adamw", learning_rate=0.3)
    assert (other.learning_rate, other.weight_decay) == (0.3, None)
    other = settings.changed(schedule="cosine")
    assert (other.learning_rate, other.warmup) == (0.1, None)
    assert settings.changed(schedule="cosine", warmup=0.4).warmup == 0.4
    assert settings.changed(schedule=ConstantRate()).warmup is None


def test_augmentation() -> None:
    assert TrainingSettings().make_augmentation() is None
    assert TrainingSettings(augment={"shift": 0, "flip": False}).make_augmentation() is None
    settings = TrainingSettings(augment={"shift": 2, "flip": False})
    made = settings.make_augmentation()
    assert isinstance(made, Augment) and (made.shift, made.flip) == (2, False)
    assert settings.changes == {"shift": 2, "flip": False}
    settings.changes["shift"] = 3  # a copy
    assert settings.changes["shift"] == 2

    def darker(images: Any, rng: np.random.Generator) -> Any:
        return images // 2

    settings = TrainingSettings(augment=darker)
    assert settings.make_augmentation() is darker
    assert settings.changes == {}
    assert settings.description.endswith("augmentation: a function")


def test_arguments_of_fit() -> None:
    settings = TrainingSettings(label_smoothing=0.1, augment={"crop": 1}, warmup=0.1, epochs=2)
    arguments = settings.arguments()
    known = inspect.signature(fit).parameters
    assert arguments.keys() <= known.keys()
    assert arguments["loss"].label_smoothing == 0.1
    assert arguments["augment"].crop == 1
    plain = asdict(replace(settings, augment=None))
    for name in arguments.keys() - {"loss", "augment"}:
        assert arguments[name] == plain[name]


def test_all_that_takes_settings_calls_them_the_same() -> None:
    """And `fit` has their defaults."""
    asked = inspect.signature(fit).parameters
    defaults = asdict(TrainingSettings())
    for name in set(NAMES) - {"label_smoothing"}:
        assert asked[name].default == defaults[name]
    assert set(NAMES) <= {parameter.name for parameter in train.params}
    parameters = inspect.signature(ConvNetClassifier).parameters
    # An estimator is fitted by one process, which has nobody to send its gradients to.
    asked_for = set(NAMES) - {"warmup", "reduce_dtype"}
    assert asked_for <= parameters.keys()
    assert asked_for - {"label_smoothing"} <= inspect.signature(ConvNetRegressor).parameters.keys()


def test_a_network_has_the_arguments_of_the_function() -> None:
    whole = inspect.signature(fit)
    _, *others = whole.parameters.values()
    network = Network([Dense(2)], input_shape=(4,))
    assert [*inspect.signature(network.fit).parameters.values()] == others
    assert Network.fit is fit
    assert inspect.getdoc(network.fit) == inspect.getdoc(fit)
    assert "seconds" in inspect.signature(network.tune).parameters
