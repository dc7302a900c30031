"""``striate evaluate``."""

import csv
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate import data
from striate.data.record import ImageRecord
from striate.model import files
from striate.network import load

Run = Callable[..., Any]
Refused = Callable[..., str]

NUMPY = ("--engine", "numpy")


@pytest.fixture(scope="session")
def image_model(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    """A model that tells dark images from light ones."""
    from striate.cli.app import run

    path = tmp_path_factory.mktemp("image-model") / "light.safetensors"
    arguments = ["train", str(images), "--quiet", *NUMPY, "--epochs", "8", "--out", str(path)]
    assert run(arguments) == 0
    return path


def test_the_test_images_of_training_are_drawn_again(striate: Run, model: Path) -> None:
    outcome = striate("evaluate", model, "digits", *NUMPY, "--json")
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == 1
    result = outcome.json
    assert result["part"] == "test"
    assert result["images"] == 359
    assert result["accuracy"] == files.information(model)["test_accuracy"]


def test_another_seed_of_training_is_drawn_again(
    striate: Run, in_tmp: Path, network_file: Path
) -> None:
    options = ("--seed", 4, "--test-fraction", 0.1, "--epochs", 1, "--network", network_file)
    trained = striate("train", "digits", *NUMPY, *options, "--json").json
    result = striate("evaluate", "digits.safetensors", "digits", *NUMPY, "--json").json
    assert result["images"] == trained["test_images"] == 179
    assert result["accuracy"] == trained["test_accuracy"]


def test_the_figures_agree_with_the_network(striate: Run, model: Path) -> None:
    network = load(model)
    dataset = data.load("digits")
    predicted = network.predict_logits(dataset.test_images, engine="numpy").argmax(axis=1)
    truth = dataset.test_labels
    result = striate("evaluate", model, "digits", *NUMPY, "--json").json
    assert result["accuracy"] == np.mean(predicted == truth)
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (truth, predicted), 1)
    assert result["confusion"] == confusion.tolist()
    for index, report in enumerate(result["classes"]):
        assert report["name"] == str(index)
        assert report["support"] == np.sum(truth == index)
        assert report["recall"] == np.mean(predicted[truth == index] == index)
        called = truth[predicted == index]
        assert report["precision"] == (np.mean(called == index) if len(called) else None)


def test_parts(striate: Run, model: Path) -> None:
    sizes = {"train": 1438, "test": 359, "all": 1797}
    results = {
        part: striate("evaluate", model, "digits", *NUMPY, "--part", part, "--json").json
        for part in sizes
    }
    assert {part: result["images"] for part, result in results.items()} == sizes
    right = {part: round(results[part]["accuracy"] * sizes[part]) for part in sizes}
    assert right["all"] == right["train"] + right["test"]


def test_the_result_for_people(striate: Run, model: Path) -> None:
    outcome = striate("evaluate", model, "digits", *NUMPY)
    lines = outcome.out.splitlines()
    assert lines[0].startswith("Accuracy: ")
    assert lines[0].endswith(" % on 359 images; always the most frequent class: 10.31 %")
    assert lines[2].split() == ["class", "images", "precision", "recall"]
    assert lines[14].startswith("true \\ predicted")
    assert lines[26].startswith("Calibration error: ")
    assert lines[28].split() == ["surest", "images", "accuracy", "least", "probability"]
    assert len(lines) == 36
    assert "Testing on 359 images (--part test)" in outcome.err


def test_new_images_are_all_used(striate: Run, image_model: Path, in_tmp: Path) -> None:
    from PIL import Image

    for name, value in (("dark", 10), ("light", 240)):
        Path("new", name).mkdir(parents=True)
        for number in range(3):  # of another size, which training's rules resize
            Image.new("RGB", (30, 24), (value,) * 3).save(Path("new", name, f"{number}.png"))
    result = striate("evaluate", image_model, "new", *NUMPY, "--json").json
    assert result["part"] == "all"
    assert result["images"] == 6
    assert result["accuracy"] == 1
    assert result["confusion"] == [[3, 0], [0, 3]]


