"""The numbers of a report, without its page."""

import base64
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate
from striate.common.page_parts import encode_array
from striate.engines.numpy import NumPyEngine
from striate.inspect.values import Tape
from striate.network import Network
from striate.reports import render
from striate.reports.data import collect, read_curves
from striate.reports.kernels import export_kernels
from striate.reports.occlusion import occlusion
from striate.reports.page_budget import EACH_NUMBER, fit_page
from striate.reports.page_data import page_data
from striate.reports.saliency import saliency
from striate.training import recipes
from striate.training.history import Epoch, History


@pytest.fixture(scope="module")
def report(example: Any) -> Any:
    return collect(example.network, example.images, example.labels, choose=6, engine="numpy")


def test_the_values_are_the_engines(example: Any) -> None:
    traced = Tape(example.network, example.images)
    engine = NumPyEngine(example.network, batch_size=60)
    last = len(example.network.nodes) - 1
    np.testing.assert_array_equal(traced.values[last], engine.forward(example.images))
    assert set(traced.values) == {-1, *range(last + 1)}
    assert all(values.dtype == np.float32 for values in traced.values.values())


def test_the_values_agree_with_the_compiled_engine(example: Any) -> None:
    pytest.importorskip("llvmlite")
    last = len(example.network.nodes) - 1
    compiled = example.network.predict_logits(example.images, engine="llvm")
    np.testing.assert_allclose(
        Tape(example.network, example.images).values[last], compiled, rtol=1e-4, atol=1e-4
    )


def test_saliency_is_the_largest_slope_of_the_score(example: Any) -> None:
    network = striate.Network.from_config(example.network.get_config())
    for name, array in {**network.parameters, **network.state}.items():
        array[...] = {**example.network.parameters, **example.network.state}[name]
    images = example.images[:2].astype(np.float32) / 50  # the input itself: no preprocessing
    outputs = np.array([3, 5])
    found = saliency(Tape(network, images), outputs)
    assert found.shape == (2, 11, 9)
    engine = NumPyEngine(network, batch_size=2, dtype=np.float64)
    step = 2.0**-8  # added to float32 pixels without rounding
    for y, x in [(0, 0), (5, 4), (10, 8), (3, 7)]:
        slopes = np.zeros((2, 3))
        for channel in range(3):
            scores = []
            for sign in (1, -1):
                moved = images.copy()
                moved[:, y, x, channel] += np.float32(sign * step)
                scores.append(engine.forward(moved)[[0, 1], outputs])
            slopes[:, channel] = (scores[0] - scores[1]) / (2 * step)
        expected = np.abs(slopes).max(axis=1)
        np.testing.assert_allclose(found[:, y, x], expected, rtol=0.02, atol=1e-4)


def test_occlusion_against_loops(example: Any) -> None:
    network, images = example.network, example.images[:2]
    before = network.predict_proba(images, engine="numpy")
    outputs = before.argsort(axis=1)[:, -2]  # neither 0 nor 1
    found = occlusion(network, images, outputs, before, engine="numpy")
    assert found.patch == (3, 2) and found.step == (1, 1) and found.places == 9 * 8
    change = np.zeros((2, 11, 9))
    covered = np.zeros((11, 9))
    for y in range(9):
        for x in range(8):
            covered[y : y + 3, x : x + 2] += 1
            for n in range(2):
                copy = images[n].copy()
                copy[y : y + 3, x : x + 2] = np.rint(images[n].reshape(-1, 3).mean(axis=0))
                after = network.predict_proba(copy[None], engine="numpy")[0]
                change[n, y : y + 3, x : x + 2] += (after - before[n])[outputs[n]]
    np.testing.assert_allclose(found.change, change / covered, atol=1e-5)
    assert np.abs(found.change).max() > 0.002


