"""``striate predict``."""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate import data
from striate.cli import predict as predict_module
from striate.layers import Dense, Flatten, ReLU
from striate.model import files
from striate.model.preprocessing import Preprocessing
from striate.network import Network, load

Run = Callable[..., Any]
Refused = Callable[..., str]

NUMPY = ("--engine", "numpy")


@pytest.fixture
def scans(in_tmp: Path) -> Path:
    """A folder with five of the digits as image files, one of them deeper down."""
    folder = in_tmp / "scans"
    (folder / "more").mkdir(parents=True)
    for index, image in enumerate(data.load("digits").test_images[:5]):
        pixels = np.rint(image[..., 0] * (255 / 16)).astype(np.uint8)
        place = folder / ("more" if index == 4 else ".")
        Image.fromarray(pixels).save(place / f"scan{index}.png")
    return folder


def test_one_line_per_image(striate: Run, model: Path, scans: Path) -> None:
    outcome = striate("predict", model, "scans/scan0.png", "scans/scan1.png", *NUMPY)
    assert outcome.code == 0
    assert outcome.err == ""
    network = load(model)
    pixels = data.load_images(["scans/scan0.png", "scans/scan1.png"], network.preprocessing)
    probabilities = network.predict_proba(pixels, engine="numpy")
    assert outcome.out.splitlines() == [
        f"scans/scan{i}.png: {row.argmax()} {100 * row.max():.2f} %"
        for i, row in enumerate(probabilities)
    ]


def test_top_and_json(striate: Run, model: Path, scans: Path) -> None:
    outcome = striate("predict", model, "scans/scan0.png", "--top", 3, "--json", *NUMPY)
    assert len(outcome.out.splitlines()) == 1
    (prediction,) = outcome.json["predictions"]
    assert prediction["path"] == "scans/scan0.png"
    assert len(prediction["top"]) == 3
    assert prediction["top"][0] == {
        "class": prediction["class"],
        "probability": prediction["probability"],
    }
    chances = [entry["probability"] for entry in prediction["top"]]
    assert chances == sorted(chances, reverse=True)
    lines = striate("predict", model, "scans/scan0.png", "--top", 3, *NUMPY).out.splitlines()
    assert len(lines) == 1
    assert lines[0].count("%") == 3


def test_more_than_all_classes(striate: Run, model: Path, scans: Path) -> None:
    outcome = striate("predict", model, "scans/scan0.png", "--top", 99, "--json", *NUMPY)
    assert len(outcome.json["predictions"][0]["top"]) == 10
    total = sum(entry["probability"] for entry in outcome.json["predictions"][0]["top"])
    assert total == pytest.approx(1)


def test_a_folder_and_a_pattern(striate: Run, model: Path, scans: Path) -> None:
    (scans / "notes.txt").write_text("not an image")
    paths = [entry["path"] for entry in predictions(striate, model, "scans")]
    assert len(paths) == 5
    assert "scans/more/scan4.png" in paths
    assert len(predictions(striate, model, "scans/*.png")) == 4
    assert len(predictions(striate, model, "scans/*")) == 4
    assert len(predictions(striate, model, "scans/**/scan[034].png")) == 3


def predictions(striate: Run, *arguments: object) -> list[dict[str, Any]]:
    outcome = striate("predict", *arguments, *NUMPY, "--json")
    assert outcome.code == 0
    found: list[dict[str, Any]] = outcome.json["predictions"]
    return found


