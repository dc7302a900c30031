"""Memory that buffers share: never two that hold something at the same time.

`Machine` runs a plan's program without computing anything: for every call, task, thread and shard
it works out which numbers in memory are read and which are written, from the nests and the
addresses that the native code would be given.  It knows whose every number is, so it notices

- a number that one buffer has written and another one overwritten when the first is read again,
- numbers read from memory that shares that nobody has written,
- two threads at the same memory, one of them writing, with no barrier between,
- arguments of one call that overlap, though the code was made in the belief that they do not.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.layers import (
    Add,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    GroupedDense,
    LocallyConnected2D,
    MaxPool2D,
    ReLU,
    Sigmoid,
    Tanh,
)
from striate.nest.algebra import Nest, tensors_in
from striate.nest.program import KernelCall, Program
from striate.nest.target import host
from striate.nest.worker import run_of_tasks
from striate.network import Input, Network, Node
from striate.plan.build import assembly
from striate.plan.layout import Buffer
from striate.plan.lowering import recomputation, shard_gradients, weight_panels
from striate.plan.memory import allocation, halo, non_temporal, placement
from striate.plan.memory.allocation import Use, allot
from striate.plan.runner import Runner
from striate.plan.stage import BoundNest, Stage

LANES = [1, host().lanes(4)]
# Scopes of buffers that may share memory.
PASSING = ("auto", "partial", "thread", "temporary")


class Overlap(Exception):
    """Two buffers, or two threads, at the same memory at the same time."""


def offsets(nest: Nest, role: str, written: bool) -> np.ndarray:
    """The elements of a role that a nest reads or writes, each once."""
    if written:
        tensors = [store.target for store in nest.stores]
    else:
        values = (*nest.terms, *nest.initial, *(store.value for store in nest.stores))
        tensors = [t for value in values for t in tensors_in(value)]
    extents = dict(nest.axes + nest.grid)
    found = []
    for tensor in dict.fromkeys(t for t in tensors if t.buffer == role):
        places = np.array([tensor.offset])
        for axis, stride in tensor.strides:
            places = (places[:, None] + stride * np.arange(extents[axis])).ravel()
        found.append(places)
    return np.unique(np.concatenate(found)) if found else np.array([], np.int64)


class Machine:
    """The memory of a plan, number by number of 4 bytes, and what happened to it."""

    def __init__(self, runner: Runner) -> None:
        self.threads, self.recorder = runner.threads, runner.plan.recording
        self.memory = runner.plan.memory
        plan = runner.plan
        self.first: list[tuple[Any, Stage]] = []
        if runner.settings.frozen:  # done once, when the plan is made
            jobs = plan._preparation._jobs
            self.first = list(zip(jobs, self.recorder.preparation, strict=True))
        self.jobs = list(zip(plan.program._jobs, plan._stages, strict=True))
        self.starts, self.ends = self._blocks()
        sizes = [end - start for start, end in zip(self.starts, self.ends, strict=True)]
        self.before = [0, *itertools.accumulate(sizes)]
        words = self.before[-1] // 4
        self.numbers: dict[Buffer, int] = {}
        self.owner = np.zeros(words, np.int32)  # 0: as memory was made
        self.instance = np.zeros(words, np.int64)
        # When a number was last read and written, and by which thread; several are -1.
        self.read, self.reader = np.zeros(words, np.int32), np.zeros(words, np.int8)
        self.wrote, self.writer = np.zeros(words, np.int32), np.zeros(words, np.int8)
        self.era = 1
        self._known: dict[tuple[int, str, bool], np.ndarray] = {}

    def _blocks(self) -> tuple[list[int], list[int]]:
        """Where the memory that was asked for begins and ends."""
        whole = {}
        for array in self.memory.arrays.values():
            while isinstance(array.base, np.ndarray):
                array = array.base
            whole[array.ctypes.data] = array.ctypes.data + array.nbytes
        starts = sorted(whole)
        return starts, [whole[start] for start in starts]

    def words(self, addresses: np.ndarray) -> np.ndarray:
        """Sorted addresses as places in one row of numbers."""
        if not len(addresses):
            return addresses
        block = bisect.bisect_right(self.starts, addresses[0]) - 1
        first, last = self.starts[block], self.ends[block]
        assert first <= addresses[0] <= addresses[-1] < last, "outside of the memory"
        return (addresses - first + self.before[block]) // 4

    def run(self, deal: Callable[[int], int]) -> None:
        """The whole program once; `deal` says which thread takes the shard of some number."""
        first, self.first = self.first, []
        number = 0
        for job, stage in (*first, *self.jobs):
            for shard in range(job.shards):
                thread, number = deal(number) % self.threads, number + 1
                for steps, calls, tasks in (
                    (stage.starts, job.starts, range(1)),
                    (stage.steps, job.calls, run_of_tasks(job.tasks, job.shards, shard)),
                    (stage.ends, job.ends, range(1)),
                ):
                    for task in tasks:
                        for step, call in zip(steps, calls, strict=True):
                            self._call(step, call, task, thread, shard, number)
            if job.barrier:
                self.era += 1
        self.era += 1

    def _call(
        self, step: BoundNest, call: KernelCall, task: int, thread: int, shard: int, number: int
    ) -> None:
        nest = call.kernel.nest
        touched: list[tuple[Buffer, np.ndarray, np.ndarray]] = []
        for role, at in zip(nest.buffers, call.arguments, strict=True):
            base = at.base + at.task * task + at.thread * thread + at.shard * shard
            reads, writes = (
                self.words(base + 4 * self._offsets(nest, role, written))
                for written in (False, True)
            )
            touched.append((step.places[role].buffer, reads, writes))
        for (one, *mine), (other, *others) in itertools.combinations(touched, 2):
            # What is written by one of them: mine with theirs, but not what both only read.
            for some, more in ((mine[1], others[0]), (mine[1], others[1]), (mine[0], others[1])):
                if common(some, more):
                    raise Overlap(f"{one.name!r} and {other.name!r} in one call")
        for buffer, reads, _ in touched:
            self._read(buffer, reads, thread, self._instance(buffer, task, number))
        for buffer, _, writes in touched:
            self._write(buffer, writes, thread, self._instance(buffer, task, number))

    def _offsets(self, nest: Nest, role: str, written: bool) -> np.ndarray:
        key = (id(nest), role, written)
        if key not in self._known:
            self._known[key] = offsets(nest, role, written)
        return self._known[key]

    def _instance(self, buffer: Buffer, task: int, number: int) -> int:
        """What must not be taken for another: of a thread's own memory, the task or the shard."""
        if buffer not in self.memory.private:
            return 0
        return 1_000_000 * number + (task if buffer.scope == "auto" else 0)

    def _read(self, buffer: Buffer, places: np.ndarray, thread: int, instance: int) -> None:
        mine = self.numbers.setdefault(buffer, len(self.numbers) + 1)
        owners = self.owner[places]
        lost = (owners != mine) & (owners != 0)
        if lost.any():
            names = {number: b.name for b, number in self.numbers.items()}
            raise Overlap(f"{buffer.name!r} is read where {names[owners[lost][0]]!r} has written")
        fresh = buffer.scope in PASSING and buffer.form is None
        if fresh and (owners == 0).any():
            raise Overlap(f"{buffer.name!r} is read before it is written")
        if (self.instance[places][owners == mine] != instance).any():
            raise Overlap(f"{buffer.name!r} of another task is read")
        self._meet(buffer, places, thread, self.wrote, self.writer)
        several = (self.read[places] == self.era) & (self.reader[places] != thread)
        self.read[places] = self.era
        self.reader[places] = np.where(several, -1, thread)

    def _write(self, buffer: Buffer, places: np.ndarray, thread: int, instance: int) -> None:
        self._meet(buffer, places, thread, self.wrote, self.writer)
        self._meet(buffer, places, thread, self.read, self.reader)
        self.owner[places] = self.numbers.setdefault(buffer, len(self.numbers) + 1)
        self.instance[places] = instance
        self.wrote[places], self.writer[places] = self.era, thread

    def _meet(
        self, buffer: Buffer, places: np.ndarray, thread: int, eras: np.ndarray, who: np.ndarray
    ) -> None:
        if ((eras[places] == self.era) & (who[places] != thread)).any():
            raise Overlap(f"{buffer.name!r}: two threads at once")


