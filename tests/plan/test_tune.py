"""Tuning: nothing but speed changes, only what wins is kept, and what is kept is used."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from striate.layers import BatchNorm, Conv2D, Dense, Flatten, MaxPool2D, ReLU
from striate.nest import tuned
from striate.nest.compiler import machine, tuned_key
from striate.nest.schedule import alternatives
from striate.nest.target import host
from striate.network import Network
from striate.plan.lowering.lanes import lanes_for
from striate.plan.measure import tune as tuning
from striate.plan.measure.profiling import seconds_of
from striate.plan.measure.trial import trial
from striate.plan.runner import Runner
from striate.plan.settings import Settings


def network() -> Network:
    return Network(
        [
            *(Conv2D(9, 3, padding="same", bias=False), BatchNorm(), ReLU(), MaxPool2D(2)),
            *(Conv2D(33, 3, padding="same"), ReLU(), Flatten(), Dense(10)),
        ],
        (12, 16, 3),
    )


BATCH = 32


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of one's own."""
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path))
    tuned.forget()
    yield tmp_path
    tuned.forget()


def bits(runner: Runner) -> str:
    """Of all results of a step or a batch."""
    seconds_of(runner)
    plan, settings = runner.plan, runner.settings
    found = [runner.batch.outputs]
    if settings.loss is not None:
        found += [plan.gradient, runner.batch.losses]
    arrays = [np.ascontiguousarray(array) for array in found]
    return hashlib.sha256(b"".join(map(bytes, arrays))).hexdigest()


@pytest.mark.parametrize(("lanes", "training"), [(1, True), (host().lanes(4), True), (1, False)])
def test_other_schedules_compute_the_same_bits(lanes: int, training: bool) -> None:
    def made() -> Runner:
        return trial(network(), BATCH, training=training, threads=2, lanes=lanes)

    plain = made()
    nests = {call.kernel.nest for job in plan_jobs(plain) for call in job}
    others = {}
    for number, nest in enumerate(sorted(nests, key=repr)):
        ranked = alternatives(nest, host())
        if len(ranked) > 1:
            others[tuned_key(nest, "f32")] = ranked[1 + number % min(len(ranked) - 1, 6)]
    assert len(others) > 5
    with tuned.instead(others, machine(host())):
        changed = made()
    used = [call.kernel.schedule for job in plan_jobs(changed) for call in job]
    assert sum(schedule is not None for schedule in used) >= len(others)
    assert bits(changed) == bits(plain)


def plan_jobs(runner: Runner) -> list[list[object]]:
    return [[*job.starts, *job.calls, *job.ends] for job in runner.plan.program.jobs]


@pytest.mark.parametrize("training", [True, False])
def test_a_short_tuning(training: bool, fresh: Path) -> None:
    net = network()
    flat, state = net.flat.copy(), net.state_flat.copy()
    said: list[str] = []
    before = bits(trial(net, BATCH, training=training, threads=2, lanes=1))
    told = net.tune(
        batch_size=BATCH, training=training, threads=2, seconds=0.3, progress=said.append
    )
    assert said[0] == "the network as it is"
    assert said[-1] == "the whole, before and after"
    np.testing.assert_array_equal(net.flat, flat)
    np.testing.assert_array_equal(net.state_flat, state)
    assert told.layouts is not None
    assert set(told.layouts.seconds) == {1, host().lanes(4)}
    assert json.loads(json.dumps(told.to_dict())) == told.to_dict()
    assert max(map(len, str(told).splitlines())) < 110 + len(str(fresh))
    assert Path(told.path).is_file() and fresh in Path(told.path).parents
    for tried in told.kernels:
        assert tried.gain >= 1
        assert (tried.gain > 1.03) == (tried.after != tried.before)
    assert bits(trial(net, BATCH, training=training, threads=2, lanes=1)) == before


