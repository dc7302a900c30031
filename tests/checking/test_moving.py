"""Moving ticked images: exactly those, nothing overwritten, and back."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from striate.checking import moving
from striate.data.dataset import DataError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (folder / part / name).mkdir(parents=True)
            for number in range(3):
                file = folder / part / name / f"{number}.png"
                file.write_bytes(f"{part} {name} {number}".encode())
    (folder / "train" / "cat" / "notes.txt").write_text("mine")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def page_list(path: Path, names: list[str]) -> Path:
    path.write_text(json.dumps({"what": moving.TICKED, "source": "photos", "images": names}))
    return path


def test_exactly_the_ticked_files_are_moved_and_come_back(photos: Path, tmp_path: Path) -> None:
    before = contents(photos)
    names = ["train/cat/1.png", "test/dog/0.png", "train/cat/1.png"]
    ticked = moving.read_ticked(page_list(tmp_path / "list.json", names), photos)
    assert ticked == names[:2]
    moved = moving.move(photos, ticked, tmp_path / "out")
    assert [job.source for job in moved] == [photos / name for name in ticked]
    after = contents(photos)
    assert {name: before[name] for name in before if name not in ticked} == after
    there = contents(tmp_path / "out")
    kept = json.loads(there.pop(moving.LIST))
    assert there == {name: before[name] for name in ticked}
    assert [row["to"] for row in kept["moved"]] == ticked
    assert [row["from"] for row in kept["moved"]] == [str(photos / name) for name in ticked]
    back = moving.undo(photos, tmp_path / "out")
    assert {job.target for job in back} == {photos / name for name in ticked}
    assert contents(photos) == before
    assert not list((tmp_path / "out").rglob("*"))


def test_a_second_move_adds_to_the_list(photos: Path, tmp_path: Path) -> None:
    before = contents(photos)
    moving.move(photos, ["train/cat/0.png"], tmp_path / "out")
    moving.move(photos, ["train/cat/1.png"], tmp_path / "out")
    assert len(moving.undo(photos, tmp_path / "out")) == 2
    assert contents(photos) == before


def test_names_on_lines(photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# mine\n\ntrain/cat/1.png\r\n  test/dog/0.png\n")
    assert moving.read_ticked(path, photos) == ["train/cat/1.png", "test/dog/0.png"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../secret.png", "is not a name below"),
        ("train/../../secret.png", "is not a name below"),
        ("/etc/passwd.png", "is not a name below"),
        ("train/cat/\0.png", "is not a name below"),
        ("train/cat/9.png", "there is no"),
        ("train/cat/notes.txt", "does not end like an image"),
        ("train/cat", "does not end like an image"),
        ("out/secret.png", "leads out of"),
        ("train/folder.png", "is no file"),
    ],
)
def test_only_images_of_the_folder(photos: Path, tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "secret.png").write_bytes(b"")
    (photos / "out").symlink_to(tmp_path)
    (photos / "train" / "folder.png").mkdir()
    before = contents(tmp_path)
    with pytest.raises(DataError, match=says):
        moving.read_ticked(page_list(tmp_path / "list.json", ["train/cat/1.png", name]), photos)
    (tmp_path / "list.json").unlink()
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no image"),
        ("# nothing\n", "names no image"),
        ("{", "is damaged"),
        ('{"images": ["train/cat/1.png"]}', "no list of ticked images"),
        ('{"what": "striate ticked images", "images": [1]}', "no list of ticked images"),
        ('{"what": "striate ticked images", "images": []}', "names no image"),
        ("{" + '"a":{' * 200, "is damaged"),
    ],
)
def test_lists_that_are_none(photos: Path, tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "list"
    path.write_text(text)
    with pytest.raises(DataError, match=says):
        moving.read_ticked(path, photos)


def test_nothing_is_overwritten(photos: Path, tmp_path: Path) -> None:
    before = contents(photos)
    (tmp_path / "out" / "train" / "dog").mkdir(parents=True)
    (tmp_path / "out" / "train" / "dog" / "1.png").write_bytes(b"another")
    with pytest.raises(DataError, match=r"is there already"):
        moving.move(photos, ["train/cat/1.png", "train/dog/1.png"], tmp_path / "out")
    assert contents(photos) == before
    assert contents(tmp_path / "out") == {"train/dog/1.png": b"another"}


def test_what_came_back_by_itself_is_not_overwritten(photos: Path, tmp_path: Path) -> None:
    moving.move(photos, ["train/cat/1.png"], tmp_path / "out")
    (photos / "train/cat/1.png").write_bytes(b"new")
    with pytest.raises(DataError, match="is there again"):
        moving.undo(photos, tmp_path / "out")
    assert (photos / "train/cat/1.png").read_bytes() == b"new"
    assert (tmp_path / "out/train/cat/1.png").exists()


@pytest.mark.parametrize(
    ("where", "says"),
    [("photos/gone", "taken for a class"), ("photos", "taken for a class"), (".", "holds"),
     ("file", "is a file")],
)  # fmt: skip
def test_folders_that_images_are_not_moved_to(
    photos: Path, tmp_path: Path, where: str, says: str
) -> None:
    (tmp_path / "file").write_text("")
    before = contents(tmp_path)
    with pytest.raises(DataError, match=says):
        moving.move(photos, ["train/cat/1.png"], tmp_path / where)
    assert contents(tmp_path) == before


def test_a_file_that_cannot_be_moved(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence tells how many were, and the list brings them back."""
    before = contents(photos)
    link = os.link

    def full(source: Any, target: Any, **given: Any) -> None:
        if Path(source).name == "1.png":
            raise OSError(errno.ENOENT, "gone")
        link(source, target, **given)

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(DataError, match=r"1 file moved before it"):
        moving.move(photos, ["train/cat/0.png", "train/cat/1.png"], tmp_path / "out")
    monkeypatch.undo()
    moving.undo(photos, tmp_path / "out")
    assert contents(photos) == before


