"""The gallery's functions: what they take and refuse, and that what they return can be used."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import striate
from striate import architectures
from striate.architectures import building_blocks, regnet
from striate.engines.numpy import NumPyEngine
from striate.layers import Node
from striate.network import Network
from striate.ops.shapes import Shape
from striate.training.step_gradients import gradients as gradients_of


def _eight_filters(x: Node, _: int, *others: Any, **options: Any) -> Node:
    """Inception's convolution with as many filters everywhere, so that many share their kernels."""
    return building_blocks.NormalisedConvolution(eps=1e-3)(x, 8, *others, **options)


# One of each family, the smallest, and images that it is quick for. Deep ones have a block or two
# of each kind, wide ones few channels: these tables of their modules are replaced. Most time is
# that of the compiler, which makes kernels for each shape.
SMALL: dict[str, tuple[Shape, dict[str, Any]]] = {
    "lenet5": ((16, 19, 1), {}),
    "alexnet": (
        (63, 67, 3),
        {"_CONVOLUTIONS": ((16, 11, 4, 2, True), (24, 5, 1, 2, True), (33, 3, 1, 1, True))}
        | {"_UNITS": 65},
    ),
    "vgg11_bn": ((32, 35, 3), {"_FILTERS": (8, 16, 17, 24, 24), "_UNITS": 65}),
    "inception_v3": (
        (107, 111, 3),
        {"_BLOCKS_35": (32,), "_BLOCKS_17": (128,), "_BLOCKS_8": 1, "_convolve": _eight_filters},
    ),
    "resnet18": ((32, 40, 3), {"_WIDTHS": (64, 48), "_BLOCKS": {"resnet18": (1, 2)}}),
    "resnet50": ((33, 24, 3), {"_WIDTHS": (16, 16), "_BLOCKS": {"resnet50": (2, 1)}}),
    "squeezenet1_0": ((33, 36, 3), {"_SQUEEZED": (16, 16, 16, 17)}),
    "densenet121": ((32, 29, 1), {"_BLOCKS": {"densenet121": (2, 1)}}),
    "mobilenet_v1": ((64, 40, 3), {"_V1": ((64, 1), (64, 2), (96, 1))}),
    "mobilenet_v2": ((65, 40, 3), {"_V2": ((1, 16, 1, 1), (6, 24, 2, 2))}),
    "mobilenet_v3_small": (
        (32, 40, 3),
        {
            "_V3_SMALL": (
                (3, 16, 16, True, False, 2),
                (3, 40, 24, False, False, 2),
                (5, 48, 24, True, True, 1),
            )
        },
    ),
    "efficientnet_b0": ((32, 24, 3), {"_STAGES": ((1, 3, 16, 1, 1), (6, 5, 24, 2, 2))}),
    "efficientnet_lite0": ((24, 33, 3), {"_STAGES": ((1, 3, 16, 1, 1), (6, 5, 24, 2, 2))}),
    "shufflenet_v2_x0_5": (
        (40, 32, 3),
        {"_BLOCKS": (2, 1), "_WIDTHS": {"shufflenet_v2_x0_5": (34, 48, 65)}},
    ),
    "regnet_y_400mf": (
        (72, 64, 3),
        {"_RULES": {"regnet_y_400mf": regnet.RegNetRule(2, 48, 1.0, 2.0, 8, squeezes=True)}},
    ),
    "convnext_atto": ((32, 40, 3), {"_STAGES": {"convnext_atto": ((1, 1), 40)}}),
}
# The least sides that reach the output; of all others 1.
LEAST = {
    "lenet5": 16,
    "alexnet": 63,
    "inception_v3": 75,
    "squeezenet1_0": 21,
    "squeezenet1_1": 17,
    **{name: 32 for name in architectures.NAMES if name.startswith("vgg")},
    **{name: 29 for name in architectures.NAMES if name.startswith("densenet")},
    **{name: 32 for name in architectures.NAMES if name.startswith("convnext")},
}


def test_names() -> None:
    assert set(architectures.__all__) == {"NAMES", "build", *architectures.NAMES}
    assert len(set(architectures.NAMES)) == len(architectures.NAMES)
    for name in architectures.NAMES:
        assert getattr(architectures, name).__name__ == name
        arguments = inspect.signature(getattr(architectures, name)).parameters
        assert list(arguments) == ["classes", "image", "seed"]


@pytest.mark.parametrize("name", architectures.NAMES)
def test_smallest_images(name: str) -> None:
    least = LEAST.get(name, 1)
    assert architectures.build(name, 3, (least, least, 2), None).output_shape == (3,)
    for image in ((least - 1, 99, 1), (99, least - 1, 1)):
        if least > 1:
            with pytest.raises(striate.common.errors.StriateValueError) as error:
                architectures.build(name, 3, image, None)
            assert re.search(rf"{name}: .* {least} or more; resize", str(error.value))


