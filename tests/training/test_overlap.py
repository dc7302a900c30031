"""Gradients that are exchanged while the backward pass goes on: the same bits, in time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.common.digests import digest_of
from striate.engines import make_engine
from striate.layers import BatchNorm, Conv2D, Dense, Flatten, MaxPool2D, ReLU
from striate.nest.program import Program
from striate.network import Network
from striate.optim.losses import SoftmaxCrossEntropy
from striate.plan.group_program import GroupProgram
from striate.ranks import mpiexec
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange
from striate.training import gradient_parts, grouped_step
from striate.training.gradient_parts import GradientParts
from striate.training.overlap_trial import OverlapTrial
from tests.ranks.rank_threads import on_ranks
from tests.training import test_ranks as ranks


def network() -> Network:
    return Network(
        [
            Conv2D(6, 3, padding=1), BatchNorm(), ReLU(), Conv2D(64, 3, padding=1), BatchNorm(),
            ReLU(), MaxPool2D(2), Conv2D(64, 3, padding=1), BatchNorm(), ReLU(), Conv2D(64, 3),
            BatchNorm(), ReLU(), Flatten(), Dense(10),
        ],
        input_shape=(8, 8, 1),
        seed=4,
    )  # fmt: skip


def parts_of(made: Network, monkeypatch: pytest.MonkeyPatch, large: int) -> GradientParts:
    monkeypatch.setattr(gradient_parts, "_LARGE", large)
    return GradientParts(made, are_sent_early=True)


@pytest.mark.parametrize("large", [1, 200, 10**6])
def test_parts_are_all_of_it(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = network()
    parts = parts_of(made, monkeypatch, large)
    sizes = [slot.stop - slot.start for slot in made.slots]
    assert len(parts.early) == sum(size >= large for size in sizes)
    assert [part.start for part in parts.early] == sorted(p.start for p in parts.early)[::-1]
    random = np.random.default_rng(0)
    gradient, statistics = random.random(made.flat.size), random.random(made.state_flat.size)
    *whole, rest = parts.cut(gradient, parts.rest_of(gradient, statistics))
    assert sum(map(len, whole)) + len(rest) == gradient.size + statistics.size
    assert len(rest) == parts.rest
    if not parts.early:
        assert whole[0] is gradient and rest is statistics, "nothing is copied"
    copy = np.full_like(gradient, np.nan)
    for view, numbers in zip(parts.cut(copy, rest), whole, strict=False):
        view[...] = numbers
    np.testing.assert_array_equal(parts.put_rest(rest, copy), statistics)
    np.testing.assert_array_equal(copy, gradient)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("places", [range(2, 3), range(3, 8)])
def test_what_is_there_is_final(
    places: range, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the job begins that tells of a part, all sums of the part are what they are at the end;
    and that is so for large parts before the backward pass has come to the first layer.
    """
    made = network()
    parts = parts_of(made, monkeypatch, 200)
    data = ranks.IMAGES[:13], np.eye(10, dtype=np.float32)[ranks.LABELS[:13]]
    engine, plain = (
        make_engine(made, engine="llvm", batch_size=13, loss=SoftmaxCrossEntropy(), threads=threads)
        for _ in range(2)
    )
    keys, weights = np.arange(13, dtype=np.uint32), np.full(13, 1 / 13, np.float32)
    groups = [
        (np.roll(data[0], place, 0), np.roll(data[1], place, 0), weights, keys) for place in places
    ]
    expected = plain.step_groups(groups, places, are_all=False)
    seen: list[bool] = []

    def begun(sums: Any) -> None:
        seen.extend(sums.is_there(part) for part in range(len(parts.early)))
        seen.append(sums.has_ended())

    for _ in range(2):
        found = engine.step_groups(groups, places, are_all=False, parts=parts.early, begun=begun)
    assert expected is not None and found is not None
    assert not any(seen) and len(seen) == 2 * (1 + len(parts.early))
    for one, other in zip(found.sums, expected.sums, strict=True):
        np.testing.assert_array_equal(one, other)
    (program,) = engine._group_programs.values()
    assert isinstance(program, GroupProgram)
    assert program.has_ended() and all(map(program.is_there, range(len(parts.early))))
    jobs = program._program.jobs
    known = program._known
    assert sum(job is not None for job in known) == 2, "the filters of the two last convolutions"
    for part, job in zip(parts.early, known, strict=True):
        for total in program.sums:
            total.fill(np.nan)
        whole = Program(jobs[:job], threads, flushes=True)
        whole.prepare(1)
        whole.run(0)
        for total, wanted in zip(program.sums, expected.sums, strict=True):
            cut = slice(part.start, part.stop)
            np.testing.assert_array_equal(total[cut], wanted[cut])


