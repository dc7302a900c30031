"""Images that are named: files, folders, patterns, lists of files and opened pictures."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.cli.app import run
from striate.data import DataError, load_images
from striate.data import network_images as network_images_module
from striate.data.network_images import named_images, read_for_network
from striate.estimators import ConvNetClassifier
from striate.layers import Conv2D, Dense, Flatten, GlobalAvgPool2D, ReLU
from striate.model.preprocessing import Preprocessing
from striate.network import Network

SHAPE = (24, 32, 3)
RESIZE = {"height": 24, "width": 32, "mode": "crop"}


@pytest.fixture
def network() -> Network:
    made = Network([Conv2D(8, 3), ReLU(), GlobalAvgPool2D(), Dense(3)], SHAPE)
    made.preprocessing = Preprocessing(mean=(90.0,) * 3, std=(50.0,) * 3, resize=RESIZE)
    made.classes = ["cat", "cow", "dog"]
    return made


def picture(seed: int, size: tuple[int, int] = (400, 300)) -> Image.Image:
    """Smooth and coloured, so that it survives JPEG."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A large JPEG, which Pillow decodes smaller, a PNG, and a JPEG that lies on its side."""
    paths = [tmp_path / name for name in ("p1.jpg", "p2.png", "p10.jpg")]
    picture(1).save(paths[0])
    picture(2, (50, 40)).save(paths[1])
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(3).save(paths[2], exif=exif)
    return paths


@pytest.fixture
def opened() -> Iterator[Callable[[Path], Image.Image]]:
    with ExitStack() as stack:
        yield lambda path: stack.enter_context(Image.open(path))


def test_every_way_to_name_images_gives_the_same(
    network: Network, files: list[Path], opened: Callable[[Path], Image.Image]
) -> None:
    pixels = load_images(files, network.preprocessing)
    wanted = network.predict_proba(pixels)
    assert len(np.unique(wanted[:, 0])) == 3
    folder = files[0].parent
    ways: list[Any] = [
        files,
        [str(path) for path in files],
        tuple(files),
        np.array([str(path) for path in files]),
        np.array(files, dtype=object),
        str(folder),
        folder,
        f"{folder}/p*",
        iter(files),
        (str(path) for path in files),
        [opened(path) for path in files],
        [opened(files[0]), files[1], str(files[2])],
    ]
    for way in ways:
        np.testing.assert_array_equal(network.predict_proba(way), wanted)
    for path, row in zip(files, wanted, strict=True):
        for one in (path, str(path), opened(path), [path]):
            np.testing.assert_array_equal(network.predict_proba(one), row[None])


def test_all_that_predicts_takes_names(network: Network, files: list[Path]) -> None:
    pixels = load_images(files, network.preprocessing)
    assert network.predict(files[0]).tolist() == network.predict(pixels[:1]).tolist()
    np.testing.assert_array_equal(network.predict_logits(files), network.predict_logits(pixels))
    mirrored = network.predict_proba(files, views="mirrored", engine="numpy", batch_size=2)
    np.testing.assert_array_equal(
        mirrored, network.predict_proba(pixels, views="mirrored", engine="numpy", batch_size=2)
    )
    labels = ["cat", "dog", "dog"]
    assert network.evaluate(files, labels).loss == network.evaluate(pixels, labels).loss


