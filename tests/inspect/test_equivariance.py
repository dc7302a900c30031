"""Exact zeros where theory says so, a price elsewhere, and numbers by hand."""

import json

import numpy as np
import pytest

from striate.inspect.equivariance import shifts
from striate.layers import (
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    Input,
    MaxPool2D,
    ReLU,
)
from striate.network import Network


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).normal(size=shape).astype(np.float32)


def deep() -> Network:
    """Strides 1, 2 and 4; odd channel counts; a branch."""
    image = Input((22, 21, 3))
    x = ReLU()(BatchNorm()(Conv2D(7, 3, padding=1)(image)))
    x = Concat()(x, Conv2D(5, (3, 1), padding=(1, 0))(x))
    x = MaxPool2D(2, uncovered="drop")(x)
    x = Conv2D(17, (2, 3))(x)
    x = AvgPool2D(2, uncovered="drop")(x)
    return Network(inputs=image, output=Dense(3)(Flatten()(x)))


def test_zeros_are_exact_where_theory_says_so() -> None:
    found = shifts(deep(), noise(5, 22, 21, 3), most=4)
    jumps = {"conv2d_1": 1, "relu_1": 1, "concat_1": 1, "max_pool2d_1": 2, "conv2d_3": 2}
    jumps["avg_pool2d_1"] = 4
    for name, jump in jumps.items():
        layer = found[name]
        assert layer.jump == (jump, jump)
        for shift in layer.shifts:
            assert shift.exact == (shift.pixels % jump == 0)
            if shift.exact:
                assert shift.inside == 0
                assert shift.largest == 0
            else:
                assert shift.inside > 0.3
    # With padding, the edges pay even at a stride of 1.
    assert found["conv2d_1"].shifts[0].everywhere > 0.1
    assert found["dense_1"].jump is None
    assert found["dense_1"].shifts[0].inside is None
    assert found["dense_1"].shifts[0].stays > 0


def test_the_two_engines_agree() -> None:
    images = noise(3, 22, 21, 3)
    one, two = (shifts(deep(), images, most=3, engine=engine) for engine in ("llvm", "numpy"))
    for mine, theirs in zip(one.layers, two.layers, strict=True):
        for a, b in zip(mine.shifts, theirs.shifts, strict=True):
            for field in ("inside", "everywhere", "stays", "largest"):
                left, right = getattr(a, field), getattr(b, field)
                assert (left is None) == (right is None)
                assert left is None or left == pytest.approx(right, abs=1e-4)


def test_the_price_of_a_stride_by_hand() -> None:
    """Every second pixel of a ramp: shifted by one, the best move still misses by one step."""
    network = Network([MaxPool2D(1, stride=2)], (9, 9, 1))
    ramp = np.add.outer(np.arange(9.0), 10 * np.arange(9.0)).astype(np.float32)[None, ..., None]
    (layer,) = shifts(network, ramp, most=2).layers
    picked = ramp[0, ::2, ::2, 0]
    variation = picked.std()
    one, two = layer.shifts
    # Down it is off by 1, to the right by 10; as many units each.
    assert one.inside == pytest.approx(np.sqrt((1 + 100) / 2) / variation, rel=0.02)
    assert one.largest == 10
    assert (two.inside, two.largest) == (0, 0)
    assert not one.exact
    assert two.exact
    assert two.stays > one.stays


def test_a_global_average_hardly_changes() -> None:
    """A blob in the middle moves: its average stays, the map does not."""
    images = np.zeros((4, 16, 16, 1), np.float32)
    for index, image in enumerate(images):
        image[6 : 9 + index % 2, 5:9] = index + 1
    network = Network([Conv2D(3, 3, padding=1), GlobalAvgPool2D()], (16, 16, 1))
    found = shifts(network, images, most=3)
    assert found["global_avg_pool2d_1"].shifts[0].stays < 1e-5
    assert found["conv2d_1"].shifts[0].stays > 0.1
    assert found["conv2d_1"].shifts[2].inside == 0


def test_a_map_that_does_not_vary_has_no_scale() -> None:
    network = Network([Conv2D(2, 3)], (8, 8, 1))
    (layer,) = shifts(network, np.ones((2, 8, 8, 1), np.float32), most=1).layers
    assert layer.shifts[0].inside is None
    assert layer.shifts[0].largest == 0


def test_no_unit_may_be_free_of_the_edges() -> None:
    network = Network([Conv2D(1, 7, padding=3), Conv2D(1, 5, padding=2)], (9, 9, 1))
    found = shifts(network, noise(2, 9, 9, 1), most=2)
    assert found["conv2d_2"].shifts[0].inside is None
    assert found["conv2d_2"].shifts[0].everywhere > 0
    assert found["conv2d_1"].shifts[1].inside == 0


def test_table_and_json() -> None:
    found = shifts(deep(), noise(2, 22, 21, 3), most=2, engine="numpy")
    lines = str(found).split("\n")
    assert lines[0] == "layer         jump  moves 1  moves 2  stays 1  stays 2"
    assert lines[2].split()[:2] == ["conv2d_1", "1×1"]
    assert "Of 2 images" in lines[-2]
    content = json.loads(json.dumps(found.to_dict()))
    assert content["layers"][0]["shifts"][1]["pixels"] == 2


@pytest.mark.parametrize(
    ("images", "most", "words"),
    [
        (noise(2, 22, 21, 3), 11, "most=11 is too far for images of 22×21; choose at most 10"),
        (noise(2, 22, 21, 3), 0, "most must be at least 1"),
        (noise(0, 22, 21, 3), 2, "there are no images"),
        (noise(2, 21, 21, 3), 2, r"reads images of shape \(n, 22, 21, 3\)"),
    ],
)
def test_mistakes(images: np.ndarray, most: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        shifts(deep(), images, most=most, engine="numpy")
