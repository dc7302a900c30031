"""The prefetch thread: order, exceptions, and a clean end in every case."""

import itertools
import threading
import time

import pytest

from striate.training.prefetch import Prefetch


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "striate-prefetch"]


def test_items_come_in_order_from_one_other_thread():
    names = set()

    def source():
        for index in range(50):
            names.add(threading.current_thread().name)
            yield index

    with Prefetch(source()) as items:
        assert list(items) == list(range(50))
    assert names == {"striate-prefetch"}
    assert not threads()


def test_it_works_ahead_but_not_without_bound():
    made = []

    def source():
        for index in itertools.count():
            made.append(index)
            yield index

    with Prefetch(source(), depth=2) as items:
        assert next(items) == 0
        deadline = time.monotonic() + 5
        while len(made) < 4 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.02)
        assert len(made) == 4  # one is used, two wait, one waits for room
    assert not threads()


@pytest.mark.parametrize("after", [0, 1, 5])
def test_an_exception_arrives_where_the_items_are_used(after):
    def source():
        yield from range(after)
        raise LookupError("no such image")

    seen = []
    with pytest.raises(LookupError, match="no such image"), Prefetch(source()) as items:
        seen.extend(items)
    assert not threads()


@pytest.mark.parametrize("used", [0, 1, 3])
def test_leaving_early_ends_the_thread(used):
    with Prefetch(itertools.count()) as items:
        assert list(itertools.islice(items, used)) == list(range(used))
    assert not threads()


def test_an_error_in_the_block_ends_the_thread():
    with pytest.raises(RuntimeError, match="mine"), Prefetch(itertools.count()) as items:
        next(items)
        raise RuntimeError("mine")
    assert not threads()
