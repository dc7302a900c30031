"""How photographs become the images of an imported network: size, colour, scale, class names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from PIL import Image  # noqa: E402

from striate import (  # noqa: E402
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    Network,
    Preprocessing,
    from_onnx,
)
from striate.cli.app import run  # noqa: E402
from striate.common.errors import StriateError  # noqa: E402
from striate.data import load_images  # noqa: E402
from striate.importing.onnx_reader import read_onnx  # noqa: E402

MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def strangers(path: Path, layers: list[Any], shape: tuple[int, ...]) -> Path:
    """A file that says nothing but what it computes."""
    Network(layers, shape, seed=4).to_onnx(path)
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)
    return path


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    layers = [Conv2D(5, 3), BatchNorm(), Flatten(), Dense(4)]
    return strangers(tmp_path / "network.onnx", layers, (12, 15, 3))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    values = np.random.default_rng(1).integers(0, 256, (8, 11, 3)).astype(np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(values).resize((88, 64), Image.Resampling.BICUBIC).save(path)
    return path


def ours(path: Path, photo: Path, **options: Any) -> Any:
    return from_onnx(path, **options).predict_logits(photo, engine="numpy")


def theirs(path: Path, images: Any) -> Any:
    session = onnxruntime.InferenceSession(path)
    return session.run(None, {"images": np.asarray(images, np.float32).transpose(0, 3, 1, 2)})[0]


def close(one: Any, other: Any) -> bool:
    return bool(np.abs(one - other).max() <= 2e-5 * np.abs(other).max())


def test_photographs_are_read_at_once(classifier: Path, photo: Path) -> None:
    found = read_onnx(classifier)
    assert found.network.preprocessing == Preprocessing(
        resize={"height": 12, "width": 15, "mode": "crop"}, colour="rgb"
    )
    assert "photographs: scaled to cover 12×15, the centre is cut out, RGB" in found.notes[-1]
    image = load_images(photo, found.network.preprocessing)
    assert close(ours(classifier, photo), theirs(classifier, image))


@pytest.mark.parametrize("shape", [(6, 7, 2), (9,)])
def test_what_is_no_photograph_is_left_alone(tmp_path: Path, shape: tuple[int, ...]) -> None:
    found = read_onnx(strangers(tmp_path / "n.onnx", [Flatten(), Dense(3)], shape))
    assert found.network.preprocessing == Preprocessing()
    assert not any("photographs" in note for note in found.notes)


def test_a_network_of_ones_own_says_itself_how_images_are_read(tmp_path: Path) -> None:
    network = Network([Flatten(), Dense(3)], (8, 8, 1))
    network.to_onnx(tmp_path / "own.onnx")
    assert from_onnx(tmp_path / "own.onnx").preprocessing == Preprocessing()
    asked = from_onnx(tmp_path / "own.onnx", fit="pad").preprocessing
    assert asked.resize == {"height": 8, "width": 8, "mode": "pad"}


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
def test_resized_first_and_cut_out_then(classifier: Path, photo: Path, fit: str) -> None:
    """Beside Pillow's own steps."""
    network = from_onnx(classifier, size=(16, 22), fit=fit)
    image = load_images(photo, network.preprocessing)[0]
    whole = Image.open(photo)  # 64×88, the aspect of 16×22
    expected = whole.resize((22, 16), Image.Resampling.BILINEAR).crop((3, 2, 18, 14))
    assert image.shape == (12, 15, 3)
    assert np.abs(image.astype(int) - np.asarray(expected)).max() <= 1
    assert close(ours(classifier, photo, size=(16, 22), fit=fit), theirs(classifier, image[None]))


def test_one_number_is_the_shorter_side(classifier: Path) -> None:
    assert from_onnx(classifier, size=16).preprocessing.resize == {
        "height": 12, "width": 15, "mode": "crop", "cut_from": [16, 20],
    }  # fmt: skip
    assert "cut_from" not in (from_onnx(classifier, size=12).preprocessing.resize or {})
    told = read_onnx(classifier).notes[-1]
    assert told.endswith("pixels of 0…255 enter as they are")


