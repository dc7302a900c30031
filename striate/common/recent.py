"""Things that cost time to make, kept while they are used again, within stated limits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

from striate.common.fork import renewed_lock

Thing = TypeVar("Thing")


class Recent(Generic[Thing]):
    """The things that were used last, by their keys.

    It may be read from several threads; what is made twice at once is kept once.

    Args:
        most: how many things are kept.
        most_bytes: how many bytes they may hold together; None for no limit. The one used last is
            kept whatever it holds.
        size: the bytes that a thing holds.
        dropped: called with each thing that is no longer kept.
    """

    def __init__(
        self,
        most: int,
        most_bytes: int | None = None,
        size: Callable[[Thing], int] = lambda _: 0,
        dropped: Callable[[Thing], object] = lambda _: None,
    ) -> None:
        self.most, self.most_bytes = most, most_bytes
        self._size, self._dropped = size, dropped
        self._things: OrderedDict[Hashable, Thing] = OrderedDict()
        self._bytes = 0
        self._lock = renewed_lock(self, "_lock")

    def __len__(self) -> int:
        return len(self._things)

    def get(self, key: Hashable) -> Thing | None:
        """Return what is kept under `key`, which now was used last; None if there is nothing."""
        thing = self._things.get(key)
        if thing is not None:
            with suppress(KeyError):  # another thread has dropped it meanwhile
                self._things.move_to_end(key)
        return thing

    def keep(self, key: Hashable, thing: Thing) -> Thing:
        """Keep a thing, and drop those used longest ago that exceed the limits.

        Returns:
            The thing.
        """
        gone = []
        with self._lock:
            before = self._things.pop(key, None)
            if before is not None:
                self._bytes -= self._size(before)
            self._things[key] = thing
            self._bytes += self._size(thing)
            while len(self._things) > 1 and self._is_full():
                _, old = self._things.popitem(last=False)
                self._bytes -= self._size(old)
                gone.append(old)
        for old in gone:
            self._dropped(old)
        return thing

    def values(self) -> list[Thing]:
        """Return all that is kept, what was used last at the end."""
        return list(self._things.values())

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            things, self._things, self._bytes = self.values(), OrderedDict(), 0
        for thing in things:
            self._dropped(thing)

    def _is_full(self) -> bool:
        too_large = self.most_bytes is not None and self._bytes > self.most_bytes
        return len(self._things) > self.most or too_large