def test_occlusion_reaches_the_far_edge_with_larger_steps() -> None:
    layers = [striate.Conv2D(2, 3), striate.GlobalAvgPool2D(), striate.Dense(2)]
    network = striate.Network(layers, (47, 61, 1))
    images = np.random.default_rng(0).normal(size=(1, 47, 61, 1)).astype(np.float32)
    before = network.predict_proba(images, engine="numpy")
    found = occlusion(network, images, np.array([0]), before, engine="numpy")
    assert found.step == (3, 4)
    assert np.isfinite(found.change).all() and (found.change != 0).mean() > 0.99


def test_the_figures_are_those_of_evaluate(example: Any, report: Any) -> None:
    expected = example.network.evaluate(example.images, example.labels, engine="numpy")
    assert report.evaluation.to_dict() == expected.to_dict()


def test_mistakes_and_chosen_images(example: Any, report: Any) -> None:
    probabilities = example.network.predict_proba(example.images, engine="numpy")
    guesses = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(guesses != example.labels)
    order = sorted(wrong, key=lambda row: -probabilities[row, guesses[row]])
    assert [mistake.index for mistake in report.mistakes] == order[:24]
    for mistake in report.mistakes:
        assert mistake.truth == example.labels[mistake.index] != mistake.guess
        assert mistake.probability == pytest.approx(probabilities[mistake.index].max())
    kinds = ["wrong" if answer.guess != answer.truth else "right" for answer in report.chosen]
    assert kinds[2] == kinds[5] == "wrong"
    assert [report.chosen[2].index, report.chosen[5].index] == order[:2]
    right = [answer.truth for answer in report.chosen if answer.guess == answer.truth]
    assert right[: len({*right})] == sorted({*right})  # one of each class before a second
    for place, answer in enumerate(report.chosen):
        expected = probabilities[answer.index]  # those of the report are float32
        np.testing.assert_allclose(report.probabilities[place], expected, rtol=1e-6)
        np.testing.assert_array_equal(report.pictures[answer.index], example.images[answer.index])


def test_images_that_were_asked_for(example: Any) -> None:
    made = collect(
        example.network, example.images, example.labels, show=[41, 7, 41], engine="numpy"
    )
    assert [answer.index for answer in made.chosen] == [41, 7]
    expected = Tape(example.network, example.images[[41, 7]])
    np.testing.assert_array_equal(made.values[5], expected.values[5])


def test_fewer_images_than_wanted(example: Any) -> None:
    made = collect(example.network, example.images[:3], example.labels[:3], engine="numpy")
    assert sorted(answer.index for answer in made.chosen) == [0, 1, 2]


# Curves


def test_curves_of_a_history() -> None:
    rows = [Epoch(n, 1 / n, 0.5, None, None, 0.1, 10, 2.0, 5.0) for n in (1, 2)]
    assert read_curves(History(rows)) == {
        "loss": [1.0, 0.5],
        "accuracy": [0.5, 0.5],
        "learning_rate": [0.1, 0.1],
    }
    assert read_curves(History([])) is None


@pytest.mark.parametrize(
    "history",
    [None, [], "x", 3, {}, {"loss": []}, {"loss": "12"}, {"loss": [1, "2"]}, {"loss": [True]},
     {"loss": [1.0, float("inf")]}, {"accuracy": [0.5]}, {"loss": [1, 2], "accuracy": [1]}],
)  # fmt: skip
def test_a_history_that_nobody_checked_is_no_error(history: Any) -> None:
    assert read_curves(history) is None


def test_what_is_no_figure_is_left_out() -> None:
    assert read_curves({"loss": [1], "accuracy": ["x"], "seconds": [9]}) == {"loss": [1]}


# Size


def page_of(report: Any) -> bytes:
    return render.render(report)


def test_an_mnist_model_takes_less_than_3_megabytes() -> None:
    recipe = recipes.choose((28, 28, 1), 10, 60_000)
    random = np.random.default_rng(0)
    # Noise, which is larger as PNG than digits are.
    images = random.integers(0, 256, (40, 28, 28, 1), dtype=np.uint8)
    made = collect(recipe.build(Network), images, random.integers(0, 10, 40), engine="numpy")
    assert len(made.chosen) == 12
    assert made.content.shown == frozenset(range(-1, len(made.network.nodes)))
    assert made.content.weights == {slot.node for slot in made.network.slots}
    assert len(page_of(made)) <= 3_000_000