@pytest.mark.parametrize("name", architectures.NAMES)
def test_no_smaller_image_would_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The least side is not asked for without need."""
    least = LEAST.get(name, 1)
    if least == 1:
        return
    unchecked = building_blocks.checked_image
    monkeypatch.setattr(
        building_blocks, "checked_image", lambda who, image, least: unchecked(who, image, 1)
    )
    with pytest.raises(ValueError, match="larger than the"):
        architectures.build(name, 3, (least - 1, least, 1), None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"classes": 0}, "resnet18: classes must be"),
        ({"classes": 2.5}, "resnet18: classes must be"),
        ({"image": (224, 224)}, "resnet18: image must be .*without the batch axis"),
        ({"image": (224,)}, r"resnet18: image must be \(height, width, channels\).*got \(224,\)"),
        ({"image": "224"}, "resnet18: image must be"),
        ({"image": (0, 1, 1)}, "resnet18: image must be"),
        ({"name": "resnet19"}, "there is no architecture 'resnet19'.*did you mean 'resnet1"),
        ({"name": "x" * 1000}, "there is no architecture 'xxx.*known are lenet5"),
        ({"name": 18}, "build: name must be text"),
    ],
)
def test_what_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message) as error:
        architectures.build(**{"name": "resnet18", **given})
    assert isinstance(error.value, striate.common.errors.StriateError)
    assert len(str(error.value)) <= 500


def test_defaults_are_the_papers() -> None:
    assert architectures.build("lenet5", seed=None).input_shape == (32, 32, 1)
    assert architectures.build("lenet5", seed=None).output_shape == (10,)
    assert architectures.resnet18(seed=None).input_shape == (224, 224, 3)
    assert architectures.inception_v3(seed=None).input_shape == (299, 299, 3)
    assert architectures.resnet18(seed=None).output_shape == (1000,)


def test_seeds() -> None:
    first, same, other = (architectures.lenet5(seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.flat, same.flat)
    assert (first.flat != other.flat).any()
    assert not architectures.lenet5(seed=None).flat.any()


@pytest.mark.parametrize("name", architectures.NAMES)
def test_description_and_names(name: str) -> None:
    """From `get_config` comes the same network, and layers are called after their places."""
    network = architectures.build(name, seed=None)
    again = Network.from_config(network.get_config(), seed=None)
    assert again.get_config() == network.get_config()
    assert not any(re.fullmatch(r"[a-z0-9_]*2d_\d+|dense_\d+", node.name) for node in network.nodes)


@pytest.fixture(params=SMALL)
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Network]:
    """A function that builds one of `SMALL`, for three classes."""
    name = request.param
    image, tables = SMALL[name]
    for table, value in tables.items():
        monkeypatch.setattr(inspect.getmodule(getattr(architectures, name)), table, value)
    return lambda: architectures.build(name, 3, image)


def test_saved_and_loaded(small: Callable[[], Network], tmp_path: Any) -> None:
    network = small()
    network.save(tmp_path / "m.safetensors")
    again = striate.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.flat, network.flat)
    assert again.get_config() == network.get_config()


def test_engines_agree_and_training_learns(small: Callable[[], Network]) -> None:
    """Loss and gradients are those of NumPy in float64; some steps lower the loss of a batch."""
    network, other = small(), small()
    random = np.random.default_rng(0)
    images = random.standard_normal((6, *network.input_shape)).astype(np.float32)
    labels = np.arange(6) % 3
    loss, gradients = network.gradients(images, labels)
    other_loss, others = gradients_of(
        other, images, labels, loss=None, sample_weight=None, seed=0,
        engine_for=lambda criterion, count: NumPyEngine(
            other, batch_size=count, loss=criterion, dtype=np.float64
        ),
    )  # fmt: skip
    assert loss == pytest.approx(other_loss, rel=1e-4)
    flat, expected = (
        np.concatenate([gradient.ravel() for gradient in found.values()])
        for found in (gradients, others)
    )
    assert np.linalg.norm(flat - expected) < 1e-4 * np.linalg.norm(expected)
    np.testing.assert_allclose(network.state_flat, other.state_flat, rtol=1e-4, atol=1e-5)
    losses = []
    for step in range(40):
        step_loss, gradients = network.gradients(images, labels, seed=step)
        losses.append(step_loss)
        length = np.sqrt(sum(float((gradient**2).sum()) for gradient in gradients.values()))
        for key, gradient in gradients.items():
            network.parameters[key][...] -= 0.1 / length * gradient
    assert min(losses[-3:]) < 0.3 * losses[0]
