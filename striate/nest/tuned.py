"""What was measured to be best on this machine, kept for other processes.

One small JSON file for each machine and version of the compiler, beside the kernels:

    {"striate": "tuned 1", "seal": "...",
     "schedules": {"hash of a nest": {"lane": "v", "lanes": 16, "tile": [["k", 6]], "unroll": []}},
     "layouts": {"hash of a network and a batch size": 16}}

The seal is a hash of the rest and of the machine: a damaged, foreign or outdated file does not
match and counts for nothing.  Files are written beside and renamed, by one process at a time, so
that what several measure at once is all kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from striate.common.atomic import write_atomically
from striate.common.cache import name_of
from striate.common.cachedir import cache_dir, is_private, make_private_folder
from striate.common.digests import digest_of
from striate.common.filelock import file_lock
from striate.nest.schedule import Schedule

_FORMAT = "tuned 1"


@dataclass(frozen=True)
class Tuned:
    """Schedules by nest, and images of a block by network: the names are hashes."""

    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    layouts: Mapping[str, int] = field(default_factory=dict)


_NOTHING = Tuned()
# What the file of each folder and machine held when it was first looked at: a process keeps to
# that, whoever writes.
_known: dict[tuple[str, str], Tuned] = {}


def schedule_for(key: str, machine: str) -> Schedule | None:
    """The schedule kept for a nest, None if there is none.

    `key` says all that the nest computes; `machine` names processor and compiler.
    """
    schedules = _look(machine).schedules
    return schedules.get(name_of(key)) if schedules else None


def layout_for(key: str, machine: str) -> int | None:
    """The images of a block kept for a network, None if there is none."""
    return _look(machine).layouts.get(name_of(key))


def has_layouts(machine: str) -> bool:
    """Whether any is kept, so that a key is worth making."""
    return bool(_look(machine).layouts)


def digest(machine: str) -> str:
    """A digest of all that is kept, which is the same where the same is kept."""
    found = _look(machine)
    schedules = {name: described(schedule) for name, schedule in found.schedules.items()}
    return digest_of(schedules, dict(found.layouts))


def keep(
    schedules: Mapping[str, Schedule | None], layouts: Mapping[str, int], machine: str
) -> Path:
    """Add to what is kept, and return the file; None as a schedule takes one away.

    Raises OSError where the file cannot be written.
    """
    path = _path(machine)
    make_private_folder(path.parent)
    changed = {name_of(key): schedule for key, schedule in schedules.items()}
    with file_lock(path.with_suffix(".lock")):
        before = _read(path, machine)  # another process may have written meanwhile
        merged = {**before.schedules, **changed}
        new = Tuned(
            {name: schedule for name, schedule in merged.items() if schedule is not None},
            {**before.layouts, **{name_of(key): lanes for key, lanes in layouts.items()}},
        )
        write_atomically(path, [_written(new, machine)])
    _known[_place(machine)] = new
    return path


@contextmanager
def instead(schedules: Mapping[str, Schedule], machine: str) -> Iterator[None]:
    """As if these were kept too, for a moment and in this process only."""
    place, known = _place(machine), _look(machine)
    changed = {name_of(key): schedule for key, schedule in schedules.items()}
    _known[place] = Tuned({**known.schedules, **changed}, known.layouts)
    try:
        yield
    finally:
        _known[place] = known


def forget() -> None:
    """Look at the files again."""
    _known.clear()


def _look(machine: str) -> Tuned:
    place = _place(machine)
    if place not in _known:
        try:
            _known[place] = _read(_path(machine), machine)
        except OSError:  # no home folder
            _known[place] = _NOTHING
    return _known[place]


def _place(machine: str) -> tuple[str, str]:
    """What tells files apart, without the time that it takes to find the folder."""
    return os.environ.get("STRIATE_CACHE", ""), machine


def _path(machine: str) -> Path:
    return cache_dir("kernels") / f"tuned-{name_of(machine)[:16]}.json"


def _read(path: Path, machine: str) -> Tuned:
    """What a file holds; nothing if it cannot be trusted."""
    try:
        if not is_private(path.parent):
            return _NOTHING
        content = json.loads(path.read_bytes())
        if content["seal"] != _seal(content["schedules"], content["layouts"], machine):
            return _NOTHING
        schedules = {name: _schedule(entry) for name, entry in content["schedules"].items()}
        return Tuned(schedules, dict(content["layouts"]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return _NOTHING


def _written(tuned: Tuned, machine: str) -> bytes:
    schedules = {name: described(schedule) for name, schedule in tuned.schedules.items()}
    layouts = dict(tuned.layouts)
    seal = _seal(schedules, layouts, machine)
    content = {"striate": _FORMAT, "seal": seal, "schedules": schedules, "layouts": layouts}
    return json.dumps(content, indent=1, sort_keys=True).encode()


def _seal(schedules: Any, layouts: Any, machine: str) -> str:
    return name_of(json.dumps([_FORMAT, machine, schedules, layouts], sort_keys=True))


def described(schedule: Schedule) -> dict[str, Any]:
    """A schedule as plain values."""
    return {
        "lane": schedule.lane,
        "lanes": schedule.lanes,
        "tile": [list(pair) for pair in schedule.tile],
        "unroll": list(schedule.unroll),
    }


def _schedule(entry: Mapping[str, Any]) -> Schedule:
    tile = tuple((str(axis), int(size)) for axis, size in entry["tile"])
    return Schedule(str(entry["lane"]), int(entry["lanes"]), tile, tuple(entry["unroll"]))