def test_only_the_images_in_question_are_read(
    striate: Run, refused: Refused, image_model: Path, in_tmp: Path, images: Path
) -> None:
    shutil.copytree(images, "parts/train")
    shutil.copytree(images, "parts/test")
    Path("parts/train/dark/dark3.png").write_bytes(b"no image")
    Path("parts/test/light/light0.png").unlink()
    result = striate("evaluate", image_model, "parts", *NUMPY, "--json").json
    assert (result["source"], result["part"]) == ("parts", "test")
    assert result["images"] + result["left_out"] == 23  # it was trained on the others
    assert "dark3.png" in refused("evaluate", image_model, "parts", *NUMPY, "--part", "train")
    assert "dark3.png" in refused("evaluate", image_model, "parts", *NUMPY, "--part", "all")
    again = ("evaluate", image_model, "parts", *NUMPY, "--skip-bad", "--json")
    assert striate(*again, "--part", "train").json["images"] == 23
    assert striate(*again, "--part", "all").json["images"] == 46


def test_only_some_of_the_classes(
    striate: Run, image_model: Path, in_tmp: Path, images: Path
) -> None:
    shutil.copytree(images / "light", "new/light")
    # Ten of these were trained on.
    result = striate("evaluate", image_model, "new", *NUMPY, "--json").json
    assert (result["part"], result["images"]) == ("test", 2)
    outcome = striate("evaluate", image_model, "new", *NUMPY, "--part", "all")
    dark = outcome.out.splitlines()[3].split()
    assert dark == ["dark", "0", "–", "–"]
    result = striate("evaluate", image_model, "new", *NUMPY, "--part", "all", "--json").json
    assert result["confusion"][0] == [0, 0]
    assert result["classes"][0]["recall"] is None
    assert result["classes"][1]["support"] == 12


