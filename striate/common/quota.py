"""How many processors' time a control group lets this process use, on Linux."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from striate.common.fork import in_child

_LASTS = 10.0  # seconds that an answer is used again: limits may change while a process runs


def processor_quota() -> float | None:
    """Return the processors' worth of time that this process may use, such as 1.5; None if there
    is no limit, or none that can be read.

    Containers and batch systems set it: as ``cpu.max`` of version 2 of control groups, or as
    ``cpu.cfs_quota_us`` of version 1. The least of a group and all that it lies in counts.
    """
    return _read(int(time.monotonic() / _LASTS))


@functools.lru_cache(maxsize=1)
def _read(_moment: int) -> float | None:
    return quota_in(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))


def quota_in(groups: Path, root: Path) -> float | None:
    """Return the least quota of the groups listed in the file `groups`, mounted at `root`."""
    try:
        lines = groups.read_text().splitlines()
    except (OSError, ValueError):
        return None
    found: list[float] = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        names = controllers.split(",")
        if not controllers:
            found += _quotas(root, path, _of_version_2)
        elif "cpu" in names:
            for mount in dict.fromkeys((controllers, "cpu", "cpu,cpuacct", "cpuacct,cpu")):
                found += _quotas(root / mount, path, _of_version_1)
    return min(found, default=None)


def _quotas(mount: Path, path: str, read: Callable[[Path], float | None]) -> list[float]:
    """Of the group at `path` and of all that it lies in; inside a container only some are there."""
    folders, below = [mount], mount
    for part in path.split("/"):
        if part not in ("", ".", ".."):
            below = below / part
            folders.append(below)
    return [quota for folder in folders if (quota := read(folder)) is not None]


def _of_version_2(folder: Path) -> float | None:
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = (folder / "cpu.max").read_text().split()
        return float(quota) / float(period) if quota != "max" else None
    return None


def _of_version_1(folder: Path) -> float | None:
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota = float((folder / "cpu.cfs_quota_us").read_text())
        period = float((folder / "cpu.cfs_period_us").read_text())
        return quota / period if quota > 0 else None
    return None


in_child(_read.cache_clear)  # it may be moved to another group