def test_mean_and_deviation_of_pixels(classifier: Path, photo: Path) -> None:
    network = from_onnx(classifier, mean=MEAN, deviation=DEVIATION)
    assert (network.preprocessing.mean, network.preprocessing.std) == (MEAN, DEVIATION)
    image = load_images(photo, network.preprocessing)
    expected = theirs(classifier, (image - np.array(MEAN)) / np.array(DEVIATION))
    assert close(network.predict_logits(photo, engine="numpy"), expected)
    alike = from_onnx(classifier, deviation=255).preprocessing
    assert (alike.mean, alike.std) == ((0.0,) * 3, (255.0,) * 3)


def test_before_what_the_file_does_itself(tmp_path: Path, photo: Path) -> None:
    network = Network([Conv2D(2, 3), Flatten(), Dense(3)], (12, 15, 3))
    network.preprocessing = Preprocessing((0.5, 0.25, 0.125), (0.5, 0.5, 0.25))
    network.to_onnx(tmp_path / "n.onnx")
    model = onnx.load(tmp_path / "n.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "n.onnx")
    found = from_onnx(tmp_path / "n.onnx", deviation=255)
    image = load_images(photo, found.preprocessing)
    got = found.predict_logits(image, engine="numpy")
    assert close(got, theirs(tmp_path / "n.onnx", image / 255))


def test_blue_first(classifier: Path, photo: Path) -> None:
    options = {"mean": MEAN, "deviation": DEVIATION}
    image = load_images(photo, from_onnx(classifier).preprocessing)[..., ::-1]
    expected = theirs(classifier, (image - np.array(MEAN)) / np.array(DEVIATION))
    network = from_onnx(classifier, colour="bgr", **options)
    assert network.preprocessing.mean == MEAN[::-1]
    assert network.preprocessing.colour == "rgb"
    assert close(network.predict_logits(photo, engine="numpy"), expected)


def test_gray_images(tmp_path: Path, photo: Path) -> None:
    path = strangers(tmp_path / "n.onnx", [Conv2D(2, 3), Flatten(), Dense(3)], (12, 15, 1))
    network = from_onnx(path)
    assert network.preprocessing.colour == "gray"
    image = load_images(photo, network.preprocessing)
    assert image.shape == (1, 12, 15, 1)
    assert close(network.predict_logits(photo, engine="numpy"), theirs(path, image))


@pytest.mark.parametrize(
    "content", ["a\nb\ngreen c\nd\n", '["a", "b", "green c", "d"]', "﻿a\r\nb\r\ngreen c\r\nd"]
)
def test_class_names_of_a_file(classifier: Path, tmp_path: Path, content: str) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(content.encode())
    assert from_onnx(classifier, classes=path).classes == ["a", "b", "green c", "d"]
    assert from_onnx(classifier, classes=["x", "y", "z", "w"]).classes == ["x", "y", "z", "w"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"size": 11}, "12×15, which cannot be cut out of 11×14"),
        ({"size": (20, 14)}, "cannot be cut out of 20×14"),
        ({"size": 500}, "give at most 4 times"),
        ({"size": (1, 2, 3)}, "size must be a side or"),
        ({"fit": "tile"}, 'fit must be "crop", "pad" or "stretch"'),
        ({"colour": "gray"}, 'images of 3 channels, which are not "gray"'),
        ({"colour": "hsv"}, 'colour must be "gray", "rgb" or "bgr"'),
        ({"mean": (1, 2)}, "mean has 2 numbers, and the network reads 3 channels"),
        ({"mean": float("nan")}, "mean"),
        ({"deviation": 0}, "deviation must be positive"),
        ({"classes": ["a", "b"]}, "2 names were given, and the network's output is 4"),
        ({"classes": ["a", "b", "a", "d"]}, '"a" name'),
        ({"classes": "missing.txt"}, "missing.txt: "),
    ],
)
def test_what_does_not_fit_is_told(classifier: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(StriateError) as caught:
        from_onnx(classifier, **options)
    assert told in str(caught.value)
    assert len(str(caught.value)) <= 500 and "\n" not in str(caught.value)


def test_only_a_convolution_is_made_to_read_red_first(tmp_path: Path) -> None:
    path = strangers(tmp_path / "n.onnx", [Conv2D(3, 3, groups=3), Flatten(), Dense(2)], (6, 6, 3))
    with pytest.raises(StriateError, match="only the filters of a convolution"):
        from_onnx(path, colour="bgr")


def test_sizes_of_other_images_in_the_metadata_are_left_out(classifier: Path) -> None:
    model = onnx.load(classifier)
    other = {"height": 10, "width": 15, "mode": "pad"}
    onnx.helper.set_model_props(model, {"resize": json.dumps(other), "colour": '"gray"'})
    onnx.save(model, classifier)
    found = read_onnx(classifier)
    assert found.network.preprocessing.resize == {"height": 12, "width": 15, "mode": "crop"}
    assert sum("of other images" in note for note in found.notes) == 2


def test_the_whole_way_at_the_command_line(
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(3)
    names = ["ant", "bee", "cat", "dog"]
    (tmp_path / "names.txt").write_text("\n".join(names))
    for name in names[:3]:
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(2):
            values = random.integers(0, 256, (40, 30, 3)).astype(np.uint8)
            Image.fromarray(values).save(tmp_path / "photos" / name / f"{number}.png")
    model, table = str(tmp_path / "model.safetensors"), tmp_path / "table.csv"
    options = ["--size", "14", "--fit", "crop", "--colour", "rgb", "--classes"]
    numbers = ["--mean", ",".join(map(str, MEAN)), "--deviation", "57.5"]
    command = ["import", str(classifier), "-o", model, *options, str(tmp_path / "names.txt")]
    assert run([*command, *numbers]) == 0
    told = capsys.readouterr().out
    assert "photographs: scaled to cover 14×18, the centre 12×15 is cut out, RGB" in told
    assert "4 class names were given" in told
    photos = str(tmp_path / "photos")
    assert run(["predict", model, photos, "--csv", str(table), "--engine", "numpy"]) == 0
    rows = [line.split(",") for line in table.read_text().splitlines()[1:]]
    network = from_onnx(classifier, size=14, mean=MEAN, deviation=57.5, classes=names, colour="rgb")
    for path, name, probability in rows:
        chances = network.predict_proba(path, engine="numpy")[0]
        assert names[chances.argmax()] == name
        assert abs(float(probability) - chances.max()) < 1e-5
    capsys.readouterr()
    assert run(["evaluate", model, photos, "--json", "--engine", "numpy"]) == 0
    result = json.loads(capsys.readouterr().out)
    right = sum(Path(path).parent.name == name for path, name, _ in rows)
    assert result["images"] == 6
    assert abs(result["accuracy"] - right / 6) < 1e-9


def test_a_wrong_option_ends_with_2(classifier: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option in (["--size", "0x4"], ["--mean", "a,b"], ["--fit", "tile"], ["--size", "3"]):
        assert run(["import", str(classifier), *option]) == 2
        assert capsys.readouterr().err.strip()


def test_of_many_classes_those_that_matter_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = strangers(tmp_path / "n.onnx", [Conv2D(2, 3), Flatten(), Dense(300)], (6, 6, 3))
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"kind {number}" for number in range(300)))
    for number in (7, 200):
        (tmp_path / "photos" / f"kind {number}").mkdir(parents=True)
        values = np.random.default_rng(number).integers(0, 256, (9, 9, 3)).astype(np.uint8)
        Image.fromarray(values).save(tmp_path / "photos" / f"kind {number}" / "a.png")
    model = str(tmp_path / "m.safetensors")
    assert run(["import", str(path), "-o", model, "--classes", str(names)]) == 0
    capsys.readouterr()
    assert run(["evaluate", model, str(tmp_path / "photos"), "--engine", "numpy"]) == 0
    told = capsys.readouterr().out
    lines = [line.split("  ")[0] for line in told.splitlines()]
    assert {"kind 7", "kind 200"} <= set(lines)
    shown = sum(line.startswith("kind ") for line in lines)
    assert 2 <= shown <= 4
    assert f"({300 - shown} other classes: no images, and none taken for one)" in told


@pytest.mark.filterwarnings("error")
def test_a_mean_alone_tells_no_scale(classifier: Path, photo: Path) -> None:
    """Networks that only a mean is taken from read pixels of 0…255 as they are."""
    ours(classifier, photo, mean=MEAN, deviation=1)