def test_files_of_digits_have_another_white(striate: Run, in_tmp: Path, network_file: Path) -> None:
    from PIL import Image

    options = ("--epochs", 6, "--network", network_file, "--lr", 0.01)
    trained = striate("train", "digits", *NUMPY, *options, "--json").json
    dataset = data.load("digits")
    for index, (image, label) in enumerate(
        zip(dataset.test_images, dataset.test_labels, strict=True)
    ):
        folder = Path("files", str(label))
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.rint(image[..., 0] * (255 / 16)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    result = striate("evaluate", "digits.safetensors", "files", *NUMPY, "--json").json
    assert result["images"] == 359
    assert trained["test_accuracy"] > 0.8
    assert result["accuracy"] == pytest.approx(trained["test_accuracy"], abs=0.01)


# Bad input


def test_no_such_model(refused: Refused) -> None:
    assert refused("evaluate", "none", "digits") == "none: there is no such model file"


def test_a_truncated_model(refused: Refused, model: Path, in_tmp: Path) -> None:
    Path("short").write_bytes(model.read_bytes()[:2000])
    assert refused("evaluate", "short", "digits").startswith("short: is truncated")


def test_images_as_a_model(refused: Refused, images: Path) -> None:
    image = images / "dark" / "dark0.png"
    assert "is not a safetensors file" in refused("evaluate", image, "digits")


def test_no_such_source(refused: Refused, model: Path) -> None:
    assert "nowhere" in refused("evaluate", model, "nowhere")


def test_a_model_for_other_images(refused: Refused, model: Path, in_tmp: Path) -> None:
    np.savez("other.npz", X=np.zeros((10, 9, 7, 3)), y=np.arange(10))
    message = refused("evaluate", model, "other.npz", *NUMPY)
    assert message == (
        f"{model}: is made for images 8×8×1, but other.npz has 9×7×3; give a source of images "
        "8×8×1, or a model trained on images 9×7×3"
    )


def test_a_model_for_other_classes(refused: Refused, model: Path, images: Path) -> None:
    message = refused("evaluate", model, images, *NUMPY)
    assert "has a class 'dark' that the model does not know" in message


def test_one_image_of_a_class_can_be_tested_but_not_split(
    striate: Run, refused: Refused, image_model: Path, in_tmp: Path
) -> None:
    np.savez("x.npz", X=np.zeros((2, 8, 10, 3), np.uint8), y=["dark", "light"])
    assert striate("evaluate", image_model, "x.npz", *NUMPY, "--json").json["images"] == 2
    assert "one image only" in refused("evaluate", image_model, "x.npz", *NUMPY, "--part", "test")


def test_a_source_with_parts_of_its_own(
    striate: Run, image_model: Path, in_tmp: Path, images: Path
) -> None:
    shutil.copytree(images, "parts/train")
    for name in ("dark", "light"):
        Path("parts/test", name).mkdir(parents=True)
        shutil.copy(images / name / f"{name}0.png", Path("parts/test", name))
    record = ImageRecord.from_notes(files.information(image_model)["images"])
    assert record is not None
    trained = {name.rsplit("/")[-1] for name in record.parts["train"].names or []}
    seen = len(trained & {"dark0.png", "light0.png"})
    assert seen
    for part, count in (("train", 24), ("all", 26)):
        found = striate("evaluate", image_model, "parts", *NUMPY, "--part", part, "--json").json
        assert (found["images"], found["left_out"]) == (count, 0)
    for options in ((), ("--part", "test")):
        outcome = striate("evaluate", image_model, "parts", *NUMPY, *options, "--json")
        if seen == 2:
            assert outcome.code == 2
            assert "was trained on all 2 images of its test part" in outcome.err
            continue
        assert (outcome.json["part"], outcome.json["images"]) == ("test", 1)
        assert outcome.json["left_out"] == 1
        assert "1 of 2 test images is left out: the network was trained on them" in outcome.err


def test_no_image_of_the_training_is_tested_whatever_its_name(
    striate: Run, refused: Refused, image_model: Path, in_tmp: Path, images: Path
) -> None:
    """Not even in a test part, in other folders and under other names, and in another class."""
    record = ImageRecord.from_notes(files.information(image_model)["images"])
    assert record is not None
    trained, tested = (record.parts[name].names or [] for name in ("train", "test"))
    for part in ("train", "test"):
        for name in ("dark", "light"):
            Path("parts", part, name).mkdir(parents=True)
    for number, name in enumerate([*trained[:5], *tested]):
        shutil.copy(images / name, Path("parts/test", name.split("/")[0], f"renamed {number}.png"))
    swapped = "light" if trained[5].startswith("dark") else "dark"
    shutil.copy(images / trained[5], Path("parts/test", swapped, "swapped.png"))
    for name in ("dark", "light"):  # other images to be trained on
        shutil.copy(next(images.glob(f"{name}/*.png")), Path("parts/train", name))
    outcome = striate("evaluate", image_model, "parts", *NUMPY, "--json")
    assert (outcome.json["images"], outcome.json["left_out"]) == (len(tested), 6)
    assert f"6 of {len(tested) + 6} test images are left out" in outcome.err
    whole = striate("evaluate", image_model, "parts", *NUMPY, "--json", "--part", "all").json
    assert whole["images"] == len(tested) + 8
    for path in Path("parts/test").rglob("*.png"):
        if path.name not in {f"renamed {number}.png" for number in range(5)}:
            path.unlink()
    for name in ("dark", "light"):
        shutil.copy(
            images / next(t for t in trained if t.startswith(name)), Path("parts/test", name)
        )
    message = refused("evaluate", image_model, "parts", *NUMPY)
    assert "the network was trained on all 7 images of its test part; give other images" in message
    assert "--part all" in message


# Images that changed since the training


@pytest.fixture
def changed(in_tmp: Path, images: Path, image_model: Path) -> dict[str, list[str]]:
    """A copy of the images that may be changed, and the names of the training's parts."""
    shutil.copytree(images, images.name)
    record = ImageRecord.from_notes(files.information(image_model)["images"])
    assert record is not None
    return {name: list(part.names or []) for name, part in record.parts.items()}


def test_the_same_images_are_found_by_their_pixels(
    striate: Run, image_model: Path, images: Path, changed: dict[str, list[str]]
) -> None:
    first = striate("evaluate", image_model, images.name, *NUMPY, "--json")
    assert first.json["images"] == len(changed["test"]) == 4
    assert first.json["changes"] == {"new": 0, "changed": 0, "missing": 0, "relabelled": 0}
    assert first.json["accuracy"] == files.information(image_model)["test_accuracy"]
    Path(images.name).rename("another name")
    for index, path in enumerate(sorted(Path("another name").glob("*/*.png"))):
        path.rename(path.with_name(f"{99 - index}.png"))
    again = striate("evaluate", image_model, "another name", *NUMPY, "--json").json
    for key in ("part", "images", "accuracy", "loss", "confusion", "changes"):
        assert again[key] == (first.json[key] if key != "loss" else pytest.approx(first.json[key]))


def test_what_changed_is_told(
    striate: Run, image_model: Path, images: Path, changed: dict[str, list[str]]
) -> None:
    from PIL import Image

    folder = Path(images.name)
    trained, tested = changed["train"], changed["test"]
    pixels = np.random.default_rng(5).integers(0, 256, (3, 8, 10, 3), dtype=np.uint8)
    Image.fromarray(pixels[0]).save(folder / "dark" / "new.png")
    Image.fromarray(pixels[1]).save(folder / trained[0])
    Image.fromarray(pixels[2]).save(folder / tested[0])
    (folder / trained[1]).unlink()
    outcome = striate("evaluate", image_model, images.name, *NUMPY, "--json")
    counts = {"new": 1, "changed": 2, "missing": 1, "relabelled": 0}
    assert outcome.json["changes"] == counts
    # The test images and the new one, but not what changed of those that were trained on.
    assert (outcome.json["part"], outcome.json["images"]) == ("test", len(tested) + 1)
    (line,) = [line for line in outcome.err.splitlines() if "compared with" in line]
    for name in ("dark/new.png", trained[0], tested[0], trained[1]):
        assert name in line
    assert (
        striate("evaluate", image_model, images.name, *NUMPY, "--json", "--part", "train").json[
            "images"
        ]
        == len(trained) - 1
    )


def test_random_labels_are_not_recognised_in_another_order(
    striate: Run, in_tmp: Path, network_file: Path
) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (120, 8, 8), dtype=np.uint8), rng.integers(0, 2, 120)
    np.savez("noise.npz", X=X, y=y)
    options = ("--epochs", 60, "--network", network_file, "--no-augment", "--lr", 0.01)
    trained = striate("train", "noise.npz", *NUMPY, *options, "--json").json
    order = rng.permutation(120)
    Path("other").mkdir()
    for path, more in (("other/noise.npz", 0), ("noise.npz", 3)):
        new = np.concatenate([rng.integers(0, 256, (more, 8, 8), dtype=np.uint8), X[order]])
        np.savez(path, X=new, y=np.concatenate([np.zeros(more, int), y[order]]))
        result = striate("evaluate", "noise.safetensors", path, *NUMPY, "--json").json
        assert result["images"] == trained["test_images"] + more
        assert result["changes"]["new"] == more
        if not more:
            assert result["accuracy"] == trained["test_accuracy"]
        seen = striate("evaluate", "noise.safetensors", path, *NUMPY, "--json", "--part", "train")
        assert seen.json["images"] == trained["train_images"]
        assert seen.json["accuracy"] > 0.95  # which shows that these are the others


