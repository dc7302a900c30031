"""By what one training is told from another, and how the differences are said."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from striate.data.augment import Augment
from striate.layers import Dense, Flatten
from striate.network import Network
from striate.optim.optimizers import SGD
from striate.training.fingerprint import (
    described,
    differences,
    facts_of_data,
    facts_of_network,
    facts_of_start,
    told,
)
from striate.training.prepare import prepare

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 3, 4, 2), np.uint8)
LABELS = np.arange(12) % 3
HELD = IMAGES[:4] // 2, LABELS[:4]


def facts(images: Any = IMAGES, labels: Any = LABELS, **options: Any) -> dict[str, Any]:
    given = dict.fromkeys(["loss", "class_weight", "sample_weight", "validation_data"])
    given |= {"validation_fraction": 0.0, "seed": 0}
    network = Network([Flatten(), Dense(3)], (3, 4, 2))
    return facts_of_data(prepare(network, images, labels, **(given | options)))


def changed(first: dict[str, Any], second: dict[str, Any]) -> set[str]:
    return {name for name in {**first, **second} if first.get(name) != second.get(name)}


NUMBERS = np.eye(12, 3) + 1
PAIR = {"validation_data": HELD}


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ({}, {}, set()),
        ({}, {"images": IMAGES ^ np.uint8(1)}, {"images"}),
        (
            {},
            {"images": IMAGES[:9], "labels": LABELS[:9]},
            {"number of images", "images", "labels"},
        ),
        ({}, {"labels": LABELS[::-1].copy()}, {"labels"}),
        ({}, {"sample_weight": np.arange(1, 13)}, {"labels"}),
        ({}, {"loss": "mean_squared_error", "labels": NUMBERS}, {"labels"}),
        ({"labels": NUMBERS}, {"labels": NUMBERS * 2}, {"labels"}),
        ({}, {"validation_fraction": 0.25}, {"labels", "validation images"}),
        ({}, PAIR, {"validation images"}),
        (PAIR, {"validation_data": (HELD[0] + 1, HELD[1])}, {"validation images"}),
        (PAIR, {"validation_data": (HELD[0], HELD[1][::-1].copy())}, {"validation images"}),
        (PAIR, PAIR | {"class_weight": {1: 2.0}}, {"labels", "validation images"}),
        (
            {"labels": NUMBERS, "validation_data": (HELD[0], NUMBERS[:4])},
            {"labels": NUMBERS, "validation_data": (HELD[0], NUMBERS[1:5])},
            {"validation images"},
        ),
        (
            {"validation_fraction": 0.25},
            {"validation_fraction": 0.25, "seed": 1},
            {"labels", "validation images"},
        ),
    ],
)
def test_of_the_data(before: dict[str, Any], after: dict[str, Any], names: set[str]) -> None:
    assert changed(facts(**before), facts(**after)) == names


def test_sizes_are_said_in_words() -> None:
    found = facts()
    assert (found["number of images"], found["size of the images"]) == (12, "3×4×2")
    assert found["validation images"] is None


def test_of_the_network_and_its_start() -> None:
    def made(**options: Any) -> Network:
        return Network([Flatten(), Dense(3, **options)], (3, 4, 2))

    first, second, other = made(), made(), made(bias=False)
    assert facts_of_start(first) == facts_of_start(second)
    assert facts_of_network(first) == facts_of_network(second)
    assert changed(facts_of_network(first), facts_of_network(other)) == {"network"}
    second.flat[1] += 1
    assert changed(facts_of_start(first), facts_of_start(second)) == {"initial weights"}
    from striate.model.preprocessing import Preprocessing

    for mean, std in (((1, 3), (1, 2)), ((1, 2), (1, 3))):
        first.preprocessing = Preprocessing((1, 2), (1, 2))
        second.preprocessing = Preprocessing(mean, std)
        assert changed(facts_of_network(first), facts_of_network(second)) == {"standardisation"}


class Silent:
    """Says nothing of itself."""

    def __init__(self, **parts: Any) -> None:
        self.__dict__.update(parts)


def darker(images: Any, rng: Any) -> Any:
    return images


def test_what_is_given_is_described_without_its_place_in_memory() -> None:
    here = __name__
    assert described(None) == "none"
    assert described(darker) == f"{here}.darker"
    assert described(SGD(0.5)) == repr(SGD(0.5))
    assert described(Augment(shift=2)) == repr(Augment(shift=2))
    assert described(Silent()) == f"{here}.Silent {{}}"
    assert described(Silent(b=Silent(c=1), a=darker)) == (
        f"{here}.Silent " + str({"a": f"{here}.darker", "b": f"{here}.Silent {{'c': '1'}}"})
    )
    text = described(functools.partial(darker, rng=3))
    assert text == "functools.partial(<function darker>, rng=3)"


def test_differences_in_words() -> None:
    there = {"seed": 1, "epochs": 4, "loss": "a" * 36, "images": "1f", "network": "x", "gone": 0}
    here = {"seed": 1, "epochs": 5, "loss": "b" * 37, "images": "2f", "network": "y", "new": 0}
    assert differences(there, here) == [
        "epochs 4 there, 5 here",
        f"loss {'a' * 36} there, {'b' * 35}… here",
        "other images",
        "other network",
        "new None there, 0 here",
        "gone 0 there, None here",
    ]
    # What is too long to see the difference is but another one.
    assert differences({"loss": "a" * 50 + "b"}, {"loss": "a" * 50 + "c"}) == ["other loss"]
    assert told(["a", "b", "c"]) == "a, b, c"
    assert told(["a", "b", "c", "d"]) == "a, b, c and 1 more"