def common(some: np.ndarray, more: np.ndarray) -> bool:
    """Whether two sorted rows of places share one."""
    if not len(some) or not len(more) or some[-1] < more[0] or more[-1] < some[0]:
        return False
    return bool(len(np.intersect1d(some, more, assume_unique=True)))


# --- networks ----------------------------------------------------------------------------------


def chain() -> Network:
    return Network(
        [
            Conv2D(8, 3, padding=1), ReLU(), Conv2D(7, 3, stride=2, padding=(1, 0, 0, 1)), Tanh(),
            Conv2D(9, 3, padding=1, bias=False), ReLU(), Conv2D(8, 1), GlobalAvgPool2D(), Dense(3),
        ],
        (4, 6, 3),
    )  # fmt: skip


def block(x: Node, filters: int, stride: int = 1) -> Node:
    """Two convolutions and what they are added to."""
    y = Conv2D(filters, 3, stride=stride, padding=1, uncovered="drop", bias=False)(x)
    y = ReLU()(BatchNorm()(y))
    y = BatchNorm()(Conv2D(filters, 3, padding=1, bias=False)(y))
    if stride > 1 or x.shape[-1] != filters:
        x = BatchNorm()(Conv2D(filters, 1, stride=stride, uncovered="drop", bias=False)(x))
    return ReLU()(Add()(x, y))


