"""`load`: what a name stands for, the digits, the split, and the checks of the options."""

from __future__ import annotations

import gzip
import importlib.util
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.data import DataError, digits, find_images, load, load_images
from striate.data.dataset import checked_size, natural_key, train_test_split
from striate.data.paths import kind_of_other, unread
from striate.model.preprocessing import Preprocessing

# Digits


def test_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    data = load("digits", test_fraction=0)
    assert data.train_images.dtype == np.uint8
    assert np.array_equal(data.train_images[..., 0], bunch.images)
    assert np.array_equal(data.train_labels, bunch.target)
    assert data.train_labels.dtype == np.int64
    assert data.classes == [str(name) for name in bunch.target_names]
    assert (data.name, data.colour) == ("digits", "gray")


def test_digits_have_a_stratified_test_part() -> None:
    data = load("digits")
    assert data.split
    assert len(data.train_images) + len(data.test_images) == 1797
    assert abs(len(data.test_images) - 1797 * 0.2) < 3
    shares = np.bincount(data.test_labels) / np.bincount(
        np.concatenate([data.train_labels, data.test_labels])
    )
    assert np.abs(shares - 0.2).max() < 0.003
    assert np.array_equal(load("digits").test_images, data.test_images)
    assert not np.array_equal(load("digits", seed=1).test_images, data.test_images)


def test_digits_need_no_import_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)  # importing it fails
    assert len(load("digits").train_images)


def test_digits_kept_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    expected = load("digits")
    real = importlib.util.find_spec("sklearn")
    assert real is not None
    moved = importlib.util.spec_from_loader("sklearn", None)
    assert moved is not None
    moved.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(digits, "find_spec", lambda name: moved)
    assert np.array_equal(load("digits").test_images, expected.test_images)
    # In the second of several folders, beside a file of another shape.
    (tmp_path / "datasets" / "data").mkdir(parents=True)
    with gzip.open(tmp_path / "datasets" / "data" / "digits.csv.gz", "wt") as file:
        file.write("1,2\n3,4\n")
    moved.submodule_search_locations += [str(tmp_path / "none"), *real.submodule_search_locations]
    monkeypatch.setattr("sklearn.datasets.load_digits", None)  # calling it fails
    assert np.array_equal(load("digits").test_images, expected.test_images)


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install scikit-learn"):
        load("digits")


def test_image_files_become_like_the_digits(tmp_path: Path) -> None:
    from PIL import Image

    data = load("digits")
    assert data.resize == {"height": 8, "width": 8, "mode": "crop", "maximum": 16}
    drawn = data.test_images[3, ..., 0].astype(np.float64)
    picture = Image.fromarray(np.rint(drawn * 255 / 16).astype(np.uint8))
    picture.convert("RGB").save(tmp_path / "digit.png")
    images = load_images(
        [tmp_path / "digit.png"], Preprocessing(resize=data.resize, colour=data.colour)
    )
    assert images.shape == (1, 8, 8, 1)
    assert np.abs(images[0, ..., 0] - drawn).max() < 0.05


def test_digits_in_another_size() -> None:
    data = load("digits", size=16, colour="rgb", classes=[*"9876543210"])
    assert (data.train_images.shape[1:], data.colour) == ((16, 16, 3), "rgb")
    assert data.resize == {"height": 16, "width": 16, "mode": "crop", "maximum": 16}
    assert data.train_images.max() == 16
    assert np.array_equal(9 - data.train_labels, load("digits").train_labels)


# What a name stands for


def test_a_folder_called_digits(make_folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder({"a": 3, "b": 3}, name="digits")
    monkeypatch.chdir(folder.parent)
    assert load("digits").classes == [*"0123456789"]
    assert load("./digits").classes == ["a", "b"]
    assert load("digits/").classes == ["a", "b"]
    assert load(folder).name == "digits"


def test_the_name_of_the_present_folder(make_folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make_folder({"a": 3, "b": 3}, name="pets"))
    assert load(".").name == "pets"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("digit", "digit: no such file or folder; did you mean 'digits'?"),
        ("Digits", "Digits: no such file or folder; did you mean 'digits'?"),
        ("photo", "photo: no such file or folder; did you mean 'photos'?"),
        (
            "unheard-of",
            'unheard-of: no such file or folder; give "digits", "shapes", a folder of class',
        ),
        ("not/there/at/all", "not/there/at/all: no such file or folder; give"),
        ("", "no images"),
        ("one.png", "one.png: a single image; give the folder"),
        ("all.tar.gz", "all.tar.gz: a packed file; unpack it"),
        ("all.zip", "all.zip: a packed file; unpack it"),
        ("letter.doc", 'letter.doc: not a source of images; give "digits"'),
        ("table.csv", "table.csv: has one column only, 'x'; a table of labels needs"),
    ],
)
def test_unknown_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("one.png", "all.tar.gz", "all.zip", "letter.doc", "table.csv"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError) as caught:
        load(source)
    assert text in str(caught.value).replace("\\", "/")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"colour": "green"}, 'colour must be "gray", "rgb" or None, not \'green\''),
        ({"mode": "tile"}, 'mode must be "crop", "pad" or "stretch", not \'tile\''),
        ({"test_fraction": 1.5}, "test_fraction must be of 0...1, not 1.5"),
        ({"test_fraction": float("nan")}, "test_fraction must be of 0...1, not nan"),
        ({"test_fraction": -0.01}, "test_fraction must be of 0...1, not -0.01"),
        ({"max_pixels": 0}, "max_pixels must be positive, not 0"),
        ({"white": 0}, "white must be of 1...65535, not 0"),
        ({"white": 65536}, "white must be of 1...65535, not 65536"),
        ({"only": "validation"}, 'only must be "train", "test" or None, not \'validation\''),
        *(
            (
                {"size": size},
                "size must be one side or (height, width), each from 1 to 4096 pixels, not "
                f"{size!r}",
            )
            for size in (
                *(0, -1, 4097, 8.5, "8x8", True, (0, 8), (8, 0), (4097, 8), (8, 4097)),
                *((8,), (8, 8, 8), (8, True), (8.5, 8)),
            )
        ),
    ],
)
def test_wrong_options(options: dict[str, Any], text: str) -> None:
    with pytest.raises(DataError) as caught:
        load("digits", **options)
    assert str(caught.value) == text


