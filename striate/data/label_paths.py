"""Finds the image files that the cells of a table name."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PureWindowsPath

from striate.data.dataset import natural_key, same_text
from striate.data.decoded_cache import File
from striate.data.paths import is_hidden_folder, is_image_name

MISSING, SEVERAL = -1, -2


class ImageFiles:
    """The image files below a folder, found by what tables call them.

    A name is a path below the folder or the table's; or the end of one, such as the file's name,
    where only one file ends so; or that without its ending. Accents, the case of letters and the
    slashes of Windows may be written otherwise than the system has them.

    Attributes:
        files: in natural order.
        names: their paths below the folder, with "/".
    """

    def __init__(self, folder: Path, table: Path) -> None:
        self.folder, self.table_folder = folder, table.parent
        self.files: list[File] = []
        self.names: list[str] = []
        for path, status in sorted(_below(folder), key=lambda pair: natural_key(pair[0])):
            self.files.append(File(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
            self.names.append(os.path.relpath(path, folder).replace(os.sep, "/"))
        self._found: dict[str, int] = {}
        self._by_end: dict[str, list[int]] = defaultdict(list)
        self._by_place: dict[str, list[int]] = defaultdict(list)
        for index, name in enumerate(self.names):
            self._by_place[_key(os.path.abspath(self.files[index].path))].append(index)
            last = _key(name).rsplit("/", 1)[-1]
            self._by_end[last].append(index)
            stem = os.path.splitext(last)[0]
            if stem != last:
                self._by_end[stem].append(index)

    def find(self, cell: str) -> int:
        """Return the index of the file that a cell names, `MISSING`, or `SEVERAL` if it may name
        more than one.
        """
        if cell not in self._found:
            self._found[cell] = self._look_for(cell)
        return self._found[cell]

    def is_there(self, cell: str) -> bool:
        """Return whether a cell names an image file."""
        return self.find(cell) != MISSING

    def ends_so(self, cell: str) -> Iterable[str]:
        """Return the names of the files that end as a cell does, for messages."""
        return [self.names[index] for index in self._ending(cell)]

    def _look_for(self, cell: str) -> int:
        name = cell.replace("\\", "/")
        if not name.strip("/") or "\0" in name:
            return MISSING
        for base in (self.folder, self.table_folder):
            place = os.path.abspath(os.path.join(base, name))
            same = self._by_place.get(_key(place), [])
            exact = [i for i in same if same_text(os.path.abspath(self.files[i].path)) == place]
            if len(exact) == 1 or len(same) == 1:
                return (exact or same)[0]
        found = self._ending(cell)
        if len(found) == 1:
            return found[0]
        return SEVERAL if found else MISSING

    def _ending(self, cell: str) -> list[int]:
        """Return the files whose paths have as much of the cell's end as any has."""
        parts = [part for part in _key(cell.replace("\\", "/")).split("/") if part not in ("", ".")]
        if PureWindowsPath(cell).drive:
            parts = parts[1:]
        if not parts:
            return []
        named = self._by_end.get(parts[-1], [])
        best: list[int] = []
        most = 0
        for index in named:
            own = _key(self.names[index]).split("/")
            same = 1
            while same < min(len(own), len(parts)) and own[-1 - same] == parts[-1 - same]:
                same += 1
            if same > most:
                best, most = [], same
            if same == most:
                best.append(index)
        exact = [i for i in best if self.names[i].rsplit("/", 1)[-1] == cell.rsplit("/", 1)[-1]]
        return exact if len(exact) == 1 else best


def _key(name: str) -> str:
    """Return a path in the form that is the same however accents and letters are written."""
    return same_text(name).casefold().replace(os.sep, "/")


def _below(folder: Path) -> Iterable[tuple[str, os.stat_result]]:
    """Yield the visible image files at any depth."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_hidden_folder(name)]
        for name in files:
            if is_image_name(name):
                path = os.path.join(parent, name)
                try:
                    status = os.stat(path)
                except OSError:  # a link to nothing
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield path, status
