"""What the page computes in a real browser: values, sums and patches, against the engine."""

from pathlib import Path
from typing import Any

import numpy as np

import striate
from striate.inspect.values import Tape
from striate.layers import LAYERS
from striate.reports.data import Report


def test_all_values_are_the_engines_to_the_last_bit(
    open_page: Any, made: tuple[Path, Report]
) -> None:
    path, report = made
    page = open_page(path)
    computed = 0
    for index in range(-1, len(report.network.nodes)):
        for image in (0, 2):
            got = page.evaluate(
                "([image, node]) => Array.from(striateReport.valuesOf(image, node))",
                [image, index],
            )
            expected = report.values[index][image].ravel()
            np.testing.assert_array_equal(np.array(got, np.float32), expected, str(index))
        computed += index not in report.content.kept
    assert computed >= 18  # the others are in the page as they are


def magnitude(why: dict[str, Any]) -> float:
    """What the terms of a sum would come to if all were positive: rounding goes by that."""
    terms = [term["product"] for part in why["parts"] for term in part["terms"]]
    return float(sum(map(abs, [*terms, why.get("bias") or 0])) / why.get("divisor", 1))


def test_every_sum_makes_its_value(open_page: Any, made: tuple[Path, Report]) -> None:
    path, report = made
    page = open_page(path)
    random = np.random.default_rng(0)
    kinds = set()
    for index, vertex in enumerate(report.network.nodes):
        size = int(np.prod(vertex.shape))
        # The corners, where there is padding, and some between.
        places = {0, size - 1, *random.integers(0, size, 40).tolist()}
        told = page.evaluate(
            "([node, places]) => places.map((i) => striateReport.explain(1, node, i))",
            [index, sorted(places)],
        )
        for place, why in zip(sorted(places), told, strict=True):
            kinds.add(why["kind"])
            value = float(report.values[index][1].ravel()[place])
            assert why["value"] == value
            assert why["kind"] != "unknown", vertex.name
            if why["kind"] == "sum":
                assert abs(why["total"] - value) <= 5e-7 * magnitude(why), vertex.name
                assert why["check"]["fits"]
            for behind in why["from"]:
                source = report.values[behind["node"]][1].ravel()
                assert behind["value"] == source[behind["index"]]
            if why["kind"] == "max":
                assert why["from"][0]["value"] == value
    assert kinds == {"sum", "max", "formula"}


def test_a_wrong_value_does_not_pass_as_rounding(open_page: Any, made: tuple[Path, Report]) -> None:
    path, report = made
    page = open_page(path)
    index = [type(v.layer) for v in report.network.nodes].index(striate.Conv2D)
    fits = page.evaluate(
        """([node]) => {
          const values = striateReport.valuesOf(0, node);
          values[5] *= 1.0001;
          return [5, 6].map((i) => striateReport.explain(0, node, i).check.fits);
        }""",
        [index],
    )
    assert fits == [False, True]