@pytest.mark.parametrize("megabytes", [0.6, 1.0, 2.5])
def test_large_networks_keep_within_the_size(megabytes: float) -> None:
    recipe = recipes.choose((32, 32, 3), 10, 50_000)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)
    labels = random.integers(0, 10, 9)
    made = collect(recipe.build(Network), images, labels, megabytes=megabytes, engine="numpy")
    within, page = render.render_within_limit(made)
    assert 0.3e6 * megabytes < len(page) <= 1e6 * megabytes
    assert f"stays within {megabytes:g} MB".encode() in page
    assert len(within.chosen) == within.content.images <= len(made.chosen)


def test_large_pictures_of_mistakes_keep_within_the_size() -> None:
    layers = [striate.Conv2D(4, 6, stride=6), striate.GlobalAvgPool2D(), striate.Dense(7)]
    network = striate.Network(layers, (96, 96, 3))
    # Noise: the pictures of 24 mistakes take more than half a megabyte.
    images = np.random.default_rng(0).integers(0, 256, (40, 96, 96, 3), dtype=np.uint8)
    guess = int(network.predict_logits(images[:1], engine="numpy").argmax())
    made = collect(network, images, [(guess + 1) % 7] * 40, megabytes=1.3, engine="numpy")
    assert len(render.render(made)) > 1.3e6  # more than it thought
    within, page = render.render_within_limit(made)
    assert len(page) <= 1.3e6 and 1 <= len(within.chosen) < len(made.chosen)
    assert len(json.loads(_data(page))["images"]) == len(within.chosen)
    kept = (within.saliency, within.occlusion.change, within.probabilities, within.values[0])
    assert {len(each) for each in kept} == {within.content.images}
    # Where nothing is left to leave out, the page is as small as it can be.
    within, page = render.render_within_limit(replace(made, megabytes=0.001))
    assert len(within.chosen) == 1 and within.content.shown == {-1}


def _data(page: bytes) -> str:
    return page.decode().split('id="report-data">')[1].split("</script>")[0]


def test_what_is_left_out_first() -> None:
    layers = [striate.Conv2D(8, 3), striate.ReLU(), striate.MaxPool2D(2), striate.Flatten()]
    network = striate.Network([*layers, striate.Dense(5)], (10, 10, 1))
    conv, dense = 8 * 8 * 8, 5
    weights = EACH_NUMBER * (80 + 8 * 16 * 5 + 5)
    own = EACH_NUMBER * 100
    image = EACH_NUMBER * (conv + dense) + own
    # Gradients of the outputs, of what the dense layer reads, and of the image.
    back = EACH_NUMBER * (dense + 8 * 4 * 4 + 100)
    everything = fit_page(network, 3, weights + 3 * (image + back) + 1, own)
    assert everything.images == 3 and everything.kept == {0, 4}
    assert everything.shown == {-1, 0, 1, 2, 3, 4} and everything.weights == {0, 4}
    assert everything.gradients == {-1, 3, 4} and everything.gradients_shown == everything.shown
    assert fit_page(network, 3, weights + 3 * (image + back) - 1, own).images == 2
    # Where not even one image has room for its gradients, those near the loss stay.
    some = fit_page(network, 3, weights + image + back - 1, own)
    assert some.images == 1 and some.shown == everything.shown and some.gradients == {3, 4}
    few = fit_page(network, 3, weights + image + 30, own)
    assert few.shown == everything.shown and few.gradients == {4}
    # Without the convolution's values its ReLU cannot be shown, but the maxima can be kept.
    without = fit_page(network, 3, weights + image - 1, own)
    assert without.images == 1 and without.kept == {2, 4} and without.shown == {-1, 2, 3, 4}
    assert fit_page(network, 3, 0, own).shown == {-1}


