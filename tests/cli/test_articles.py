"""Every number in the design's list of checks comes out of a command.

The numbers here are the articles', or computed by hand: docs/ shows what striate prints, and its
tests would go along with a page that was written anew from something wrong.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.pictures import grace_hopper

Run = Callable[..., Any]
F = [10, 9, 10, 9, 10, 1, 10, 9, 10, 8]
SIGNAL = ",".join(map(str, F))


def stages(derived: dict[str, Any]) -> dict[str, int]:
    return {stage["name"]: stage["weights"] for stage in derived["stages"]}


# 000, from a fully connected layer to a convolution.


def test_000_the_derivation(striate: Run) -> None:
    arguments = ("derive", "--image", "3x3", "--neurons", 16, "--group", 4, "--window", "2x2")
    found = striate(*arguments, "--json").json
    assert stages(found) == {
        "dense": 9 * 16,
        "grouped": 144 // 4,
        "local": 4 * 4,
        "convolution": 16,
    }
    out = " ".join(striate(*arguments).out.split())
    for words in ("9 × 16 = 144 weights", "36 weights, 144 - 36 = 108 or 75 % fewer",
                  "16 weights, 144 - 16 = 128 or 88.89 % fewer",
                  "a 2×2 convolution with 4 filters"):  # fmt: skip
        assert words in out
    # The four neurons of a group are a convolution, and the stages say the same of an image.
    np.testing.assert_allclose(
        found["outputs"]["local"], found["outputs"]["convolution"], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--image", "3x3", "--neurons", "90,50"), "(90 × 50 = 4,500): 810 + 4,500 = 5,310"),
        (("--image", "32x32", "--neurons", 500), "1,024 × 500 = 512,000 weights"),
        (("--image", "256x256x3", "--neurons", 1), "196,608 × 1 = 196,608 weights"),  # 001
        (("--image", "32x32x3", "--neurons", 1), "3,072 × 1 = 3,072 weights"),  # 003
    ],
)
def test_000_weights_of_dense_layers(striate: Run, arguments: tuple[Any, ...], words: str) -> None:
    assert words in " ".join(striate("derive", *arguments).out.split())


def test_000_less_memory(striate: Run) -> None:
    """Time is asserted for the larger network of test_derive.py."""
    arguments = ("derive", "--image", "32x32", "--neurons", 1024, "--measure", "--batch-size", 4)
    cost = {one["name"]: one for one in striate(*arguments, "--json").json["measurements"]}
    assert cost["dense"]["weight_bytes"] == 4 * 1024 * 1024
    assert cost["convolution"]["weight_bytes"] == 4 * 9
    assert cost["dense"]["step_bytes"] > 10 * cost["convolution"]["step_bytes"]


# 001, convolution, kernels, and layers with shared weights.


def test_001_a_signal_is_smoothed(striate: Run) -> None:
    out = striate("convolve", "--signal", SIGNAL, "--kernel", "1/3 1/3 1/3", "--quiet").out
    found = [float(word) for word in out.split()]
    causal = [sum(F[max(x - 2, 0) : x + 1]) / 3 for x in range(10)]
    np.testing.assert_allclose(found, causal, atol=1e-5)
    assert out.startswith("3.33333 ")


def test_001_a_noisy_sine(striate: Run, in_tmp: Path) -> None:
    striate("convolve", "--signal", "noisy-sine", "--kernel", "mean9", "-o", "y.csv", "--quiet")
    striate("convolve", "--signal", "noisy-sine", "--kernel", "1", "-o", "f.csv", "--quiet")
    f, y = np.loadtxt("f.csv"), np.loadtxt("y.csv")
    assert len(f) == len(y) == 300
    np.testing.assert_allclose(y[100], f[92:101].mean(), rtol=1e-6)
    assert np.abs(np.diff(y)).mean() < np.abs(np.diff(f)).mean() / 3


@pytest.mark.parametrize(
    ("origin", "terms", "total"),
    [("corner", "1·5 + 2·4 + 4·2 + 5·1", 26),
     ("center", "1·9 + 2·8 + 3·7 + 4·6 + 5·5 + 6·4 + 7·3 + 8·2 + 9·1", 165)],
)  # fmt: skip
def test_001_two_dimensions(striate: Run, origin: str, terms: str, total: int) -> None:
    square = "1 2 3; 4 5 6; 7 8 9"
    out = striate("convolve", "-s", square, "-k", square, "--at", "1,1", "--origin", origin).out
    assert f"= {terms}\n" in out
    assert out.endswith(f"= {total}\n")


@pytest.mark.parametrize("kernel", ["laplace", "mean3"])
def test_001_grace_hopper(striate: Run, in_tmp: Path, kernel: str) -> None:
    """The loops of the article, on all inner pixels at once."""
    assert striate("filter", "--kernel", kernel, "-o", "out.png").code == 0
    photo = grace_hopper().frames[0].astype(int)
    height, width = photo.shape[:2]
    near = sum(photo[r : height - 2 + r, s : width - 2 + s] for r in range(3) for s in range(3))
    inner = photo[1:-1, 1:-1]
    expected = np.clip(9 * inner - near, 0, 255) if kernel == "laplace" else np.rint(near / 9)
    with Image.open("out.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture)[1:-1, 1:-1], expected)


def test_001_a_feature_is_found_anywhere(striate: Run) -> None:
    """Article 002's equivariance too: what is added up is the same wherever it stands."""
    near, far = "0 1 3 1 0 0 0 0 0", "0 0 0 0 0 1 3 1 0"
    arguments = ("--kernel", "1 -2 1", "--origin", "center", "--quiet")
    one, other = (striate("convolve", "--signal", f, *arguments).out.split() for f in (near, far))
    assert one[:5] == other[4:] == ["1", "1", "-4", "1", "1"]