def test_disks_without_links(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any, **more: Any) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(os, "link", refuse)
    before = contents(photos)
    os.utime(photos / "train/cat/1.png", ns=(10**18, 10**18))
    moving.move(photos, ["train/cat/1.png"], tmp_path / "out")
    moved = tmp_path / "out/train/cat/1.png"
    assert moved.read_bytes() == before["train/cat/1.png"]
    assert moved.stat().st_mtime_ns == 10**18
    assert not (photos / "train/cat/1.png").exists()


def test_links_lead_to_where_they_led(photos: Path, tmp_path: Path) -> None:
    (photos / "train/cat/link.png").symlink_to("../dog/1.png")
    moving.move(photos, ["train/cat/link.png"], tmp_path / "out")
    moved = tmp_path / "out/train/cat/link.png"
    assert moved.is_symlink() and moved.read_bytes() == b"train dog 1"
    assert (photos / "train/dog/1.png").exists()


def test_a_folder_without_a_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no moved.json"):
        moving.undo(tmp_path, tmp_path)
    (tmp_path / moving.LIST).write_text('{"what": "another", "moved": []}')
    with pytest.raises(DataError, match="is no list of moved images"):
        moving.undo(tmp_path, tmp_path)
    (tmp_path / moving.LIST).write_text(
        json.dumps({"what": moving.KIND, "moved": [{"from": "/x", "to": "../../y"}]})
    )
    with pytest.raises(DataError, match="is not a name below"):
        moving.undo(tmp_path, tmp_path)


def test_a_list_that_leads_elsewhere(photos: Path, tmp_path: Path) -> None:
    """A list may come from anywhere: files go back below the folder that is named, or nowhere."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.png").write_bytes(b"mine")
    for source in (tmp_path / "elsewhere/a.png", photos / "../elsewhere/a.png"):
        (tmp_path / "out" / moving.LIST).write_text(
            json.dumps({"what": moving.KIND, "moved": [{"from": str(source), "to": "a.png"}]})
        )
        before = contents(tmp_path)
        with pytest.raises(DataError, match="not from"):
            moving.undo(photos, tmp_path / "out")
        assert contents(tmp_path) == before
