"""Work that rank 0 asks all ranks to do together: when, of what and how often, it alone knows.

That is for whatever depends on a clock, on measurements or on what LAPACK has computed: rank 0 goes
its way and asks, the others follow it until it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from striate.ranks.exchange import Exchange
from striate.ranks.from_first import SharedFinding, from_first

T = TypeVar("T")

_ORDER, _END = "order", "end"
_NOTHING = SharedFinding(None, {})


class LedWork(Generic[T]):
    """One kind of work, or several of which the order says which.

    Args:
        exchange: connects the ranks.
        work: called with each order on all ranks; it may meet.
    """

    def __init__(self, exchange: Exchange, work: Callable[[SharedFinding], T]) -> None:
        self._exchange, self._work = exchange, work

    def ask(self, order: SharedFinding) -> T:
        """On rank 0: let all do the work, and return what it returns here."""
        self._tell(_ORDER, order)
        return self._work(order)

    def end(self, values: Any = None) -> None:
        """On rank 0: let the others go their own way again, with JSON-able values."""
        self._tell(_END, SharedFinding(values, {}))

    def follow(self) -> Any:
        """On the others: do what rank 0 asks for until it ends, and return its values.

        Raises:
            RankError: it has failed.
        """
        while True:
            (kind, values), arrays = from_first(self._exchange, lambda: _NOTHING)
            if kind == _END:
                return values
            self._work(SharedFinding(values, arrays))

    def _tell(self, kind: str, told: SharedFinding) -> None:
        from_first(self._exchange, lambda: SharedFinding([kind, told.values], told.arrays))
