"""Object files on emulated processors: linked, counted, watched."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from striate.common.errors import StriateError, StriateImportError
from striate.freestanding.object.object_export import with_constants
from striate.freestanding.object.stack_frames import stack_bytes
from striate.freestanding.object.undefined_symbols import compiler_helpers
from striate.freestanding.program.frozen_program import FrozenProgram
from striate.freestanding.program.llvm_module import write_module
from striate.freestanding.running import emulation
from striate.freestanding.running.emulated_processor import thumb_instructions
from striate.freestanding.running.emulation import EmulatedCode, EmulationError
from striate.freestanding.running.native_code import NativeCode, runs_here
from striate.freestanding.running.relocations import LinkError, arm_addend
from striate.freestanding.running.static_link import link
from striate.freestanding.targets.named_targets import named_target
from striate.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU, Tanh
from striate.nest.target import assemble, host
from striate.network import Network

WITHOUT_FUSED = ("cortex-m0", "esp32-c3", "raspberry-pi-zero")
EMULATED = ("cortex-m4", "cortex-m7", "cortex-m33", "raspberry-pi", "riscv64", *WITHOUT_FUSED)


def network() -> Network:
    """Uneven sizes; the tangent brings tables of constants, divisions and whole numbers."""
    return Network(
        [Conv2D(5, (3, 2), padding=(1, 0)), ReLU(), MaxPool2D(2), Tanh(), Flatten(), Dense(3)],
        (6, 9, 2), seed=1,
    )  # fmt: skip


def images(count: int) -> np.ndarray:
    shape = (count, *network().input_shape)
    return np.random.default_rng(count).normal(size=shape).astype(np.float32)


def made(name: str) -> tuple[bytes, FrozenProgram, dict[str, int], int]:
    """An object file, its program, the sizes of its memory, and the stack that is foretold."""
    target = named_target(name).target
    program = FrozenProgram(network(), target)
    module = with_constants(write_module(program, "net"), program, "net")
    sizes = {
        "image_bytes": program.image_bytes,
        "output_bytes": program.output_bytes,
        "arena_bytes": program.arena_bytes,
    }
    code = assemble(module.text, target, alone=True)
    return code, program, sizes, stack_bytes(module, target, ("net_run", "net_run_on"))


def counted_one_by_one(emulated: EmulatedCode, image: np.ndarray) -> int:
    """The instructions of a run as the emulator counts them, each by itself; those that a condition
    skips, which it does not, are told by the Thumb instruction IT before them.
    """
    from unicorn import unicorn_const as unicorn

    machine = emulation._Machine(emulated.processor, *emulated._machine)
    thumb = emulated.processor.instructions is thumb_instructions
    seen, skippable = 0, range(0)

    def halves(address: int, count: int) -> list[int]:
        return np.frombuffer(bytes(machine.uc.mem_read(address, 2 * count)), "<u2").tolist()

    def instruction(uc: Any, address: int, size: int, data: object) -> None:
        nonlocal seen, skippable
        if not machine.first <= address < machine.back.address or address in skippable:
            return
        seen += 1
        (half,) = halves(address, 1)
        if thumb and half >> 8 == 0xBF and half & 15:
            mask, stop = half & 15, address + 2
            for _ in range(4 - (mask & -mask).bit_length() + 1):
                seen += 1
                stop += 4 if halves(stop, 1)[0] >> 11 >= 29 else 2
            skippable = range(address + 2, stop)

    machine.uc.hook_add(unicorn.UC_HOOK_CODE, instruction)
    machine.run(image.tobytes())
    return seen


@pytest.mark.parametrize("name", EMULATED)
def test_outputs_instructions_and_stack(name: str) -> None:
    code, _, sizes, foretold = made(name)
    emulated = EmulatedCode(code, "net_run", named_target(name).target, **sizes)
    given = images(2)
    found = np.stack([emulated(image) for image in given])
    assert emulated.counts is not None
    assert emulated.counts.total == counted_one_by_one(emulated, given[0])
    assert emulated.counts.stack_bytes == foretold > 0
    functions = emulated.counts.instructions
    assert {"net_run", "net_run_on"} < set(functions) and all(functions.values())
    assert max(functions, key=lambda name: functions[name]).startswith("net_conv2d_1_forward")
    own = network().compile(batch_size=1, exact=True, portable=True, threads=1)
    expected = np.concatenate([own(image[None]) for image in given])
    if name not in WITHOUT_FUSED and host().fused:
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_processors_that_round_products_agree() -> None:
    """Those without a unit of floats with those that have one, one of them not emulated."""
    given = images(2)
    found = []
    for name in (*WITHOUT_FUSED, "x86-64"):
        code, _, sizes, _ = made(name)
        if name == "x86-64":
            if not runs_here(code, named_target(name).target):
                continue
            found.append(NativeCode(code, "net_run", **sizes)(given))
        else:
            run = EmulatedCode(code, "net_run", named_target(name).target, **sizes)
            found.append(np.stack([run(image) for image in given]))
    assert len(found) >= 3
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


SIZES = {"image_bytes": 8, "output_bytes": 8, "arena_bytes": 24}
"""Bytes of what small functions are given."""


def function(body: str) -> str:
    return f"define void @run(ptr %images, ptr %outputs, ptr %arena) nounwind {{\n{body}\n}}"


def store(base: str, offset: int) -> str:
    return (
        f"  %p = getelementptr i8, ptr %{base}, i32 {offset}\n"
        "  store volatile i32 1, ptr %p\n  ret void"
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (store("arena", 24), "touches memory 0 bytes behind the arena, in run"),
        (store("outputs", 12), "touches memory 4 bytes behind the outputs"),
        (store("arena", 4096), "failed in run"),
        (store("images", 0), "failed in run"),
        (
            "  %p = getelementptr i8, ptr %images, i32 8\n"
            "  %v = load volatile i32, ptr %p\n  ret void",
            "touches memory 0 bytes behind the images",
        ),
    ],
)
@pytest.mark.parametrize("name", ["cortex-m4", "raspberry-pi", "riscv64"])
def test_memory_of_others(name: str, body: str, message: str) -> None:
    target = named_target(name).target
    code = assemble(function(body), target, alone=True)
    run = EmulatedCode(code, "run", target, **SIZES)
    with pytest.raises(EmulationError, match=message):
        run(np.zeros(2, np.float32))


def test_what_may_be_touched() -> None:
    target = named_target("cortex-m4").target
    code = assemble(function(store("arena", 20)), target, alone=True)
    run = EmulatedCode(code, "run", target, **SIZES)
    np.testing.assert_array_equal(run(np.zeros(2, np.float32)), np.zeros(2, np.float32))
    with pytest.raises(EmulationError, match="a run takes 8 bytes of images"):
        run(np.zeros(3, np.float32))


TABLES = """
@small = internal constant [4 x i32] [i32 5, i32 6, i32 7, i32 8], align 4
@bytes = internal constant [8 x i8] c"abcdefgh", align 1
define internal i32 @taken(i32 %i) noinline nounwind {
  %p = getelementptr i32, ptr @small, i32 %i
  %v = load i32, ptr %p
  %q = getelementptr i8, ptr getelementptr (i8, ptr @bytes, i32 3), i32 %i
  %b = load i8, ptr %q
  %w = zext i8 %b to i32
  %s = add i32 %v, %w
  ret i32 %s
}
define void @run(ptr %images, ptr %outputs, ptr %arena) nounwind {
  %i = load i32, ptr %images
  %v = call i32 @taken(i32 %i)
  store i32 %v, ptr %outputs
  store volatile ptr getelementptr (i8, ptr @small, i32 12), ptr %arena
  %inside = load volatile ptr, ptr %arena
  %direct = load i32, ptr %inside
  %q = getelementptr i8, ptr %outputs, i32 4
  store i32 %direct, ptr %q
  ret void
}
"""


@pytest.mark.parametrize("name", EMULATED)
def test_calls_and_tables_are_linked(name: str) -> None:
    target = named_target(name).target
    run = EmulatedCode(assemble(TABLES, target, alone=True), "run", target, **SIZES)
    for index in range(4):
        given = np.array([index, 0], np.int32).view(np.float32)
        assert run(given).view(np.int32).tolist() == [5 + index + ord("defg"[index]), 8]


_VALUES = np.array(
    [0.0, -0.0, 1.0, -2.5, 3e38, -3e38, 1e-45, 7.75, np.inf, -np.inf, np.nan], np.float32
)
_OPERATIONS = {
    "fadd": np.add, "fsub": np.subtract, "fmul": np.multiply, "fdiv": np.divide,
    "fcmp olt": np.less, "fcmp ole": np.less_equal, "fcmp oeq": np.equal,
    "fcmp une": np.not_equal, "fcmp ogt": np.greater, "fcmp oge": np.greater_equal,
    "fcmp uno": lambda a, b: np.isnan(a) | np.isnan(b),
}  # fmt: skip


@pytest.mark.parametrize("name", ["cortex-m0", "esp32-c3"])
def test_helpers_of_compilers(name: str) -> None:
    """Arithmetic and comparisons without a unit of floats, beside NumPy."""
    target = named_target(name).target
    pairs = np.stack(np.meshgrid(_VALUES, _VALUES), -1).reshape(-1, 2)
    lines, given = ["  %q = getelementptr i8, ptr %images, i32 4"], len(_OPERATIONS)
    lines += ["  %a = load float, ptr %images", "  %b = load float, ptr %q"]
    for number, operation in enumerate(_OPERATIONS):
        lines.append(f"  %r{number} = {operation} float %a, %b")
        if operation.startswith("fcmp"):
            lines.append(f"  %w{number} = uitofp i1 %r{number} to float")
        result = f"%w{number}" if operation.startswith("fcmp") else f"%r{number}"
        lines.append(f"  %p{number} = getelementptr i8, ptr %outputs, i32 {4 * number}")
        lines.append(f"  store float {result}, ptr %p{number}")
    code = assemble(function("\n".join([*lines, "  ret void"])), target, alone=True)
    assert len(compiler_helpers(code)) >= given - 1
    run = EmulatedCode(code, "run", target, **{**SIZES, "output_bytes": 4 * given})
    found = np.stack([run(pair) for pair in pairs])
    with np.errstate(all="ignore"):
        expected = [compute(*pairs.T).astype(np.float32) for compute in _OPERATIONS.values()]
    np.testing.assert_array_equal(found, np.stack(expected, -1))


@pytest.mark.parametrize(
    ("kind", "code", "addend"),
    [
        (47, "f2400c00", 0),  # movw r12, #0
        (47, "f240000c", 12),  # movw r0, #12
        (48, "f64f70fc", -4),  # movt-like, #0xfffc
        (43, "e30f0ffc", -4),  # movw r0, #0xfffc, in ARM code
        (44, "e3410234", 0x1234),  # movt-like, #0x1234
        (2, "fffffff8", -8),  # a word
        (10, "f7fffffe", 0),  # a call, whose distance is from behind it anyway
    ],
)
def test_what_arm_words_add(kind: int, code: str, addend: int) -> None:
    halves = [int(code[at : at + 4], 16) for at in (0, 4)]
    thumb = kind in (10, 47, 48)
    data = struct.pack("<HH", *halves) if thumb else struct.pack("<I", int(code, 16))
    assert arm_addend(kind, bytearray(data), 0) == addend


def test_what_cannot_be_linked(monkeypatch: pytest.MonkeyPatch) -> None:
    target = named_target("cortex-m4").target
    calling = "declare void @elsewhere()\n" + function("  call void @elsewhere()\n  ret void")
    with pytest.raises(LinkError, match="needs elsewhere, which is not there"):
        link(assemble(calling, target, alone=True), 0x10000)
    with pytest.raises(LinkError, match="no ELF object file"):
        link(b"nothing", 0x10000)
    with pytest.raises(LinkError, match="for EM_X86_64 cannot be linked"):
        link(assemble(TABLES, named_target("x86-64").target, alone=True), 0x10000)
    with pytest.raises(StriateError, match="cannot be emulated"):
        EmulatedCode(b"", "run", named_target("x86-64").target, **SIZES)
    monkeypatch.setattr("striate.common.optional.find_spec", lambda name: None)
    with pytest.raises(StriateImportError, match=r"pip install 'striate\[emulate\]'"):
        EmulatedCode(b"", "run", target, **SIZES)


def test_code_that_does_not_end_well() -> None:
    target = named_target("cortex-m4").target
    text = "declare void @llvm.trap()\n" + function("  call void @llvm.trap()\n  ret void")
    run = EmulatedCode(assemble(text, target, alone=True), "run", target, **SIZES)
    with pytest.raises(EmulationError, match="failed in run"):
        run(np.zeros(2, np.float32))


def native(body: str, head: str = "") -> Callable[[], np.ndarray]:
    target = replace(host(), features="", cpu="x86-64" if host().is_x86 else "generic")
    code = NativeCode(assemble(head + function(body), target, alone=True), "run", **SIZES)
    return lambda: code(np.zeros((1, 2), np.float32))


def test_native_code_breaks_only_itself() -> None:
    trap = native("  call void @llvm.trap()\n  ret void", "declare void @llvm.trap()\n")
    with pytest.raises(StriateError, match=r"ended by SIG.*: this processor may lack"):
        trap()
    for base, offset in (("arena", 24), ("arena", -4), ("outputs", 8)):
        with pytest.raises(StriateError, match="writes beside the memory"):
            native(store(base, offset))()
    assert native(store("outputs", 4))().view(np.int32).tolist() == [[-1515870811, 1]]
