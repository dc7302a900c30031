"""How the ranks of one training talk to each other.

Ranks are processes, numbered from 0, that train one network together: each knows all weights, and
each computes a part of every batch. They meet at the same points of their ways, in the same order.

Each point begins with `Exchange.meet`, to which every rank brings a short message. A rank that
fails brings its error instead of the message, so that all learn of it where they wait, and none
waits for ever. Arrays follow a meeting: between the two nothing can fail but the machine.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ParamSpec, TypeVar

from striate.common.arrays import Array, Floats
from striate.common.errors import StriateError
from striate.common.stop_signals import held
from striate.common.text import choices

P = ParamSpec("P")
T = TypeVar("T")

_GOES_ON, _FAILED = b"\0", b"\1"


class RankError(StriateError):
    """Other ranks have failed.

    Attributes:
        sentences: what they say, by their numbers.
    """

    def __init__(self, sentences: Mapping[int, str]) -> None:
        self.sentences = dict(sentences)
        by_sentence: dict[str, list[str]] = {}
        for rank, sentence in self.sentences.items():
            by_sentence.setdefault(sentence, []).append(str(rank))
        super().__init__(
            "; ".join(
                f"rank{'s' * (len(ranks) > 1)} {choices(ranks, 'and')}: {sentence}"
                for sentence, ranks in by_sentence.items()
            )
        )


class Exchange(ABC):
    """What moves bytes between ranks; all its methods are called by all of them, in one order.

    Attributes:
        rank: the number of this one.
        size: how many there are.
        is_leader: whether it is the first on its machine, which does there first what others then
            find done.
        neighbours: how many ranks there are on its machine, itself too.
        threads: how many threads are this rank's share of its machine's processors; None where it
            has all of them.
    """

    rank: int
    size: int
    is_leader: bool = True
    neighbours: int = 1
    threads: int | None = None
    _has_failed = False
    _is_moving = False

    @abstractmethod
    def allgather(self, message: bytes) -> list[bytes]:
        """The messages of all ranks, in their order; returns when all have brought theirs."""

    @abstractmethod
    def alltoallv(
        self, sent: Floats, sizes: Sequence[int], received: Floats, received_sizes: Sequence[int]
    ) -> None:
        """Send each rank its part of an array, and receive such parts.

        Args:
            sent: what the ranks get, in their order.
            sizes: how many numbers each gets.
            received: is filled with what they send, in their order.
            received_sizes: how many numbers each sends.
        """

    @abstractmethod
    def allgatherv(self, whole: Floats, sizes: Sequence[int]) -> None:
        """Fill an array of which each rank has its part in place.

        Args:
            whole: the parts of all ranks, in their order.
            sizes: how many numbers are in each.
        """

    @abstractmethod
    def broadcast(self, array: Array) -> None:
        """Fill an array, of the same size everywhere, with that of rank 0."""

    @abstractmethod
    def abort(self) -> None:
        """End all ranks at once: they cannot come together any more."""

    @property
    def is_alone(self) -> bool:
        """Whether there is nobody to talk to."""
        return self.size == 1

    @property
    def is_first(self) -> bool:
        """Whether it is the rank that writes files and tells how training goes."""
        return self.rank == 0

    def meet(self, message: bytes = b"") -> list[bytes]:
        """The messages that all ranks bring, in their order.

        Raises:
            RankError: some of them have failed.
        """
        return [message] if self.is_alone else self._together(_GOES_ON + message)

    def fail(self, error: BaseException) -> None:
        """Let the others know that this rank cannot go on; once, and not where they know."""
        if self.is_alone or self._has_failed:
            return
        if self._is_moving:
            self.abort()
        with suppress(RankError):
            self._together(_FAILED + _sentence(error).encode("utf-8", "replace"))

    def leaders_first(self, work: Callable[[], T]) -> T:
        """Do some work, first on one rank of each machine, then on the others."""
        if not self.is_leader:
            self.meet()
        done = work()
        if self.is_leader:
            self.meet()
        return done

    @contextmanager
    def moving(self) -> Iterator[None]:
        """A context in which arrays are moved, all of them or none."""
        self._is_moving = True
        yield
        self._is_moving = False  # not where something was raised: then nobody knows who has what

    @contextmanager
    def failing_together(self) -> Iterator[None]:
        """A context whose exceptions the other ranks get to know, at their next meeting."""
        try:
            yield
        except BaseException as error:
            self.fail(error)
            raise

    def _together(self, framed: bytes) -> list[bytes]:
        with held():  # who has come to a meeting stays until its end
            found = self.allgather(framed)
            failed = {
                rank: text[1:].decode("utf-8", "replace")
                for rank, text in enumerate(found)
                if text[:1] == _FAILED
            }
            self._has_failed = bool(failed)
        if failed:
            raise RankError(failed)
        return [text[1:] for text in found]


def fails_together(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function with a keyword argument `exchange`, an Exchange or None: what it raises
    on one rank, the others get to know.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        exchange = kwargs.get("exchange")
        if not isinstance(exchange, Exchange):
            return function(*args, **kwargs)
        with exchange.failing_together():
            return function(*args, **kwargs)

    return call


def _sentence(error: BaseException) -> str:
    """What the other ranks are told of an exception."""
    told: Any = str(error) or type(error).__name__
    return told if isinstance(error, StriateError | OSError) else f"{type(error).__name__}: {told}"