def check_patches(page: Any, network: striate.Network) -> int:
    """Compare the patch of every value with what pixels it depends on; return how many."""
    height, width, _ = network.input_shape
    # An image for each pixel, which is not a number there: so is all that depends on it.
    images = np.full((height * width, *network.input_shape), 100, np.float32)
    for k in range(height * width):
        images[k, k // width, k % width] = np.nan
    with np.errstate(invalid="ignore"):
        values = Tape(network, images).values
    checked = 0
    for index in range(len(network.nodes)):
        depends = np.isnan(values[index]).reshape(height, width, -1)
        got = page.evaluate(
            "([node, n]) => [...Array(n).keys()].map((i) => striateReport.patchOf(node, i))",
            [index, depends.shape[2]],
        )
        for place, patch in enumerate(got):
            rows, columns = np.nonzero(depends[:, :, place])
            expected = [rows.min(), rows.max(), columns.min(), columns.max()] if len(rows) else None
            assert patch == expected, (network.nodes[index].name, place)
            checked += 1
    return checked


def test_the_patch_is_what_a_value_depends_on(open_page: Any, made: tuple[Path, Report]) -> None:
    path, report = made
    assert check_patches(open_page(path), report.network) > 2500


def test_weights_that_are_shared_nowhere_or_by_groups(open_page: Any, tmp_path: Path) -> None:
    x = image = striate.Input((9, 8, 4))
    local = striate.LocallyConnected2D
    x = striate.ReLU()(local(6, (3, 2), stride=(2, 1), padding=(1, 1, 1, 0), groups=2)(x))
    x = local(4, 2, bias=False, uncovered="drop", dilation=(2, 1))(x)
    x = striate.Tanh()(striate.GroupedDense(12, 3)(striate.Flatten()(x)))
    network = striate.Network(inputs=image, output=striate.Dense(3)(x))
    random = np.random.default_rng(0)
    for array in network.parameters.values():
        array[...] = random.normal(size=array.shape) * 0.3
    path = tmp_path / "local.html"
    images = random.normal(size=(3, 9, 8, 4))
    report = striate.report(network, images, [0, 1, 2], path=path, engine="numpy")
    page = open_page(path)
    assert check_patches(page, network) > 500
    for index, vertex in enumerate(network.nodes):
        values = report.values[index][0].ravel()
        told = page.evaluate(
            "([node, n]) => [...Array(n).keys()].map((i) => striateReport.explain(0, node, i))",
            [index, values.size],
        )
        for value, why in zip(values.tolist(), told, strict=True):
            assert why["kind"] in ("sum", "formula"), vertex.name
            if why["kind"] == "sum":
                assert abs(why["total"] - value) <= 5e-7 * magnitude(why), vertex.name


def gates() -> striate.Network:
    """Products, choices of channels, normalised channels, and the activations of newer networks."""
    x = image = striate.Input((6, 5, 3))
    x = striate.PReLU()(striate.Conv2D(6, 3, padding=1)(x))
    gate = striate.HardSigmoid(0.2)(striate.Dense(6)(striate.GlobalAvgPool2D()(x)))
    mask = striate.ELU(1.5)(striate.Conv2D(1, 1)(x))
    x = striate.SiLU()(striate.Multiply()(gate, x, mask, x))
    x = striate.ChannelShuffle(3)(x)
    y = striate.GELU()(striate.LayerNorm()(striate.ChannelSlice(1, 6, 2)(x)))
    z = striate.GELU("tanh")(striate.LRN(4, 0.5)(striate.ChannelSlice(2, 5)(x)))
    y = striate.Mish()(striate.Affine(shift=False)(striate.Multiply()(y, z)))
    y = striate.HardSwish()(striate.Affine()(striate.ReLU6()(y)))
    y = striate.Clip(-0.1, 0.4)(striate.Affine(scale=False)(striate.PReLU(shared=True)(y)))
    out = striate.Multiply()(striate.Clip(high=0.3)(striate.Flatten()(y)), striate.Flatten()(z))
    network = striate.Network(inputs=image, output=striate.Dense(4)(out))
    random = np.random.default_rng(4)
    for array in network.parameters.values():
        array[...] = random.normal(size=array.shape) * 0.6
    return network


def test_gates_and_choices_of_channels(open_page: Any, tmp_path: Path) -> None:
    network = gates()
    images = np.random.default_rng(5).normal(size=(3, 6, 5, 3))
    path = tmp_path / "gates.html"
    report = striate.report(network, images, [0, 1, 2], path=path, engine="numpy")
    page = open_page(path)
    assert check_patches(page, network) > 500
    for index, vertex in enumerate(network.nodes):
        values = report.values[index][0].ravel()
        got = page.evaluate("n => Array.from(striateReport.valuesOf(0, n))", index)
        np.testing.assert_array_equal(np.array(got, np.float32), values, vertex.name)
        told = page.evaluate(
            "([node, n]) => [...Array(n).keys()].map((i) => striateReport.explain(0, node, i))",
            [index, values.size],
        )
        for value, why in zip(values.tolist(), told, strict=True):
            assert why["kind"] in ("sum", "formula"), vertex.name
            assert "NaN" not in why.get("text", "") and "undefined" not in why.get("text", "")
            behind = [report.values[b["node"]][0].ravel()[b["index"]] for b in why["from"]]
            assert behind == [b["value"] for b in why["from"]]
            if isinstance(vertex.layer, striate.Multiply):
                assert np.prod(behind, dtype=float) == np.float32(value) or np.isclose(
                    np.prod(behind, dtype=float), value, rtol=1e-6
                )
            if isinstance(vertex.layer, striate.ChannelShuffle | striate.ChannelSlice):
                assert behind == [value]


def test_layers_that_move_or_enlarge_images(open_page: Any, tmp_path: Path) -> None:
    x = image = striate.Input((7, 6, 4))
    x = striate.ZeroPad2D((1, 0, 2, 1))(x)
    x = striate.AvgPool2D(2, stride=3, padding=(1, 0), count_padding=True, uncovered="overhang")(x)
    x = striate.ConvTranspose2D(
        6, (3, 2), stride=(2, 3), padding=(1, 0, 1, 1), output_padding=(0, 1), groups=2
    )(x)
    x = striate.Crop2D((0, 1, 1, 0))(x)
    x = striate.MaxPool2D(2, stride=(2, 3), uncovered="overhang")(x)
    x = striate.GlobalMaxPool2D(keepdims=True)(x)
    network = striate.Network(inputs=image, output=striate.Dense(3)(striate.Flatten()(x)))
    random = np.random.default_rng(0)
    for array in network.parameters.values():
        array[...] = random.normal(size=array.shape)
    path = tmp_path / "moved.html"
    images = random.normal(size=(3, 7, 6, 4))
    report = striate.report(network, images, [0, 1, 2], path=path, engine="numpy")
    page = open_page(path)
    kinds = set()
    for index, vertex in enumerate(network.nodes):
        values = report.values[index][0].ravel()
        told = page.evaluate(
            "([node, n]) => [...Array(n).keys()].map((i) => striateReport.explain(0, node, i))",
            [index, values.size],
        )
        for value, why in zip(values.tolist(), told, strict=True):
            kinds.add(why["kind"])
            if why["kind"] == "sum":
                assert abs(why["total"] - value) <= 5e-7 * magnitude(why), vertex.name
            for behind in why["from"]:
                source = report.values[behind["node"]][0].ravel()
                assert behind["value"] == source[behind["index"]]
            if why["kind"] != "sum":
                assert value == (why["from"][0]["value"] if why["from"] else 0), vertex.name
    assert kinds == {"sum", "max", "formula"}


def test_every_type_of_layer_is_explained(open_page: Any, made: tuple[Path, Report]) -> None:
    page = open_page(made[0])
    assert set(LAYERS) <= set(page.evaluate("striateReport.explained"))


def test_groups_see_what_their_own_channels_saw(open_page: Any, tmp_path: Path) -> None:
    image = striate.Input((6, 5, 2))
    wide, narrow = striate.Conv2D(1, 3, padding="same")(image), striate.Conv2D(1, 1)(image)
    x = striate.Conv2D(4, 1, groups=2)(striate.Concat()(wide, narrow))
    output = striate.GlobalAvgPool2D()(x)
    network = striate.Network(inputs=image, output=output)
    path = tmp_path / "groups.html"
    striate.report(network, np.ones((1, 6, 5, 2)), [3], path=path, engine="numpy")
    assert check_patches(open_page(path), network) == 30 * (1 + 1 + 2 + 4) + 4


def test_patches_whose_rows_depend_on_the_column(open_page: Any, tmp_path: Path) -> None:
    image = striate.Input((5, 4, 1))
    # Moved apart, so that in a corner of each branch there is padding alone.
    one = striate.Conv2D(2, 1, padding=(2, 0, 2, 0))(image)
    other = striate.Conv2D(2, 1, padding=(0, 2, 0, 2))(image)
    both = striate.Concat()(striate.Add()(one, other), one)
    output = striate.Dense(2)(striate.Flatten()(striate.Conv2D(1, 3, padding="same")(both)))
    network = striate.Network(inputs=image, output=output)
    path = tmp_path / "moved.html"
    striate.report(network, np.ones((1, 5, 4, 1)), [0], path=path, engine="numpy")
    page = open_page(path)
    assert check_patches(page, network) > 300
    kept = page.evaluate("striateReport.report.nodes.map((node) => Object.keys(node.sees))")
    assert sum("boxes" in names for names in kept) >= 2
    assert sum("rows" in names for names in kept) >= 2 and ["like"] in kept


def test_the_patch_through_many_branches(open_page: Any, tmp_path: Path) -> None:
    x = image = striate.Input((5, 5, 1))
    for _ in range(40):  # 2 to the 40th paths
        x = striate.Add()(x, striate.Conv2D(1, (1, 3), padding="same")(x))
    x = striate.Dense(2)(striate.Flatten()(x))
    network = striate.Network(inputs=image, output=x)
    path = tmp_path / "deep.html"
    images = np.zeros((2, 5, 5), np.uint8)
    images[:, 2] = 200
    striate.report(network, images, [0, 1], path=path, engine="numpy")
    page = open_page(path)
    last = len(network.nodes) - 3
    assert page.evaluate("node => striateReport.patchOf(node, 12)", last) == [2, 2, 0, 4]
    assert page.evaluate("node => striateReport.patchOf(node, 12)", 1) == [2, 2, 1, 3]