def residual(blocks: int = 1, size: int = 5, filters: int = 8) -> Network:
    image = Input((size, size, 3))
    x = ReLU()(BatchNorm()(Conv2D(filters, 3, padding=1, bias=False)(image)))
    for _ in range(blocks):
        x = block(x, filters)
    x = block(x, 2 * filters, 2)
    return Network(inputs=image, output=Dense(4)(GlobalAvgPool2D()(x)))


def concatenated() -> Network:
    image = Input((5, 4, 4))
    x = BatchNorm()(Conv2D(8, 3, padding=1)(image))
    y = Concat()(ReLU()(x), Sigmoid()(Conv2D(5, 1)(x)), MaxPool2D(3, stride=1, padding=1)(x))
    z = Concat()(Conv2D(8, 3, padding=1)(y), Dropout(0.3)(x))
    z = AvgPool2D(2, stride=1, padding=(1, 0, 0, 1), count_padding=False)(z)
    return Network(inputs=image, output=Dense(4)(Flatten()(z)))


def dense() -> Network:
    return Network(
        [Flatten(), Dense(40), ReLU(), Dropout(0.5), Dense(130), Tanh(), BatchNorm(), Dense(5)],
        (3, 4, 5),
    )


def lenet() -> Network:
    return Network(
        [
            Conv2D(6, 5, padding=2), ReLU(), MaxPool2D(2), Conv2D(16, 5), ReLU(), MaxPool2D(2),
            Flatten(), Dense(20), ReLU(), Dense(10),
        ],
        (12, 12, 1),
    )  # fmt: skip


def between() -> Network:
    """What lies between a dense layer and a convolution, in front of and behind others."""
    layers = [
        Conv2D(3, 3, padding=1), ReLU(), LocallyConnected2D(4, 3, padding=(1, 0, 2, 1)), ReLU(),
        LocallyConnected2D(6, (5, 4), groups=2), Flatten(), GroupedDense(12, 4), Tanh(),
        GroupedDense(6, 2), Dense(5),
    ]  # fmt: skip
    return Network(layers, (6, 5, 2))


NETWORKS = [chain, residual, concatenated, dense, lenet, between]


@pytest.fixture
def no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs without machine code: plans in no time."""

    def compiled(nest: Nest, *_: Any, **__: Any) -> SimpleNamespace:
        return SimpleNamespace(nest=nest, address=0)

    monkeypatch.setattr(assembly, "compile_nest", compiled)
    monkeypatch.setattr(Program, "run", lambda program, thread: None)


def planned(
    network: Network, lanes: int, *, training: bool, images: int | None = None, **options: Any
) -> Runner:
    """For 4 threads: 4 blocks of images, or 16 where a block is one image (2 of them a task)."""
    return Runner(
        network,
        batch_size=images or (16 if lanes == 1 else 4 * lanes),
        threads=4,
        training=training,
        loss="softmax_cross_entropy" if training else None,
        lanes=lanes,
        **options,
    )


def deals() -> Iterator[Callable[[int], int]]:
    """Who takes which shard: in turns, and as it happens."""
    yield lambda number: number
    rng = np.random.default_rng(0)
    yield lambda number: int(rng.integers(4))


def examine(runner: Runner) -> Machine:
    """Several runs, one after the other: what one leaves must not harm the next."""
    machine = Machine(runner)
    for deal in deals():
        machine.run(deal)
    return machine


@pytest.mark.usefixtures("no_code")
@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("training", [True, False])
def test_buffers_in_use_never_share(
    make: Callable[[], Network], lanes: int, training: bool
) -> None:
    examine(planned(make(), lanes, training=training))


@pytest.mark.usefixtures("no_code")
@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize(
    "options",
    [{"exact": True}, {"input_gradient": True}, {"exact": True, "bfloat16": True}],
    ids=str,
)
def test_buffers_in_use_never_share_by_other_algorithms(
    lanes: int, options: dict[str, bool]
) -> None:
    examine(planned(residual(), lanes, training=True, **options))
    examine(planned(chain(), lanes, training=True, **options))


FROZEN = [
    pytest.param(make, lanes, images)
    for make in NETWORKS
    for lanes, images in ((1, 1), (1, 2), (1, 16), (LANES[1], LANES[1]))
]


@pytest.mark.usefixtures("no_code")
@pytest.mark.parametrize(("make", "lanes", "images"), FROZEN)
def test_buffers_of_frozen_plans_never_share(
    make: Callable[[], Network], lanes: int, images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done once must outlive all runs; one image is cut among the threads."""
    from striate.plan.build import axis_split

    monkeypatch.setattr(axis_split, "_WORTH", 100)
    machine = examine(planned(make(), lanes, training=False, images=images, frozen=True))
    if images < 4:
        assert any(job.tasks > 1 for job, _ in machine.jobs)