def made_for(training: bool = True, exact: bool = False) -> Settings:
    """What a plan for a batch is made for, when lanes have not been chosen yet."""
    loss = "softmax_cross_entropy" if training else None
    return Settings(BATCH, 1, "f32", host(), training, loss, exact=exact)


class Faked:
    """Timings of which the last candidate is the best, as far as `gain` says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kernels: float, whole: float) -> None:
        def compare(_: object, groups: list[tuning._SameNest], __: float) -> list[list[float]]:
            return [[1.0] * (len(g.kernels) - 1) + [1 / kernels] for g in groups]

        def in_turn(runners: tuple[Runner, ...], _: float) -> list[list[float]]:
            return [[1.0] * 5, [1 / whole] * 5][: len(runners)]

        monkeypatch.setattr(tuning._Kernels, "_compare", compare)
        monkeypatch.setattr(tuning, "_in_turn", in_turn)
        monkeypatch.setattr(tuning, "_CANDIDATES", 2)
        monkeypatch.setattr(tuning, "_LEAST_SHARE", 0.0)


def test_the_winners_are_kept_and_found_by_another_process(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, vector = network(), host().lanes(4)
    usual = lanes_for(net, made_for())
    other = vector if usual == 1 else 1
    expected = bits(trial(net, BATCH, training=True, threads=1, lanes=other))
    Faked(monkeypatch, kernels=1.1, whole=1.2)
    told = net.tune(batch_size=BATCH, threads=2, seconds=1.0)
    assert told.kept and told.faster
    assert "same to the last bit" in str(told)
    assert "differ from those of before by rounding" in str(told)
    assert told.layouts is not None and told.layouts.after == other
    assert lanes_for(net, made_for()) == other
    # For another batch size, pass or kind of sum nothing was measured.
    assert lanes_for(net, made_for(exact=True)) in (1, vector)
    for settings in (made_for(training=False), made_for(exact=True)):
        free = lanes_for(net, settings)
        tuned.forget()
        assert lanes_for(net, settings) == free
    now = net.explain(batch_size=BATCH)
    assert now.lanes.chosen_by == "striate tune"
    assert "as measured by striate tune" in str(now)
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]\n"
        "import test_tune as t\n"
        "told = t.network().explain(batch_size=t.BATCH)\n"
        "print(told.lanes.images_of_a_block, sum(kernel.tuned for kernel in told.kernels))\n"
        "print(t.bits(t.trial(t.network(), t.BATCH, training=True, threads=2)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "STRIATE_CACHE": str(fresh)},
    )
    first, second = done.stdout.splitlines()
    assert first == f"{other} {sum(kernel.tuned for kernel in now.kernels)}"
    assert int(first.split()[1]) >= len(told.faster)
    assert second == expected


@pytest.mark.parametrize(("kernels", "whole"), [(1.02, 1.5), (1.5, 0.9), (1.5, 1.0)])
def test_what_does_not_win_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, kernels: float, whole: float
) -> None:
    net = network()
    before = lanes_for(net, made_for())
    Faked(monkeypatch, kernels, whole)
    told = net.tune(batch_size=BATCH, threads=2, seconds=1.0)
    assert not told.kept
    assert bool(told.faster) == (kernels > 1.03)
    if told.faster:
        assert "Not kept" in str(told)
    else:
        assert "nothing to gain" in str(told)
    assert not any(kernel.tuned for kernel in net.explain(batch_size=BATCH).kernels)
    changed = lanes_for(net, made_for()) != before
    assert changed == (whole > 1.03)


def test_tuning_again_can_take_back(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network()
    with monkeypatch.context() as patch:
        Faked(patch, kernels=1.5, whole=1.02)
        assert net.tune(batch_size=BATCH, threads=1, seconds=60.0).kept
    assert any(kernel.tuned for kernel in net.explain(batch_size=BATCH).kernels)

    def usual_wins(_: object, groups: list[tuning._SameNest], __: float) -> list[list[float]]:
        return [
            [1.0 if s == alternatives(g.nest, host())[0] else 2.0 for s in g.schedules]
            for g in groups
        ]

    Faked(monkeypatch, kernels=1.5, whole=1.02)
    monkeypatch.setattr(tuning._Kernels, "_compare", usual_wins)
    assert net.tune(batch_size=BATCH, threads=1, seconds=60.0).kept
    assert not any(kernel.tuned for kernel in net.explain(batch_size=BATCH).kernels)


def test_one_image_has_no_choice_of_lanes() -> None:
    told = network().tune(batch_size=1, training=False, threads=1, seconds=0.05)
    assert told.layouts is None
    assert "In the lanes" not in str(told)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"seconds": 0.0}, "Network.tune: seconds must be more than 0, got 0"),
        ({"seconds": float("nan")}, "Network.tune: seconds must be more than 0, got nan"),
        ({"batch_size": 0}, "Network.tune: batch_size"),
        ({"threads": -1}, "Network.tune: threads"),
    ],
)
def test_errors(options: dict[str, float], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        network().tune(**options)


def test_a_cache_that_cannot_be_written(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = fresh / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("STRIATE_CACHE", str(blocked))
    with pytest.raises(OSError, match=r"cannot be written .*set STRIATE_CACHE to a folder"):
        network().tune(seconds=1.0)


def test_comparing_ends_when_the_time_is_over() -> None:
    kernels = tuning._Kernels(trial(network(), 4, training=False, threads=1))
    runs: list[int] = []

    def run(instead: dict[int, object]) -> list[float]:
        runs.append(len(instead))
        return [1.0] * len(kernels.walk.calls)

    kernels.walk.run = run  # type: ignore[assignment, method-assign]
    some = kernels.groups[:2]
    for group in some:
        group.kernels *= 2
    assert kernels._compare(some, 0.0) == [[float(len(group.calls))] * 2 for group in some]
    assert len(runs) == 2 * tuning._FEW
    assert kernels._compare([], 10.0) == []


def wide() -> Network:
    """Enough work in one image to be shared among threads."""
    layers = [Conv2D(16, 3, padding=1), ReLU(), Conv2D(48, 3, padding=1), ReLU(), Conv2D(8, 1)]
    return Network(layers, (96, 96, 3))


def test_one_image_on_two_threads_uses_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    net = wide()
    for threads in (1, 2):
        told = net.explain(batch_size=1, training=False, threads=threads, exact=True)
        assert not any(kernel.tuned for kernel in told.kernels), "nothing has been measured"
    before = bits(trial(net, 1, training=False, threads=2, exact=True))
    Faked(monkeypatch, kernels=1.5, whole=1.02)
    told = net.tune(batch_size=1, training=False, threads=2, exact=True, seconds=60.0)
    assert told.threads == 2 and told.kept and told.faster
    now = net.explain(batch_size=1, training=False, threads=2, exact=True)
    assert sum(kernel.tuned for kernel in now.kernels) >= len(told.faster)
    runner = trial(net, 1, training=False, threads=2, exact=True)
    used = {call.kernel.nest: call.kernel.schedule for jobs in plan_jobs(runner) for call in jobs}
    for tried in told.faster:
        assert used[tried.nest] == tried.after
    assert bits(runner) == before
    assert bits(trial(net, 1, training=False, threads=1, exact=True)) == before


def test_parts_of_a_nest_use_what_was_measured_for_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = wide()
    before = bits(trial(net, 1, training=False, threads=2, exact=True))
    Faked(monkeypatch, kernels=1.5, whole=1.02)
    assert net.tune(batch_size=1, training=False, threads=1, exact=True, seconds=60.0).kept
    assert any(
        k.tuned for k in net.explain(batch_size=1, training=False, threads=2, exact=True).kernels
    )
    assert bits(trial(net, 1, training=False, threads=2, exact=True)) == before
