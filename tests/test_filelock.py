"""Locks among processes and threads, by files."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from striate.common import filelock
from striate.common.filelock import lock_if_free


def test_one_at_a_time(tmp_path: Path) -> None:
    path, inside, most, held = tmp_path / "lock", [], [0], [0]

    def repeat() -> None:
        for _ in range(300):
            with lock_if_free(path) as free:
                if free:
                    inside.append(1)
                    most[0], held[0] = max(most[0], len(inside)), held[0] + 1
                    inside.pop()

    threads = [threading.Thread(target=repeat) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] and held[0] >= 300
    assert not path.exists()


def test_it_is_let_go_whatever_happens(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(ZeroDivisionError), lock_if_free(path) as free:
        assert free and path.exists()
        with lock_if_free(path) as again:
            assert not again
        assert path.exists()
        raise ZeroDivisionError
    with lock_if_free(path) as free:
        assert free


def test_a_file_that_was_removed_meanwhile_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever held it removes it between this one's opening it and locking it."""
    path, lock, calls = tmp_path / "lock", filelock._lock, []

    def locked(handle: int, *, wait: bool = True) -> None:
        if not calls:
            os.unlink(path)
        calls.append(handle)
        lock(handle, wait=wait)

    monkeypatch.setattr(filelock, "_lock", locked)
    with lock_if_free(path) as free:
        assert free and path.exists() and len(calls) == 2


def test_where_there_are_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(filelock, "_lock", fail)
    with lock_if_free(tmp_path / "lock") as free:
        assert free