def test_the_same_report_gives_the_same_bytes(example: Any) -> None:
    def make() -> bytes:
        return page_of(
            collect(
                example.network, example.images, example.labels,
                history=example.history, engine="numpy",
            )
        )  # fmt: skip

    assert make() == make()


def test_arrays_are_not_rounded() -> None:
    values = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    for array in (values, values.T, values[:, ::2]):
        made = encode_array(array)
        back = np.frombuffer(base64.b64decode(made["data"]), "<f4").reshape(made["shape"])
        np.testing.assert_array_equal(back, array)


def test_real_images_and_odd_channels(tmp_path: Path) -> None:
    network = striate.Network([striate.Flatten(), striate.Dense(3)], (4, 6, 2))
    images = np.random.default_rng(0).normal(size=(5, 4, 6, 2))
    made = striate.report(
        network, images, [0, 1, 2, 0, 1], path=tmp_path / "r.html", engine="numpy"
    )
    assert made.black == images.min() and made.white == images.max()
    assert "There are no training curves" in (tmp_path / "r.html").read_text("utf-8")


# Kernels


@pytest.mark.parametrize("layer", [None, "conv2d_2"])
def test_a_kernel_filters_as_the_layer_does(tmp_path: Path, layer: str | None) -> None:
    from striate.kernels.typed_numbers import read

    network = striate.Network(
        [striate.Conv2D(4, (3, 5), padding="same", bias=False), striate.Conv2D(3, 3)], (12, 14, 2)
    )
    node = 0 if layer is None else 1
    paths = export_kernels(network, tmp_path / "new" / "folder", layer)
    filters = network.parameters_of(node)["filters"]
    assert len(paths) == filters.shape[2] * filters.shape[3]
    image = np.random.default_rng(0).normal(size=(12, 14))
    for path in paths:
        which = re.fullmatch(r"conv2d_\d-filter(\d+)-channel(\d+)\.txt", path.name)
        assert which is not None
        k, c = int(which[1]), int(which[2])
        kernel = read(path)
        np.testing.assert_array_equal(kernel.astype(np.float32)[::-1, ::-1], filters[:, :, c, k])
        # The correlation of the layer, on one channel, written out.
        expected = sum(
            filters[r, s, c, k]
            * image[r : 12 - filters.shape[0] + 1 + r, s : 14 - filters.shape[1] + 1 + s]
            for r in range(filters.shape[0])
            for s in range(filters.shape[1])
        )
        found = striate.convolve(image, kernel, "valid")
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_kernels_of_what_is_no_convolution(tmp_path: Path) -> None:
    dense = striate.Network([striate.Flatten(), striate.Dense(3)], (4, 6, 2))
    with pytest.raises(ValueError, match="has no convolution whose kernels"):
        export_kernels(dense, tmp_path)
    network = striate.Network([striate.Conv2D(4, 3)], (4, 6, 2))
    with pytest.raises(ValueError, match="no convolution named 'conv2d_9'; it has conv2d_1"):
        export_kernels(network, tmp_path, "conv2d_9")