@pytest.fixture
def many_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients summed at once, filters laid out late: what small networks never do."""
    monkeypatch.setattr(
        shard_gradients, "_is_huge", lambda network, node, slot: slot.parameter.name == "filters"
    )
    monkeypatch.setattr(weight_panels, "_LARGE", 0)


@pytest.mark.usefixtures("no_code", "many_filters")
def test_many_filters_share_too() -> None:
    for exact in (False, True):
        machine = examine(planned(residual(1), 1, training=True, exact=exact))
        assert any(buffer.scope == "temporary" for buffer in machine.numbers)


@pytest.fixture
def all_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is done for large values only is done for all."""
    monkeypatch.setattr(recomputation, "_LARGE", 0)
    for limit in ("_CHEAP", "_CHEAP_EARLY", "_SHARE"):
        monkeypatch.setattr(recomputation, limit, 1000)
    monkeypatch.setattr(halo, "_LARGE", 0)
    monkeypatch.setattr(shard_gradients, "_LARGE", 0)
    monkeypatch.setattr(non_temporal, "_AWAY", 0)


@pytest.mark.usefixtures("no_code", "all_is_large")
@pytest.mark.parametrize("make", [*NETWORKS, lambda: residual(4)])
@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("training", [True, False])
def test_large_values_share_too(make: Callable[[], Network], lanes: int, training: bool) -> None:
    examine(planned(make(), lanes, training=training))


@pytest.mark.usefixtures("no_code", "all_is_large", "many_filters")
@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("exact", [True, False])
def test_large_values_and_many_filters_share_too(lanes: int, exact: bool) -> None:
    for make in (chain, residual):
        examine(planned(make(), lanes, training=True, exact=exact))


