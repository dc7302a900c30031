"""``striate check``, and what `striate train` looks at first."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.checking import KINDS
from striate.checking.moving import LIST, TICKED
from striate.cli import check as command
from striate.cli import check_backbone
from striate.layers import Conv2D, Dense, GlobalAvgPool2D, ReLU
from striate.model import files
from striate.network import Network, load
from tests.checking.made_sets import images_and_labels, write_folder

Run = Callable[..., Any]
Refused = Callable[..., str]

QUICK = ("--skip", "label")


@pytest.fixture(scope="session")
def clothes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("check") / "clothes", 12, parts=("train", "test"))


@pytest.fixture
def folder(clothes: Path, in_tmp: Path) -> Path:
    """Clothes in the current folder, with two faults."""
    shutil.copytree(clothes, "clothes")
    Image.open("clothes/train/bag/bag1.png").save("clothes/test/bag/copy.jpg", quality=90)
    Path("clothes/train/shoe/shoe1.png").write_bytes(b"nothing")
    return Path("clothes")


def test_kinds_are_those_of_the_checks() -> None:
    assert tuple(KINDS) == command.KINDS


def test_nothing_is_found_where_nothing_is_wrong(striate: Run, clothes: Path, in_tmp: Path) -> None:
    outcome = striate("check", clothes, *QUICK)
    assert outcome.code == 0
    assert "All of 120 files can be read to the end." in outcome.out
    assert outcome.out.splitlines()[-1].startswith("Wrote clothes-check.html (")
    assert "  - " not in outcome.out
    assert "Checking 120 images in 5 classes" in outcome.err
    assert list(in_tmp.iterdir()) == [in_tmp / "clothes-check.html"]


def test_what_is_found(striate: Run, folder: Path) -> None:
    outcome = striate("check", folder, *QUICK, "--csv", "all.csv", "--json", "-o", "page.html")
    assert outcome.code == 0 and len(outcome.out.splitlines()) == 1
    result = outcome.json
    assert (result["images"], result["parts"]) == (120, {"train": 59, "test": 61})
    assert {check["sentence"] for check in result["checks"] if check["found"]} == {
        "1 of 121 files cannot be read.",
        "1 of 120 images show what another one shows; 1 picture is in several parts, so that tests "
        "are made on what was learnt.",
    }
    damaged, leak = result["findings"]
    assert damaged["kind"] == "damaged" and damaged["files"] == ["train/shoe/shoe1.png"]
    assert leak["kind"] == "leak" and leak["relation"] == ["near"]
    assert [image["path"] for image in leak["images"]] == [
        "train/bag/bag1.png", "test/bag/copy.jpg",
    ]  # fmt: skip
    assert [image["class"] for image in leak["images"]] == ["bag", "bag"]
    with open("all.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == command.HEAD
    assert [(row["finding"], row["kind"], row["path"]) for row in rows] == [
        ("1", "damaged", "train/shoe/shoe1.png"),
        ("2", "leak", "train/bag/bag1.png"),
        ("2", "leak", "test/bag/copy.jpg"),
    ]
    assert Path("page.html").stat().st_size == result["bytes"]


def test_for_people(striate: Run, folder: Path) -> None:
    outcome = striate("check", folder, "--only", "leak", "--csv", "all.csv")
    assert outcome.out.splitlines() == [
        "Duplicates and leaks  1 of 120 images show what another one shows; 1 picture is in "
        "several parts, so that tests are made on what was learnt.",
        "                      - train/bag/bag1.png and test/bag/copy.jpg are nearly the same; in "
        "the parts train and test",
        "Wrote 1 finding to all.csv",
        outcome.out.splitlines()[-1],
    ]


def test_labels(striate: Run, in_tmp: Path) -> None:
    images, labels = images_and_labels(60, seed=5)
    wrong = labels.copy()
    wrong[:9] = (labels[:9] + 2) % 5
    np.savez("a.npz", X=images, y=wrong)
    result = striate("check", "a.npz", "--only", "label", "--json").json
    found = {finding["images"][0]["row"] for finding in result["findings"]}
    assert found <= set(range(9)) and len(found) >= 8  # some are told with little certainty only
    assert all(finding["suggested"] for finding in result["findings"])


@pytest.fixture(scope="session")
def backbone_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that reads images of 28 × 28 pixels."""
    network = Network(
        [Conv2D(8, 5, stride=3, uncovered="drop"), ReLU(), GlobalAvgPool2D(), Dense(5)],
        input_shape=(28, 28, 3), seed=0,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("backbone") / "knows.safetensors"
    network.save(path)
    return path


def test_a_network_that_judges_odd_images(
    striate: Run, refused: Refused, folder: Path, backbone_file: Path
) -> None:
    odd = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    Image.fromarray(odd).save(folder / "train/bag/noise.png")
    outcome = striate("check", folder, "--only", "odd", "--from", backbone_file, "--json")
    (finding,) = outcome.json["findings"]
    assert finding["images"][0]["path"] == "train/bag/noise.png"
    assert "no other image shows" in finding["sentence"] or "fine detail" in finding["sentence"]
    assert "knows photographs" not in outcome.err  # small images are none
    assert "there is no pretrained network" in refused("check", folder, "--from", "efficient")
    said = refused("check", folder, "--from", backbone_file, "--engine", "numpy")
    assert "--from needs the compiled engine" in said
    small = np.random.default_rng(1).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    np.savez("small.npz", X=small, y=np.arange(40) % 4)
    outcome = striate("check", "small.npz", "--only", "odd", "--from", backbone_file, "--json")
    assert outcome.json["checks"][0]["made"]


@pytest.mark.parametrize("installed", [False, True])
def test_photographs_are_judged_by_what_knows_them(
    striate: Run, in_tmp: Path, backbone_file: Path, monkeypatch: pytest.MonkeyPatch,
    installed: bool,
) -> None:  # fmt: skip
    folder = write_folder(in_tmp / "photos", 8, side=80)
    monkeypatch.setattr("striate.transfer.pretrained.is_installed", lambda name: installed)
    monkeypatch.setattr(check_backbone, "USUAL", str(backbone_file))
    outcome = striate("check", folder, "--only", "odd")
    said = "knows.safetensors, which knows photographs, sees in them, too" in outcome.err
    assert said == installed
    assert ("pip install 'striate[pretrained]'" in outcome.err) == (not installed)
    for options in (("--from", "none"), ("--skip", "odd"), ("--engine", "numpy")):
        kinds = ("--only", "odd") if "--skip" not in options else ("--skip", "label")
        assert "photographs" not in striate("check", folder, *kinds, *options).err


def test_moving_and_back(striate: Run, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    names = ["test/bag/copy.jpg", "train/shoe/shoe1.png"]
    Path("list.json").write_text(json.dumps({"what": TICKED, "images": names}))
    outcome = striate("check", folder, "--move", "gone", "--ticked", "list.json")
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        "Moved 2 images to gone: copy.jpg, shoe1.png",
        "striate check clothes --undo gone moves them back",
    ]
    assert not Path("clothes-check.html").exists()
    assert (Path("gone") / LIST).exists() and Path("gone/train/shoe/shoe1.png").exists()
    assert len([path for path in folder.rglob("*") if path.is_file()]) == len(before) - 2
    result = striate("check", folder, "--undo", "gone", "--json").json
    back = [str(Path("clothes", name).absolute()) for name in names]
    assert [row["to"] for row in result["moved"]] == back
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere",), "no such file or folder"),
        (("clothes", "--csv", "no/all.csv"), "the folder"),
        (("clothes", "-o", "page.txt"), "ends in .html"),
        (("clothes", "--only", "label", "--skip", "label"), "nothing to look for"),
        (("clothes", "--only", "lable"), "label"),
        (("clothes", "--move", "gone"), "--ticked"),
        (("clothes", "--ticked", "list.json"), "--move"),
        (("clothes", "--undo", "gone", "--move", "gone"), "--undo goes without"),
        (("clothes", "--undo", "gone"), "moved.json"),
        (("digits", "--move", "gone", "--ticked", "list.json"), "no folder of image files"),
        (("clothes", "--move", "gone", "--ticked", "missing.json"), "there is no such"),
        (("clothes", "--move", "clothes/gone", "--ticked", "list.txt"), "taken for a class"),
    ],
)
def test_what_is_refused(
    refused: Refused, folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    Path("list.txt").write_text("train/bag/bag1.png\n")
    before = sorted(Path().rglob("*"))
    assert says in refused("check", *arguments)
    assert sorted(Path().rglob("*")) == before


def test_training_looks_first(striate: Run, folder: Path, network_file: Path) -> None:
    options = (
        "--network", network_file, "--epochs", 1, "--engine", "numpy", "--skip-bad", "-o",
        "a.safetensors",
    )  # fmt: skip
    told = striate("train", folder, *options).err
    assert (
        "1 of the 61 test images shows nearly what a training image shows (test/bag/copy.jpg is "
        "train/bag/bag1.png); striate check clothes shows more" in told
    )
    assert "nearly what" not in striate("train", folder, *options, "--no-check").err
    without = files.information("a.safetensors")
    weights = load("a.safetensors").flat
    assert "nearly what" not in striate("train", folder, *options, "--quiet").err
    notes = files.information("a.safetensors")
    np.testing.assert_array_equal(load("a.safetensors").flat, weights)
    assert "checked" not in without
    assert notes["checked"]["leak"] == {
        "found": 1, "looked_at": 61, "of": 61,
        "sentence": "1 of the 61 test images shows nearly what a training image shows "
        "(test/bag/copy.jpg is train/bag/bag1.png)",
    }  # fmt: skip
    assert {name: entry["found"] for name, entry in notes["checked"].items()} == {
        "copy": 0, "leak": 1, "one-colour": 0, "shortcut": 0,
    }  # fmt: skip


def test_tests_and_reports_tell_what_was_checked(
    striate: Run, folder: Path, network_file: Path
) -> None:
    how = ("--engine", "numpy", "--skip-bad")
    striate("train", folder, "--network", network_file, "--epochs", 1, *how, "-o", "a.safetensors")
    said = "1 of 61 test images that were looked at before the training shows nearly what"
    outcome = striate("evaluate", "a.safetensors", folder, *how, "--json")
    assert said in outcome.err
    assert outcome.json["leaks"] == {"found": 1, "looked_at": 61, "of": 61}
    assert said not in striate("evaluate", "a.safetensors", folder, *how, "--part", "train").err
    assert striate("report", "a.safetensors", folder, *how, "--images", 1).code == 0
    page = Path("a.html").read_text("utf-8")
    assert "Test images that nearly are</th><td>1</td><td>61</td>" in page
    assert "(test/bag/copy.jpg is train/bag/bag1.png)." in page
    # A copy of the training images under another name: what was found says nothing about them.
    shutil.copytree(folder / "train", "other")
    outcome = striate("evaluate", "a.safetensors", "other", *how, "--part", "all", "--json")
    assert outcome.json["leaks"] is None and "looked at before" not in outcome.err
    notes = files.information("a.safetensors")
    del notes["checked"], notes["striate_version"]
    files.save(load("a.safetensors"), "old.safetensors", notes)
    outcome = striate("evaluate", "old.safetensors", folder, *how, "--json")
    assert outcome.json["leaks"] is None
    assert striate("report", "old.safetensors", folder, *how, "--images", 1).code == 0
    assert "The model file does not say." in Path("old.html").read_text("utf-8")
