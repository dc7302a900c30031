"""How many threads work where nobody says it."""

import os
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

from striate import Conv2D, Dense, Flatten, Network, ReLU
from striate.common import threads
from striate.common.quota import quota_in
from striate.common.threads import available_processors, checked_threads, default_threads
from striate.nest.thread_pool import ThreadPool


def test_the_processors_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    if hasattr(os, "sched_getaffinity"):
        assert available_processors() == len(os.sched_getaffinity(0))
        monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert available_processors() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_processors() == 1


@pytest.mark.parametrize(
    ("said", "expected"), [("", 6), ("2", 2), ("100", 6), ("0", 6), ("-1", 6), ("many", 6)]
)
def test_a_batch_system_may_allow_fewer(
    monkeypatch: pytest.MonkeyPatch, said: str, expected: int
) -> None:
    monkeypatch.setattr(threads, "available_processors", lambda: 6)
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert default_threads() == expected
    assert checked_threads(None, "who") == expected


def test_threads_that_somebody_asks_for() -> None:
    assert checked_threads(3, "who") == 3
    with pytest.raises(ValueError, match=r"^who: threads must be at least 1, got 0$"):
        checked_threads(0, "who")
    with pytest.raises(TypeError, match=r"^who: threads must be a whole number, got 1\.5"):
        checked_threads(1.5, "who")  # type: ignore[arg-type]


@pytest.mark.parametrize(("said", "expected"), [("2,4", 2), (" 3 ", 3), ("3,", 3), (",2", 6)])
def test_lists_of_numbers_for_nested_regions(
    monkeypatch: pytest.MonkeyPatch, said: str, expected: int
) -> None:
    monkeypatch.setattr(threads, "available_processors", lambda: 6)
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert default_threads() == expected


def test_no_number_of_threads_is_absurd() -> None:
    assert checked_threads(2**31 - 1, "who") == threads.most_threads() <= 4096
    assert checked_threads(200, "who") == 200


@pytest.mark.parametrize(
    ("quota", "expected"), [(None, 8), (0.3, 1), (1.0, 1), (1.4, 1), (1.5, 2), (3.0, 3), (64.0, 8)]
)
def test_a_quota_of_time_is_fewer_processors(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "processor_quota", lambda: quota)
    assert available_processors() == expected


def test_quotas_of_control_groups(tmp_path: Path) -> None:
    groups, root = tmp_path / "cgroup", tmp_path / "fs"

    def write(name: str, text: str) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    assert quota_in(groups, root) is None  # no such system
    groups.write_text("0::/\n")
    assert quota_in(groups, root) is None
    write("cpu.max", "150000 100000\n")  # a container sees its own group as the root
    assert quota_in(groups, root) == 1.5
    write("cpu.max", "max 100000\n")
    assert quota_in(groups, root) is None
    groups.write_text("0::/user.slice/job/step\n")  # the least of all that it lies in
    write("user.slice/cpu.max", "400000 100000\n")
    write("user.slice/job/cpu.max", "200000 100000\n")
    write("user.slice/job/step/cpu.max", "max 100000\n")
    assert quota_in(groups, root) == 2.0
    for damaged in ("", "1", "a b\n", "100000 0\n", "1 2 3\n"):
        write("user.slice/job/cpu.max", damaged)
        assert quota_in(groups, root) == 4.0
    # Version 1, mounted by the names of its controllers, or seen from inside a container.
    groups.write_text("3:memory:/a\n4:cpu,cpuacct:/docker/1234\n")
    write("cpu,cpuacct/docker/1234/cpu.cfs_quota_us", "50000\n")
    write("cpu,cpuacct/docker/1234/cpu.cfs_period_us", "100000\n")
    assert quota_in(groups, root) == 0.5
    write("cpu,cpuacct/docker/1234/cpu.cfs_quota_us", "-1\n")
    assert quota_in(groups, root) is None
    groups.write_text("4:cpu:/not/there\n")
    write("cpu/cpu.cfs_quota_us", "300000\n")
    write("cpu/cpu.cfs_period_us", "100000\n")
    assert quota_in(groups, root) == 3.0


def test_threads_that_the_system_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer work, one warning tells, and no bit differs."""
    images = np.random.default_rng(0).random((200, 9, 8, 2)).astype(np.float32)

    def trained() -> tuple[np.ndarray, list[str]]:
        layers = [Conv2D(6, 3), ReLU(), Flatten(), Dense(4)]
        network = Network(layers, input_shape=(9, 8, 2), seed=0)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            network.fit(images, np.arange(200) % 4, epochs=2, threads=5, progress=None, seed=3)
            network.predict(images, threads=5)
        return network.flat, [str(w.message) for w in told if "refuses" in str(w.message)]

    plain, nothing = trained()
    pool, real, started = ThreadPool(), threading.Thread.start, []

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("striate-") and started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        real(thread)

    monkeypatch.setattr("striate.plan.runner.thread_pool", lambda: pool)
    monkeypatch.setattr("striate.engines.llvm.thread_pool", lambda: pool)
    monkeypatch.setattr(threading.Thread, "start", start)
    fewer, told = trained()
    assert nothing == []
    assert told == [
        "striate: the system refuses more threads (can't start new thread); working with 2 threads"
    ]
    np.testing.assert_array_equal(plain, fewer)
