from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from striate import Network, inspect, layers
from tests.lab.node_functions import called, needs_node

torch = pytest.importorskip("torch")
pytestmark = needs_node


def test_sums_over_channels_are_those_of_pytorch() -> None:
    rng = np.random.default_rng(0)
    calls, wanted = [], []
    for _ in range(25):
        rows, columns, channels, filters = rng.integers(3, 8), rng.integers(3, 8), 3, 2
        size, stride, padding = (int(rng.integers(1, 4)) for _ in range(3))
        padding -= 1
        x = rng.normal(size=(channels, rows, columns))
        w, b = rng.normal(size=(filters, channels, size, size)), rng.normal(size=filters)
        out = torch.nn.functional.conv2d(
            torch.tensor(x)[None], torch.tensor(w), torch.tensor(b), stride=stride, padding=padding
        )[0].numpy()
        k, r, c = (int(rng.integers(n)) for n in out.shape)
        sizes = {"rows": int(rows), "columns": int(columns), "channels": channels}
        sizes |= {"filters": filters, "size": size, "stride": stride, "padding": padding}
        calls.append([sizes, *(a.ravel().tolist() for a in (x, w, b)), r, c, k])
        wanted.append(out[k, r, c])
    got = [one["total"] for one in called("maths/layer/volume_sum.js", "volumeSum", calls)]
    assert got == pytest.approx(wanted, abs=1e-12)


def test_stacked_layers_see_what_striate_inspect_says() -> None:
    rng = np.random.default_rng(1)
    cases = [
        [
            int(rng.integers(5, 14)),
            [[int(rng.integers(1, 5)), int(rng.integers(1, 3))] for _ in range(3)],
            str(rng.choice(["none", "same"])),
        ]
        for _ in range(30)
    ]
    stacks = called("maths/layer/stacked_fields.js", "stackedLayers", cases)
    sizes = called("maths/layer/stacked_fields.js", "fieldSizes", [[case[1]] for case in cases])
    calls, fields = [], []
    for (inputs, wanted, padding), found, size in zip(cases, stacks, sizes, strict=True):
        around = "same" if padding == "same" else 0
        made = [layers.Conv2D(1, (1, w), stride=(1, s), padding=around) for w, s in wanted]
        try:
            network = Network(made, input_shape=(1, inputs, 1))
        except ValueError:
            assert found["problem"] is not None
            continue
        assert found["problem"] is None
        seen = inspect.reach(network)
        for level, layer in enumerate(seen.layers, 1):
            unit = int(rng.integers(layer.shape[1]))
            calls.append([found["layers"], level, unit])
            fields.append(np.flatnonzero(seen.pixels(layer.name, 0, unit)).tolist())
        assert padding == "same" or size == [layer.sizes[1][1] for layer in seen.layers]
    answers = called("maths/layer/stacked_fields.js", "seenBelow", calls)
    assert [answer[0] for answer in answers] == fields
    assert len(fields) > 24


def test_the_article_counts_and_its_pyramid() -> None:
    (found,) = called("maths/layer/stacked_fields.js", "stackedLayers", [[5, [[3, 1]] * 2, "same"]])
    (dense,) = called("maths/layer/stacked_fields.js", "connectionsOf", [[found["layers"][0]]])
    assert dense == 13
    (seen,) = called("maths/layer/stacked_fields.js", "seenBelow", [[found["layers"], 2, 2]])
    assert seen == [[0, 1, 2, 3, 4], [1, 2, 3], [2]]
    assert called("maths/layer/stacked_fields.js", "fieldSizes", [[[[3, 1]] * 3]]) == [[3, 5, 7]]


def test_pooling_is_pytorchs() -> None:
    rng = np.random.default_rng(2)
    calls, wanted = [], []
    for _ in range(12):
        x = rng.normal(size=(int(rng.integers(3, 9)), int(rng.integers(3, 9))))
        size, stride = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        matrix = {"rows": x.shape[0], "columns": x.shape[1], "values": x.ravel().tolist()}
        calls += [[matrix, size, stride, kind] for kind in ("max", "average", "sum")]
        given = torch.tensor(x)[None]
        value, where = torch.nn.functional.max_pool2d(given, size, stride, return_indices=True)
        average = torch.nn.functional.avg_pool2d(given, size, stride).numpy().ravel()
        wanted += [value.numpy().ravel(), average, average * size**2]
        wanted[-3] = np.append(wanted[-3], where.numpy().ravel())
    found = called("maths/layer/pooling.js", "pooled", calls)
    for answer, expected, (_, _, _, kind) in zip(found, wanted, calls, strict=True):
        got = answer["values"] + (answer["winners"] if kind == "max" else [])
        assert got == pytest.approx(expected.tolist(), abs=1e-12)


def test_edges_of_the_drawn_digit_are_scipys_and_move_with_it() -> None:
    calls = [[level, down, across] for level, down, across in [(0, 0, 0), (0.4, 0, 0), (0, 2, -1)]]
    digits = called("maths/layer/drawn_two.js", "drawnTwo", calls)
    edges = called("maths/layer/drawn_two.js", "levelEdges", [[digit] for digit in digits])
    kernel = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    maps = []
    for digit, found in zip(digits, edges, strict=True):
        picture = np.reshape(digit["values"], (28, 28))
        wanted = ndimage.correlate(picture, kernel, mode="constant")
        maps.append(np.reshape(found["values"], (28, 28)))
        assert np.array_equal(maps[-1], np.maximum(wanted, 0))
    assert np.array_equal(np.roll(maps[0], (2, -1), (0, 1)), maps[2])
    assert not np.array_equal(maps[0], maps[1])
    # Only the upper left stroke is altered.
    changed = np.argwhere(np.array(digits[0]["values"]) != digits[1]["values"])
    rows, columns = changed // 28, changed % 28
    assert rows.max() < 14 and columns.max() < 19
