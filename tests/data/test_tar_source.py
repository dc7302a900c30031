"""Tars of class folders and shards of WebDataset: the same images as in folders; hostile ones."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from striate.common.rows_on_demand import on_demand
from striate.data import DataError, load
from striate.data.shard_names import role_of_shard, shards
from striate.data.tar_files import TarReader, _plain


def png(value: int = 0, size: tuple[int, int] = (6, 5)) -> bytes:
    pixels = np.random.default_rng(value).integers(0, 256, (*size, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "png")
    return content.getvalue()


def pack(path: Path, members: Iterable[tuple[str, bytes]], mode: Any = "w", **options: Any) -> Path:
    with tarfile.open(path, mode, **options) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def folders(prefix: str = "", count: int = 4) -> list[tuple[str, bytes]]:
    return [
        (f"{prefix}{name}/img{index}.png", png(10 * place + index))
        for place, name in enumerate(["cat", "dog"])
        for index in range(count)
    ]


def images_of(data: Any) -> list[bytes]:
    return sorted(
        bytes(image.tobytes()) for part in data.parts.values() for image in np.asarray(part.images)
    )


@pytest.mark.parametrize("prefix", ["", "./", "photos/", "a/b c/"])
@pytest.mark.parametrize("memory", [None, 0])
@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_class_folders_in_a_tar_are_those_on_disk(
    tmp_path: Path, prefix: str, memory: int | None, kind: int
) -> None:
    members = [*folders(prefix, 11), (f"{prefix}README.txt", b"hello"), ("._x.png", b"junk")]
    for name, content in members:
        path = tmp_path / "unpacked" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    path = pack(tmp_path / "set.tar", reversed(members), format=kind)
    there = load(tmp_path / "unpacked" / prefix)
    here = load(path, memory=memory)
    assert on_demand(here.train_images) == (memory == 0)
    assert here.name == "set"
    assert here.classes == there.classes
    for part in ("train", "test"):
        one, other = there.parts[part], here.parts[part]
        np.testing.assert_array_equal(np.asarray(one.images), np.asarray(other.images))
        np.testing.assert_array_equal(one.labels, other.labels)
        assert one.paths is not None and other.paths is not None
        assert [Path(p).name for p in one.paths] == [Path(p).name for p in other.paths]


def test_class_folders_over_several_shards(tmp_path: Path) -> None:
    for number in range(3):
        pack(tmp_path / f"part-{number}.tar", folders(count=2 + number))
    data = load(tmp_path, test_fraction=0)
    assert data.classes == ["cat", "dog"] and len(data.train_labels) == 2 * (2 + 3 + 4)
    streams = data.shard_streams()
    np.testing.assert_array_equal(np.bincount(streams.shards), [4, 6, 8])
    pack(tmp_path / "part-9.tar", [("dog/small/a.png", png(1)), ("dog/large/b.png", png(2))])
    assert load(tmp_path, test_fraction=0).classes == ["cat", "dog"]  # images beside the folders
    (tmp_path / "n").mkdir()
    pack(tmp_path / "n/1.tar", [("dog/small/a.png", png(1)), ("cat/a.png", png(3))])
    pack(tmp_path / "n/2.tar", [("dog/large/b.png", png(2)), ("cat/b.png", png(4))])
    with pytest.raises(DataError, match=r"1\.tar.dog: holds the folders large, small"):
        load(tmp_path / "n", size=5)


def test_parts_in_a_tar(tmp_path: Path) -> None:
    members = [*folders("set/train/"), *folders("set/test/", 1), *folders("set/valid/", 2)]
    data = load(pack(tmp_path / "a.tar", members))
    assert [len(part.images) for part in data.parts.values()] == [8, 2, 4]
    assert not data.split
    data = load(pack(tmp_path / "b.tar", [*folders("train/"), *folders("val/", 1)]))
    assert [len(part.images) for part in data.parts.values()] == [8, 2]


def shard(samples: Iterable[int], ending: str, label: Any) -> list[tuple[str, bytes]]:
    members = []
    for index in samples:
        told = label(index)
        content = json.dumps(told) if ending == "json" else str(told)
        members += [(f"s{index:04d}.{ending}", content.encode()), (f"s{index:04d}.png", png(index))]
    return members


@pytest.mark.parametrize(
    ("ending", "label", "classes"),
    [
        ("cls", lambda i: i % 3, ["0", "1", "2"]),
        ("cls", lambda i: i % 2 + 9, ["9", "10"]),
        ("txt", lambda i: ["a cat", "dog\n"][i % 2], ["a cat", "dog"]),
        ("json", lambda i: {"label": i % 2, "height": 6}, ["0", "1"]),
        ("json", lambda i: {"label": i % 2, "label_name": "xy"[i % 2]}, ["x", "y"]),
        ("json", lambda i: i % 2, ["0", "1"]),
    ],
)
def test_shards_of_webdataset(tmp_path: Path, ending: str, label: Any, classes: list[str]) -> None:
    for number in range(3):
        samples = range(10 * number, 10 * number + 10)
        pack(tmp_path / f"part-{number:03d}.tar", shard(samples, ending, label))
    expected = sorted(
        np.asarray(Image.open(io.BytesIO(png(index)))).tobytes() for index in range(30)
    )
    for source in (
        tmp_path,
        f"{tmp_path}/part-{{000..002}}.tar",
        f"{tmp_path}/part-*.tar",
    ):
        data = load(source)
        assert data.classes == classes
        assert images_of(data) == expected
        assert data.split
    paths = data.train_paths
    assert paths is not None
    for path, found in zip(paths, data.train_labels, strict=True):
        told = label(int(Path(path).stem[1:]))
        if isinstance(told, dict):
            told = told.get("label_name", told["label"])
        assert classes[found] == str(told).strip()


def test_shards_of_parts(tmp_path: Path) -> None:
    pack(tmp_path / "train-0.tar", shard(range(6), "cls", lambda i: i % 2))
    pack(tmp_path / "train-1.tar", shard(range(6, 10), "cls", lambda i: i % 2))
    pack(tmp_path / "val-0.tar", shard(range(10, 14), "cls", lambda i: i % 2))
    data = load(tmp_path)
    assert [len(part.images) for part in data.parts.values()] == [10, 4]
    assert load(tmp_path / "train-0.tar").split


def test_a_tar_for_each_class(tmp_path: Path) -> None:
    for name, first in (("cat", 0), ("dog", 5)):
        pack(tmp_path / f"{name}.tar", [(f"{i}.png", png(first + i)) for i in range(5)])
    data = load(tmp_path, test_fraction=0)
    assert data.classes == ["cat", "dog"]
    assert data.train_labels.tolist() == [0] * 5 + [1] * 5


def test_names_of_shards(tmp_path: Path) -> None:
    names = ["a.tar", "b2.TAR", "b10.tar", ".c.tar", "d.txt"]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "e.tar").mkdir()
    assert shards(str(tmp_path), (".tar",)) == []  # there is a folder, which may be a class
    (tmp_path / "e.tar").rmdir()
    assert [Path(p).name for p in shards(str(tmp_path), (".tar",))] == [
        "a.tar",
        "b2.TAR",
        "b10.tar",
    ]
    with pytest.raises(DataError, match=r"there is no .*b03\.tar; name the files that are there"):
        shards(f"{tmp_path}/b{{03..10}}.tar", (".tar",))
    with pytest.raises(DataError, match="more than the 100,000 that are taken"):
        shards(f"{tmp_path}/b{{0..99999999999}}.tar", (".tar",))
    assert role_of_shard("x/imagenet-train-000.tar") == "train"
    assert role_of_shard("x/cats_val_3.tar") == "validation"
    assert role_of_shard("test-00000-of-00001.parquet") == "test"
    assert role_of_shard("strain-1.tar") is None
    assert role_of_shard("train/x-1.tar") is None


def test_what_no_image_has_is_told(tmp_path: Path) -> None:
    members = shard(range(6), "cls", lambda i: i % 2)
    with pytest.raises(DataError, match=r"s0099\.png: has no file beside it that tells its class"):
        load(pack(tmp_path / "a.tar", [*members, ("s0099.png", png(1))]))
    with pytest.raises(DataError, match=r"b\.tar: holds no images, only 1 other file"):
        load(pack(tmp_path / "b.tar", [("x.bin", b"1")]))
    with pytest.raises(DataError, match="its images are not in folders"):
        load(pack(tmp_path / "c.tar", [("x.png", png(1))]))
    with pytest.raises(DataError, match="one class only"):
        load(pack(tmp_path / "d.tar", [(f"x/{i}.png", png(i)) for i in range(3)]))
    with pytest.raises(DataError, match="so these may be the classes"):
        load(pack(tmp_path / "e.tar", [*folders("x/"), ("y/1.png", png(3))]))


def test_a_damaged_image_in_a_tar(tmp_path: Path) -> None:
    members = [*folders(count=5), ("cat/bad.png", png(3)[:50])]
    path = pack(tmp_path / "a.tar", members)
    with pytest.raises(DataError, match=r"a\.tar.cat.bad\.png: the image is truncated or damaged"):
        load(path)
    data = load(path, skip_bad=True)
    assert sum(len(part.images) for part in data.parts.values()) == 10


def test_links_are_not_followed_and_holes_are_told(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", folders())
    with tarfile.open(path, "a") as tar:
        kinds = {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "pipe": tarfile.FIFOTYPE}
        for name, kind in kinds.items():
            info = tarfile.TarInfo(f"cat/{name}.png")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    data = load(path)
    assert sum(len(part.images) for part in data.parts.values()) == 8
    assert "2 links in the tar not followed" in data.notes


def test_a_packed_tar_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", folders(), "w:gz")
    with pytest.raises(DataError, match=r"a\.tar: a packed tar, .* unpack it"):
        load(path)
    with pytest.raises(DataError, match=r"a packed file; unpack it \(of a tar, gunzip is enough\)"):
        load(pack(tmp_path / "a.tar.gz", folders(), "w:gz"))


def test_names_lead_nowhere(tmp_path: Path) -> None:
    assert _plain("/../../a/./b/../c.png") == "a/b/c.png"
    members = [(f"../../{name}", content) for name, content in folders()]
    data = load(pack(tmp_path / "a.tar", members))
    assert data.classes == ["cat", "dog"]
    assert os.listdir(tmp_path) == ["a.tar"]


def test_truncated_anywhere_is_told_or_ends_between_files(tmp_path: Path) -> None:
    whole = pack(tmp_path / "a.tar", folders()).read_bytes()
    path = tmp_path / "b.tar"
    names = [name for name, _ in folders()]
    told = 0
    for length in range(0, len(whole), 200):
        path.write_bytes(whole[:length])
        try:
            found = [member.name for member, _ in TarReader(str(path)).members()]
        except DataError as error:
            assert str(path) in str(error) and len(str(error)) <= 500
            told += 1
        else:
            assert found == names[: len(found)]
            # Without its last blocks of zeros it is whole; else it ends after a file.
            assert length >= 1024 * len(found)
    assert told > 10


@settings(max_examples=150)
@given(data=st.data())
def test_changed_tars_are_read_or_refused(data: st.DataObject, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("tars")
    os.environ["STRIATE_CACHE"] = str(folder / "cache")
    content = bytearray(pack(folder / "a.tar", folders(count=2)).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        header = 512 * data.draw(st.integers(0, len(content) // 512 - 1))
        at = header + data.draw(st.integers(0, 511))
        content[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):  # with the sums of the headers right
        for header in range(0, len(content) - 512, 512):
            block = content[header : header + 512]
            if block[257:262] == b"ustar":
                block[148:156] = b" " * 8
                content[header + 148 : header + 156] = b"%06o\0 " % sum(block)
    (folder / "a.tar").write_bytes(content)
    try:
        found = load(folder / "a.tar", skip_bad=True, cache=False)
    except DataError as error:
        assert len(str(error)) <= 500
    else:
        assert sum(len(part.images) for part in found.parts.values()) <= 8


def test_a_claimed_size_costs_nothing(tmp_path: Path) -> None:
    """Headers that claim more bytes than there are, of files and of extended headers."""
    for kind in (tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
        info = tarfile.TarInfo("cat/a.png")
        info.type, info.size = kind, 2**50
        path = tmp_path / "a.tar"
        path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
        with pytest.raises(DataError) as caught:
            load(path)
        assert "a.tar" in str(caught.value)


def test_a_damaged_header_in_the_midst_is_told(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", folders())
    with tarfile.open(path) as tar:
        start = tar.getmembers()[3].offset
    content = bytearray(path.read_bytes())
    content[start + 10] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.tar: is damaged at byte {start:,}"):
        load(path)
