"""Work shared among threads whose results come in the order of what they are made of."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from striate.common.threads import default_threads

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(
    work: Callable[[Given], Made],
    given: Sequence[Given],
    *,
    parallel: bool = True,
    threads: int | None = None,
) -> Iterator[Made]:
    """Yield what `work` makes of each of `given`, in this order.

    Args:
        work: called in several threads at once, if `parallel`.
        given: what it is called with.
        parallel: whether to use threads; where the system refuses them, or there is one processor,
            everything is done in this one.
        threads: how many at most; None for as many as there are processors.
    """
    threads = min(threads or default_threads(), len(given)) if parallel else 1
    if threads < 2:
        yield from map(work, given)
        return
    # A little ahead only: what is made and not yet taken costs memory.
    executor = ThreadPoolExecutor(threads, "striate-work")
    try:
        waiting: deque[Future[Made]] = deque()
        for one in given:
            waiting.append(executor.submit(work, one))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
