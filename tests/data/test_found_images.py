"""The size that image files get: chosen by their number, by a limit, or by a function of them; and
what is said of what they lose, wherever they lie.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.data import DataError, load
from striate.data.found_images import FoundImages

SIZES = [(300, 400), (300, 402), (200, 400), (310, 400)]


def jpeg(index: int) -> bytes:
    pixels = np.random.default_rng(index).integers(0, 256, (*SIZES[index % 4], 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "jpeg")
    return content.getvalue()


def in_folders(path: Path) -> Path:
    for index in range(8):
        folder = path / "photos" / "ab"[index // 4]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{index}.jpg").write_bytes(jpeg(index))
    return path / "photos"


def in_a_tar(path: Path) -> Path:
    with tarfile.open(path / "photos.tar", "w") as tar:
        tar.add(in_folders(path), ".")
    return path / "photos.tar"


def in_parquet(path: Path) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "image": [jpeg(index) for index in range(8)],
        "label": ["ab"[index // 4] for index in range(8)],
    }
    parquet.write_table(pyarrow.table(columns), path / "photos.parquet")
    return path / "photos.parquet"


def with_a_table(path: Path) -> Path:
    folder = in_folders(path)
    rows = [f"{'ab'[index // 4]}/{index}.jpg,{'ab'[index // 4]}" for index in range(8)]
    (folder / "labels.csv").write_text("\n".join(["file,class", *rows]))
    return folder / "labels.csv"


PLACES = pytest.mark.parametrize("place", [in_folders, in_a_tar, in_parquet, with_a_table])


@PLACES
@pytest.mark.parametrize("memory", [None, 0])
def test_what_is_cut_added_and_stretched_is_told(
    tmp_path: Path, place: Callable[[Path], Path], memory: int | None
) -> None:
    source = place(tmp_path)
    shares = np.array([min(h / w, w / h) for h, w in SIZES])
    kept, stretched = 100 * shares.mean(), (1 / shares).mean()
    for mode, words in (
        ("crop", f"the centre is cut out, {kept:.0f} % of an image on average and 50 % at least"),
        (
            "pad",
            f"black is added where the aspect differs, {100 - kept:.0f} % of an image on average "
            "and 50 % at most",
        ),
        (
            "stretch",
            f"the aspect is not kept, an image is stretched {stretched:.2f} times on average and "
            "2.00 times at most",
        ),
    ):
        data = load(source, size=32, mode=mode, memory=memory)
        (told,) = [note for note in data.notes if " resized to " in note]
        assert told == (
            f"8 images of 8 resized to 32 × 32 pixels (as asked for; {words}); choose with size "
            "(--size) and mode (--fit)"
        )


@PLACES
def test_a_function_chooses_the_size_before_they_are_decoded(
    tmp_path: Path, place: Callable[[Path], Path]
) -> None:
    source = place(tmp_path)
    given: list[FoundImages] = []

    def choose(found: FoundImages) -> int | None:
        given.append(found)
        return 40

    data = load(source, longest_side=choose, memory=10**6)
    assert data.train_images.shape[1:] == (32, 40, 3)
    (found,) = given
    assert found.name == "photos"
    assert len(found.sources) == 8
    assert sorted(map(tuple, found.sizes.tolist())) == sorted(SIZES * 2)
    assert not found.gray
    assert found.room == 10**6
    assert found.size_for(40) == (32, 40)
    assert found.size_for(4096) == (304, 400)
    assert 0 < found.decoding_seconds((32, 40)) < 60
    assert load(source, longest_side=lambda found: None).train_images.shape[2] == 128
    # A size that is asked for needs no choice.
    assert load(source, size=8, longest_side=choose).train_images.shape[1:3] == (8, 8)
    assert len(given) == 1


def test_images_of_one_size_are_no_exception(tmp_path: Path) -> None:
    for index in range(4):
        folder = tmp_path / "ab"[index % 2]
        folder.mkdir(exist_ok=True)
        Image.fromarray(np.full((90, 120, 3), 50 * index, np.uint8)).save(folder / f"{index}.png")
    assert load(tmp_path).train_images.shape[1:3] == (90, 120)
    assert load(tmp_path, longest_side=64).train_images.shape[1:3] == (48, 64)
    assert load(tmp_path, longest_side=119).train_images.shape[1:3] == (88, 120)


@pytest.mark.parametrize("side", [0, -1, 4097, 64.0, True, "64"])
def test_sides_that_are_none(side: Any) -> None:
    with pytest.raises(DataError, match="longest_side must be 1 to 4096 pixels, or a function"):
        load("digits", longest_side=side)


def test_arrays_tell_what_they_lose(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.zeros((6, 8, 16), np.uint8), y=np.arange(6) % 2)
    for source, words in (
        (tmp_path / "a.npz", "6 images of 6 resized to 4 × 4 pixels (as asked for; the centre is"),
        ("digits", "1,797 images of 1,797 resized to 4 × 4 pixels (as asked for; nothing is cut"),
    ):
        (told,) = [note for note in load(source, size=4).notes if "resized" in note]
        assert told.startswith(words)
        assert not any("resized" in note for note in load(source).notes)