# Errors


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (
            {"images": np.zeros((60, 12, 9, 3))},
            ValueError,
            r"reads images of shape \(n, 11, 9, 3\)",
        ),
        ({"images": np.zeros((0, 11, 9, 3)), "labels": []}, ValueError, "no images to show"),
        ({"labels": np.zeros(59, int)}, ValueError, "60 images but 59 labels"),
        ({"labels": np.full(60, 7)}, ValueError, "labels must lie in 0 … 6"),
        ({"labels": np.array(["ant", "yak"] * 30)}, ValueError, r"\['yak'\] are none of"),
        ({"choose": 0}, ValueError, "choose must be at least 1"),
        ({"show": [60]}, ValueError, "no image 60; the 60 images are numbered from 0 to 59"),
        ({"show": [1.5]}, TypeError, "an image to show must be a whole number"),
        ({"megabytes": 0}, ValueError, "megabytes must be positive"),
        ({"engine": "gpu"}, ValueError, "engine must be"),
        ({"path": "report.pdf"}, ValueError, "a name that ends in .html"),
        ({"path": "missing/report.html"}, ValueError, "missing does not exist"),
        ({"path": "folder.html"}, ValueError, "is a folder"),
        ({"path": "mine.html"}, ValueError, "exists and is not a report"),
    ],
)
def test_errors(
    example: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    error: type[Exception],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.html").mkdir()
    Path("mine.html").write_text("<!DOCTYPE html><title>My page</title>")
    arguments = {"images": example.images, "labels": example.labels, "path": "report.html",
                 "engine": "numpy"}  # fmt: skip
    with pytest.raises(error, match=words):
        striate.report(example.network, **{**arguments, **change})
    assert not Path("report.html").exists()
    assert "My page" in Path("mine.html").read_text()


def test_networks_that_have_nothing_to_show(tmp_path: Path) -> None:
    vectors = striate.Network([striate.Dense(3)], (8,))
    with pytest.raises(ValueError, match=r"reads \(8,\), which are no images to show"):
        striate.report(vectors, np.zeros((2, 8)), [0, 1], path=tmp_path / "r.html")
    regression = striate.Network([striate.Flatten(), striate.Dense(1)], (8, 8, 1))
    with pytest.raises(ValueError, match=r"outputs of shape \(1,\) are no classes"):
        striate.report(regression, np.zeros((2, 8, 8, 1)), [0, 0], path=tmp_path / "r.html")


def test_outputs_that_are_not_finite(tmp_path: Path) -> None:
    network = striate.Network([striate.Flatten(), striate.Dense(3)], (4, 4, 1))
    network.parameters["dense_1/weights"][...] = 1e38
    with (
        pytest.raises(ValueError, match="outputs are not finite numbers"),
        np.errstate(over="ignore", invalid="ignore"),
    ):
        striate.report(
            network, np.full((2, 4, 4), 255), [0, 1], path=tmp_path / "r.html", engine="numpy"
        )


def test_an_earlier_report_is_replaced(example: Any, report: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    path.touch()  # an empty file is nobody's work
    render.write(report, path)
    first = path.read_bytes()
    render.write(replace(report, name="other"), path)
    assert path.read_bytes() != first


def test_page_and_kernels_are_written_all_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = [striate.Conv2D(2, 3), striate.Flatten(), striate.Dense(2)]
    network = Network(layers, input_shape=(5, 5, 1))
    images, labels = np.zeros((4, 5, 5, 1), np.uint8), np.arange(4) % 2
    given: dict[str, Any] = {"path": tmp_path / "page.html", "kernels": tmp_path / "new" / "folder"}
    real, calls = os.replace, []

    def full(beside: str, target: str) -> None:
        calls.append(target)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match=r"No space left on device: '.*/folder/conv2d_1-filter1"):
            striate.reports.report(network, images, labels, engine="numpy", **given)
    assert calls and os.listdir(tmp_path) == []
    assert os.replace is real
    striate.reports.report(network, images, labels, engine="numpy", **given)
    assert sorted(os.listdir(tmp_path)) == ["new", "page.html"]
    assert len(os.listdir(tmp_path / "new" / "folder")) == 2


def test_paths_are_those_of_the_pictures(example: Any, report: Any) -> None:
    assert report.paths == {}
    paths = [f"folder/{row}.png" for row in range(len(example.images))]
    made = collect(
        example.network, example.images, example.labels, choose=6, engine="numpy", paths=paths
    )
    assert made.paths == {row: paths[row] for row in made.pictures}
    page = render.render(made).decode()
    for answer in made.mistakes:
        assert f'title="folder/{answer.index}.png">folder/{answer.index}.png</span>' in page
    kept = page_data(made)["images"]
    assert [image["path"] for image in kept] == [paths[answer.index] for answer in made.chosen]
    assert all("path" not in image for image in page_data(report)["images"])
    with pytest.raises(ValueError, match="images but 3 paths"):
        collect(example.network, example.images, example.labels, engine="numpy", paths=paths[:3])
