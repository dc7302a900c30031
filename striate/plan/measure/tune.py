"""Measure what the cost models only estimate, and keep what is faster.

Two choices are measured: whether images or channels fill the lanes, and the tile and the unrolled
axes of each kernel.  Candidates take turns, so that a noisy machine hits all of them, and medians
are compared.  A kernel is timed where it is in a run, among the others.  What looks faster is timed
again beside the old one, since of many noisy candidates one always looks faster.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from striate.common.errors import StriateValueError
from striate.nest import tuned
from striate.nest.algebra import Nest
from striate.nest.compiler import CompiledNest, compile_nest, machine, tuned_key
from striate.nest.schedule import Schedule, alternatives, choose
from striate.nest.target import host
from striate.plan.lowering.lanes import layout_key
from striate.plan.measure.explain import products
from striate.plan.measure.profiling import CallProfiler, seconds_of
from striate.plan.measure.trial import trial
from striate.plan.measure.tuning import Layouts, Tried, Tuning, Whole

if TYPE_CHECKING:
    from striate.model.model import Model
    from striate.plan.runner import Runner

# A candidate must be so many times as fast.
_WINS = 1.03
# Candidates of a kernel besides the one in use, and the part of a run below which none is tried.
_CANDIDATES, _LEAST_SHARE = 5, 0.005
# Parts of the time: for the lanes, to compile candidates, to compare them, to compare the best
# again, and for the whole.
_LAYOUTS, _COMPILING, _COMPARING, _AGAIN, _WHOLE = 0.15, 0.35, 0.25, 0.15, 0.1
# Rounds at least, however long they take, and at most.
_FEW, _MANY = 3, 200

Say = Callable[[str], None]


def tune(
    network: Model,
    *,
    batch_size: int = 64,
    training: bool = True,
    threads: int | None = None,
    exact: bool = False,
    bfloat16: bool = False,
    seconds: float = 60.0,
    progress: Say | None = None,
) -> Tuning:
    """Measure candidates for a network's plan on this machine, and keep the best in the cache.

    From then on networks that need the same kernels are faster, in this process and in others that
    start later; what they compute stays the same to the last bit.  Only if images in the lanes turn
    out faster than channels, or the other way round, this network's results for this batch size
    change by rounding.

    Args:
        network: it is not changed.
        batch_size: the one that will be used: other sizes have other kernels.
        training: a training step, or else what `Network.compile` makes.
        threads: None for all processors.
        exact: without Winograd's algorithm.
        bfloat16: with products in bfloat16 where these are faster.
        seconds: about how long; a large network needs some time anyway.
        progress: told, in a few words, what is done next.

    Raises:
        ValueError: an argument is out of its range.
        OSError: the cache cannot be written.
    """
    if not seconds > 0:
        raise StriateValueError(f"Network.tune: seconds must be more than 0, got {seconds}")
    say: Say = progress or (lambda _: None)

    def made(lanes: int | None = None) -> Runner:
        return trial(
            network,
            batch_size,
            training=training,
            threads=threads,
            exact=exact,
            bfloat16=bfloat16,
            lanes=lanes,
            who="Network.tune",
        )

    compiler = machine(host())
    _keep({}, {}, compiler)  # a cache that cannot be written is better known now than in the end
    say("the network as it is")
    runner = made()
    layouts = _layouts(runner, made, seconds, say)
    if layouts is not None and layouts.after != layouts.before:
        runner = made(layouts.after)
    found = _Kernels(runner).tune(seconds, say)
    better = {tried.nest: tried.after for tried in found if tried.after != tried.before}
    whole = _whole(runner, better, made, seconds, say)
    if not whole.gains:
        better = {}
    settings = runner.settings
    element = settings.element
    # Parts of a nest that threads share have by default the schedule of the whole nest.
    parts = settings.frozen and settings.blocks == 1 < runner.threads
    schedules = {
        tuned_key(nest, element): None
        if not parts and schedule == choose(nest, settings.target, element)
        else schedule
        for nest, schedule in better.items()
    }
    chosen = {}
    if layouts is not None:
        chosen[layout_key(runner.network, settings)] = layouts.after
    path = _keep(schedules, chosen, compiler)
    return Tuning(
        batch_size=batch_size,
        training=training,
        threads=runner.threads,
        layouts=layouts,
        kernels=tuple(found),
        kept=bool(better),
        whole=whole,
        path=str(path),
    )


def _keep(schedules: dict[str, Schedule | None], layouts: dict[str, int], compiler: str) -> Path:
    try:
        return tuned.keep(schedules, layouts, compiler)
    except OSError as error:
        raise OSError(
            f"Network.tune: the cache, which keeps what was measured, cannot be written ({error}); "
            "set STRIATE_CACHE to a folder that can be"
        ) from error


# --- images or channels in the lanes -------------------------------------------------------------


def _layouts(
    runner: Runner, made: Callable[[int], Runner], seconds: float, say: Say
) -> Layouts | None:
    """Which of the two is faster; None where too few images could fill the lanes."""
    settings = runner.settings
    if 2 * settings.batch_size < settings.vector:
        return None
    say("images or channels in the lanes")
    other = made(1 if settings.lanes > 1 else settings.vector)
    times = _in_turn((runner, other), seconds * _LAYOUTS)
    mine, others = map(statistics.median, times)
    before, beside = settings.lanes, other.settings.lanes
    after = beside if mine > _WINS * others else before
    return Layouts(before, after, {before: mine, beside: others})


def _in_turn(runners: Iterable[Runner], seconds: float) -> list[list[float]]:
    """Seconds of whole runs that take turns."""
    some = tuple(runners)
    times: list[list[float]] = [[] for _ in some]
    for _ in _rounds(seconds):
        for mine, runner in zip(times, some, strict=True):
            mine.append(seconds_of(runner))
    return times


def _rounds(seconds: float) -> Iterator[int]:
    """Numbers of rounds, until the time is over."""
    end = time.perf_counter() + seconds
    for number in range(_MANY):
        if number >= _FEW and time.perf_counter() > end:
            return
        yield number


# --- kernels -------------------------------------------------------------------------------------


@dataclass
class _SameNest:
    """The calls of a run that have the same nest."""

    nest: Nest
    calls: list[int]
    kernels: list[CompiledNest]
    schedules: list[Schedule]
    seconds: float = 0.0

    def medians(self, times: list[list[list[float]]]) -> list[float]:
        """Seconds of all its calls, for each candidate, from (candidate, round, call)."""
        return [
            statistics.median(sum(run[call] for call in self.calls) for run in rounds)
            for rounds in times
        ]


class _Kernels:
    """The distinct kernels of a plan, and candidates for each."""

    def __init__(self, runner: Runner) -> None:
        self.element, self.target = runner.settings.element, runner.settings.target
        self.walk = CallProfiler(runner.plan.program)
        groups: dict[Nest, _SameNest] = {}
        names: dict[int, Nest] = {}
        for number, call in enumerate(self.walk.calls):
            # The same code is the same nest; to compare nests themselves takes longer.
            nest = names.setdefault(call.kernel.address, call.kernel.nest)
            if nest not in groups:
                schedule = call.kernel.schedule or choose(nest, self.target, self.element)
                groups[nest] = _SameNest(nest, [], [call.kernel], [schedule])
            groups[nest].calls.append(number)
        self.groups = list(groups.values())
        self.labels = [step.label for stage in runner.plan.stages for step in stage.all_steps]

    def tune(self, seconds: float, say: Say) -> list[Tried]:
        """What was tried for each kernel that takes a noticeable part of a run."""
        say("kernels as they are")
        self.walk.run()
        runs = [self.walk.run() for _ in range(3)]
        for group in self.groups:
            (group.seconds,) = group.medians([runs])
        total = sum(group.seconds for group in self.groups)
        worth = sorted(self.groups, key=lambda group: -group.seconds)
        worth = [group for group in worth if group.seconds >= _LEAST_SHARE * total]
        self._compile(worth, seconds * _COMPILING, say)
        tried = [group for group in worth if len(group.kernels) > 1]
        say(f"{sum(len(group.kernels) for group in tried)} candidates for {len(tried)} kernels")
        medians = self._compare(tried, seconds * _COMPARING)
        again = []
        for group, found in zip(tried, medians, strict=True):
            best = min(range(len(found)), key=found.__getitem__)
            if best and found[0] > _WINS * found[best]:
                again.append(
                    _SameNest(
                        group.nest,
                        group.calls,
                        [group.kernels[0], group.kernels[best]],
                        [group.schedules[0], group.schedules[best]],
                    )
                )
        say(f"{len(again)} kernels that look faster, once more")
        sure = dict(
            zip((g.nest for g in again), self._compare(again, seconds * _AGAIN), strict=True)
        )
        second = {group.nest: group.schedules[-1] for group in again}
        return [
            self._tried(group, second.get(group.nest), sure.get(group.nest, [group.seconds] * 2))
            for group in tried
        ]

    def _tried(self, group: _SameNest, best: Schedule | None, found: list[float]) -> Tried:
        before, after = found
        wins = best is not None and before > _WINS * after
        return Tried(
            nest=group.nest,
            labels=tuple(dict.fromkeys(self.labels[call] for call in group.calls)),
            candidates=len(group.kernels) - 1,
            multiply_adds=products(group.nest) * sum(self.walk.turns[c] for c in group.calls),
            before=group.schedules[0],
            after=best if wins and best is not None else group.schedules[0],
            seconds_before=before,
            seconds_after=after if wins else before,
        )

    def _compile(self, groups: list[_SameNest], seconds: float, say: Say) -> None:
        """Candidates for the kernels that take longest, until the time is over."""
        end = time.perf_counter() + seconds
        for number, group in enumerate(groups):
            if time.perf_counter() > end:
                return
            say(f"compiling candidates, {number + 1} of {len(groups)} kernels")
            ranked = alternatives(group.nest, self.target, self.element)
            others = [schedule for schedule in ranked if schedule != group.schedules[0]]
            for schedule in others[:_CANDIDATES]:
                group.schedules.append(schedule)
                group.kernels.append(
                    compile_nest(group.nest, schedule, element=self.element, target=self.target)
                )

    def _compare(self, groups: list[_SameNest], seconds: float) -> list[list[float]]:
        """Seconds of each candidate of each group: in every run of a round each kernel is another
        of its candidates, and neighbours are not always the same.
        """
        most = max((len(group.kernels) for group in groups), default=0)
        times: list[list[list[list[float]]]] = [[[] for _ in g.kernels] for g in groups]
        if not groups:
            return []
        for number, turn in ((n, turn) for n in _rounds(seconds) for turn in range(most)):
            instead, used = {}, []
            for place, group in enumerate(groups):
                candidate = (turn + (number + 1) * place) % len(group.kernels)
                used.append(candidate)
                instead.update(dict.fromkeys(group.calls, group.kernels[candidate]))
            run = self.walk.run(instead)
            for mine, candidate in zip(times, used, strict=True):
                mine[candidate].append(run)
        return [g.medians(mine) for g, mine in zip(groups, times, strict=True)]


# --- the whole -----------------------------------------------------------------------------------


def _whole(
    runner: Runner,
    better: dict[Nest, Schedule],
    made: Callable[[int], Runner],
    seconds: float,
    say: Say,
) -> Whole:
    """Seconds of a run on all threads, with the kernels as they were and with the better ones."""
    say("the whole, before and after")
    lanes, element = runner.settings.lanes, runner.settings.element
    if not better:
        (times,) = _in_turn((runner,), seconds * _WHOLE)
        return Whole(statistics.median(times), statistics.median(times), 0, len(times))
    with tuned.instead(
        {tuned_key(nest, element): schedule for nest, schedule in better.items()},
        machine(runner.settings.target),
    ):
        new = made(lanes)
    before, after = _in_turn((runner, new), seconds * _WHOLE)
    wins = sum(new < old for old, new in zip(before, after, strict=True))
    return Whole(statistics.median(before), statistics.median(after), wins, len(before))
