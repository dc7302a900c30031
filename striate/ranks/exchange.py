"""How the ranks of one training talk to each other.

Ranks are processes, numbered from 0, that train one network together: each knows all weights, and
each computes a part of every batch. They meet at the same points of their ways, in the same order.

Each point begins with `Exchange.meet`, to which every rank brings a short message. A rank that
fails brings its error instead of the message, and so does one whose program ends: all learn of it
where they wait, and none waits for ever. Arrays follow a meeting: between the two nothing can fail
but the machine.
"""

from __future__ import annotations

import functools
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ParamSpec, TypeAlias, TypeVar

from striate.common.arrays import Array
from striate.common.errors import StriateError, StriateValueError
from striate.common.stop_signals import held
from striate.common.text import choices

P = ParamSpec("P")
T = TypeVar("T")
Transfer: TypeAlias = Any
"""What an Exchange knows an array by that is under way."""

_GOES_ON, _FAILED, _ENDED = b"\0", b"\1", b"\2"


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
        allows_threads: whether it may be called by any thread, one at a time.
    """

    rank: int
    size: int
    is_leader: bool = True
    neighbours: int = 1
    threads: int | None = None
    allows_threads: bool = True
    _has_failed = _has_left = False
    _is_moving = False

    @abstractmethod
    def allgather(self, message: bytes) -> list[bytes]:
        """The messages of all ranks, in their order; returns when all have brought theirs."""

    @abstractmethod
    def send(self, array: Array, rank: int, line: int = 0) -> Transfer:
        """Begin to send an array to another rank, where it comes after those of before.

        Args:
            array: contiguous; it must stay as it is until the transfer is done.
            rank: that of the receiver.
            line: of several between two ranks; each has an order of its own.
        """

    @abstractmethod
    def receive(self, array: Array, rank: int, line: int = 0) -> Transfer:
        """Begin to fill an array with the next one, of its size, that another rank sends.

        Args:
            array: contiguous; it must be left alone until the transfer is done.
            rank: that of the sender.
            line: as for `send`.
        """

    @abstractmethod
    def are_done(self, transfers: Sequence[Transfer]) -> bool:
        """Whether all of these transfers are done; lets all that are under way go on."""

    @abstractmethod
    def wait(self, transfers: Sequence[Transfer]) -> None:
        """Return when all of these transfers are done; others go on meanwhile."""

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

    def leave(self) -> None:
        """End this rank's part in it, as its program ends; others that still wait for it fail."""
        if self.is_alone or self._has_failed or self._has_left:
            return
        self._has_left = True
        if self._is_moving:
            self.abort()
        # What Python has told of before it came to its end.
        error = getattr(sys, "last_value", None)
        said = "has ended, without the others" if error is None else _sentence(error)
        with suppress(RankError):
            self._together(_ENDED + said.encode("utf-8", "replace"))

    def leaders_first(self, work: Callable[[], T]) -> T:
        """Do some work, first on one rank of each machine, then on the others."""
        if not self.is_leader:
            self.meet()
        done = work()
        if self.is_leader:
            self.meet()
        return done

    def all_or_none(self, work: Callable[[], T]) -> T:
        """Do some work that a rank may be refused, such as to take memory: then it is to all.

        Raises:
            StriateValueError: `work` raises it, here or elsewhere.
        """
        try:
            done = work()
        except StriateValueError as error:
            self.meet(_sentence(error).encode("utf-8", "replace"))
            raise
        for rank, sentence in enumerate(self.meet()):
            if sentence:
                raise StriateValueError(f"rank {rank}: {sentence.decode('utf-8', 'replace')}")
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
            all_end = all(text[:1] == _ENDED for text in found)
            failed = {
                rank: text[1:].decode("utf-8", "replace")
                for rank, text in enumerate(found)
                if text[:1] != _GOES_ON and not all_end
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
