"""Measured schedules: kept, found again, ignored where they cannot be trusted; the same bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from striate.common.recent import Recent
from striate.nest import compiler, tuned
from striate.nest.algebra import Accumulator, Index, Nest, Store, Tensor, strides_of
from striate.nest.compiler import compile_nest, machine, tuned_key
from striate.nest.schedule import (
    Schedule,
    alternatives,
    choose,
    expected_share,
    order_of_sums,
)
from striate.nest.target import host

HEIGHT, WIDTH, DEPTH, FILTERS, SIZE = 6, 7, 5, 33, 3


def tensor(role: str, **strides: int) -> Tensor:
    return Tensor(role, strides_of(strides))


def forward() -> Nest:
    """out[y, x, k] = Σ x[y + r, x + s, c] · f[r, s, c, k]"""
    row = (WIDTH + SIZE - 1) * DEPTH
    image = tensor("x", y=row, r=row, x=DEPTH, s=DEPTH, c=1)
    filters = tensor("f", r=SIZE * DEPTH * FILTERS, s=DEPTH * FILTERS, c=FILTERS, k=1)
    return Nest(
        (("y", HEIGHT), ("x", WIDTH), ("k", FILTERS), ("r", SIZE), ("s", SIZE), ("c", DEPTH)),
        (Store(tensor("out", y=WIDTH * FILTERS, x=FILTERS, k=1), Accumulator()),),
        (image * filters,),
        ("r", "s", "c"),
        "sum",
    )


def lanes_summed() -> Nest:
    """out[k] = Σ x[k, i] · f[i], with i in the lanes."""
    return Nest(
        (("k", 7), ("j", 3), ("i", 64)),
        (Store(tensor("out", k=1), Accumulator()),),
        (tensor("x", k=192, j=64, i=1) * tensor("f", j=64, i=1),),
        ("j", "i"),
        "sum",
    )


def first_maximum() -> Nest:
    """The index of the first of the largest: equal numbers show the order."""
    return Nest(
        (("y", 5), ("c", 20), ("r", 3), ("s", 2)),
        (Store(tensor("out", y=20, c=1), Accumulator(1)),),
        (tensor("x", y=60, r=40, s=20, c=1),),
        ("r", "s"),
        "argmax",
        order=Index((("r", 2), ("s", 1))),
    )


NESTS = [forward(), lanes_summed(), first_maximum()]


def result(nest: Nest, schedule: Schedule | None) -> bytes:
    random = np.random.default_rng(1)
    arrays = {}
    for role in nest.buffers:
        numbers = random.standard_normal(6000).astype(np.float32)
        arrays[role] = numbers.round(0) if nest.reduction == "argmax" else numbers
    arrays["out"][:] = 0
    compile_nest(nest, schedule)(*(arrays[role] for role in nest.buffers))
    return arrays["out"].tobytes()


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, on disk and in memory."""
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path))
    monkeypatch.setattr(compiler, "_loaded", Recent(100))
    tuned.forget()
    yield tmp_path
    tuned.forget()


def other(nest: Nest) -> Schedule:
    """A schedule that is not the chosen one."""
    return alternatives(nest, host())[1]


def keep(nest: Nest, schedule: Schedule | None) -> Path:
    return tuned.keep({tuned_key(nest, "f32"): schedule}, {}, machine(host()))


@pytest.mark.parametrize("nest", NESTS, ids=["forward", "lanes summed", "first maximum"])
def test_all_alternatives_compute_the_same_bits(nest: Nest) -> None:
    ranked = alternatives(nest, host())
    assert ranked[0] == choose(nest, host())
    assert len(ranked) == len(set(ranked)) > 1
    assert {schedule.lane for schedule in ranked} == {ranked[0].lane}
    assert {order_of_sums(nest, schedule) for schedule in ranked} == {
        order_of_sums(nest, ranked[0])
    }
    expected = result(nest, None)
    assert all(result(nest, schedule) == expected for schedule in [*ranked[1:7], ranked[-1]])


def test_another_order_of_sums_has_other_bits() -> None:
    nest, best = forward(), choose(forward(), host())
    orders = {}
    for unroll in ((), ("r",), ("s",), ("c",), ("r", "s"), ("s", "c"), ("r", "s", "c")):
        schedule = Schedule(best.lane, best.lanes, (), unroll)
        orders.setdefault(order_of_sums(nest, schedule), set()).add(result(nest, schedule))
    assert set(orders) == {("r", "s", "c"), ("s", "c", "r"), ("r", "c", "s"), ("c", "r", "s")}
    assert all(len(bits) == 1 for bits in orders.values())
    assert len(set.union(*orders.values())) == len(orders)


@pytest.mark.parametrize("nest", NESTS[:2], ids=["forward", "lanes summed"])
def test_the_expected_share_is_a_share(nest: Nest) -> None:
    shares = [expected_share(nest, schedule, host()) for schedule in alternatives(nest, host())]
    assert all(0 < share <= 1 for share in shares)
    assert shares == sorted(shares, reverse=True)