def test_chunks_make_no_difference(
    striate: Run, model: Path, scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = predictions(striate, model, "scans")
    monkeypatch.setattr(predict_module, "CHUNK", 2)
    parts = predictions(striate, model, "scans")
    assert [entry["path"] for entry in parts] == [entry["path"] for entry in whole]
    for part, entry in zip(parts, whole, strict=True):
        assert part["class"] == entry["class"]
        assert part["probability"] == pytest.approx(entry["probability"], rel=1e-5)


def test_other_sizes_and_colours_are_brought_to_the_model(
    striate: Run, model: Path, scans: Path
) -> None:
    plain = predictions(striate, model, "scans/scan0.png")[0]
    image = Image.open("scans/scan0.png").resize((32, 32), Image.Resampling.NEAREST)
    image.convert("RGB").save("scans/large.png")
    assert predictions(striate, model, "scans/large.png")[0]["class"] == plain["class"]


def test_bad_images(striate: Run, refused: Refused, model: Path, scans: Path) -> None:
    (scans / "scan1.png").write_bytes(b"no image")
    assert "scan1.png" in refused("predict", model, "scans", *NUMPY, "--quiet")
    outcome = striate("predict", model, "scans", *NUMPY, "--skip-bad", "--json")
    assert outcome.code == 0
    assert outcome.json["images"] == 4
    assert len(outcome.json["skipped"]) == 1
    assert "scan1.png" in outcome.err
    only = refused("predict", model, "scans/scan1.png", *NUMPY, "--skip-bad", "--quiet")
    assert only == "none of the images can be read"


def test_a_bad_image_in_a_later_chunk_prints_nothing_before(
    refused: Refused, model: Path, scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict_module, "CHUNK", 2)
    (scans / "scan3.png").write_bytes(b"no image")
    assert "scan3.png" in refused("predict", model, "scans", "--json", *NUMPY)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("none.png", "no such file or folder"),
        ("none/*.png", "no image matches this pattern"),
        ("empty", "the folder holds no images"),
    ],
)
def test_images_that_are_not_there(
    refused: Refused, model: Path, in_tmp: Path, name: str, match: str
) -> None:
    Path("empty").mkdir()
    assert refused("predict", model, name, *NUMPY) == f"{name}: {match}"


def test_no_images(refused: Refused, model: Path) -> None:
    assert "IMAGE" in refused("predict", model)


def test_no_such_model(refused: Refused, scans: Path) -> None:
    message = refused("predict", "none.safetensors", "scans")
    assert message == "none.safetensors: there is no such model file"


def test_a_model_that_cannot_resize(
    striate: Run, refused: Refused, model: Path, scans: Path
) -> None:
    network = load(model)
    network.preprocessing = type(network.preprocessing)()
    files.save(network, "plain")
    assert striate("predict", "plain", "scans/scan0.png", *NUMPY).code == 0
    Image.new("L", (9, 9)).save("nine.png")
    message = refused("predict", "plain", "nine.png", *NUMPY)
    wrong = "nine.png: is read as 9×9×1, but the network is made for 8×8×1; resize them first"
    assert message.startswith(wrong)


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names of any bytes")
def test_a_name_that_cannot_be_shown(striate: Run, model: Path, scans: Path) -> None:
    odd = os.fsdecode(b"scans/\xff\n\x1b[31m.png")
    shutil.copy("scans/scan0.png", odd)
    outcome = striate("predict", model, odd, *NUMPY)
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == 1
    assert "\x1b" not in outcome.out
    assert predictions(striate, model, odd)[0]["path"] == odd


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_reader_that_leaves_early(model: Path, scans: Path) -> None:
    # It leaves before anything comes: what a later one has read depends on who is faster.
    command = f"{sys.executable} -m striate predict {model} scans --engine numpy | true"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 141
    assert done.stdout == done.stderr == ""


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_models_for_other_purposes(refused: Refused, in_tmp: Path, command: str) -> None:
    source = "digits"
    Network([Flatten(), Dense(1)], input_shape=(8, 8, 1)).save("one")
    assert "is not a classifier" in refused(command, "one", source, *NUMPY)
    Network([ReLU()], input_shape=(8, 8, 1)).save("image")
    assert "is not a classifier" in refused(command, "image", source, *NUMPY)
    Network([Dense(10)], input_shape=(64,)).save("flat")
    assert "is not for images" in refused(command, "flat", source, *NUMPY)


def test_views_are_averaged(striate: Run, model: Path, scans: Path) -> None:
    network = load(model)
    pixels = data.load_images(["scans/scan0.png"], network.preprocessing)
    for views in ("plain", "mirrored", "moved"):
        options = ("--views", views, *NUMPY, "--json")
        (found,) = striate("predict", model, "scans/scan0.png", *options).json["predictions"]
        expected = network.predict_proba(pixels, engine="numpy", views=views).max()
        assert found["probability"] == pytest.approx(float(expected))


