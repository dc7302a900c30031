"""The choice among algorithms for convolution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.layers import Conv2D
from striate.model.model import Model
from striate.nest.target import Target, describe
from striate.network import Network
from striate.plan.analysis.operations import Operation, analyse
from striate.plan.lowering.convolution import choice
from striate.plan.lowering.convolution.algorithm import PASSES
from striate.plan.lowering.convolution.direct import Direct
from striate.plan.settings import Settings

AVX512 = describe(
    "x86_64-unknown-linux-gnu",
    "sapphirerapids",
    {"avx512f": True, "avx512vl": True, "avx512bf16": True},
)


def made_for(lanes: int, exact: bool = False, bfloat16: bool = False, images: int = 32) -> Settings:
    target: Target = AVX512
    return Settings(
        images, lanes, "f32", target, True, "given", True, exact=exact, bfloat16=bfloat16
    )


def operation(layer: Conv2D, shape: tuple[int, int, int]) -> Operation:
    (only,) = analyse(Model([layer], shape), True).operations
    return only


@st.composite
def convolutions(draw: st.DrawFn) -> Operation:
    size, groups = draw(st.sampled_from([1, 2, 3, 5])), draw(st.sampled_from([1, 1, 2]))
    channels, filters = (groups * draw(st.integers(1, 40)) for _ in range(2))
    layer = Conv2D(
        filters,
        size,
        stride=draw(st.sampled_from([1, 1, 2])),
        padding=draw(st.integers(0, size - 1)),
        dilation=draw(st.sampled_from([1, 1, 2])),
        groups=groups,
        uncovered="drop",
    )
    return operation(layer, (draw(st.integers(9, 30)), draw(st.integers(9, 30)), channels))


@given(convolutions(), st.sampled_from([1, 16]), st.booleans(), st.booleans())
def test_the_cheapest_computes_each_pass(
    found: Operation, lanes: int, exact: bool, bfloat16: bool
) -> None:
    settings = made_for(lanes, exact, bfloat16)
    offers, chosen = choice.costs(settings, found), choice.algorithms_for(settings, found)
    assert set(chosen) == set(PASSES)
    assert set(offers[Direct.name]) == set(PASSES)  # it can compute everything
    for name, algorithm in chosen.items():
        least = min(offer[name] for offer in offers.values() if name in offer)
        assert offers[algorithm.name][name] == least
        assert not (exact and algorithm.is_winograd)
        for used, needed in (
            (choice.input_halo(settings, found), algorithm.input_halo(settings, found)),
            (
                choice.gradient_halo(settings, found),
                algorithm.gradient_halo(settings, found, name),
            ),
        ):
            assert all(side >= wanted for side, wanted in zip(used, needed, strict=True))


@pytest.mark.parametrize(
    ("layer", "shape", "settings", "expected"),
    [
        (Conv2D(64, 3, padding="same"), (16, 16, 64), made_for(1), ["Winograd"] * 3),
        (Conv2D(64, 3, padding="same"), (16, 16, 64), made_for(1, exact=True), ["direct"] * 3),
        (Conv2D(64, 1), (16, 16, 64), made_for(1), ["direct"] * 3),
        (
            Conv2D(64, 1),
            (16, 16, 64),
            made_for(1, bfloat16=True),
            ["direct, products in bfloat16"] * 3,
        ),
        # Of rows of 3 outputs there are too few pairs to pay for the packing.
        (
            Conv2D(64, 3, stride=2),
            (9, 7, 64),
            made_for(1, bfloat16=True),
            ["direct, products in bfloat16"] * 2 + ["direct"],
        ),
        (Conv2D(16, 5), (14, 14, 6), made_for(16), ["Winograd along rows"] * 3),
        (Conv2D(16, 5, groups=2), (14, 14, 6), made_for(16), ["direct"] * 3),
    ],
)
def test_who_computes_what(
    layer: Conv2D, shape: tuple[int, int, int], settings: Settings, expected: list[str]
) -> None:
    chosen = choice.algorithms_for(settings, operation(layer, shape))
    assert [chosen[name].name for name in PASSES] == expected


def test_of_equal_costs_the_first_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    for algorithm in choice.ALGORITHMS:
        monkeypatch.setattr(type(algorithm), "costs", lambda *_: dict.fromkeys(PASSES, 1.0))
    chosen = choice.algorithms_for(made_for(1), operation(Conv2D(4, 3), (9, 9, 4)))
    assert set(chosen.values()) == {choice.ALGORITHMS[0]}


def test_explain_says_what_each_would_cost() -> None:
    network = Network([Conv2D(64, 3, padding="same"), Conv2D(8, 1)], (16, 16, 64))
    told = network.explain(batch_size=16)
    first, second = told.layers
    assert first.costs["direct"] == 1.0
    assert second.costs == {"direct": 1.0}
    if "Winograd" in first.algorithm:
        others = {name: cost for name, cost in first.costs.items() if name != "direct"}
        assert others and min(others.values()) < 1.0
        (name, cost), *_ = others.items()
        assert f"conv2d_1: {name} {cost:.2f}, direct 1 (vector operations" in str(told)
    assert "conv2d_2: direct" not in str(told)
    assert told.to_dict()["layers"][0]["costs"] == first.costs
    np.testing.assert_allclose(list(first.costs.values()), sorted(first.costs.values()))
