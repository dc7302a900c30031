"""``striate report``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate import Dense, Flatten, Network
from striate.kernels.typed_numbers import read
from striate.model import files
from striate.network import load

Run = Callable[..., Any]
Refused = Callable[..., str]

NUMPY = ("--engine", "numpy")


def test_a_report_of_the_digits(striate: Run, model: Path, in_tmp: Path) -> None:
    outcome = striate("report", model, "digits", *NUMPY, "--kernels", "k", "--images", 5, "--json")
    assert outcome.code == 0
    result = outcome.json
    page = Path("digits.html")
    assert result["report"] == str(page)
    assert result["bytes"] == page.stat().st_size < 3_000_000
    assert result["part"] == "test"
    assert result["accuracy"] == files.information(model)["test_accuracy"]
    assert len(result["shown"]) == 5
    assert len(result["kernels"]) == 4
    kernel = load(model).parameters["conv2d_1/filters"][:, :, 0, 1]
    written = read("k/conv2d_1-filter1-channel0.txt").astype(np.float32)
    np.testing.assert_array_equal(written, kernel[::-1, ::-1])
    text = page.read_text("utf-8")
    assert "digits on digits" in text
    assert "All numbers of the 2 epochs" in text


def test_the_result_for_people(striate: Run, model: Path, in_tmp: Path) -> None:
    outcome = striate("report", model, "digits", *NUMPY, "--show", 3, "--show", 1, "-o", "r.html")
    assert outcome.code == 0
    first, second = outcome.out.splitlines()
    assert first.startswith("Accuracy: ") and first.endswith(" % on 359 images")
    assert second.startswith("Wrote r.html (0.") and second.endswith(" MB)")


def test_the_kernels_are_taken_by_filter(striate: Run, model: Path, in_tmp: Path) -> None:
    from PIL import Image

    assert striate("report", model, "digits", *NUMPY, "--kernels", "k").code == 0
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.png")
    arguments = ("--kernel", "k/conv2d_1-filter2-channel0.txt", "--offset", 128, "-o", "out.png")
    assert striate("filter", "photo.png", *arguments).code == 0
    kernel = load(model).parameters["conv2d_1/filters"][:, :, 0, 2].astype(np.float64)
    sums = sum(
        kernel[r, s] * pixels[r : 18 + r, s : 18 + s].astype(float)
        for r in range(3)
        for s in range(3)
    )
    found = np.asarray(Image.open("out.png"), float)[1:-1, 1:-1]
    np.testing.assert_allclose(found, np.clip(sums + 128, 0, 255), atol=0.51)


def test_a_model_without_history_says_so(striate: Run, model: Path, in_tmp: Path) -> None:
    notes = files.information(model)
    del notes["history"], notes["striate_version"]
    files.save(load(model), "old.safetensors", notes)
    assert striate("report", "old.safetensors", "digits", *NUMPY).code == 0
    assert "the model file keeps no history" in Path("old.html").read_text("utf-8")


def test_a_source_of_another_size(refused: Refused, model: Path, in_tmp: Path) -> None:
    np.savez("large.npz", X=np.zeros((20, 9, 8)), y=np.arange(20) % 10)
    said = refused("report", model, "large.npz", *NUMPY)
    assert said == (
        f"{model}: is made for images 8×8×1, but large.npz has 9×8×1; give a source of images "
        "8×8×1, or a model trained on images 9×8×1"
    )
    assert [path.name for path in in_tmp.iterdir()] == ["large.npz"]


def test_a_source_of_other_classes(refused: Refused, model: Path, images: Path) -> None:
    said = refused("report", model, images, *NUMPY)
    assert said == (
        f"{images} has a class 'dark' that the model does not know; it knows 0, 1, 2, 3, 4, 5, 6, "
        "7, 8, 9: give images of these classes only, or a model trained on the others, too"
    )


def test_another_number_of_classes_without_names(refused: Refused, in_tmp: Path) -> None:
    files.save(Network([Flatten(), Dense(7)], (8, 8, 1)), "seven.safetensors")
    said = refused("report", "seven.safetensors", "digits", *NUMPY)
    assert said == (
        "digits: has 10 classes, but the network has 7 outputs; give a source of 7 classes, or a "
        "model trained on 10"
    )


def test_a_source_without_images(refused: Refused, model: Path, in_tmp: Path) -> None:
    Path("empty").mkdir()
    said = refused("report", model, "empty", *NUMPY)
    assert said == (
        "empty: the folder holds no images; put the images of each class into a folder of its own "
        "(CLASS/image.png)"
    )


def test_networks_that_have_nothing_to_show(refused: Refused, in_tmp: Path) -> None:
    files.save(Network([Dense(3)], (64,)), "vectors.safetensors")
    said = refused("report", "vectors.safetensors", "digits", *NUMPY)
    assert said == (
        "vectors.safetensors: is not for images, its network reads 64 numbers; give a model whose "
        "network reads images (height, width, channels)"
    )
    files.save(Network([Flatten(), Dense(1)], (8, 8, 1)), "one.safetensors")
    said = refused("report", "one.safetensors", "digits", *NUMPY)
    assert said == (
        "one.safetensors: is not a classifier, its network has outputs of shape (1,); give a "
        "model with one output for each of two or more classes"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--out", "r.txt"), "r.txt: a report is an HTML page; give a name that ends in .html"),
        (("--out", "no/r.html"), "the folder"),
        (("--show", 359), "there is no image 359"),
        (("--layer", "conv2d_1"), "--layer says whose kernels to write"),
        (("--kernels", "k", "--layer", "dense_1"), "no convolution named 'dense_1'"),
    ],
)
def test_refused(
    refused: Refused, model: Path, in_tmp: Path, arguments: tuple[Any, ...], words: str
) -> None:
    assert words in refused("report", model, "digits", *NUMPY, *arguments)
    assert list(in_tmp.iterdir()) == []


def test_another_page_is_not_replaced(refused: Refused, model: Path, in_tmp: Path) -> None:
    Path("digits.html").write_text("<title>mine</title>")
    assert "exists and is not a report" in refused("report", model, "digits", *NUMPY)
    assert Path("digits.html").read_text() == "<title>mine</title>"


def test_the_history_in_a_model_file(striate: Run, in_tmp: Path, network_file: Path) -> None:
    arguments = ("train", "digits", *NUMPY, "--network", network_file, "--epochs", 3, "--quiet")
    assert striate(*arguments, "--validation", 0.2, "--out", "a.safetensors").code == 0
    history = files.information("a.safetensors")["history"]
    assert {name: len(values) for name, values in history.items()} == {
        "loss": 3, "accuracy": 3, "val_loss": 3, "val_accuracy": 3, "learning_rate": 3,
    }  # fmt: skip
    assert history["loss"][2] < history["loss"][0]
