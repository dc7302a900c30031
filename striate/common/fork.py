"""What a forked child gets anew: locks, and all that belongs to threads.

A child has one thread, the one that forked. A lock that another thread held stays locked in it for
ever, and a pool has lost its threads. So every lock of striate is made by `renewed_lock`, which
puts a new one in its place in each child, and what belongs to threads is dropped by `in_child`.
What such a lock guards may be left half done, and must be of no harm then: a table that is filled
by single assignments, or memory that each run writes anew. Where that is not so, as inside LLVM,
`finished_before_fork` lets a fork wait. It also waits, for some seconds at most, until no other
thread imports a module: in the child that would stay half imported, behind a lock of Python's.

    renewed_lock           a lock for the attribute or global variable of a name
    in_child               call this in every child
    finished_before_fork   no fork while another thread holds this lock
"""

from __future__ import annotations

import importlib
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeAlias

Lock: TypeAlias = Any  # threading.RLock is no type

_PATIENCE = 5.0  # seconds
_finished: list[Lock] = []
_owned: dict[tuple[int, str], weakref.ref[Any]] = {}


def renewed_lock(owner: object, name: str) -> Lock:
    """Return a reentrant lock for ``owner.name``, which is set to a new one in a forked child.

    It must be read from there each time. A thread that forks while it holds the lock goes on
    holding the old one in the child, and lets it go as usual.

    Args:
        owner: an object that can be weakly referenced, or a module.
        name: the attribute or global variable that the caller assigns the lock to.
    """
    key = (id(owner), name)

    def forget(_: object) -> None:
        _owned.pop(key, None)

    _owned[key] = weakref.ref(owner, forget)
    return threading.RLock()


def in_child(function: Callable[[], object]) -> None:
    """Call `function` in every child that is forked from now on."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)


def finished_before_fork(lock: Lock) -> None:
    """Let a fork wait for a lock that another thread holds: what it guards is whole in the child.

    Whoever holds it must not wait for another lock meanwhile.
    """
    _finished.append(lock)


def _before() -> None:
    end = time.monotonic() + _PATIENCE
    while _others_import() and time.monotonic() < end:
        time.sleep(0.0005)
    for lock in _finished:
        lock.acquire()


def _others_import() -> bool:
    """Whether another thread is importing a module, as far as Python lets that be seen."""
    # One lock for each module that is being imported; some know no owner.
    locks = getattr(importlib._bootstrap, "_module_locks", {})
    owners = {getattr(reference(), "owner", None) for reference in list(locks.values())}
    return bool(owners - {None, threading.get_ident()})


def _in_parent() -> None:
    for lock in _finished:
        lock.release()


def _renew() -> None:
    # Of the keys alone, since a list of pairs allocates each pair: there the collector of garbage
    # may run, and `forget` change the table meanwhile.
    for key in list(_owned):
        reference = _owned.get(key)
        owner = reference() if reference else None
        if owner is not None:
            setattr(owner, key[1], threading.RLock())
    for lock in _finished:
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_renew)
