from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import striate
from striate.teaching.size_calculator import SizeError
from tests.lab.node_functions import called, needs_node

pytestmark = needs_node


def random_sizes(count: int, seed: int) -> list[dict[str, int]]:
    draw = random.Random(seed)
    return [
        {
            "input": draw.randint(1, 32), "filter": draw.randint(1, 11),
            "stride": draw.randint(1, 8), "before": draw.randint(0, 8),
            "after": draw.randint(0, 8), "dilation": draw.randint(1, 4),
        }
        for _ in range(count)
    ]  # fmt: skip


def asked(sizes: dict[str, int]) -> Any:
    """The same of the calculator: along the height, beside an axis that always fits."""
    return striate.size(
        (sizes["input"], 1),
        (sizes["filter"], 1),
        stride=(sizes["stride"], 1),
        padding=(sizes["before"], sizes["after"], 0, 0),
        dilation=(sizes["dilation"], 1),
    )


def test_sizes_and_cures_are_those_of_the_calculator() -> None:
    cases = random_sizes(40, 1)
    cases += [{**cases[0], "input": 10, "filter": 3, "stride": 2, "before": 0, "after": 0}]
    rules = called("maths/window_size.js", "sizeRule", [[one] for one in cases])
    cures = called("maths/window_size.js", "cures", [[one] for one in cases])
    impossible = 0
    for sizes, rule, cure in zip(cases, rules, cures, strict=True):
        try:
            wanted = asked(sizes)
        except SizeError as error:
            impossible += 1
            assert rule["output"] is None, sizes
            nearest = error.nearest[0]
            got = {
                name: tuple(tuple(v) if isinstance(v, list) else v for v in values)
                for name, values in cure.items()
            }
            assert got == {name: nearest[name] for name in got}, sizes
        else:
            assert rule["output"] == wanted.output[0], sizes
    assert 5 < impossible < 40


def test_readings_are_counted() -> None:
    """By the windows that NumPy cuts from the pixels' numbers."""
    cases = random_sizes(60, 2)
    got = called("maths/window_size.js", "readings", [[one] for one in cases])
    for sizes, counts in zip(cases, got, strict=True):
        reach = (sizes["filter"] - 1) * sizes["dilation"] + 1
        pixels = np.arange(sizes["input"])
        padded = np.pad(pixels, (sizes["before"], sizes["after"]), constant_values=-1)
        if len(padded) < reach:
            assert counts == [0] * sizes["input"]
            continue
        windows = np.lib.stride_tricks.sliding_window_view(padded, reach)
        read = windows[:: sizes["stride"], :: sizes["dilation"]].ravel()
        wanted = np.bincount(read[read >= 0], minlength=sizes["input"])
        assert counts == wanted.tolist(), sizes


@pytest.mark.parametrize(("height", "width", "channels", "filters"), [(5, 3, 3, 2), (1, 4, 7, 16)])
def test_costs_are_those_of_a_layer(height: int, width: int, channels: int, filters: int) -> None:
    layer = striate.Conv2D(filters, (height, width))
    weights, biases = layer.parameters((9, 8, channels))
    rows, columns, _ = layer.output_shape((9, 8, channels))
    (got,) = called(
        "maths/window_size.js", "layerCosts", [[height, width, channels, filters, rows * columns]]
    )
    outputs = rows * columns * filters
    sizes = [1, 1]
    for axis, parameter in enumerate((weights, biases)):
        for extent in parameter.shape:
            sizes[axis] *= extent
    assert got == {
        "weights": sizes[0], "biases": sizes[1], "outputs": outputs,
        "products": sizes[0] * rows * columns,
    }  # fmt: skip
