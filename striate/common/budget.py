"""Weighing what a file or an argument claims, before work begins.

A file of 80 bytes can name an image of any size, and one argument a window of any number of taps.
Numbers that are counted (layers, edges, taps, frames) are compared with a limit that no sensible
work comes near; bytes with the memory that this process can still have.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from striate.common.errors import StriateMemoryError, StriateValueError
from striate.common.text import in_bytes, sizes

MOST_LAYERS = 10_000
"""Of a network; the deepest that were ever published have about a thousand."""
MOST_EDGES = 40_000
"""Of a network: how often any layer reads another."""
MOST_HEADS = 100
"""Of a network: auxiliary outputs."""
MOST_ACTIVATIONS = 2**31
"""Of all layers together, for one image: 8 GiB of float32."""
MOST_PARAMETERS = 2**28
"""Of a network: 1 GiB of float32."""
MOST_SIDE = 2**22
"""Of an image in a network, with its padding: rows or columns."""
MOST_TAPS = 2**20
"""Of a filter's or a pool's window: 1024 × 1024."""
MOST_BATCH = 2**16
"""Images of a batch with which a plan is tried, to be explained or measured."""
MOST_FRAMES = 10_000
"""Of an animation, or pages of a TIFF file."""

MOST_PACKED = 100
"""How many times smaller more than `UNSUSPICIOUS` bytes may be packed: images are packed by less,
and what is meant to fill a memory by a thousand."""
UNSUSPICIOUS = 2**28
WEIGHED = 2**26
"""Bytes from which on memory is asked for: fewer are there, or NumPy says so."""

_UNCOUNTED = 10**15  # larger numbers are not written out

# Limits that stand for "no limit" in cgroups of version 1 are near 2**63.
_UNLIMITED = 2**60


def need(
    count: int,
    what: str,
    fix: str,
    *,
    error: type[StriateValueError] = StriateMemoryError,
) -> None:
    """Refuse work for which there is not enough memory.

    Args:
        count: the bytes that it needs beyond what the process has now.
        what: the layer, file or argument that needs them, as the message begins.
        fix: what to change, as the message ends.
        error: the exception.

    Raises:
        StriateMemoryError: or `error`; there are fewer bytes than `count`.
    """
    if count < WEIGHED:
        return
    available = available_memory()
    if count > available:
        raise error(
            f"{what} needs {_amount(count)} of memory, and {_amount(available)} are free; {fix}"
        )


def at_most(
    count: int,
    most: int,
    things: str,
    who: str,
    fix: str,
    *,
    error: type[StriateValueError] = StriateValueError,
) -> None:
    """Refuse more than `most` of something.

    Args:
        count: how many there would be.
        most: the limit.
        things: their name in the plural, such as "layers".
        who: the layer, file or argument that has them, as the message begins.
        fix: what to change, as the message ends.
        error: the exception.

    Raises:
        StriateValueError: or `error`; there are more.
    """
    if count > most:
        many = f"{count:,}" if count < _UNCOUNTED else "far too many"
        raise error(f"{who}: {many} {things} are more than the {most:,} that are taken; {fix}")


def check_packing(
    count: int,
    packed: int,
    who: str,
    fix: str,
    *,
    error: type[StriateValueError] = StriateValueError,
) -> None:
    """Refuse what would take long to unpack, and is packed as no data are.

    Args:
        count: the bytes that it claims to be unpacked.
        packed: the bytes that it has.
        who: the file and its part, as the message begins.
        fix: what to change, as the message ends.
        error: the exception.

    Raises:
        StriateValueError: or `error`; it is.
    """
    if count > max(UNSUSPICIOUS, MOST_PACKED * packed):
        raise error(
            f"{who} of {_amount(count)} is packed into {_amount(packed)}, and so large a one is "
            f"read if it is packed {MOST_PACKED} times smaller at most; {fix}"
        )


def check_graph(
    layers: int,
    edges: int,
    who: str = "Network",
    *,
    error: type[StriateValueError] = StriateValueError,
) -> None:
    """Refuse a network with more layers, or more edges between them, than any has.

    Raises:
        StriateValueError: or `error`; it has.
    """
    at_most(layers, MOST_LAYERS, "layers", who, "build it of fewer", error=error)
    fix = "let layers read fewer others"
    at_most(edges, MOST_EDGES, "inputs of layers", who, fix, error=error)


def check_activations(shape: Iterable[int], who: str) -> None:
    """Refuse a value of a network, such as an output or a padded input, of this shape, if it alone
    is larger than all of a network's may be.

    Raises:
        StriateValueError: it is.
    """
    shape = tuple(shape)
    for side in shape[:2] * (len(shape) == 3):
        at_most(side, MOST_SIDE, "rows or columns", who, "use smaller images or less padding")
    check_all_activations(math.prod(shape), f"{who}: a value of shape {sizes(shape)}")


def check_all_activations(count: int, what: str) -> None:
    """Refuse `what` if it has more than `MOST_ACTIVATIONS` numbers for one image.

    Raises:
        StriateValueError: it has.
    """
    if count > MOST_ACTIVATIONS:
        many = f"{count:,}" if count < _UNCOUNTED else "far too many"
        raise StriateValueError(
            f"{what} has {many} numbers for one image, and a network may have "
            f"{MOST_ACTIVATIONS:,}; use smaller images, less padding, or fewer channels"
        )


def available_memory() -> int:
    """Return the bytes that this process can still have: what the machine has free, or less where
    a control group (of containers and batch systems) or `ulimit -v` leaves less.

    Where the system does not say what is free, it is all of the machine's memory.
    """
    return max(0, min(_of_the_machine(), _of_the_address_space(), *control_group_room()))


def _amount(count: int) -> str:
    """Bytes in words; of a number that no machine has only that."""
    return in_bytes(count) if count < 2**60 else "more than an exbibyte"


def _of_the_machine() -> int:
    """The bytes that are free on the machine, or could be at once."""
    if sys.platform == "win32":
        return _of_windows()
    try:
        with open("/proc/meminfo", encoding="ascii", errors="replace") as lines:
            for line in lines:
                name, _, amount = line.partition(":")
                if name == "MemAvailable":
                    return int(amount.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return _physical()


def _physical() -> int:
    """All of the machine's memory: of macOS, which moves and compresses pages at will, the best
    that can be said.
    """
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return sys.maxsize


def _of_windows() -> int:
    import ctypes

    class MemoryStatus(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("physical", ctypes.c_ulonglong),
            ("free_physical", ctypes.c_ulonglong),
            ("page_file", ctypes.c_ulonglong),
            ("free_page_file", ctypes.c_ulonglong),
            ("virtual", ctypes.c_ulonglong),
            ("free_virtual", ctypes.c_ulonglong),
            ("free_extended", ctypes.c_ulonglong),
        )

    status = MemoryStatus()
    status.length = ctypes.sizeof(MemoryStatus)
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 (mypy knows it on Windows only)
    if not kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
        return sys.maxsize
    return min(int(status.free_physical), int(status.free_virtual))


def _of_the_address_space() -> int:
    """What `ulimit -v` leaves; without one, as much as there can be."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit == resource.RLIM_INFINITY:
            return sys.maxsize
        used = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        return limit - used * resource.getpagesize()
    except (ImportError, OSError, ValueError, IndexError):
        return sys.maxsize