def test_001_a_two_survives_a_changed_stroke(striate: Run) -> None:
    rows = striate("stroke", "digits", "--json").json["survival"]
    shares = [row["share"] for row in rows]
    assert [row["pool"] for row in rows] == [1, 2, 4]
    assert shares[0] < 0.8
    assert shares[1:] == [1, 1]
    assert rows[0]["change"] > rows[1]["change"] > rows[2]["change"]


def test_001_the_red_bar_is_there_in_both(striate: Run) -> None:
    """A "2" that anyone can read: its top stays a bar of strong answers when the hook changes."""
    found = striate("stroke", "--json").json
    bars = {bar["pool"]: bar["last"] - bar["first"] + 1 for bar in found["bars"]}
    assert found["digits"] == found["given"] == 1
    assert all(bars[pool] >= 3 for pool in (1, 2, 4))
    assert all(row["survived"] < row["strong"] for row in found["survival"][:2])


def test_001_an_edge_kernel_is_a_layer_with_shared_weights(striate: Run) -> None:
    f, y = "0 0 0 1 1 1 1 0 0 0", "0  0  0  1  0  0  0  -1  0  0\n"
    assert striate("convolve", "--signal", f, "--kernel", "1 -1").out == y
    # The layer, whose weights are the kernel flipped, reads one zero before the signal.
    layer = striate(
        "gradients", "--x", f, "--weights", "-1 1", "--padding", "0,0,1,0", "--json",
    ).json  # fmt: skip
    assert [value for (value,) in layer["output"][0]] == [0, 0, 0, 1, 0, 0, 0, -1, 0, 0]
    shared = stages(striate("derive", "--image", "1x10", "--neurons", 10, "--window", "1x2",
                            "--padding", "0,0,1,0", "--json").json)  # fmt: skip
    assert (shared["dense"], shared["convolution"]) == (100, 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--input", "10x5", "--filter", 3), "output 8×3\n"),
        (("--input", "10x5", "--filter", 3, "--padding", 1), "output 10×5\n"),
        (("--input", 13, "--filter", 3, "--padding", 0, "--stride", 2), "output 6: "),
        (("--input", "7x7", "--filter", 3), "output 5: "),  # 003
        (("--input", "7x7", "--filter", 3, "--stride", 2), "output 3: "),  # 003
    ],
)
def test_001_sizes(striate: Run, arguments: tuple[Any, ...], words: str) -> None:
    assert words in striate("size", *arguments).out


def test_001_a_size_that_does_not_fit(refused: Callable[..., str]) -> None:
    error = refused("size", "--input", 10, "--filter", 3, "--padding", 0, "--stride", 2)
    assert "(10 - 3 + 0 + 0)/2 + 1 = 4.5 is not whole" in error
    assert "input 9 or 11; filter 2 or 4; stride 1 or 7; padding (0, 1)" in error


# 002, what a layer computes, and what it spares.


def test_002_convolution_against_correlation(striate: Run) -> None:
    arguments = ("convolve", "-s", "3 1 2; 0 5 4; 7 6 8", "-k", "1 2; 3 4", "--mode", "valid")
    assert striate(*arguments).out.split() == ["20", "24", "35", "52"]
    assert striate(*arguments, "--correlate").out.split() == ["25", "36", "55", "63"]