@pytest.mark.usefixtures("no_code", "all_is_large", "many_filters")
@pytest.mark.parametrize("run", range(3))
def test_a_halo_that_is_not_written_is_noticed(run: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the image, between its rows, below."""
    written = halo._halo_nests

    def without(*arguments: Any) -> Iterator[BoundNest]:
        return (step for i, step in enumerate(written(*arguments)) if i != run)

    monkeypatch.setattr(halo, "_halo_nests", without)
    with pytest.raises(Overlap, match=r"before it is written|has written"):
        examine(planned(chain(), 1, training=True, exact=True))


# --- the checker itself ------------------------------------------------------------------------


@pytest.mark.usefixtures("no_code")
@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("make", NETWORKS)
def test_an_allotment_that_forgets_who_lives_is_noticed(
    make: Callable[[], Network], lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_at_once(uses: list[Use], sizes: dict[Use, int]) -> tuple[dict[Use, int], int]:
        return dict.fromkeys(uses, 0), max(sizes.values(), default=0)

    def the_first(use: Use, slots: list[list[Use]]) -> list[Use]:
        slots.extend([] if slots else [[]])
        return slots[0]

    monkeypatch.setattr(allocation, "_in_order", all_at_once)
    monkeypatch.setattr(allocation, "_slot_for", the_first)
    with pytest.raises(Overlap):
        examine(planned(make(), lanes, training=True))


@pytest.mark.usefixtures("no_code")
@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("which", ["start", "stop"])
def test_lives_that_are_too_short_are_noticed(
    lanes: int, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uses = placement.Memory.uses

    def shorter(self: placement.Memory) -> list[Use]:
        def cut(use: Use) -> Use:
            end = use.stop if which == "start" else use.start
            ends = {"start": use.start, "stop": use.stop, which: end}
            return Use(use.buffer, use.elements, ends["start"], ends["stop"], use.threads)

        return [cut(use) for use in uses(self)]

    monkeypatch.setattr(placement.Memory, "uses", shorter)
    with pytest.raises(Overlap):
        examine(planned(residual(), lanes, training=True))


@pytest.mark.usefixtures("no_code")
@pytest.mark.parametrize("lanes", LANES)
def test_threads_that_share_their_own_memory_are_noticed(
    lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    allotted = allocation.allot

    def same(uses: list[Use], element: Any) -> allocation.Allocation:
        found = allotted(uses, element)
        return allocation.Allocation(found.arrays, dict.fromkeys(found.strides, 0))

    monkeypatch.setattr(placement, "allot", same)
    with pytest.raises(Overlap, match=r"two threads at once|another task"):
        examine(planned(chain(), lanes, training=True))


@pytest.mark.usefixtures("no_code")
@pytest.mark.parametrize("lanes", LANES)
def test_missing_barriers_are_noticed(lanes: int) -> None:
    runner = planned(residual(), lanes, training=True)
    machine = Machine(runner)
    machine.jobs = [(replace(job, barrier=False), stage) for job, stage in machine.jobs]
    with pytest.raises(Overlap, match="at once"):
        machine.run(lambda number: number)


def test_several_blocks_a_task_are_examined() -> None:
    stages = planned(chain(), 1, training=True).plan.recording.stages
    assert {stage.grain for stage in stages if stage.by_block} == {2}


# --- where buffers are put ---------------------------------------------------------------------


@st.composite
def wanted(draw: st.DrawFn) -> list[Use]:
    found = []
    for i in range(draw(st.integers(1, 14))):
        scope = draw(
            st.sampled_from(["auto", "auto", "partial", "thread", "temporary", "block", "global"])
        )
        size = draw(st.integers(1, 200))
        element = draw(st.sampled_from(["real", "real", "u32", "u8"]))
        fill = draw(st.sampled_from([None, 0.0, -1.0 if element == "real" else 3.0]))
        form = None if fill is None else (size, fill)
        buffer = Buffer(f"b{i}", size, element, scope, fill or 0.0, form)  # type: ignore[arg-type]
        start = draw(st.integers(0, 9))
        threads = draw(st.sampled_from([0, 0, 1, 3])) if scope in ("auto", "thread") else 0
        found.append(Use(buffer, size, start, start + draw(st.integers(0, 6)), threads))
    return found


def stretches(use: Use, found: allocation.Memory) -> list[tuple[int, int]]:
    """The addresses of a buffer, for each thread."""
    array = found.arrays[use.buffer]
    start, size = array.ctypes.data, use.elements * array.itemsize
    stride = found.strides.get(use.buffer, 0)
    return [(start + i * stride, start + i * stride + size) for i in range(max(use.threads, 1))]


@settings(deadline=None)
@given(uses=wanted(), element=st.sampled_from(["f32", "f64"]))
def test_what_lives_at_once_lies_apart(uses: list[Use], element: Any) -> None:
    found = allot(uses, element)
    kinds = {"real": element.replace("32", "4").replace("64", "8"), "u32": "u4", "u8": "u1"}
    for use in uses:
        array = found.arrays[use.buffer]
        assert array.dtype == np.dtype(kinds[use.buffer.element])
        assert array.size >= use.elements
        assert array.ctypes.data % 64 == 0
        for start, stop in stretches(use, found):
            base = found.arrays[use.buffer]
            while isinstance(base.base, np.ndarray):
                base = base.base
            assert base.ctypes.data <= start < stop <= base.ctypes.data + base.nbytes
    for one, other in itertools.combinations(uses, 2):
        at_once = one.start <= other.stop and other.start <= one.stop
        mine, its = stretches(one, found), stretches(other, found)
        # Threads are never at the same step: what one has of its own lies apart at all times.
        both = bool(one.threads and other.threads) and not at_once
        pairs = zip(mine, its, strict=False) if both else itertools.product(mine, its)
        apart = all(a[1] <= b[0] or b[1] <= a[0] for a, b in pairs)
        kept = not {one.buffer.scope, other.buffer.scope} <= {
            "auto",
            "partial",
            "thread",
            "temporary",
        }
        forms = one.buffer.form != other.buffer.form
        assert apart or not (at_once or kept or forms)
        if both and one.threads == other.threads:
            crossed = [(a, b) for i, a in enumerate(mine) for j, b in enumerate(its) if i != j]
            assert all(a[1] <= b[0] or b[1] <= a[0] for a, b in crossed)
    for use in uses:
        if use.buffer.form is not None or use.buffer.scope in ("block", "global"):
            assert (found.arrays[use.buffer] == use.buffer.fill).all()


def test_memory_is_given_again() -> None:
    """One after the other in the room of one; with a halo only among equals."""

    def bytes_of(forms: list[Any], *, fill: float = 0.0) -> int:
        buffers = [Buffer(f"b{i}", 100, "real", fill=fill, form=f) for i, f in enumerate(forms)]
        uses = [Use(buffer, 1000, 2 * i, 2 * i + 1) for i, buffer in enumerate(buffers)]
        arrays = allot(uses, "f32").arrays.values()
        return 4 * 1000 * len({array.ctypes.data for array in arrays})

    assert bytes_of([None] * 5) == 4000
    assert bytes_of(["a"] * 5) == 4000
    assert bytes_of(["a", "b", "a", "b", "a"]) == 8000


# --- halos -------------------------------------------------------------------------------------


def step(runner: Runner, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, runner.settings.batch_size + 1))
    images = 10 * rng.standard_normal((n, *runner.network.input_shape)).astype("f")
    if runner.settings.loss is None:
        runner.run(images)
        return
    outputs = runner.network.output_shape[0]
    targets = np.eye(outputs, dtype="f")[rng.integers(0, outputs, n)]
    weights, keys = np.full(n, 1 / n, "f"), rng.integers(0, 2**32, n, dtype=np.uint32)
    runner.run(images, targets, weights, keys)


def halos(runner: Runner) -> Iterator[tuple[str, float, np.ndarray]]:
    """Name, fill and what lies around the pixels of every image with a halo, of every block."""
    found = runner.plan.recording
    steps = [step for stage in found.all_stages for step in stage.all_steps]
    buffers = {place.buffer for step in steps for place in step.places.values()}
    for buffer in buffers:
        if buffer.form is None:
            continue
        height, width, channels, lanes, (top, bottom, left, right), fill = buffer.form
        shape = (height + top + bottom, width + left + right, channels * lanes)
        around = np.ones(shape, bool)
        around[top : top + height, left : left + width] = False
        memory_ = runner.plan.memory.array(buffer).reshape(-1, buffer.span)[:, : buffer.size]
        yield buffer.name, fill, memory_.reshape(-1, *shape)[:, around]


@pytest.mark.parametrize("make", [chain, concatenated])
@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("training", [True, False])
def test_halos_stay_as_they_were_filled(
    make: Callable[[], Network], lanes: int, training: bool
) -> None:
    runner = planned(make(), lanes, training=training)
    for seed in range(5):
        step(runner, seed)
    names = []
    for name, fill, around in halos(runner):
        assert around.size
        assert (around == fill).all(), name
        names.append(name)
    assert any(name.startswith("value") for name in names)
    if training and make is concatenated:
        assert any(name.startswith("bordered") for name in names)
        assert any(name.startswith("winners") for name in names)


# --- how much ----------------------------------------------------------------------------------


def kept(runner: Runner) -> int:
    """Bytes of all values and all their gradients, as a plan that shares nothing would hold."""
    builder = runner.plan.builder
    images = [*builder.values.values(), *builder.gradients.values()]
    return sum(4 * image.buffer.span * runner.settings.blocks for image in images)


@pytest.mark.usefixtures("no_code")
@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("training", [True, False])
def test_memory_of_deep_networks(lanes: int, training: bool) -> None:
    small, large = (
        Runner(
            residual(blocks, size=16),
            batch_size=64,
            threads=2,
            training=training,
            loss="softmax_cross_entropy" if training else None,
            lanes=lanes,
        )
        for blocks in (3, 12)
    )
    taken = [runner.plan.memory.bytes for runner in (small, large)]
    needed = [kept(runner) for runner in (small, large)]
    ratio = (taken[1] - taken[0]) / (needed[1] - needed[0])
    assert ratio < (0.4 if training else 0.03)