def test_as_the_command_does(
    network: Network, files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    model = files[0].parent / "model.safetensors"
    network.save(model)
    assert run(["predict", str(model), *map(str, files), "--top", "1"]) == 0
    said = [line.split(": ")[1].split()[0] for line in capsys.readouterr().out.splitlines()]
    assert network.predict(files).tolist() == said


def test_folders_of_any_length_are_read_in_parts(
    network: Network, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = network.predict_proba(files)
    monkeypatch.setattr(network_images_module, "CHUNK", 2)
    counts = []
    read = read_for_network

    def counted(named: Any, *given: Any, **options: Any) -> Any:
        counts.append(len(named))
        return read(named, *given, **options)

    monkeypatch.setattr(network_images_module, "read_for_network", counted)
    np.testing.assert_array_equal(network.predict_proba(files), whole)
    assert counts == [2, 1]


@pytest.mark.parametrize("mode", ["P", "L", "RGBA", "1", "CMYK", "LA", "I;16"])
def test_pictures_of_any_mode_are_as_their_files(
    network: Network, tmp_path: Path, mode: str
) -> None:
    made = picture(4, (64, 48))
    if mode == "RGBA":
        made.putalpha(made.getchannel(0))
    elif mode == "I;16":
        made = Image.fromarray(np.asarray(made.convert("L")).astype(np.uint16) * 257)
    else:
        made = made.convert("L").convert("LA") if mode == "LA" else made.convert(mode)
    path = tmp_path / "picture.tif"
    made.save(path)
    before = made.copy()
    np.testing.assert_array_equal(network.predict_proba(made), network.predict_proba(path))
    assert made == before and made.mode == before.mode


def test_a_picture_that_is_not_changed(network: Network, files: list[Path]) -> None:
    content = BytesIO(files[0].read_bytes())
    opened = Image.open(content)
    network.predict(opened)
    assert opened.size == (400, 300)
    np.testing.assert_array_equal(np.asarray(opened), np.asarray(Image.open(files[0])))


def test_without_a_rule_images_of_the_size_are_taken(network: Network, tmp_path: Path) -> None:
    network.preprocessing = replace(network.preprocessing, resize=None)
    fitting, gray, large = tmp_path / "f.png", tmp_path / "g.png", tmp_path / "l.png"
    picture(5, (32, 24)).save(fitting)
    picture(6, (32, 24)).convert("L").save(gray)  # becomes RGB, as the network reads
    picture(7).save(large)
    wanted = network.predict_proba(np.asarray(Image.open(fitting))[None])
    np.testing.assert_array_equal(network.predict_proba(fitting), wanted)
    assert len(network.predict([gray, fitting])) == 2
    with pytest.raises(DataError, match=r"l\.png: is read as 300×400×3.*24×32×3; resize them"):
        network.predict(large)
    with pytest.raises(DataError, match=r"^picture 1: is read as 7×9×3, but .* made for 24×32×3; "):
        network.predict(Image.new("RGB", (9, 7)))


def test_a_rule_for_another_size_than_the_networks_is_told(network: Network) -> None:
    network.preprocessing = replace(network.preprocessing, resize={**RESIZE, "width": 30})
    with pytest.raises(DataError) as caught:
        network.predict(Image.new("RGB", (9, 7)))
    told = "picture 1: is read as 24×30×3, but the network is made for 24×32×3"
    assert str(caught.value) == told


def test_the_classifier_takes_names_too(files: list[Path]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, *SHAPE), dtype=np.uint8)
    model = ConvNetClassifier([Flatten()], epochs=1, random_state=0, engine="numpy")
    model.fit(images, np.arange(20) % 2)
    with pytest.raises(DataError, match=r"p1\.jpg: .* resize"):
        model.predict(files[0])
    model.network_.preprocessing = replace(model.network_.preprocessing, resize=RESIZE)
    pixels = load_images(files, model.network_.preprocessing)
    np.testing.assert_array_equal(model.predict_proba(files), model.predict_proba(pixels))
    assert model.predict(str(files[0])).tolist() == model.predict(pixels[:1]).tolist()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (iter([]), "^0 images one after the other, which are not all files and pictures: give one"),
        (iter([np.zeros((24, 32, 3))]), "^1 image one after the other, .* give one array"),
        (iter([Path("a.png"), 5]), "^2 images one after the other, .* give one array, or a list$"),
        ("nowhere.png", r"nowhere\.png: no such file or folder"),
        (["nowhere.png"], r"nowhere\.png: no such file"),
        ([Path("nowhere.png")], r"nowhere\.png: no such file"),
        ([os.curdir], r"\.: is a folder; give it alone"),
        ("*.nothing", r"\*\.nothing: no image matches this pattern"),
        (
            [Image.new("L", (3, 3)), np.zeros((3, 3)), "a.png", 5],
            "^images must be all arrays or all files and pictures, but number 2 of 4 is ndarray$",
        ),
    ],
)
def test_names_of_nothing(network: Network, images: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        network.predict(images)


def test_a_damaged_file_is_named(network: Network, files: list[Path]) -> None:
    files[1].write_bytes(files[1].read_bytes()[:200])
    with pytest.raises(DataError, match=r"p2\.png: the image is truncated or damaged"):
        network.predict(files)


def test_networks_of_features_read_no_files(files: list[Path]) -> None:
    with pytest.raises(DataError, match="network of 16 features: it reads no images"):
        Network([Dense(2)], (16,)).predict(files[0])


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 4, 4, 1)),
        [np.zeros((4, 4, 1))],
        [[[0.0]]],
        [],
        np.array([["1", "2"]]),
        np.array([1, "a", None], dtype=object)[:1],
        None,
        5,
    ],
)
def test_arrays_are_no_names(images: Any) -> None:
    assert named_images(images) is None
