"""How ranks meet, and how one that fails ends all."""

from __future__ import annotations

import signal
import sys

import pytest

from striate.common.errors import StriateValueError
from striate.common.stop_signals import InterruptHandler, Stopped, stopping_at_once
from striate.ranks.alone import ALONE, Alone
from striate.ranks.exchange import Exchange, RankError
from tests.ranks.rank_threads import on_ranks, with_ranks


def test_messages_of_any_length_in_order() -> None:
    for length in (0, 1, 300, 5000):
        found = on_ranks(3, lambda exchange, n=length: exchange.meet(bytes([exchange.rank]) * n))
        assert found == [[bytes([rank]) * length for rank in range(3)]] * 3
    assert ALONE.meet(b"me") == [b"me"]


def test_one_that_fails_ends_all_with_its_sentence() -> None:
    def work(exchange: Exchange) -> None:
        with exchange.failing_together():
            exchange.meet()
            if exchange.rank == 1:
                raise StriateValueError("cat.png: is no image")
            exchange.meet()

    one, two, three = with_ranks(3, work)
    assert type(two) is StriateValueError
    for error in (one, three):
        assert isinstance(error, RankError)
        assert str(error) == "rank 1: cat.png: is no image"
        assert error.sentences == {1: "cat.png: is no image"}


def test_all_that_fail_know_it() -> None:
    """Each keeps its own error, and none waits for the others a second time."""

    def work(exchange: Exchange) -> None:
        with exchange.failing_together(), exchange.failing_together():
            raise ValueError(f"number {exchange.rank}")

    assert [str(error) for error in with_ranks(3, work)] == ["number 0", "number 1", "number 2"]


def test_one_whose_program_ends_ends_those_that_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def work(exchange: Exchange) -> None:
        exchange.meet()
        if exchange.rank != 1:
            exchange.meet(b"a step")
        exchange.leave()
        exchange.leave()

    one, two, three = with_ranks(3, work)
    assert two is None
    for error in (one, three):
        assert isinstance(error, RankError)
        assert str(error) == "rank 1: has ended, without the others"
    # Python keeps what has ended a program.
    monkeypatch.setattr(sys, "last_value", KeyError("x"), raising=False)
    assert str(with_ranks(2, work)[0]) == "rank 1: KeyError: 'x'"


def test_all_that_end_wait_for_each_other_once() -> None:
    def work(exchange: Exchange) -> str:
        exchange.meet()
        exchange.leave()
        return "good"

    assert on_ranks(3, work) == ["good"] * 3
    ALONE.leave()


def test_the_same_sentence_is_said_once() -> None:
    error = RankError({0: "no space", 2: "no space", 3: "KeyError: 'x'"})
    assert str(error) == "ranks 0 and 2: no space; rank 3: KeyError: 'x'"


def test_what_fails_amid_arrays_ends_all_at_once() -> None:
    ended = []

    def work(exchange: Exchange) -> None:
        def abort() -> None:
            ended.append(exchange.rank)

        exchange.abort = abort  # type: ignore[method-assign]
        with exchange.failing_together():
            exchange.meet()
            with exchange.moving():
                raise KeyboardInterrupt

    with_ranks(2, work)
    assert sorted(ended) == [0, 1]


def test_a_signal_waits_for_the_end_of_a_meeting() -> None:
    """Who has come to a meeting cannot leave it, or the others would wait for ever."""
    met = []

    class Interrupted(Alone):
        size = 2

        def allgather(self, message: bytes) -> list[bytes]:
            signal.raise_signal(signal.SIGTERM)
            met.append(message)
            return [message] * 2

    exchange = Interrupted()
    with pytest.raises(Stopped), stopping_at_once():
        exchange.meet()
    assert len(met) == 1
    # Where a signal only asks to stop after the step, it goes on asking that.
    with InterruptHandler() as handler:
        assert exchange.meet(b"me") == [b"me"] * 2
    assert handler.number == signal.SIGTERM