def test_what_is_kept_is_used(fresh: Path) -> None:
    nest = forward()
    before = result(nest, None)
    assert compile_nest(nest).schedule is None
    path = keep(nest, other(nest))
    assert path.parent == fresh / "kernels"
    assert [p.name for p in path.parent.glob("*.json")] == [path.name]
    assert compile_nest(nest).schedule == other(nest)
    assert compile_nest(nest, element="f64").schedule is None
    assert result(nest, None) == before
    tuned.forget()
    assert compile_nest(nest).schedule == other(nest)
    keep(nest, None)
    assert compile_nest(nest).schedule is None


def test_another_process_finds_it(fresh: Path) -> None:
    nest = forward()
    keep(nest, other(nest))
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]\n"
        "import test_tuned as t, hashlib\n"
        "nest = t.forward()\n"
        "print(repr(t.compile_nest(nest).schedule))\n"
        "print(hashlib.sha256(t.result(nest, None)).hexdigest())\n"
    )
    outputs = []
    for cache in (fresh, fresh / "empty"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "STRIATE_CACHE": str(cache)},
        )
        outputs.append(done.stdout.splitlines())
    (schedule, bits), (untuned, same) = outputs
    assert schedule == repr(other(nest))
    assert untuned == "None"
    assert bits == same


def test_what_others_keep_is_not_lost(fresh: Path) -> None:
    keep(forward(), other(forward()))
    tuned.forget()
    keep(lanes_summed(), other(lanes_summed()))
    tuned.keep({}, {"network": 16}, machine(host()))
    tuned.forget()
    assert compile_nest(forward()).schedule == other(forward())
    assert compile_nest(lanes_summed()).schedule == other(lanes_summed())
    assert tuned.layout_for("network", machine(host())) == 16
    assert tuned.layout_for("another", machine(host())) is None


@pytest.mark.parametrize(
    "damage", ["truncate", "empty", "bytes", "list", "no seal", "another tile", "another layout"]
)
def test_a_damaged_file_counts_for_nothing(fresh: Path, damage: str) -> None:
    nest = forward()
    path = tuned.keep({tuned_key(nest, "f32"): other(nest)}, {"n": 16}, machine(host()))
    content = json.loads(path.read_text())
    (entry,) = content["schedules"].values()
    if damage == "no seal":
        del content["seal"]
    elif damage == "another tile":
        entry["tile"] = [["k", 1000]]
    elif damage == "another layout":
        content["layouts"] = dict.fromkeys(content["layouts"], 3)
    text = {
        "truncate": path.read_text()[:-30],
        "empty": "",
        "bytes": "\x00\xff",
        "list": "[[[",
    }.get(damage, json.dumps(content))
    path.write_bytes(text.encode("latin-1"))
    tuned.forget()
    assert compile_nest(nest).schedule is None
    assert tuned.layout_for("n", machine(host())) is None
    keep(nest, other(nest))  # and is replaced
    tuned.forget()
    assert compile_nest(nest).schedule == other(nest)


def test_what_another_version_or_machine_kept_counts_for_nothing(fresh: Path) -> None:
    nest = forward()
    path = tuned.keep({tuned_key(nest, "f32"): other(nest)}, {"n": 16}, "an older striate")
    mine = keep(lanes_summed(), None)
    assert path != mine
    assert compile_nest(nest).schedule is None
    mine.write_bytes(path.read_bytes())  # under the name of this one
    tuned.forget()
    assert compile_nest(nest).schedule is None
    assert not tuned.has_layouts(machine(host()))


def test_for_a_moment(fresh: Path) -> None:
    nest = forward()
    with tuned.instead({tuned_key(nest, "f32"): other(nest)}, machine(host())):
        assert compile_nest(nest).schedule == other(nest)
    assert compile_nest(nest).schedule is None
    assert not list(fresh.rglob("*.json"))


def test_a_cache_that_cannot_be_written_is_told(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = fresh / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("STRIATE_CACHE", str(blocked))
    assert compile_nest(forward()).schedule is None
    with pytest.raises(OSError, match="file"):
        keep(forward(), other(forward()))


_KEEP_SOME = """
import sys
from striate.nest import tuned
from striate.nest.schedule import Schedule
for i in range(20):
    tuned.keep({f"{sys.argv[1]} {i}": Schedule("x", 8)}, {f"net {sys.argv[1]} {i}": 8}, "machine")
"""


def test_what_several_processes_measure_at_once_is_all_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path))
    started = [
        subprocess.Popen([sys.executable, "-c", _KEEP_SOME, name], env=os.environ.copy())
        for name in "abcd"
    ]
    assert [process.wait(60) for process in started] == [0] * 4
    tuned.forget()
    for name in "abcd":
        for i in range(20):
            assert tuned.schedule_for(f"{name} {i}", "machine") == Schedule("x", 8)
            assert tuned.layout_for(f"net {name} {i}", "machine") == 8
    tuned.forget()
