"""Profiling: seconds of each kernel of a program, where it is in a run, and the machine's peak."""

from __future__ import annotations

import ctypes
import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from striate.nest.algebra import Accumulator, Constant, Nest, Store, Tensor, strides_of
from striate.nest.compiler import CompiledNest, compile_nest
from striate.nest.ir import BYTES, Number
from striate.nest.program import Argument, KernelCall, Program
from striate.nest.target import Target
from striate.nest.thread_pool import thread_pool
from striate.nest.worker import run_of_tasks
from striate.plan.runner import Runner

_DTYPES = {"f32": np.float32, "f64": np.float64}


def seconds_of(runner: Runner) -> float:
    """Seconds of one run on all threads of the plan, without the batch's way in and out."""
    program = runner.plan.program
    begin = time.perf_counter()
    thread_pool().run(program)
    return time.perf_counter() - begin


class CallProfiler:
    """The calls of a program one by one on one thread, each timed where it is: among the others,
    with in the caches what they leave there.

    Attributes:
        calls: all of them, job by job: those at the start of a shard, those of its tasks, those at
            its end.
        turns: how often each is made in one run.
    """

    def __init__(self, program: Program) -> None:
        self.calls: list[KernelCall] = []
        self.turns: list[int] = []
        self._sequence: list[tuple[int, int]] = []
        self._tables: list[npt.NDArray[np.int64]] = []
        for job in program.jobs:
            numbers = []
            for calls in (job.starts, job.calls, job.ends):
                numbers.append(range(len(self.calls), len(self.calls) + len(calls)))
                self.calls += calls
            for shard in range(job.shards):
                run = run_of_tasks(job.tasks, job.shards, shard)
                for some, tasks in zip(numbers, ((0,), run, (0,)), strict=True):
                    self._sequence += self._turns(some, tasks, shard)
        self.turns = [0] * len(self.calls)
        for number, _ in self._sequence:
            self.turns[number] += 1
        self._overhead = _overhead()

    def _turns(
        self, numbers: Sequence[int], tasks: Sequence[int], shard: int
    ) -> Iterator[tuple[int, int]]:
        """(call, address of its table of pointers), task by task."""
        tables = [
            np.array([_pointers(self.calls[i].arguments, task, shard) for task in tasks], np.int64)
            for i in numbers
        ]
        self._tables += tables
        for row in range(len(tasks)):
            for number, table in zip(numbers, tables, strict=True):
                yield number, table.ctypes.data + row * table.strides[0]

    def run(self, instead: Mapping[int, CompiledNest] | None = None) -> list[float]:
        """Seconds of each call, all its turns; `instead` are other kernels for some calls.

        It computes what a run of the program does, if those kernels do.
        """
        other = instead or {}
        functions = [
            _function(other.get(number, call.kernel)) for number, call in enumerate(self.calls)
        ]
        seconds, clock = [0.0] * len(functions), time.perf_counter
        for number, table in self._sequence:
            begin = clock()
            functions[number](table)
            seconds[number] += clock() - begin
        empty = self._overhead
        return [max(s - n * empty, 0.0) for s, n in zip(seconds, self.turns, strict=True)]


def _pointers(arguments: Sequence[Argument], task: int, shard: int) -> list[int]:
    return [a.base + task * a.task + shard * a.shard for a in arguments]


def _function(kernel: CompiledNest) -> Callable[[int], None]:
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(kernel.address)


@functools.cache
def _overhead() -> float:
    """Seconds from one look at the clock to the next, with a call in between that does nothing."""
    kernel = compile_nest(Nest((("e", 1),), (Store(Tensor("out", ()), Constant(0.0)),)))
    memory = np.zeros(16, np.float32)
    table = np.array([memory.ctypes.data], np.int64)
    return _fastest(_function(kernel), table.ctypes.data, 1000)


def peak(element: Number, target: Target) -> float:
    """FLOP/s of one thread when nothing but multiply-adds limits it.

    A product of small matrices in the first-level cache, summed in registers.
    """
    lanes, rows, columns, depth = target.lanes(BYTES[element]), 6, 4, 2048
    out = Tensor("out", strides_of({"k": columns * lanes, "x": lanes, "v": 1}))
    left = Tensor("a", strides_of({"x": lanes, "v": 1}))
    nest = Nest(
        (("k", rows), ("x", columns), ("v", lanes), ("c", depth)),
        (Store(out, Accumulator()),),
        (left * Tensor("b", strides_of({"k": 1})),),
        ("c",),
        "sum",
    )
    kernel = compile_nest(nest, element=element, target=target)
    sizes = {"a": columns * lanes, "b": rows, "out": rows * columns * lanes}
    memory = [np.ones(sizes[role], _DTYPES[element]) for role in nest.buffers]
    table = np.array([array.ctypes.data for array in memory], np.int64)
    return 2 * nest.multiply_adds / _fastest(_function(kernel), table.ctypes.data, 1000)


def _fastest(function: Callable[[int], None], table: int, times: int) -> float:
    found, clock = [], time.perf_counter
    for _ in range(times):
        begin = clock()
        function(table)
        found.append(clock() - begin)
    return min(found)
