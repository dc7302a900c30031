"""How many threads work where nobody says it."""

import os

import pytest

from striate.common import threads
from striate.common.threads import available_processors, checked_threads, default_threads


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
