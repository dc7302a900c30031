"""Moves the image files that a person ticked, and nothing else; and moves them back.

Before the first file is moved, a list of all is written to the folder that they go to. So whatever
ends the work, that list tells where each file was, and `undo` brings back those that were moved.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from striate.common import json_text
from striate.common.atomic import write_atomically
from striate.common.input_files import read_text
from striate.common.text import counted, listed, reason
from striate.data.dataset import DataError
from striate.data.paths import is_image_name

LIST = "moved.json"
"""The file in the folder of moved files that tells where they were."""
KIND = "striate moved images"
TICKED = "striate ticked images"
MOST_BYTES = 1 << 28


@dataclass(frozen=True)
class Moved:
    """A file that is to be moved, or was.

    Attributes:
        source: where it was.
        target: where it goes.
    """

    source: Path
    target: Path


def read_ticked(path: str | Path, folder: str | Path) -> list[str]:
    """Read which images are ticked: names below the folder that was checked.

    Args:
        path: what the page saves; or any text file, one name a line, in which empty lines and those
            that begin with "#" do not count.
        folder: that was checked.

    Raises:
        DataError: it is neither, it names no image, or a name is not one of a file in the folder.
    """
    text = read_text(path, "list of ticked images", most=MOST_BYTES, error=DataError)
    if text.lstrip().startswith("{"):
        names = _of_page(text, path)
    else:
        lines = (line.strip() for line in text.split("\n"))
        names = [line for line in lines if line and not line.startswith("#")]
    names = list(dict.fromkeys(names))
    if not names:
        raise DataError(f"{path}: names no image; tick some on the page, and save the list again")
    for name in names:
        _check_name(name, path, Path(folder))
    return names


def _of_page(text: str, path: str | Path) -> list[str]:
    try:
        found = json_text.parse(text)
    except ValueError as error:
        raise DataError(f"{path}: is damaged: {reason(error)}; save the list again") from error
    names = found.get("images") if isinstance(found, dict) else None
    if (
        not isinstance(names, list)
        or found.get("what") != TICKED
        or not all(isinstance(name, str) for name in names)
    ):
        raise DataError(
            f"{path}: is no list of ticked images; save one from the page of striate check, or "
            "write one name of a file a line"
        )
    return names


def _check_name(name: str, path: str | Path, folder: Path) -> None:
    """Raise unless the name is one of an image below the folder."""
    inside = PurePosixPath(name)
    parts = inside.parts
    if not parts or inside.is_absolute() or ".." in parts or "\0" in name or Path(name).anchor:
        raise DataError(
            f"{path}: {name!r} is not a name below {folder}; only images in there are moved"
        )
    if not is_image_name(name):
        raise DataError(f"{path}: {name!r} does not end like an image file; only those are moved")
    place = folder
    for part in parts[:-1]:
        place /= part
        if place.is_symlink() and not _is_inside(place.resolve(), folder.resolve()):
            raise DataError(
                f"{path}: {name!r} leads out of {folder} by the link {place}; move it by hand"
            )
    file = folder / name
    if not os.path.lexists(file):
        raise DataError(f"{path}: there is no {file}; check the folder again, and tick anew")
    if not file.is_symlink() and not file.is_file():
        raise DataError(f"{path}: {file} is no file; only image files are moved")


def _is_inside(place: Path, folder: Path) -> bool:
    return place == folder or place.is_relative_to(folder)


def check_target(folder: str | Path, to: str | Path) -> Path:
    """Return the folder `to` if images of `folder` may be moved there.

    Raises:
        DataError: it is a file, or in the folder that was checked, or the other way round.
    """
    target = Path(to)
    if target.exists() and not target.is_dir():
        raise DataError(f"{target}: is a file; name a folder to move images to")
    here, there = Path(folder).resolve(), target.resolve()
    if _is_inside(there, here):
        raise DataError(
            f"{target}: lies in {folder}, where it would be taken for a class; name a folder "
            "beside it"
        )
    if _is_inside(here, there):
        raise DataError(f"{target}: holds {folder}; name a folder beside it")
    return target


def move(folder: str | Path, names: Iterable[str], to: str | Path) -> list[Moved]:
    """Move images to a folder, where they keep the folders that they are in below `folder`.

    Nothing is overwritten, and nothing else is touched: empty class folders stay.

    Args:
        folder: that was checked.
        names: of files below it, as `read_ticked` gives them.
        to: the folder that they go to; it is made where it is not there.

    Returns:
        The files that were moved.

    Raises:
        DataError: a file is there already, or cannot be moved; the message tells how many were.
    """
    target = check_target(folder, to)
    jobs = [Moved(Path(folder) / name, target / name) for name in names]
    for job in jobs:
        if os.path.lexists(job.target):
            raise DataError(
                f"{job.target}: is there already, and nothing is overwritten; name another folder"
            )
    with _named(target):
        target.mkdir(parents=True, exist_ok=True)
    earlier = _read_list(target)
    _write_list(target, [*earlier, *jobs])
    return _all_moved(jobs, target)


def undo(folder: str | Path, to: str | Path) -> list[Moved]:
    """Move the files back that were moved from `folder` to this folder; nothing is overwritten.

    Returns:
        The files that were moved back, `source` being where they were meanwhile.

    Raises:
        DataError: there is no list of moved files, one of them comes from another folder, or a file
            cannot be moved back.
    """
    target = Path(to)
    if not (target / LIST).is_file():
        raise DataError(f"{target}: has no {LIST}, which tells where moved images were")
    jobs = [
        Moved(job.target, job.source) for job in _read_list(target) if os.path.lexists(job.target)
    ]
    here = Path(os.path.abspath(folder))
    for job in jobs:
        # A list may come from anywhere, and say anything.
        if not _is_inside(Path(os.path.abspath(job.target)), here):
            raise DataError(
                f"{target / LIST}: {job.source} comes from {job.target}, not from {folder}; name "
                "the folder that it comes from"
            )
        if os.path.lexists(job.target):
            raise DataError(
                f"{job.target}: is there again, and nothing is overwritten; move {job.source} by "
                "hand"
            )
    back = _all_moved(jobs, target)
    with suppress(OSError):
        (target / LIST).unlink()
    for job in back:  # folders that are empty now, and were made for these files
        place = job.source.parent
        while _is_inside(place, target):
            try:
                place.rmdir()
            except OSError:
                break
            place = place.parent
    return back


def _all_moved(jobs: list[Moved], target: Path) -> list[Moved]:
    done: list[Moved] = []
    for job in jobs:
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
            _move_one(job.source, job.target)
        except OSError as error:
            raise DataError(
                f"{job.source}: cannot be moved to {job.target} ({reason(error)}); "
                f"{counted(len(done), 'file')} moved before it, {target / LIST} tells which"
            ) from error
        done.append(job)
    return done


def _move_one(source: Path, target: Path) -> None:
    """Move a file; OSError if there is already one, or if it cannot be moved."""
    if source.is_symlink():
        # A link that is told from where it stands would lead to nothing elsewhere.
        meant = os.path.join(source.absolute().parent, os.readlink(source))
        os.symlink(meant, target)
        source.unlink()
        return
    try:
        os.link(source, target)  # unlike a new name, it never replaces a file
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise
        _copy(source, target)  # another disk, or one without links
    source.unlink()


def _copy(source: Path, target: Path) -> None:
    """Copy a file to a name that must be free, with all that the system knows of it."""
    with open(source, "rb") as old, open(target, "xb") as new:
        try:
            shutil.copyfileobj(old, new)
            new.flush()
            os.fsync(new.fileno())
        except BaseException:
            with suppress(OSError):
                target.unlink()
            raise
    shutil.copystat(source, target)


def _read_list(target: Path) -> list[Moved]:
    """The files that the list in a folder names; [] without one."""
    path = target / LIST
    if not path.exists():
        return []
    text = read_text(path, "list of moved images", most=MOST_BYTES, error=DataError)
    try:
        found = json_text.parse(text)
        if found["what"] != KIND:
            raise ValueError("it is of another kind")
        rows = [(str(row["from"]), str(row["to"])) for row in found["moved"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: is no list of moved images ({reason(error)}); name another folder"
        ) from error
    for _, name in rows:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise DataError(f"{path}: {name!r} is not a name below {target}; the list is damaged")
    return [Moved(Path(source), target / name) for source, name in rows]


def _write_list(target: Path, jobs: list[Moved]) -> None:
    content = {
        "what": KIND,
        "moved": [
            {"from": str(job.source.absolute()), "to": job.target.relative_to(target).as_posix()}
            for job in jobs
        ],
    }
    text = json.dumps(content, indent=1, ensure_ascii=True)
    with _named(target / LIST):
        write_atomically(target / LIST, [text.encode("utf-8"), b"\n"])


class _named:
    """Turns an OSError of the block into a DataError that names the path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise DataError(f"{self.path}: cannot be written ({reason(error)})") from error


def told(jobs: list[Moved], to: str | Path) -> str:
    """A sentence about files that were moved."""
    names = listed([job.target.name for job in jobs], 3)
    return f"Moved {counted(len(jobs), 'image')} to {to}: {names}"
