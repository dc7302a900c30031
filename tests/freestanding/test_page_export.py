"""What becomes a page, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from striate.common import atomic
from striate.common.errors import StriateError
from striate.freestanding.page import page_export
from striate.freestanding.page.page_export import goes_down_first, page_settings, pen_percent
from striate.freestanding.page.page_texts import explained
from striate.layers import Conv2D, Dense, Flatten, ReLU
from striate.model.answers import Answers
from striate.model.preprocessing import Preprocessing
from striate.network import Network


def network(
    shape: tuple[int, ...] = (6, 7, 1), outputs: int = 3, resize: dict | None = None
) -> Network:
    made = Network([Flatten(), Dense(outputs)], shape, seed=0)
    if len(shape) == 3:
        colour = {1: "gray", 3: "rgb"}.get(shape[2])
        channels = shape[2]
        made.preprocessing = Preprocessing(
            (100.0,) * channels, (60.0,) * channels, resize=resize, colour=colour
        )
    return made


def test_what_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    made = network()
    for told, model, options in (
        ("runs in every browser; leave the target 'cortex-m4' out", made, {"target": "cortex-m4"}),
        ("one picture at a time; leave the batch_size 2 out", made, {"batch_size": 2}),
        ("and this one reads 6×7×2; export it as wasm", network((6, 7, 2)), {}),
        ("and this one reads 9; export it as wasm", network((9,)), {}),
        (
            "unknown rules: 'tile', white is 65535",
            network(resize={"height": 6, "width": 7, "mode": "tile"}),
            {},
        ),
        (
            "unknown rules: 'crop', white is -1",
            network(resize={"height": 6, "width": 7, "white": -1}),
            {},
        ),
    ):
        with pytest.raises(StriateError, match=re.escape(told)):
            model.export(path, to="page", **options)
    images = Network([Conv2D(2, 3), ReLU()], (6, 7, 1), seed=0)
    with pytest.raises(StriateError, match="the outputs of this network are 4×5×2, an image"):
        images.export(path, to="page")
    with pytest.raises(StriateError, match=r"give a name that ends in \.html"):
        made.export(tmp_path / "page", to="page")
    with pytest.raises(StriateError, match="there is no folder"):
        made.export(tmp_path / "none" / "page.html", to="page")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(StriateError, match="is a folder; give the name of a file in it"):
        made.export(tmp_path / "folder.html", to="page")
    assert [found.name for found in tmp_path.iterdir()] == ["folder.html"]


def test_what_was_there_stays_where_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    network().export(path, to="page", name="first")
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        network().export(path, to="page", name="second")
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["page.html"]
    monkeypatch.undo()
    network().export(path, to="page", name="second")
    assert b"<title>second</title>" in path.read_bytes()


def test_the_settings_are_those_of_predict() -> None:
    made = network(
        (28, 28, 1), 2,
        {"height": 28, "width": 28, "mode": "pad", "cut_from": [32, 40], "maximum": 16, "white": 9},
    )  # fmt: skip
    made.answers = Answers(kind="labels", temperature=2, thresholds=(0.25, 0.75))
    settings = page_settings(made)
    assert settings["wanted"] == {
        "height": 28, "width": 28, "channels": 1, "mode": "pad", "cutFrom": [32, 40],
        "downFirst": goes_down_first(),
    }  # fmt: skip
    assert (settings["maximum"], settings["white"]) == (16, 9)
    assert settings["answers"] == {"kind": "labels", "temperature": 2, "thresholds": [0.25, 0.75]}
    assert settings["names"] == ["0", "1"] and settings["rejection"] is None
    # 100 is more than half of 16: dark ink on light paper.
    assert settings["pad"] and not settings["lightInk"]
    json.dumps(settings, allow_nan=False)
    assert (
        not page_settings(network((65, 9, 3)))["pad"] and page_settings(network((64, 9, 3)))["pad"]
    )
    assert (pen_percent(network((8, 9, 1))), pen_percent(network((28, 28, 1)))) == (18, 10)


def test_the_order_of_pillows_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by trying: both orders, whatever the Pillow that is installed has."""
    resize = Image.Image.resize

    def ordered(down_first: bool) -> bool:
        def in_order(image: Image.Image, size: tuple[int, int], *rest: int) -> Image.Image:
            between = (image.width, size[1]) if down_first else (size[0], image.height)
            return resize(resize(image, between, *rest), size, *rest)

        monkeypatch.setattr(Image.Image, "resize", in_order)
        return goes_down_first()

    assert ordered(True) and not ordered(False)


def test_pictures_on_another_scale_than_the_trainings(tmp_path: Path) -> None:
    made, path = network(), tmp_path / "page.html"
    for mean, std in ((0.5, 0.25), (4.9, 6.0)):
        made.preprocessing = Preprocessing((mean,), (std,))
        with pytest.warns(UserWarning, match="from 0 to 255, but the network was trained on"):
            made.export(path, to="page")
    resize = {"height": 6, "width": 7, "maximum": 16}
    for known in (
        Preprocessing((4.9,), (6.0,), resize=resize),
        Preprocessing((30.0,), (13.0,)),
        Preprocessing((104.0,), (1.0,)),
        Preprocessing(),
    ):
        made.preprocessing = known
        made.export(path, to="page")  # warnings are errors


def test_the_page_says_how_it_answers() -> None:
    plain = " ".join(explained(network()))
    assert "gray pictures of 6×7 pixels" in plain
    assert "this page's choice" in plain and "never says “unknown”" in plain
    cut = network((6, 7, 3), resize={"height": 6, "width": 7, "mode": "pad", "cut_from": [8, 9]})
    cut.answers = Answers(temperature=1.5)
    told = " ".join(explained(cut))
    assert "brought to 8×9, with black beside it, of which the centre is cut out" in told
    assert "are calibrated" in told and "choice" not in told


def test_all_scripts_are_in_the_page(tmp_path: Path) -> None:
    """And nothing of them is repeated: they are one script, whose names are distinct."""
    network().export(tmp_path / "page.html", to="page")
    page = (tmp_path / "page.html").read_text("utf-8")
    folder = Path(page_export.__file__).parent / "web"
    scripts = {path.name for path in folder.glob("*.js")}
    assert scripts == set(page_export.SCRIPTS)
    (script,) = re.findall(r'<script type="module">(.*?)</script>', page, re.S)
    for name in scripts:
        assert (folder / name).read_text("utf-8") in script
    names = re.findall(r"^(?:export )?(?:async )?(?:function|class|const) (\w+)", script, re.M)
    assert len(names) == len(set(names)) and "load" in names
