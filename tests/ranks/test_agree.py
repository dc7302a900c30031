"""Ranks that differ are named, on every rank, with what differs."""

from __future__ import annotations

from typing import Any

import pytest

from striate.ranks.agree import DisagreementError, agree, disagreements
from tests.ranks.rank_threads import on_ranks, with_ranks

A, B = "0123456789abcdef" * 2, "fedcba9876543210" * 2


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, 1, 2], "rank 2 has seed 2, the others 1"),
        (["2.4", "2.3", "2.4", "2.3", "2.4"], "ranks 1 and 3 have seed 2.3, the others 2.4"),
        ([1, 2], "rank 0 has seed 1, rank 1 has 2"),
        ([1, 2, 3, 1], "ranks 0 and 3 have seed 1, rank 1 has 2, rank 2 has 3"),
        ([A, B, A], "rank 1 has other seed than the others"),
        ([A, B], "rank 0 has other seed than rank 1"),
        ([A, A, B, B], "ranks 0 and 1 have other seed than ranks 2 and 3"),
        ([A, B, "0" * 32], "all ranks have different seed"),
        ([None, A, A], "rank 0 has other seed than the others"),
        ([True, 1, 1], "rank 0 has seed True, the others 1"),
        ([["a", "b"], ["a", "b"], ["a"]], "rank 2 has not the seed b, unlike the others"),
        ([["a"], ["a", "c"], ["a"]], "rank 1 has the seed c, unlike the others"),
        ([["a"], ["c"], ["a"]], "rank 1 has not the seed a and also the seed c, unlike the others"),
        (["x" * 90, "y" * 90, "x" * 90], "rank 1 has other seed than the others"),
    ],
)
def test_the_odd_one_is_named(values: list[Any], said: str) -> None:
    assert disagreements([{"same": 1, "seed": value} for value in values]) == [said]


def test_a_fact_that_one_lacks() -> None:
    assert disagreements([{"a": 1}, {}, {"a": 1}]) == ["rank 1 has a none, the others 1"]
    assert disagreements([{"a": [1, 2]}, {"a": (1, 2)}]) == []


def test_all_ranks_say_the_same() -> None:
    def work(exchange: Any) -> None:
        facts = {f"fact {place}": int(exchange.rank == 1) for place in range(5)}
        agree(exchange, facts, "the ranks cannot train together", "give all the same")

    errors = with_ranks(3, work)
    assert all(type(error) is DisagreementError for error in errors)
    assert {str(error) for error in errors} == {
        "the ranks cannot train together: rank 1 has fact 0 1, the others 0; rank 1 has fact 1 1, "
        "the others 0; rank 1 has fact 2 1, the others 0; and 2 more: give all the same"
    }
    on_ranks(3, lambda exchange: agree(exchange, {"seed": [1, {"a": 2.5}]}, "", ""))
