"""The signals that ask to stop: Ctrl-C (SIGINT), SIGTERM, and SIGHUP of a closed terminal.

Signals reach the main thread only, so elsewhere nothing is done here. Nor is it for a signal that
is ignored, as Ctrl-C is in background processes and SIGHUP under nohup, or for SIGTERM and SIGHUP
where the program has handlers of its own. All handlers are given back.

SIGTERM and SIGHUP that come again at once are one request: what sends them to a process often does
so to its group as well (`timeout`), or to what has started it and hands them on (`mpiexec`).
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

NAMES = tuple(name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_ONE_REQUEST = 1.0
"""Seconds within which a signal that comes again is no second request; but Ctrl-C always is one."""


class Stopped(KeyboardInterrupt):
    """A signal asks to stop; `number` is which one."""

    def __init__(self, number: int) -> None:
        super().__init__(name_of_signal(number))
        self.number = number


def name_of_signal(number: int) -> str:
    """Such as "SIGTERM"; of Ctrl-C what people call it."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


class _Handler:
    """A handler of ours, which another one of ours may replace for a time."""

    def __init__(self, call: Callable[[int], None], owner: Any = None) -> None:
        self._call, self.owner = call, owner

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self._call(number)


class InterruptHandler:
    """A context in which the first signal only sets `requested`; a second request does as usual.

    Within another one of its kind, it knows what that one was asked for before.

    Attributes:
        before: the handlers that it stands in for, by the number of their signals.
    """

    def __init__(self) -> None:
        self.before: dict[int, Any] = {}
        self._number: int | None = None
        self._since = 0.0
        self._outer: InterruptHandler | None = None

    @property
    def number(self) -> int | None:
        """The signal that came first; None if none did."""
        if self._number is None and self._outer is not None:
            return self._outer.number
        return self._number

    @property
    def requested(self) -> bool:
        """Whether to stop."""
        return self._number is not None or (self._outer is not None and self._outer.requested)

    @property
    def _asked_at(self) -> float:
        """When the signal came that came first."""
        if self._number is None and self._outer is not None:
            return self._outer._asked_at
        return self._since

    def __enter__(self) -> InterruptHandler:
        handler = _Handler(self._handle, self)
        self.before = _install(handler)
        outer = [getattr(before, "owner", None) for before in self.before.values()]
        self._outer = next((o for o in outer if isinstance(o, InterruptHandler)), None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, before in self.before.items():
            signal.signal(number, before)
        self.before = {}
        if self._outer is not None and self._outer._number is None:
            self._outer._number, self._outer._since = self._number, self._since

    def _handle(self, number: int) -> None:
        if not self.requested:
            self._number, self._since = number, time.monotonic()
            return
        if number == self.number and _is_same_request(number, self._asked_at):
            return
        # Whoever asks twice does not want to wait: not for an outer one of this kind either.
        before = self.before[number]
        while isinstance(before, _Handler) and isinstance(before.owner, InterruptHandler):
            before = before.owner.before[number]
        signal.signal(number, before)
        signal.raise_signal(number)


@contextmanager
def held() -> Iterator[None]:
    """A context that is not broken off: the first signal waits for its end, the second one does as
    usual.
    """
    present = [getattr(signal.getsignal(getattr(signal, name)), "owner", None) for name in NAMES]
    if any(isinstance(owner, InterruptHandler) for owner in present):
        yield  # nothing that comes breaks it off
        return
    handler = InterruptHandler()
    try:
        with handler:
            yield
    finally:
        if handler.number is not None:
            signal.raise_signal(handler.number)


@contextmanager
def stopping_at_once() -> Iterator[None]:
    """A context in which a signal raises `Stopped`, so that what is open is closed first."""
    asked: dict[int, float] = {}

    def stop(number: int) -> None:
        if number in asked and _is_same_request(number, asked[number]):
            return
        asked[number] = time.monotonic()
        raise Stopped(number)

    before = _install(_Handler(stop))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_same_request(number: int, since: float) -> bool:
    """Whether a signal is but the same request as one that came before, at a time."""
    return number != signal.SIGINT and time.monotonic() - since < _ONE_REQUEST


def _install(handler: _Handler) -> dict[int, Any]:
    """Set a handler for the signals that may be handled; those it replaces, by number."""
    before: dict[int, Any] = {}
    if threading.current_thread() is not threading.main_thread():
        return before
    for number in (getattr(signal, name) for name in NAMES):
        present = signal.getsignal(number)
        if number == signal.SIGINT:
            free = present not in (signal.SIG_IGN, None)
        else:
            free = present == signal.SIG_DFL or isinstance(present, _Handler)
        if free:
            before[number] = present
            signal.signal(number, handler)
    return before
