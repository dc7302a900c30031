"""The derivation: every number of article 000, what agrees, and what does not fit."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import striate
from striate.layers import Conv2D, Dense, GroupedDense, LocallyConnected2D
from striate.teaching.derivation import Derivation, derive
from striate.teaching.derivation.stage_outputs import StageOutputs, compute_outputs
from striate.teaching.derivation.stages import fewer, layer_of
from striate.teaching.derivation.windows import choose


def counts(derivation: Derivation) -> dict[str, int]:
    return {stage.name: stage.weights for stage in derivation.stages}


# The numbers of the article.


def test_the_article() -> None:
    """3×3 pixels, 16 neurons: 144 weights; 36 in groups of 4; 16 of patches; a convolution."""
    found = striate.derive((3, 3), 16, group=4, window=(2, 2), compare=False)
    assert found.pixels == 9
    assert counts(found) == {"dense": 144, "grouped": 36, "local": 16, "convolution": 16}
    reductions = [fewer(stage.reduction) for stage in found.stages[1:]]
    assert reductions == ["75 % fewer", "88.89 % fewer", "88.89 % fewer"]
    assert found.stage("dense").weights - found.stage("local").weights == 128
    assert found.stage("convolution").sentence.endswith("this is a 2×2 convolution with 4 filters.")
    assert [stage.connections for stage in found.stages] == [144, 144, 64, 64]
    assert [stage.multiply_adds for stage in found.stages] == [144, 36, 64, 64]
    assert found.unshared is not None
    assert found.unshared.weights == 64
    assert found.stage("convolution").layer == "Conv2D(4, 2, bias=False)"
    assert found.windows is not None
    assert [found.windows.rows_and_columns((3, 3), p) for p in range(4)] == [
        (range(2), range(2)),
        (range(2), range(1, 3)),
        (range(1, 3), range(2)),
        (range(1, 3), range(1, 3)),
    ]


def test_it_is_chosen_by_itself() -> None:
    found = derive(compare=False)
    assert found.chosen
    assert counts(found) == counts(derive((3, 3), 16, 4, 2, compare=False))


def test_two_layers() -> None:
    """9-90-50: 810 + 4,500 = 5,310."""
    found = derive((3, 3), (90, 50), compare=False)
    assert found.stage("dense").weights == 810
    assert [layer.weights for layer in found.further] == [4500]
    assert found.total(found.stage("dense")) == 5310
    assert "810 + 4,500 = 5,310" in str(found)


def test_larger_images() -> None:
    assert derive((32, 32), 500, compare=False).stage("dense").weights == 512_000
    one = derive((256, 256, 3), 1, compare=False)
    assert one.stage("dense").weights == 196_608
    assert one.group is None
    assert "One neuron has nobody to share its weights with" in str(one)


def test_counts_of_any_size_build_no_matrix() -> None:
    huge = derive((100_000, 100_000, 3), 10**9)
    assert huge.stage("dense").weights == 3 * 10**10 * 10**9
    assert huge.picture is None
    assert "of more than 16,777,216 pixels or neurons no image is made" in str(huge)
    side = 2**31 - 1
    row = derive((1, side), side, window=(1, 3), padding=(0, 0, 1, 1))
    assert row.stage("convolution").weights == 3
    assert row.stage("convolution").connections == 3 * side - 2


def test_the_defaults_of_a_colour_image() -> None:
    """32×32×3 to 4,096 neurons: windows of 3×3 with padding, 1,024 positions, 4 filters."""
    found = derive((32, 32, 3), 4096, compare=False)
    assert found.windows is not None
    assert (found.group, found.windows.size, found.windows.positions) == (1024, (3, 3), (32, 32))
    assert counts(found) == {
        "dense": 12_582_912,
        "grouped": 12_288,
        "local": 108,
        "convolution": 108,
    }
    assert "99.999142 % fewer" in str(found)


# Counts are those of the layers.


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    """An image, a window that fits it, and a number of filters."""
    size = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    stride = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    pads = tuple(draw(st.integers(0, 2)) for _ in range(4))
    sides, positions = [], 1
    for axis in (0, 1):
        around = pads[2 * axis] + pads[2 * axis + 1]
        steps = draw(st.integers(0, 4))
        while size[axis] - around + steps * stride[axis] < 1:
            steps += 1
        sides.append(size[axis] - around + steps * stride[axis])
        positions *= steps + 1
    return {
        "image": (*sides, draw(st.integers(1, 3))),
        "neurons": positions * draw(st.integers(1, 4)),
        "window": size,
        "stride": stride,
        "padding": pads,
    }


@given(problems())
@settings(max_examples=60)
def test_counts_are_those_of_the_layers(problem: dict[str, Any]) -> None:
    found = derive(**problem, compare=False)
    image, neurons, group, windows = found.image, found.neurons, found.group, found.windows
    assert windows is not None
    assert group == windows.count
    for name, kind in (
        ("dense", Dense), ("grouped", GroupedDense), ("convolution", Conv2D),
        ("unshared", LocallyConnected2D),
    ):  # fmt: skip
        layer = layer_of(name, neurons, group, windows)
        assert type(layer) is kind
        shape = (found.pixels,) if name in ("dense", "grouped") else image
        (weights,) = layer.parameters(shape)
        assert found.stage(name).weights == np.prod(weights.shape)
        assert found.stage(name).multiply_adds == layer.multiply_adds(shape)
        assert np.prod(layer.output_shape(shape)) == neurons
    read = [windows.rows_and_columns(image[:2], p) for p in range(windows.count)]
    patches = sum(len(rows) * len(columns) for rows, columns in read)
    filters = neurons // windows.count
    assert found.stage("convolution").connections == patches * image[2] * filters


@pytest.mark.parametrize("engine", ["numpy", "llvm"])
@given(problem=problems())
@settings(max_examples=8)
def test_stages_agree(problem: dict[str, Any], engine: str) -> None:
    found = derive(**problem, seed=3, engine=engine)
    assert found.outputs is not None
    equalities = found.outputs.equalities
    assert len(equalities) == 5
    for equal in equalities:
        assert equal.difference is not None
        assert equal.difference <= 1e-12
        assert equal.numbers > 0
    neurons = found.outputs.neurons
    assert set(neurons) == {"dense", "grouped", "local", "convolution"}
    assert all(values.shape == (found.neurons,) for values in neurons.values())
    grouped = neurons["grouped"].reshape(-1, found.group or 1)
    assert (grouped == grouped[:, :1]).all()


def test_neurons_are_numbered_group_by_group() -> None:
    """Neuron j of group g sums the window at position j with the filter g, as in figure 11."""
    found = derive((3, 3), 16, seed=5)
    outputs, picture = found.outputs, found.picture
    assert outputs is not None and outputs.filters is not None and picture is not None
    for neuron in range(16):
        group, position = divmod(neuron, 4)
        row, column = divmod(position, 2)
        patch = picture.pixels[row : row + 2, column : column + 2, 0]
        expected = (patch * outputs.filters[:, :, 0, group]).sum()
        assert outputs.neurons["convolution"][neuron] == pytest.approx(expected, rel=1e-12)


def test_the_seed_decides() -> None:
    def outputs(seed: int) -> np.ndarray:
        found = derive(seed=seed).outputs
        assert found is not None
        return found.neurons["convolution"]

    assert (outputs(1) == outputs(1)).all()
    assert (outputs(1) != outputs(2)).any()


def test_a_difference_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.teaching.derivation import stage_outputs

    real = stage_outputs.to_locally_connected

    def wrong(*arguments: Any, **options: Any) -> Any:
        made = real(*arguments, **options)
        made.parameters["weights"][0, 0, 0, 0, 0, 0] += 1e-9
        return made

    monkeypatch.setattr(stage_outputs, "to_locally_connected", wrong)
    with pytest.raises(ArithmeticError, match=r"convolution = locally connected.*: off by"):
        derive()


def test_too_large_a_matrix_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.teaching.derivation import stage_outputs

    monkeypatch.setattr(stage_outputs, "MOST_BYTES", 600)  # 64 and 36 weights are less, 144 more
    found: StageOutputs = compute_outputs(
        np.ones((3, 3, 1)), 16, *choose((3, 3), 16, None, None, None, None), 0, "llvm"
    )
    assert "dense" not in found.neurons
    left = [equal for equal in found.equalities if equal.difference is None]
    assert [equal.what.split(" = ")[1][:5] for equal in left] == ["dense", "dense"]
    assert all("would take 1,152 bytes" in equal.why for equal in left)


# What does not fit.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"group": 3},
            "derive: 16 neurons do not fall into groups of 3; choose groups of 1, 2, 4 or 8, or a "
            "multiple of 3 neurons",
        ),
        (
            {"group": 8, "window": 2},
            "a window of 2×2 has 2 × 2 = 4 positions on an image of 3×3, one for each neuron of a "
            "group, but the groups have 8; choose groups of 4",
        ),
        (
            {"image": (5, 5), "neurons": 18, "group": 9, "window": 2},
            "4 × 4 = 16 positions on an image of 5×5, one for each neuron of a group, but the "
            "groups have 9; choose groups of 16 and 16 or 32 neurons, or a window of 3×3",
        ),
        (
            {"neurons": 15, "window": 2},
            "but 15 neurons do not fall into groups of 4; choose 12 or 16 neurons",
        ),
        (
            {"image": (5, 5), "neurons": 18, "window": 2},
            "18 neurons do not fall into groups of 16; choose 16 or 32 neurons, or a window of 3×3",
        ),
        (
            {"window": 4},
            "a window of 4×4 is larger than the height of the image, 3 pixels; choose one of at "
            "most 3×3, or an image height of at least 4",
        ),
        (
            {"image": (9, 3), "window": (2, 6), "padding": 1},
            "larger than the width of the image, 3 pixels and 2 of padding; choose one of at most "
            "2×3, or an image width of at least 4",
        ),
        (
            {"window": 2, "stride": 2},
            "(I - R + P)/S + 1 = (3 - 2 + 0)/2 + 1 = 1.5 windows are no whole number along the "
            "height; choose a stride of 1, or an image height of 2 or 4",
        ),
        (
            {"image": (10, 10), "window": 3, "stride": 2},  # article 001: I=10, R=3, P=0, S=2
            "(10 - 3 + 0)/2 + 1 = 4.5 windows are no whole number along the height; choose a "
            "stride of 1 or 7, or an image height of 9 or 11",
        ),
        (
            {"neurons": 7, "stride": 2},
            "no window up to 16×16 with this stride and padding has a number of positions that "
            "divides 7 neurons",
        ),
        ({"image": (3,)}, "image must be (height, width) or (height, width, channels), got (3,)"),
        ({"image": (3, 0)}, "the image's width must be at least 1, got 0"),
        ({"neurons": ()}, "neurons must be at least one number"),
        ({"neurons": (16, 0)}, "neurons must be at least 1, got 0"),
        ({"padding": "full"}, 'padding must be "valid", "same"'),
    ],
    ids=str,
)
def test_what_does_not_fit_is_explained(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        derive(**options, compare=False)


def test_advice_that_is_given_fits() -> None:
    assert derive((5, 5), 18, window=3, compare=False).group == 9
    assert derive((5, 5), 32, window=2, compare=False).group == 16


def test_neurons_that_fit_no_window_stay_dense() -> None:
    found = derive((3, 3), 7, compare=False)
    assert counts(found) == {"dense": 63}
    assert "7 neurons are not as many as the positions of any window" in str(found)


def test_neurons_that_fit_no_window_end_with_the_groups() -> None:
    found = derive((20, 20), 14, group=7, compare=False)
    assert counts(found) == {"dense": 5600, "grouped": 800}
    assert "No window up to 16×16 has 7 positions on this image" in str(found)


# As data.


def test_it_is_json() -> None:
    found = derive().to_dict()
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again == found
    assert again["stages"][1]["weights"] == 36
    assert again["filters"] == 4
    assert len(again["outputs"]["convolution"]) == 16
    assert all(equal["difference"] <= 1e-12 for equal in again["equalities"])


def test_percentages() -> None:
    few = 1 - 27 / (256 * 256 * 3 * 256 * 256)
    assert [fewer(x) for x in (0.75, 8 / 9, 0, -0.5, 0.99999999, few)] == [
        "75 % fewer",
        "88.89 % fewer",
        "as many",
        "50 % more",
        "99.999999 % fewer",
        "99.99999979 % fewer",
    ]


# Time and memory.


def test_measurements() -> None:
    found = derive((8, 8), (64, 10), measure=True, compare=False, batch_size=4, threads=1)
    assert found.measurements is not None
    names = [measurement.name for measurement in found.measurements]
    assert names == ["dense", "grouped", "unshared", "convolution"]
    further = 64 * 10
    for measurement in found.measurements:
        stage = found.stage(measurement.name)
        assert measurement.forward_ms > 0
        assert measurement.step_ms > 0
        assert measurement.weight_bytes == measurement.gradient_bytes
        assert measurement.weight_bytes == 4 * (stage.weights + further)
        assert measurement.step_bytes > 2 * measurement.weight_bytes
    dense, grouped, *_ = found.measurements
    assert dense.step_bytes > grouped.step_bytes
    assert "Measured with batches of 4 images" in str(found)
    assert " ×" in str(found).split("Measured")[1]


def test_what_does_not_fit_in_memory_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.teaching.derivation import measure

    monkeypatch.setattr(measure, "_free_bytes", lambda: 20_000)
    found = derive((8, 8), 64, measure=True, compare=False, batch_size=2, threads=1)
    assert found.measurements is not None
    dense, *others = found.measurements
    assert "more than this machine has free" in dense.why
    assert not any(other.why for other in others)
    assert "dense: not measured, it would need some 85.0 KiB, more than" in str(found)
    assert " ×" not in str(found).split("Measured")[1]  # nothing to compare with
