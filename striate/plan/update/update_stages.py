"""The stages of an optimiser's step over all parameters, which lie in cache lines.

An optimiser with trust ratios measures two norms of each tensor first.  Every task leaves the sums
of squares of its lines, lane by lane, and these are added when all are done: in an order that is
that of the tensor's size alone, for any number of threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from striate.nest.algebra import Accumulator, Nest, Store, Tensor, strides_of
from striate.optim.optimizers import Optimizer
from striate.plan.layout import Buffer, Location
from striate.plan.lowering.recorder import Recorder
from striate.plan.stage import in_tasks
from striate.plan.update.update_rules import LINE_OF, NUMBERS, TrustRatio, ratio, rule_of

_CHUNK = 512  # lines of a task
_HALVES = (0, LINE_OF)  # where the sums of a task begin, of the squares of one vector and another
_SUMS = 2 * LINE_OF
_OF_LINE = {**dict.fromkeys(("weights", "gradient", "first", "second"), LINE_OF), "decay": 1}

Part = tuple[int, int, float]
"""Weights from one number to another, in whole lines, and the factor of their learning rate."""


def factors_of(parts: Sequence[Part]) -> list[float]:
    """What the learning rate is multiplied by somewhere: the table has a row for each."""
    return list(dict.fromkeys(factor for _, _, factor in parts))


def recorded(
    optimizer: Optimizer,
    buffers: Mapping[str, Buffer],
    parts: Sequence[Part],
    adapted: Sequence[bool] = (),
) -> Recorder:
    """The stages of a step.

    Args:
        optimizer: one that is known to `striate.plan.update.update_rules`.
        buffers: "weights", "gradient", "first" and "second", of the same size; "decay", with a
            number for each line of them; "table", with a row for each of `factors_of`; with trust
            ratios "ratio", with a number for each part.
        parts: of the weights, those that learn; with trust ratios each of them is a tensor.
        adapted: for each part whether its trust ratio is found; that of the others stays.
    """
    rule, recorder = rule_of(optimizer), Recorder(1, 1)
    recorder.label = f"{optimizer.kind} step"
    lines = _ParameterLines(recorder, buffers, parts)
    if rule.trust is not None:
        if rule.trust.before:
            lines.store(rule.trust.before)
        lines.find_ratios(rule.trust, adapted)
    lines.store(rule.stores)
    return recorder


@dataclass(frozen=True)
class _LineTasks:
    """Tasks over the lines of a part: `count` of them, each of `lines`, from line `start` on."""

    part: int
    start: int
    count: int
    lines: int


class _ParameterLines:
    """Records nests over all parts: their axis l runs over lines, e over the numbers of one."""

    def __init__(
        self, recorder: Recorder, buffers: Mapping[str, Buffer], parts: Sequence[Part]
    ) -> None:
        self._recorder, self._buffers = recorder, buffers
        factors = factors_of(parts)
        self._rows = [factors.index(factor) for _, _, factor in parts]
        self._tasks = [
            _LineTasks(part, first // LINE_OF + start, count, lines)
            for part, (first, stop, _) in enumerate(parts)
            for start, count, lines in in_tasks((stop - first) // LINE_OF, _CHUNK)
        ]
        self._first_lines = [first // LINE_OF for first, _, _ in parts]

    def store(self, stores: tuple[Store, ...]) -> None:
        """Store something for each parameter."""
        for tasks in self._tasks:
            self._record(Nest((("l", tasks.lines), ("e", LINE_OF)), stores), tasks)
        self._wait()

    def find_ratios(self, trust: TrustRatio, adapted: Sequence[bool]) -> None:
        """Find the trust ratios of the parts that have one."""
        chosen = [tasks for tasks in self._tasks if adapted[tasks.part]]
        if not chosen:
            return
        sums = Buffer("sums", _SUMS * sum(tasks.count for tasks in chosen), "real", "global")
        filled: dict[int, range] = {}  # by whose tasks, for each part
        end = 0
        for tasks in chosen:
            begin, end = end, end + tasks.count
            filled[tasks.part] = range(filled.get(tasks.part, range(begin, end)).start, end)
            nest = Nest(
                (("l", tasks.lines), ("e", LINE_OF)),
                stores=tuple(
                    Store(Tensor("sums", strides_of({"e": 1}), half), Accumulator(number))
                    for number, half in enumerate(_HALVES)
                ),
                terms=tuple(value * value for value in trust.of),
                reduce=("l",),
                reduction="sum",
            )
            self._record(nest, tasks, Location(sums, _SUMS * begin))
        self._wait()
        for part, places in filled.items():
            self._add(trust, part, len(places), Location(sums, _SUMS * places.start))
        self._wait()

    def _wait(self) -> None:
        """Let what follows begin when all before is done; if nothing learns there is nothing."""
        if self._recorder.stages:
            self._recorder.stages[-1].barrier = True

    def _add(self, trust: TrustRatio, part: int, tasks: int, sums: Location) -> None:
        """Add the sums of the tasks of a part, and find its trust ratio by them."""
        nest = Nest(
            (("t", tasks), ("e", LINE_OF)),
            stores=(Store(ratio, trust.value),),
            terms=tuple(Tensor("sums", strides_of({"t": _SUMS, "e": 1}), h) for h in _HALVES),
            reduce=("t", "e"),
            reduction="sum",
        )
        places = {**self._places(part, self._first_lines[part]), "sums": sums}
        used = {role: places[role] for role in nest.buffers}
        self._recorder.once(nest, used, barrier=False)

    def _record(self, nest: Nest, tasks: _LineTasks, sums: Location | None = None) -> None:
        """Record a nest over some lines of a part; each task has its own `sums`."""
        places = self._places(tasks.part, tasks.start)
        advance = {role: numbers * tasks.lines for role, numbers in _OF_LINE.items()}
        if sums is not None:
            places, advance = {**places, "sums": sums}, {**advance, "sums": _SUMS}
        self._recorder.tasks(
            nest,
            tasks.count,
            {role: advance[role] for role in nest.buffers if role in advance},
            {role: places[role] for role in nest.buffers},
            barrier=False,
        )

    def _places(self, part: int, line: int) -> dict[str, Location]:
        """Where a nest over the lines of a part from this one on finds what it needs."""
        starts = {role: numbers * line for role, numbers in _OF_LINE.items()}
        starts |= {"table": NUMBERS * self._rows[part], "ratio": part}
        return {role: Location(buffer, starts[role]) for role, buffer in self._buffers.items()}