def test_sizes() -> None:
    assert checked_size(None) is None
    assert checked_size(8) == (8, 8)
    assert checked_size([4, np.int64(5)]) == (4, 5)
    assert checked_size((1, 4096)) == (1, 4096)
    assert checked_size((4096, 1)) == (4096, 1)


def test_the_ends_of_the_ranges_are_allowed(make_folder: Any) -> None:
    folder = make_folder({"a": 2, "b": 2}, size=(1, 1))
    for white in (1, 65535):
        assert len(load(folder, max_pixels=1, white=white, cache=False).test_images) == 2


# The split


@given(
    counts=st.lists(st.integers(2, 40), min_size=1, max_size=6),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 1000),
)
def test_every_class_is_in_both_parts(counts: list[int], fraction: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    names = [str(index) for index in range(len(counts))]
    train, test = train_test_split(labels, fraction, seed, names)
    assert sorted([*train, *test]) == list(range(len(labels)))
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()
    for index, count in enumerate(counts):
        share = int((labels[test] == index).sum())
        assert 1 <= share <= count - 1
        assert abs(share - fraction * count) <= 1
    again = train_test_split(labels, fraction, seed, names)
    assert np.array_equal(test, again[1])


def test_the_same_images_are_drawn_for_ever() -> None:
    labels = np.array([0, 1, 1, 0, 2, 0, 1, 2, 0, 1, 2, 0, 0, 1, 2, 0])
    _, test = train_test_split(labels, 0.4, 7, ["a", "b", "c"])
    assert test.tolist() == [0, 4, 6, 12, 13, 14, 15]
    # Whatever number a class has.
    _, again = train_test_split(np.array([2, 0, 1])[labels], 0.4, 7, ["b", "c", "a"])
    assert again.tolist() == test.tolist()


def test_the_first_image_that_is_alone_in_its_class_is_told() -> None:
    with pytest.raises(DataError, match=r"^class 'c' has one image only"):
        train_test_split(np.array([1, 2, 1, 0]), 0.5, 0, ["a", "b", "c"])


# Finding image files for predict


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def found(folder: Path, *paths: str) -> list[str]:
    return [path.as_posix() for path in find_images(list(paths))]


def test_find_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "d/a10.png", "d/a9.JPG", "d/sub/x.webp", "d/.h.png", "d/.g/x.png", "d/t.txt")
    touch(tmp_path, "b.png", "noending", "[1].png", "1.png")
    assert found(tmp_path, "d") == ["d/a9.JPG", "d/a10.png", "d/sub/x.webp"]
    assert found(tmp_path, "b.png", "d/a9.JPG") == ["b.png", "d/a9.JPG"]
    assert found(tmp_path, "d/a9.JPG", "b.png") == ["d/a9.JPG", "b.png"]
    assert found(tmp_path, "noending") == ["noending"]
    assert found(tmp_path, "d/*") == ["d/a9.JPG", "d/a10.png"]
    assert found(tmp_path, "**/*.webp") == ["d/sub/x.webp"]
    assert found(tmp_path, "[1].png") == ["[1].png"]  # the file, not the pattern
    assert found(tmp_path, "[1b].png") == ["1.png", "b.png"]
    assert found(tmp_path, "b.png", "*.png", "b.png") == ["b.png", "1.png", "[1].png"]
    assert find_images([tmp_path / "b.png"]) == [tmp_path / "b.png"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("missing.png", "missing.png: no such file or folder"),
        ("*.gif", "*.gif: no image matches this pattern"),
        ("d/*.txt", "d/*.txt: no image matches this pattern"),
        ("e", "e: the folder holds no images that can be read, only 1 other file (1 .txt)"),
        ("f", "f: the folder holds no images"),
    ],
)
def test_find_images_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "d/t.txt", "e/t.txt", "good.png")
    (tmp_path / "f").mkdir()
    with pytest.raises(DataError) as caught:
        find_images(["good.png", path])
    assert str(caught.value) == text


