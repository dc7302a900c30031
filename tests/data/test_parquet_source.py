"""Parquet files with images, as Hugging Face writes them: the same images, classes and parts."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.common.rows_on_demand import on_demand
from striate.data import DataError, load, parquet_source

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

NAMES = ["wolf", "ant"]


def pixels(value: int) -> np.ndarray:
    return np.random.default_rng(value).integers(0, 256, (6, 5, 3), np.uint8)


def png(value: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels(value)).save(content, "png")
    return content.getvalue()


def features(label: str = "label") -> dict[bytes, bytes]:
    noted = {"image": {"_type": "Image"}, label: {"names": NAMES, "_type": "ClassLabel"}}
    return {b"huggingface": json.dumps({"info": {"features": noted}}).encode()}


def write(
    path: Path, samples: Any, labels: Any = None, *, metadata: Any = None, struct: bool = True,
    names: tuple[str, str] = ("image", "label"), **options: Any,
) -> Path:  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    images: Any = [None if index is None else png(index) for index in samples]
    if struct:
        images = [None if b is None else {"bytes": b, "path": f"{i}.png"}
                  for i, b in enumerate(images)]  # fmt: skip
    labels = [index % 2 for index in samples] if labels is None else labels
    table = pyarrow.table({names[0]: images, names[1]: labels, "other": [0.5] * len(images)})
    if metadata is not None:
        table = table.replace_schema_metadata(metadata)
    parquet.write_table(table, path, **options)
    return path


def content(data: Any) -> list[tuple[int, bytes]]:
    found = [
        (int(label), image.tobytes())
        for part in data.parts.values()
        for image, label in zip(np.asarray(part.images), part.labels, strict=True)
    ]
    return sorted(found)


@pytest.mark.parametrize("memory", [None, 0])
@pytest.mark.parametrize("folder", ["", "data"])
def test_parts_as_hugging_face_has_them(tmp_path: Path, memory: Any, folder: str) -> None:
    place = tmp_path / "set" / folder
    for number in range(2):
        samples = range(10 * number, 10 * number + 10)
        write(place / f"train-0000{number}-of-00002.parquet", samples, metadata=features(),
              row_group_size=3)  # fmt: skip
    write(place / "test-00000-of-00001.parquet", range(20, 26), metadata=features())
    for _ in range(2):  # the second time from the copy
        data = load(tmp_path / "set", memory=memory)
        assert on_demand(data.train_images) == (memory == 0)
        # Hugging Face's numbers are of its own order; here classes are in natural order.
        assert data.classes == ["ant", "wolf"]
        assert [len(part.images) for part in data.parts.values()] == [20, 6]
        expected = sorted((1 - index % 2, pixels(index).tobytes()) for index in range(26))
        assert content(data) == expected
        assert data.test_paths is not None
        assert data.test_paths[0].endswith(("parquet/1", "parquet\\1"))


@pytest.mark.parametrize(
    ("labels", "names", "struct", "classes"),
    [
        (["b", "a"] * 6, ("img", "cls"), False, ["a", "b"]),
        ([3, 10] * 6, ("picture", "fine_label"), True, ["3", "10"]),
        (["é", "é"] + ["f"] * 10, ("bytes", "what"), False, ["f", "é"]),
    ],
)
def test_other_columns(
    tmp_path: Path, labels: Any, names: Any, struct: bool, classes: list[str]
) -> None:
    path = write(tmp_path / "a.parquet", range(12), labels, names=names, struct=struct)
    data = load(path, test_fraction=0)
    assert data.classes == classes
    assert data.split
    assert len(data.train_images) == 12


def test_rows_without_image_or_class_are_left_out(tmp_path: Path) -> None:
    samples = [0, 1, None, 3, 4, 5, 6, 7]
    labels = [0, 1, 0, None, -1, 1, 0, 1]
    path = write(tmp_path / "a.parquet", samples, labels, metadata=features())
    data = load(path)
    assert sum(len(part.images) for part in data.parts.values()) == 5
    assert "3 rows without an image or a class left out" in data.notes


def test_compressed_and_large(tmp_path: Path) -> None:
    for compression in ("none", "snappy", "zstd"):
        path = write(tmp_path / f"{compression}.parquet", range(40), compression=compression)
        assert len(content(load(path))) == 40


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.parquet", range(8))
    (tmp_path / "b.parquet").write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"b\.parquet: not a Parquet file, or a truncated"):
        load(tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"raise --image-cache"):
        load(path, image_cache=100)
    with pytest.raises(DataError, match=r"has a class number 5, and names of 2 classes"):
        load(write(tmp_path / "c.parquet", range(4), [0, 1, 5, 0], metadata=features()))
    table = pyarrow.table({"x": [1, 2], "label": [0, 1]})
    parquet.write_table(table, tmp_path / "d.parquet")
    with pytest.raises(DataError, match=r"d\.parquet: has no column of images"):
        load(tmp_path / "d.parquet")
    table = pyarrow.table({"image": [b"1", b"2"], "u": [0, 1], "v": ["0", "1"]})
    parquet.write_table(table, tmp_path / "e.parquet")
    with pytest.raises(DataError, match=r"e\.parquet: has no column of classes"):
        load(tmp_path / "e.parquet")
    with pytest.raises(DataError, match=r"e\.parquet.0: not an image of a known kind"):
        parquet.write_table(pyarrow.table({"image": [b"1", b"2"], "y": [0, 1]}),
                            tmp_path / "e.parquet")  # fmt: skip
        load(tmp_path / "e.parquet")


def test_damaged_pages_are_told(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.parquet", range(30), compression="zstd").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(30):
        damaged = bytearray(whole)
        at = int(rng.integers(4, len(whole) - 8))
        damaged[at : at + 4] = rng.bytes(4)
        (tmp_path / "a.parquet").write_bytes(damaged)
        try:
            load(tmp_path / "a.parquet", skip_bad=True, cache=False)
        except DataError as error:
            assert "a.parquet" in str(error)
            assert len(str(error)) <= 500


def test_without_a_cache(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", range(8))
    first = load(path, cache=False, memory=0)
    assert content(first) == content(load(path))


def test_a_copy_that_is_gone_is_made_again(tmp_path: Path, own_cache: Path) -> None:
    path = write(tmp_path / "a.parquet", range(8))
    expected = content(load(path))
    (copy,) = (own_cache / "images").glob("*.files")
    copy.write_bytes(copy.read_bytes()[:-1])
    assert content(load(path, memory=0)) == expected
    copy.unlink()
    assert content(load(path, memory=0)) == expected


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.common import optional

    path = write(tmp_path / "a.parquet", range(8))
    monkeypatch.setattr(optional, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"needs the package pyarrow: pip install 'striate\[par"):
        load(path)
    assert parquet_source.load_parquet
