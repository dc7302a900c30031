"""How a process was started, and where its neighbours are."""

from __future__ import annotations

from typing import Any

import pytest

from striate.common.errors import StriateValueError
from striate.ranks import rank_places
from striate.ranks.alone import ALONE
from striate.ranks.from_first import SharedFinding, from_first
from striate.ranks.launched import Launch, check_world, launched
from striate.ranks.rank_places import RankPlace, neighbours, sharers
from tests.ranks.rank_threads import ThreadExchange, on_ranks


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"PMI_SIZE": "4", "PMI_RANK": "3"}, Launch(4, 3, "mpiexec")),
        ({"PMI_SIZE": "1", "PMI_RANK": "0"}, Launch(1, 0, "mpiexec")),
        (
            {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1", "SLURM_NTASKS": "2"},
            Launch(2, 1, "mpiexec of Open MPI"),
        ),
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "7"}, Launch(8, 7, "Slurm")),
        ({"SLURM_NTASKS": "8"}, Launch(8, 0, "Slurm")),
        ({"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, None),
        ({"PMI_SIZE": "many"}, None),
    ],
)
def test_who_has_started_it(environment: dict[str, str], expected: Launch | None) -> None:
    assert launched(environment) == expected


def test_ranks_that_are_alone_are_told_why() -> None:
    check_world(4, "MPICH", Launch(4, 1, "mpiexec"))
    check_world(1, "MPICH", None)
    check_world(1, "MPICH", Launch(1, 0, "mpiexec"))
    with pytest.raises(StriateValueError, match=r"^Slurm has 4 tasks .*srun --mpi=pmi2"):
        check_world(1, "MPICH", Launch(4, 1, "Slurm"))
    with pytest.raises(StriateValueError, match=r"has started 2 ranks, but .* \(Open MPI v5\)"):
        check_world(1, "Open MPI v5", Launch(2, 1, "mpiexec"))


def test_neighbours_and_those_that_share_processors() -> None:
    places = [
        RankPlace("a", [0, 1, 2, 3]),
        RankPlace("b", [0, 1]),
        RankPlace("a", [0, 1, 2, 3]),
        RankPlace("b", [2, 3]),
        RankPlace("c", []),
        RankPlace("c", []),
    ]
    assert [neighbours(places, rank) for rank in (0, 1, 5)] == [[0, 2], [1, 3], [4, 5]]
    assert [sharers(places, rank) for rank in (2, 1, 3, 4)] == [[0, 2], [1], [3], [4, 5]]


def test_threads_are_a_share_of_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for module in (rank_places, rank_places.default_threads.__globals__):
        name = "available_processors"
        if isinstance(module, dict):
            monkeypatch.setitem(module, name, lambda: 7)
        else:
            monkeypatch.setattr(module, name, lambda: 7)

    def settled(exchange: Any) -> tuple[bool, int | None]:
        rank_places.settle(exchange)
        return exchange.is_leader, exchange.threads

    assert on_ranks(3, settled) == [(True, 2), (False, 2), (False, 2)]
    assert on_ranks(9, settled) == [(True, 1), *[(False, 1)] * 8]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert on_ranks(2, settled) == [(True, 1), (False, 1)]


def test_what_the_first_finds_all_know() -> None:
    import numpy as np

    values = [0.1, None, "x" * 500]
    made = {"a": np.arange(6.0).reshape(2, 3), "b": np.empty(0)}

    def find(exchange: Any) -> SharedFinding:
        def look() -> SharedFinding:
            assert exchange.is_first
            return SharedFinding(values, made)

        return from_first(exchange, look)

    for told, arrays in [*on_ranks(3, find), find(ALONE)]:
        assert told == values
        np.testing.assert_array_equal(arrays["a"], [[0, 1, 2], [3, 4, 5]])
        assert arrays["b"].shape == (0,)


def test_leaders_go_first() -> None:
    order: list[int] = []

    def work(exchange: ThreadExchange) -> None:
        exchange.is_leader = exchange.rank in (1, 2)
        exchange.leaders_first(lambda: order.append(exchange.rank))

    on_ranks(4, work)  # type: ignore[arg-type]
    assert sorted(order[:2]) == [1, 2] and sorted(order[2:]) == [0, 3]