def test_mistakes_are_named(
    striate: Run, refused: Refused, model: Path, image_model: Path, images: Path, in_tmp: Path
) -> None:
    from PIL import Image

    outcome = striate("evaluate", model, "digits", *NUMPY, "--mistakes", "wrong.csv")
    with open("wrong.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    network, digits = load(model), data.load("digits")
    probabilities = network.predict_proba(digits.test_images, engine="numpy")
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != digits.test_labels)
    assert f"Wrote {len(wrong)} mistakes to wrong.csv" in outcome.out
    assert sorted(int(row["image"]) for row in rows) == wrong.tolist()
    assert {row["path"] for row in rows} == {""}
    for row in rows:
        index = int(row["image"])
        assert int(row["class"]) == digits.test_labels[index]
        assert int(row["predicted"]) == probabilities[index].argmax()
        assert float(row["probability"]) == pytest.approx(probabilities[index].max(), abs=1e-6)
        of_class = probabilities[index, digits.test_labels[index]]
        assert float(row["probability_of_class"]) == pytest.approx(of_class, abs=1e-6)
    surest = [float(row["probability"]) for row in rows]
    assert surest == sorted(surest, reverse=True)
    for name, value in (("dark", 240), ("light", 240)):
        Path("new", name).mkdir(parents=True)
        Image.new("RGB", (10, 8), (value,) * 3).save(Path("new", name, 'odd, "name".png'))
    outcome = striate("evaluate", image_model, "new", *NUMPY, "--mistakes", "new.csv", "--json")
    with open("new.csv", encoding="utf-8", newline="") as file:
        (row,) = list(csv.DictReader(file))
    assert row["path"] == os.path.join("new", "dark", 'odd, "name".png')
    assert (row["class"], row["predicted"], outcome.json["mistakes"]) == (
        "dark",
        "light",
        "new.csv",
    )
    message = refused("evaluate", model, "digits", *NUMPY, "--mistakes", "no/such.csv")
    assert message.startswith("--mistakes no/such.csv: the folder")
    assert "is a folder" in refused("evaluate", model, "digits", *NUMPY, "--mistakes", "new")