def test_a_table_of_predictions(
    striate: Run, refused: Refused, model: Path, scans: Path, in_tmp: Path
) -> None:
    (scans / "scan0.png").rename(scans / 'comma, "quotes".png')
    outcome = striate("predict", model, "scans", *NUMPY, "--csv", "out.csv", "--json")
    with open("out.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [list(row) for row in rows] == [["path", "class", "probability"]] * 5
    for row, found in zip(rows, outcome.json["predictions"], strict=True):
        assert row["path"] == found["path"]
        assert row["class"] == found["class"]
        assert float(row["probability"]) == pytest.approx(found["probability"], abs=1e-6)
    assert any(row["path"].endswith('comma, "quotes".png') for row in rows)
    assert striate("predict", model, "scans", *NUMPY, "--csv", "out.csv", "--top", 3).code == 0
    with open("out.csv", encoding="utf-8", newline="") as file:
        head, *lines = list(csv.reader(file))
    assert head[3:] == ["class_2", "probability_2", "class_3", "probability_3"]
    assert len(lines) == 5
    for line in lines:
        shares = list(map(float, line[2::2]))
        assert shares == sorted(shares, reverse=True)
        assert len(set(line[1::2])) == 3
    # More classes than there are are as many as there are.
    assert striate("predict", model, "scans", *NUMPY, "--csv", "out.csv", "--top", 99).code == 0
    assert Path("out.csv").read_text("utf-8").splitlines()[0].endswith("class_10,probability_10")
    assert "does not exist" in refused("predict", model, "scans", "--csv", "no/out.csv")


def test_what_is_cut_off_is_told(striate: Run, model: Path, in_tmp: Path) -> None:
    Image.fromarray(np.zeros((8, 80), np.uint8)).save("strip.png")
    outcome = striate("predict", model, "strip.png", *NUMPY)
    assert outcome.code == 0
    assert "10 % of each image: 1 image lost more than half" in outcome.err
    assert "--fit" not in outcome.err


def test_a_limit_of_pixels(striate: Run, refused: Refused, model: Path, scans: Path) -> None:
    message = refused("predict", model, "scans/scan0.png", "--max-pixels", 63)
    assert (
        "more than 63 pixels (8 × 8); make it smaller, raise max_pixels (--max-pixels)" in message
    )
    assert striate("predict", model, "scans/scan0.png", *NUMPY, "--max-pixels", 64).code == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_not_waited_for(refused: Refused, model: Path, in_tmp: Path) -> None:
    os.mkfifo("pipe.png")
    assert "pipe.png: is a pipe, not an image" in refused("predict", model, "pipe.png")


def test_brackets_in_the_name_of_a_folder(striate: Run, model: Path, scans: Path) -> None:
    scans.rename("scans [2024]")
    Path("scans 2").mkdir()
    shutil.copy("scans [2024]/scan0.png", "scans 2/other.png")
    outcome = striate("predict", model, "scans [2024]/*.png", *NUMPY, "--json")
    assert {Path(found["path"]).parent.name for found in outcome.json["predictions"]} == {
        "scans [2024]"
    }


@pytest.mark.parametrize("options", [(), ("-W", "error")])
def test_oddities_of_an_image_are_no_warnings(
    model: Path, in_tmp: Path, options: tuple[str, ...]
) -> None:
    notes = b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\x02\0\x04\0\0\0abc\0\0\0\0\0"
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    Image.fromarray(pixels).save("odd.jpg", exif=notes)
    command = [sys.executable, *options, "-m", "striate", "predict", str(model), "odd.jpg", *NUMPY]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert "EXIF" not in result.stderr


def test_any_iterable_of_files_can_be_loaded(scans: Path) -> None:
    network_rules = Preprocessing(resize={"height": 8, "width": 8, "mode": "crop"}, colour="gray")
    names = ["scans/scan0.png", "scans/scan1.png"]
    expected = data.load_images(names, network_rules)
    assert np.array_equal(data.load_images(iter(names), network_rules), expected)
    assert np.array_equal(data.load_images(np.array(names), network_rules), expected)
    assert np.array_equal(data.load_images(Path(names[0]), network_rules), expected[:1])
    with Image.open(names[0]) as picture:
        assert np.array_equal(data.load_images(picture, network_rules), expected[:1])
