"""Rank 0 goes its way, and the others do with it what it asks for."""

from __future__ import annotations

from typing import Any

import numpy as np

from striate.common.errors import StriateValueError
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange, RankError
from striate.ranks.from_first import SharedFinding, said_by_first
from striate.ranks.led_work import LedWork
from tests.ranks.rank_threads import on_ranks, with_ranks


def test_all_do_what_the_first_asks_for() -> None:
    def course(exchange: Exchange) -> Any:
        done: list[Any] = []

        def work(order: SharedFinding) -> int:
            ranks = [int(one) for one in exchange.meet(str(exchange.rank).encode())]
            done.append((order.values, order.arrays["x"].sum(), ranks))
            return exchange.rank

        led = LedWork(exchange, work)
        if not exchange.is_first:
            return led.follow(), done
        for number in range(1, 4):
            order = SharedFinding({"number": number}, {"x": np.full(number, 0.5, np.float32)})
            assert led.ask(order) == 0
        led.end([7, None])
        return [7, None], done

    for size in (1, 3):
        expected = [({"number": n}, n / 2, list(range(size))) for n in (1, 2, 3)]
        found = on_ranks(size, course) if size > 1 else [course(ALONE)]
        assert found == [([7, None], expected)] * size


def test_a_first_one_that_fails_leaves_nobody_waiting() -> None:
    def course(exchange: Exchange) -> Any:
        led = LedWork(exchange, lambda order: None)
        with exchange.failing_together():
            if not exchange.is_first:
                return led.follow()
            led.ask(SharedFinding(1, {}))
            raise StriateValueError("photos: there are none")

    first, *others = with_ranks(3, course)
    assert type(first) is StriateValueError
    assert [str(error) for error in others] == ["rank 0: photos: there are none"] * 2


def test_the_first_one_answers_for_all() -> None:
    assert on_ranks(3, lambda exchange: said_by_first(exchange, exchange.rank == 0)) == [True] * 3
    assert on_ranks(3, lambda exchange: said_by_first(exchange, exchange.rank > 0)) == [False] * 3


def test_what_one_is_refused_nobody_gets_and_all_may_go_on() -> None:
    def course(exchange: Exchange) -> Any:
        def work() -> int:
            if exchange.rank == 1:
                raise StriateValueError("9 GiB are too much")
            return exchange.rank

        try:
            exchange.all_or_none(work)
        except StriateValueError as error:
            assert not isinstance(error, RankError)
            return str(error), exchange.all_or_none(lambda: exchange.rank)
        return None

    said = "9 GiB are too much"
    assert on_ranks(3, course) == [(f"rank 1: {said}", 0), (said, 1), (f"rank 1: {said}", 2)]
