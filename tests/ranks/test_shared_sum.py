"""Sums over ranks: the bits of the tree, and no more traffic than its formula says."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from striate.ranks import shared_sum
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange
from striate.ranks.shared_sum import Readiness, SharedSum, own_share
from striate.ranks.sum_tree import Block, VectorPart, largest_blocks, textbook_sum
from tests.ranks.rank_threads import ThreadExchange, on_ranks
from tests.ranks.test_sum_tree import rounded, rounded_sum, vectors


def summed(
    exchange: Exchange, batches: list[list[np.ndarray]], *, exact: int = 2, rounds: bool = False
) -> list[np.ndarray]:
    """The sums of vectors of two parts: `exact` numbers, and those that may be rounded."""
    length = len(batches[0][0])
    exact = min(exact, length)
    parts = [VectorPart(exact), VectorPart(length - exact, rounds)]
    total, found = SharedSum(exchange, parts), []
    for given in batches:
        for place in own_share(len(given), exchange.rank, exchange.size):
            vector = given[place].copy()
            total.add(place, vector[:exact], vector[exact:])
            vector.fill(np.nan)  # it was copied
        one = np.empty(length, np.float32)
        total.total(len(given), [one[:exact], one[exact:]])
        found.append(one)
    return found


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_sum, "_TOGETHER", 5)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(
    ranks=st.integers(1, 6),
    counts=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    length=st.integers(1, 40),
    seed=st.integers(0, 1000),
    rounds=st.booleans(),
)
def test_the_bits_of_the_definition(
    ranks: int, counts: list[int], length: int, seed: int, rounds: bool
) -> None:
    """More ranks than places or numbers, too; buffers are used again for other counts."""
    batches = [vectors(count, length, seed) for count in counts]
    for found in on_ranks(ranks, lambda exchange: summed(exchange, batches, rounds=rounds)):
        for total, given in zip(found, batches, strict=True):
            np.testing.assert_array_equal(total[:2], textbook_sum([one[:2] for one in given]))
            rest = [one[2:] for one in given]
            expected = rounded_sum(rest) if rounds else textbook_sum(rest)
            np.testing.assert_array_equal(total[2:], expected)


class Computing(Readiness):
    """Computes the parts of some vectors, one whenever it was asked so often, in their order or
    not.
    """

    def __init__(self, given: list[np.ndarray], cuts: np.ndarray, random: np.random.Generator):
        self._given, self._cuts = given, cuts
        self.vectors = [np.full_like(vector, np.nan) for vector in given]
        self._left = list(range(len(cuts) - 1))
        random.shuffle(self._left)
        self._asked, self._after = 0, int(random.integers(1, 4))

    def parts(self, vector: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(np.split(vector, self._cuts[1:-1]))

    def is_there(self, part: int) -> bool:
        self._asked += 1
        if self._left and self._asked % self._after == 0:
            one = self._left.pop()
            for own, whole in zip(self.vectors, self._given, strict=True):
                self.parts(own)[one][...] = self.parts(whole)[one]
        return part not in self._left

    def has_ended(self) -> bool:
        return not self._left


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(
    ranks=st.integers(2, 5),
    count=st.integers(1, 9),
    lengths=st.lists(st.integers(0, 20), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
)
def test_parts_that_are_there_one_after_the_other(
    ranks: int, count: int, lengths: list[int], seed: int
) -> None:
    """Nothing leaves a rank before it is there; each comes to its parts at times of its own."""
    cuts = np.cumsum([0, *lengths])
    given = vectors(count, int(cuts[-1]), seed)

    def added(exchange: Exchange) -> np.ndarray:
        own = own_share(count, exchange.rank, exchange.size)
        places = largest_blocks(own)
        sums = [textbook_sum(given[one.start : one.stop]) for one in places]
        random = np.random.default_rng([seed, exchange.rank])
        computing = Computing([total.copy() for total in sums], cuts, random)
        shared = SharedSum(exchange, [VectorPart(length) for length in lengths])
        out = np.empty(int(cuts[-1]), np.float32)
        shared.total(count, computing.parts(out), [
            Block(one.start, len(one), computing.parts(vector))
            for one, vector in zip(places, computing.vectors, strict=True)
        ], computing)  # fmt: skip
        return out

    for found in on_ranks(ranks, added):
        np.testing.assert_array_equal(found, textbook_sum(given))


def test_alone_is_the_same() -> None:
    given = vectors(7, 5)
    (total,) = summed(ALONE, [given])
    np.testing.assert_array_equal(total, textbook_sum(given))
    (total,) = summed(ALONE, [given[:1]], exact=0, rounds=True)
    np.testing.assert_array_equal(total, rounded(given[0]))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 16, 33])
def test_everything_is_someones(count: int, size: int) -> None:
    shares = [own_share(count, rank, size) for rank in range(size)]
    assert [place for share in shares for place in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    for share in shares:
        sizes = [len(block) for block in largest_blocks(share)]
        assert sum(sizes) == len(share)
        place = share.start
        for block in sizes:
            assert block & (block - 1) == 0 and place % block == 0
            place += block
        # No two neighbours are halves of one block.
        starts = np.cumsum([share.start, *sizes])
        for start, one, other in zip(starts, sizes, sizes[1:], strict=False):
            assert one != other or start % (2 * one)


@pytest.mark.parametrize(("size", "share"), [(2, 1.0), (4, 1.5), (8, 1.75), (16, 1.875)])
@pytest.mark.parametrize("rounds", [False, True])
def test_traffic_is_that_of_the_formula(size: int, share: float, rounds: bool) -> None:
    """2 (N - 1) / N of a vector leaves each rank, which is what a ring's sum sends; half of that
    if it is rounded.
    """
    length = 16 * size
    given = vectors(16, length)

    def sent(exchange: Exchange) -> int:
        assert isinstance(exchange, ThreadExchange)
        summed(exchange, [given], exact=0, rounds=rounds)
        return exchange.moved

    assert on_ranks(size, sent) == [share * length * (2 if rounds else 4)] * size