def control_group_room(
    membership: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")
) -> Iterator[int]:
    """Yield what the process's control groups, and those above them, leave of their limits.

    Pages of files that could be dropped at once count as free. Inside a container the group's path
    is often that on the host, which is not to be seen: then the container's own group is at the
    root of the mount.

    Args:
        membership: the file with the process's groups, of version 1 or 2.
        mount: where the groups are.
    """
    try:
        lines = membership.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            root, names = mount, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            root = mount / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        own = PurePosixPath(path.lstrip("/"))
        if ".." in own.parts:  # a group outside of the container's
            own = PurePosixPath()
        for group in (own, *own.parents):
            room = _room_of(root / group, *names)
            if room is not None:
                yield room


def _room_of(group: Path, limit: str, usage: str, dropped: str) -> int | None:
    """What a control group leaves of its limit, in bytes; None without a limit."""
    try:
        most = int((group / limit).read_text("ascii"))
        if most >= _UNLIMITED:
            return None
        used = int((group / usage).read_text("ascii"))
    except (OSError, ValueError):  # no such group, or the word "max"
        return None
    try:
        for line in (group / "memory.stat").read_text("ascii").splitlines():
            name, _, count = line.partition(" ")
            if name == dropped:
                used -= min(used, int(count))
    except (OSError, ValueError):
        pass
    return most - used
