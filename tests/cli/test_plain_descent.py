"""``striate train --momentum``: the steps of the formulas, at the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as library
from striate import Conv2D, Dense, Flatten, Network, ReLU

NETWORK = """
input_shape = [8, 8, 1]
layers = [
    {layer = "Conv2D", filters = 2, size = 3, stride = 5},
    {layer = "ReLU"},
    {layer = "Flatten"},
    {layer = "Dense", units = "classes"},
]
"""
PLAIN = (
    "train", "digits", "--network", "n.toml", "--batch-size", 1438, "--optimizer", "sgd",
    "--lr", 0.25, "--schedule", "constant", "--weight-decay", 0, "--label-smoothing", 0,
    "--no-augment", "--engine", "numpy", "--no-check", "--calibrate", 0,
)  # fmt: skip


def stepped(rule: Callable[[Any, Any, Any], tuple[Any, Any]], trained: Network) -> dict[str, Any]:
    """The weights after two steps with all images, by `rule(w, v, g)` → (w, v)."""
    digits: Any = library.load_data("digits")
    layers = [Conv2D(2, 3, stride=5), ReLU(), Flatten(), Dense(10)]
    network = Network(layers, (8, 8, 1), seed=0)
    network.preprocessing = trained.preprocessing
    speeds: dict[str, Any] = dict.fromkeys(network.parameters, 0.0)
    for _ in range(2):
        images = digits.train_images, digits.train_labels
        _, slopes = network.gradients(*images, engine="numpy")
        for name, weights in network.parameters.items():
            moved, speeds[name] = rule(weights.copy(), speeds[name], slopes[name])
            weights[...] = moved
    return dict(network.parameters)


def plain(w: Any, v: Any, g: Any) -> tuple[Any, Any]:
    return w - 0.25 * g, v


def classical(w: Any, v: Any, g: Any) -> tuple[Any, Any]:
    v = 0.5 * v + g
    return w - 0.25 * v, v


def nesterov(w: Any, v: Any, g: Any) -> tuple[Any, Any]:
    v = 0.5 * v + g
    return w - 0.25 * (g + 0.5 * v), v


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (("--momentum", 0), plain),
        (("--momentum", 0.5, "--no-nesterov"), classical),
        (("--momentum", 0.5), nesterov),
    ],
)
def test_two_steps(
    striate: Any, in_tmp: Path, options: tuple[Any, ...], rule: Callable[..., Any]
) -> None:
    Path("n.toml").write_text(NETWORK)
    outcome = striate(*PLAIN, "--epochs", 2, *options, "--out", "m.safetensors", "--json")
    assert outcome.code == 0, outcome.err
    assert f"SGD(momentum={float(options[1])}" in outcome.err
    trained: Any = library.load("m.safetensors")
    for name, weights in stepped(rule, trained).items():
        np.testing.assert_allclose(trained.parameters[name], weights, rtol=0, atol=2e-6)
    recipe = outcome.json["recipe"]
    assert (recipe["optimizer"], recipe["momentum"]) == ("sgd", options[1])
    assert recipe["nesterov"] is (rule is nesterov)


def test_what_has_no_momentum(refused: Callable[..., str], in_tmp: Path) -> None:
    said = refused("train", "digits", "--optimizer", "adamw", "--momentum", 0)
    assert "--momentum: adamw has no momentum of this kind; add --optimizer sgd" in said
    said = refused("train", "digits", "--optimizer", "adamw", "--no-nesterov")
    assert "--nesterov: adamw has no momentum" in said
    assert "1" in refused("train", "digits", "--optimizer", "sgd", "--momentum", 1)
    assert "momentum is for training from scratch" in refused(
        "train", "digits", "--from", "m.safetensors", "--momentum", 0
    )