@pytest.mark.parametrize(
    "split", [3, [], {"test_fraction": "x", "seed": None}, {"test_fraction": 7.0, "seed": -1}]
)
def test_notes_that_make_no_sense_are_passed_over(
    striate: Run, model: Path, in_tmp: Path, split: Any
) -> None:
    network = load(model)
    files.save(network, "odd", {"split": split, "source": ["x"], "train_images": "many"})
    outcome = striate("evaluate", "odd", "digits", *NUMPY, "--json")
    assert outcome.code == 0
    assert outcome.json["part"] == "all"
    outcome = striate("evaluate", "odd", "digits", *NUMPY, "--json", "--part", "test")
    assert outcome.json["images"] == 359


def test_views_are_averaged(striate: Run, model: Path) -> None:
    network, digits = load(model), data.load("digits")
    for views in ("plain", "mirrored", "moved"):
        result = striate("evaluate", model, "digits", "--views", views, *NUMPY, "--json").json
        expected = network.evaluate(
            digits.test_images, digits.test_labels, views=views, engine="numpy"
        )
        assert result["accuracy"] == expected.accuracy
        assert result["loss"] == pytest.approx(expected.loss)


def test_a_model_without_a_record_of_its_images(striate: Run, model: Path, in_tmp: Path) -> None:
    notes = files.information(model)
    notes.pop("images")
    notes.pop("striate_version")
    files.save(load(model), "older", notes)
    outcome = striate("evaluate", "older", "digits", *NUMPY, "--json")
    assert (outcome.json["part"], outcome.json["images"]) == ("test", 359)
    assert outcome.json["changes"] is None
    assert "does not tell its images one by one: its test images are drawn again" in outcome.err


def test_only_what_is_asked_for_can_be_missing(
    striate: Run, in_tmp: Path, images: Path, network_file: Path
) -> None:
    for part, numbers in (("train", range(8)), ("test", range(8, 12))):
        for name in ("dark", "light"):
            Path("set", part, name).mkdir(parents=True)
            for number in numbers:
                shutil.copy(images / name / f"{name}{number}.png", Path("set", part, name))
    options = ("--epochs", 1, "--network", network_file)
    assert striate("train", "set", *NUMPY, *options).code == 0
    Path("set/test/dark/dark9.png").unlink()
    Path("set/train/dark/dark1.png").unlink()
    for part, missing in (("test", 1), ("train", 1), ("all", 2)):
        outcome = striate("evaluate", "set.safetensors", "set", *NUMPY, "--json", "--part", part)
        assert outcome.json["changes"]["missing"] == missing
    assert striate("evaluate", "set.safetensors", "set", *NUMPY, "--json").json["images"] == 7
    # Of another source, which has one of these images by chance, none is missing.
    for name in ("dark", "light"):
        Path("else", name).mkdir(parents=True)
        shutil.copy(images / name / f"{name}9.png", Path("else", name))
    result = striate("evaluate", "set.safetensors", "else", *NUMPY, "--json").json
    assert result["changes"] == {"new": 0, "changed": 0, "missing": 0, "relabelled": 0}
