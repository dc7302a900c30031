"""A sum over ranks, by a thread of its own, while this rank still computes what it adds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

from striate.ranks.shared_sum import Readiness


class SumBeside(Readiness):
    """Begins at once.

    Args:
        computed: how far the first parts of the summands are.
        parts: how many these are; the others are there at the `end`.
        add_up: adds up, as far as it is told that summands are there.
    """

    def __init__(
        self, computed: Readiness, parts: int, add_up: Callable[[Readiness], object]
    ) -> None:
        self._computed, self._parts, self._add_up = computed, parts, add_up
        self._all = threading.Event()
        self._added: Future[None] = Future()
        # Where this rank is to end meanwhile, nobody waits for the sum.
        threading.Thread(target=self._work, name="striate-exchange", daemon=True).start()

    def is_there(self, part: int) -> bool:
        if part < self._parts:
            return self._computed.is_there(part)
        return self._all.is_set()

    def has_ended(self) -> bool:
        return self._all.is_set()

    def end(self) -> None:
        """All summands are there: wait for the sum."""
        self._all.set()
        self._added.result()

    def _work(self) -> None:
        try:
            # A sum that is not finite is told by whoever uses it.
            with np.errstate(over="ignore", invalid="ignore"):
                self._add_up(self)
        except BaseException as error:
            self._added.set_exception(error)
        else:
            self._added.set_result(None)