def test_002_two_filters_on_a_colour_image(striate: Run) -> None:
    """7×7×3, two filters of 3×3×3 with bias, stride 2: the sums, written out and summed up."""
    arguments = ("gradients", "--input", "7x7", "--filter", "3x3", "--stride", 2, "--channels", 3,
                 "--filters", 2, "--bias", "1 0")  # fmt: skip
    found = striate(*arguments, "--json").json
    x, f = np.array(found["input"]), np.array(found["filter"])
    assert (x.shape, f.shape) == ((7, 7, 3), (3, 3, 3, 2))
    windows = [[x[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] for j in range(3)] for i in range(3)]
    sums = np.array([
        [[(window * f[..., k]).sum() + (1, 0)[k] for k in range(2)] for window in row]
        for row in windows
    ])  # fmt: skip
    np.testing.assert_array_equal(found["output"], sums)
    out = striate(*arguments, "--only", "O^1_11").out.split("The outputs")[1]
    out = out.split("The local gradients")[0]
    assert re.findall(r"[XF]\^[\d,]+_\d\d", out).count("X^3_33") == 1
    assert len(re.findall(r"X\^\d_\d\d·F", out)) == 27
    assert f"= {sums[0, 0, 0]:g}\n" in out


def test_002_five_units(striate: Run) -> None:
    arguments = ("derive", "--image", "1x5", "--neurons", 5, "--window", "1x3", "--padding", "same")
    found = stages(striate(*arguments, "--json").json)
    assert (found["dense"], found["convolution"]) == (25, 3)


def test_002_stacked_layers_reach_all_inputs(striate: Run, in_tmp: Path) -> None:
    layer = (
        '[[layers]]\nlayer = "Conv2D"\nname = "{}"\nfilters = 1\nsize = [1, 3]\npadding = "same"\n'
    )
    text = "input_shape = [1, 5, 1]\n" + layer.format("h") + layer.format("y")
    Path("stack.toml").write_text(text, "utf-8")
    pixels = [
        striate("inspect", "stack.toml", "--layer", name, "--unit", "0,2", "--json").json["unit"]
        for name in ("h", "y")
    ]
    assert [unit["pixels"] for unit in pixels] == [[[0, 1, 1, 1, 0]], [[1, 1, 1, 1, 1]]]


# 003, gradients. Its formulas are compared term by term in tests/chainrule/.


def test_003_written_out(striate: Run) -> None:
    arguments = ("gradients", "--input", "3x3", "--filter", "2x2", "--lr", 0.25)
    found = striate(*arguments, "--json").json
    x, f, g = (np.array(found[name])[..., 0] for name in ("input", "filter", "output_gradient"))
    f = f[..., 0]
    o, of_f, of_x = np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((3, 3))
    for i, j, r, s in np.ndindex(2, 2, 2, 2):
        o[i, j] += x[i + r, j + s] * f[r, s]
        of_f[r, s] += g[i, j] * x[i + r, j + s]
        of_x[i + r, j + s] += g[i, j] * f[r, s]
    assert np.array_equal(np.array(found["output"])[..., 0], o)
    assert np.array_equal(np.array(found["filter_gradient"])[..., 0, 0], of_f)
    assert np.array_equal(np.array(found["input_gradient"])[..., 0], of_x)
    assert np.array_equal(np.array(found["new_filter"])[..., 0, 0], f - 0.25 * of_f)
    assert max(found["largest_differences"].values()) < 1e-5
    out = striate(*arguments).out
    assert f"F_11 ← F_11 - α·∂L/∂F_11 = {f[0, 0]:g} - 0.25·" in out


def test_003_the_network(striate: Run, in_tmp: Path) -> None:
    """Conv, ReLU, 2×2 max-pooling, flatten, dense: on images of CIFAR-10's size."""
    network = """
        [[layers]]
        layer = "Conv2D"
        filters = 8
        size = 3
        padding = "same"
        [[layers]]
        layer = "ReLU"
        [[layers]]
        layer = "MaxPool2D"
        size = 2
        [[layers]]
        layer = "Flatten"
        [[layers]]
        layer = "Dense"
        units = "classes"
    """
    Path("cnn.toml").write_text(network, "utf-8")
    found = striate("summary", "cnn.toml", "--input-shape", "32x32x3").out
    rows = [row.split() for row in found.splitlines() if re.match(r"\w+_1 ", row)]
    assert [row[2] for row in rows] == ["32×32×8", "32×32×8", "16×16×8", "2048", "10"]
    parameters = [8 * (27 + 1), 0, 0, 0, 10 * (2048 + 1)]
    assert [int(row[3].replace(",", "")) for row in rows] == parameters