def test_a_folder_is_taken_as_it_stands_before_a_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "scans 2/wrong.png", "scans [2024]/a.png", "scans [2024]/b [x]/c.png")
    touch(tmp_path, "scans [2024]/b x/d.png", "[ab]/e.png", "a/f.png")
    assert found(tmp_path, "scans [2024]/*.png") == ["scans [2024]/a.png"]
    assert found(tmp_path, "scans [2024]/*/*.png") == [
        "scans [2024]/b [x]/c.png",
        "scans [2024]/b x/d.png",
    ]
    assert found(tmp_path, "scans [2024]/b [x]/*.png") == ["scans [2024]/b [x]/c.png"]
    assert found(tmp_path, "scans [2024]/**/*.png")[0] == "scans [2024]/a.png"
    assert found(tmp_path, "scans [0-9]/*.png") == ["scans 2/wrong.png"]
    assert found(tmp_path, "[ab]/*") == ["[ab]/e.png"]
    assert found(tmp_path, "[a]/*") == ["a/f.png"]
    there = tmp_path / "scans [2024]" / "*.png"
    assert find_images(str(there)) == [tmp_path / "scans [2024]" / "a.png"]


def test_find_images_of_one_name(tmp_path: Path) -> None:
    touch(tmp_path, "b.png")
    assert find_images(str(tmp_path / "b.png")) == find_images(tmp_path / "b.png")
    with pytest.raises(DataError, match="no such file or folder"):
        find_images("x" * 300 + ".png")


def test_find_images_passes_over_folders_of_systems(tmp_path: Path) -> None:
    touch(tmp_path, "d/@eaDir/a.png", "d/__MACOSX/a.png", "d/$RECYCLE.BIN/a.png", "d/ok/a.png")
    assert find_images(tmp_path / "d") == [tmp_path / "d" / "ok" / "a.png"]


def test_names_that_no_file_can_have() -> None:
    with pytest.raises(DataError, match="x: cannot be read \\(File name too long"):
        load("x" * 300)
    with pytest.raises(DataError, match="cannot be read"):
        load("a\0b")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.PSD", ".psd"),
        ("a.b", ".b"),
        ("a.", "without an ending"),
        ("a", "without an ending"),
        ("a.b.elevenchars", ".elevenchars"),
        ("a.twelvecharsx", "without an ending"),
        ("a.\n", "without an ending"),
        (".a.png", "hidden"),
    ],
)
def test_kinds_of_other_files(name: str, kind: str) -> None:
    assert kind_of_other(name) == kind


def test_other_files_are_told_with_what_to_do() -> None:
    assert unread(Counter()) == ""
    assert unread(Counter({".txt": 1})) == " that can be read, only 1 other file (1 .txt)"
    assert unread(Counter({".txt": 1, ".psd": 1200})) == (
        " that can be read, only 1,201 other files (1,200 .psd, 1 .txt); convert them to PNG"
    )


def test_find_images_of_nothing() -> None:
    with pytest.raises(DataError, match="no images are named"):
        find_images([])


def test_natural_order() -> None:
    assert sorted(["x10", "x9", "y", "x"], key=natural_key) == ["x", "x9", "x10", "y"]
    # Numbers go before letters, and of equal ones the text decides.
    assert sorted(["xa", "x1a", "x1", "x01", "1", "01"], key=natural_key) == [
        *("01", "1", "x01", "x1", "x1a", "xa")
    ]
    assert sorted(["x01b", "x1a"], key=natural_key) == ["x1a", "x01b"]


def test_light_import() -> None:
    import subprocess

    code = (
        "import sys, striate.data; "
        "print([name for name in ('PIL', 'sklearn', 'scipy') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.strip() == "[]"


def test_the_centre_of_larger_images_is_cut_out(tmp_path: Path) -> None:
    """And kept apart from others in the cache."""
    from PIL import Image

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        values = np.random.default_rng(ord(name)).integers(0, 256, (20, 30, 3)).astype(np.uint8)
        Image.fromarray(values).save(tmp_path / name / "1.png")
    whole = load(tmp_path, size=(20, 30), test_fraction=0)
    plain = load(tmp_path, size=(12, 14), test_fraction=0, mode="stretch")
    found = load(tmp_path, size=(12, 14), cut_from=(20, 30), test_fraction=0, mode="stretch")
    assert np.array_equal(found.train_images, whole.train_images[:, 4:16, 8:22])
    assert not np.array_equal(found.train_images, plain.train_images)
    assert found.resize == {"height": 12, "width": 14, "mode": "stretch", "cut_from": [20, 30]}
    again = load_images(tmp_path / "a" / "1.png", Preprocessing(resize=found.resize))
    assert np.array_equal(again[0], found.train_images[0])
    for size in (None, (21, 5)):
        with pytest.raises(DataError, match="cut_from must be a larger size than size"):
            load(tmp_path, size=size, cut_from=(20, 30))
