"""Work in threads whose results come in order."""

from __future__ import annotations

import threading
import time

import pytest

from striate.common import ordered_work
from striate.common.ordered_work import in_order


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_in_the_order_of_what_is_given(
    threads: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordered_work, "default_threads", lambda: threads)
    begun: list[int] = []
    used: set[str] = set()

    def work(number: int) -> int:
        begun.append(number)
        used.add(threading.current_thread().name)
        time.sleep(0.002 * (number % 3))
        return number**2

    taken = 0
    for found in in_order(work, range(count)):
        assert found == taken**2
        taken += 1
        # A little ahead only.
        assert len(begun) <= taken + threads + 1
    assert taken == count
    assert len(used) <= threads
    assert not any(t.name.startswith("striate-work") for t in threading.enumerate())


def test_an_error_comes_in_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordered_work, "default_threads", lambda: 2)
    found = []
    with pytest.raises(ZeroDivisionError):
        for number in in_order(lambda given: 6 // given, [1, 2, 3, 0, 1]):
            found.append(number)
    assert found == [6, 3, 2]
    assert list(in_order(abs, [-1, -2], parallel=False)) == [1, 2]