@pytest.fixture
def overlapping(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """All steps but the first overlap where they can; which ones did."""
    monkeypatch.setattr(gradient_parts, "_LARGE", 50)
    monkeypatch.setattr(OverlapTrial, "is_next", lambda self, images: self.choice is not False)
    found: list[bool] = []
    took = OverlapTrial.took

    def counting(self: OverlapTrial, overlaps: bool, images: int, seconds: float) -> None:
        found.append(overlaps)
        took(self, overlaps, images, seconds)

    monkeypatch.setattr(OverlapTrial, "took", counting)
    return found


@pytest.mark.parametrize(
    "options",
    [{}, {"engine": "numpy", "epochs": 1}, {"groups": 1, "epochs": 2}, {"threads": 2, "groups": 8}],
)
def test_the_same_bits(options: dict[str, Any], overlapping: list[bool]) -> None:
    """Also where some ranks have no group of a batch, and where groups come one by one."""
    expected = ranks.trained(ALONE, **options)
    assert not any(overlapping)
    for size in (2, 3) if not options else (4,):
        overlapping.clear()
        found = on_ranks(size, lambda exchange: ranks.trained(exchange, **options))
        assert found == [expected] * size
        assert sum(overlapping) == len(overlapping) > size


def test_rounded_sums_and_ranks_that_cannot_do_it(overlapping: list[bool]) -> None:
    """One rank whose line is for one thread is enough, and all know."""

    def trained(exchange: Exchange) -> Any:
        exchange.allows_threads = exchange.rank != 1
        return ranks.trained(exchange, epochs=1)

    expected = ranks.trained(ALONE, epochs=1)
    assert on_ranks(3, trained) == [expected] * 3
    options: dict[str, Any] = {"epochs": 1, "reduce_dtype": "bfloat16"}
    expected = ranks.trained(ALONE, **options)
    assert on_ranks(2, lambda exchange: ranks.trained(exchange, **options)) == [expected] * 2
    assert overlapping and not any(overlapping)


def test_a_rank_that_fails_before_its_step_fails_all(
    overlapping: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are told where they would begin to send."""
    groups = grouped_step.GroupedStep._groups
    steps = iter(range(10))

    def failing(self: Any, *given: Any) -> Any:
        if self._exchange.rank == 1 and next(steps) == 2:
            raise MemoryError("no room for the groups")
        return groups(self, *given)

    monkeypatch.setattr(grouped_step.GroupedStep, "_groups", failing)
    first, second = ranks.with_ranks(2, lambda exchange: ranks.trained(exchange))
    assert isinstance(second, MemoryError)
    assert str(first) == "rank 1: MemoryError: no room for the groups"


@pytest.mark.parametrize(
    ("plain", "early", "choice"), [(0.5, 0.4, True), (0.5, 0.495, False), (0.5, 0.6, False)]
)
def test_the_faster_way_is_taken(plain: float, early: float, choice: bool) -> None:
    """By the sum of all ranks' times: of these ranks one would choose otherwise. Steps that are the
    first of their way, or of other sizes, do not count.
    """

    def chosen(exchange: Exchange) -> list[bool]:
        trial, ways = OverlapTrial(exchange, is_possible=True), list[bool]()
        of_plain = iter([100.0, plain - 0.3, plain + 0.3, plain])  # then the median is `plain`
        for step in range(12):
            images = 7 if step == 3 else 64
            ways.append(trial.is_next(images))
            if ways[-1]:
                seconds = early + (0.15, -0.15)[exchange.rank]
            else:
                seconds = 100.0 if images == 7 else next(of_plain, 0.0)
            trial.took(ways[-1], images, seconds)
        assert trial.choice is choice
        return ways

    first, second = on_ranks(2, chosen)
    tried = [False, True] * 4
    assert first == second == [*tried[:3], False, *tried[3:], *[choice] * 3]


def test_what_is_not_possible_is_not_tried() -> None:
    trial = OverlapTrial(ALONE, is_possible=False)
    for _ in range(20):
        assert not trial.is_next(64)
        trial.took(False, 64, 1.0)


def fitted(exchange: Exchange) -> str:
    """A digest of a network that was trained for 12 steps."""
    made = network()
    made.fit(
        ranks.IMAGES, ranks.LABELS, epochs=2, batch_size=64, groups=3, progress=False, threads=1,
        seed=9, exchange=exchange,
    )  # fmt: skip
    return digest_of(made.flat, made.state_flat)


_BY_MPI = """
from striate import ranks
from striate.training import gradient_parts
from striate.training.overlap_trial import OverlapTrial
from tests.training.test_overlap import fitted

gradient_parts._LARGE = 500
ways = []
OverlapTrial.is_next = lambda self, images: ways.append(self.choice is not False) or ways[-1]
digest = fitted(ranks.mpi())
print(f"{digest} {all(ways)} {len(ways)}\\n", end="", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="mpiexec of MPICH")
def test_by_mpi() -> None:
    """Messages come along while no thread waits for them, and those of all parts at once."""
    pytest.importorskip("mpi4py", reason="pip install 'striate[mpi]'")
    by_two = subprocess.run(
        [mpiexec.program("mpiexec", "this test"), "-n", "2", sys.executable, "-c", _BY_MPI],
        capture_output=True, text=True, timeout=120, check=True, cwd=Path(__file__).parents[2],
    ).stdout.splitlines()  # fmt: skip
    assert by_two == [f"{fitted(ALONE)} True 11"] * 2
