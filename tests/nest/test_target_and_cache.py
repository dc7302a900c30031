"""The machine's description, and machine code kept on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from striate.common.recent import Recent
from striate.nest import compiler, target
from striate.nest.algebra import Nest, Store, Tensor, strides_of
from striate.nest.target import TargetError, describe, host


def test_an_empty_feature_list_is_an_error() -> None:
    for features in ({}, {"avx2": False, "sse4.2": False}):
        with pytest.raises(TargetError, match=r"no features for the processor 'generic'.*numpy"):
            describe("x86_64-unknown-linux-gnu", "generic", features)


def test_vectors_are_part_of_64_bit_arm() -> None:
    target = describe("arm64-apple-darwin24", "apple-m1", {})
    assert (target.vector_bytes, target.registers, target.fused) == (16, 32, True)


def test_32_bit_processors_are_refused() -> None:
    for triple in ("i686-pc-linux-gnu", "armv7l-unknown-linux-gnueabihf"):
        with pytest.raises(TargetError, match=rf"64-bit x86 and ARM processors, not {triple}"):
            describe(triple, "some-cpu", {"sse2": True})


@pytest.mark.parametrize(
    ("triple", "features", "vector_bytes", "registers", "accumulators"),
    [
        ("x86_64-pc-linux-gnu", {"avx512f": True, "avx512vl": True, "avx2": True}, 64, 32, 24),
        ("x86_64-pc-linux-gnu", {"avx2": True, "fma": True, "avx512f": False}, 32, 16, 12),
        ("x86_64-pc-windows-msvc", {"sse2": True, "avx2": False}, 16, 16, 12),
        ("arm64-apple-darwin24", {"neon": True}, 16, 32, 24),
        ("aarch64-linux-gnu", {"neon": True}, 16, 32, 24),
    ],
)
def test_vector_units(
    triple: str, features: dict[str, bool], vector_bytes: int, registers: int, accumulators: int
) -> None:
    target = describe(triple, "some-cpu", features)
    assert (target.vector_bytes, target.registers) == (vector_bytes, registers)
    assert target.accumulators == accumulators
    assert target.lanes(4) == vector_bytes // 4
    assert target.fused == ("sse2" not in features)
    assert ("-prefer-256-bit" in target.features) == (vector_bytes == 64)


def doubled(n: int) -> Nest:
    out, x = (Tensor(role, strides_of({"i": 1})) for role in ("out", "x"))
    return Nest((("i", n),), (Store(out, x * 2.0),))


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, on disk and in memory."""
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path))
    monkeypatch.setattr(compiler, "_loaded", Recent(100))
    compiler.counts.clear()
    return tmp_path


def check(n: int) -> None:
    x, out = np.arange(n, dtype="f"), np.zeros(n, "f")
    compiled = compiler.compile_nest(doubled(n))
    compiled(*({"x": x, "out": out}[role] for role in compiled.nest.buffers))
    np.testing.assert_array_equal(out, 2 * x)


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "_loaded", Recent(100))


def test_a_second_run_compiles_nothing(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(10)
    check(10)
    assert compiler.counts == {"compiled": 1, "remembered": 1}
    forget(monkeypatch)
    check(10)
    assert compiler.counts == {"compiled": 1, "remembered": 1, "found": 1}
    check(11)
    assert compiler.counts["compiled"] == 2


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "foreign", "swap"])
def test_a_damaged_entry_is_rebuilt(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    check(10)
    (entry,) = fresh.rglob("*.o")
    content = entry.read_bytes()
    if damage == "truncate":
        entry.write_bytes(content[:-100])
    elif damage == "flip":
        entry.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    elif damage == "empty":
        entry.write_bytes(b"")
    elif damage == "foreign":
        entry.write_bytes(b"\x7fELF not striate's")
    else:  # a valid entry, but of another nest
        check(12)
        (other,) = set(fresh.rglob("*.o")) - {entry}
        entry.write_bytes(other.read_bytes())
    compiler.counts.clear()
    forget(monkeypatch)
    check(10)
    assert compiler.counts == {"compiled": 1}
    assert entry.read_bytes() == content
    forget(monkeypatch)
    check(10)
    assert compiler.counts == {"compiled": 1, "found": 1}


def test_kernels_are_linked_together_when_the_first_is_used(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links: list[list[str]] = []
    link = target._link

    def counted() -> None:
        links.append([*target._waiting])
        link()

    target._link()
    monkeypatch.setattr(target, "_link", counted)
    kernels = [compiler.compile_nest(doubled(n)) for n in (5, 6, 7)]
    assert not links
    for n, compiled in zip((5, 6, 7), kernels, strict=True):
        x, out = np.arange(n, dtype="f"), np.zeros(n, "f")
        compiled(*({"x": x, "out": out}[role] for role in compiled.nest.buffers))
        np.testing.assert_array_equal(out, 2 * x)
    assert [len(names) for names in links] == [3]
    assert len({compiled.address for compiled in kernels}) == 3


def test_the_same_function_may_wait_twice(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compiler.compile_nest(doubled(8))
    forget(monkeypatch)
    second = compiler.compile_nest(doubled(8))
    assert compiler.counts == {"compiled": 1, "found": 1}
    assert first.address != second.address


def test_what_cannot_be_linked_says_so(fresh: Path) -> None:
    code = compiler.compile_nest(doubled(8)).code.code
    target._link()
    bad = target.Loaded(code, "another name")
    with pytest.raises(RuntimeError, match="another name"):
        _ = bad.address
    with pytest.raises(RuntimeError, match="another name"):
        _ = bad.address
    check(10)


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("STRIATE_CACHE", str(blocked))
    forget(monkeypatch)
    check(10)
    assert compiler.KERNELS.read("anything") is None


def test_the_key_depends_on_the_machine(fresh: Path) -> None:
    nest = doubled(9)
    compiler.compile_nest(nest)
    compiler.compile_nest(nest, target=host().narrowed(16))
    compiler.compile_nest(nest, element="f64")
    assert compiler.counts == {"compiled": 3}


def test_two_processes_share_a_cache(fresh: Path) -> None:
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]\n"
        "import test_target_and_cache as t\n"
        "for n in range(20, 32): t.check(n)\n"
        "print(sum(t.compiler.counts.values()))\n"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    environment = {**os.environ, "STRIATE_CACHE": str(fresh)}
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    assert [process.communicate(timeout=120)[0].strip() for process in both] == ["12", "12"]
    assert {path.suffix for path in fresh.rglob("*") if path.is_file()} == {".o"}
    compiler.counts.clear()
    for n in range(20, 32):
        check(n)
    assert compiler.counts == {"found": 12}


_ASSEMBLE_MANY = """
from pathlib import Path
from striate.nest.algebra import Constant, Nest, Store, Tensor, strides_of
from striate.nest.compiler import source_of
from striate.nest.target import assemble, host

def some(first):
    for size in range(first, first + 250):
        out = Tensor("out", strides_of({"i": 1}))
        nest = Nest((("i", size),), (Store(out, Constant(size / 7)),))
        assemble(source_of(nest, None, host(), "f32"), host())
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

some(8)
before = some(600)
print(some(1200) - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell memory")
def test_compiling_keeps_no_memory() -> None:
    """LLVM's own context and llvmlite's passes would keep 6 KB of each kernel for ever."""
    command = [sys.executable, "-c", _ASSEMBLE_MANY]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert int(done.stdout) < 500_000
