"""Modules of WebAssembly from object files: what a linker does, offsets, what is refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from striate.freestanding.wasm import wasm_module
from striate.freestanding.wasm.wasm_encoding import (
    CODE,
    CUSTOM,
    IMPORT,
    WasmReader,
    padded,
    sections,
    signed,
    unsigned,
    vector,
)
from striate.freestanding.wasm.wasm_export import PLAIN, SIMD
from striate.freestanding.wasm.wasm_module import linked
from striate.freestanding.wasm.wasm_offsets import FIRST, with_offsets
from striate.nest.target import MachineCodeError, Target, assemble

SUMS = """
define i32 @first_of_all(ptr %p) {
  ret i32 7
}
define internal i32 @twice(ptr %p) noinline {
  %value = load i32, ptr %p
  %found = shl i32 %value, 1
  ret i32 %found
}
define i32 @sums(i32 %start, i32 %count) {
entry:
  %here = inttoptr i32 %start to ptr
  br label %turn
turn:
  %i = phi i32 [ 0, %entry ], [ %next, %turn ]
  %sum = phi i32 [ 0, %entry ], [ %more, %turn ]
  %a = getelementptr i32, ptr %here, i32 %i
  %b = getelementptr i8, ptr %a, i32 4096
  %c = getelementptr i8, ptr %a, i32 -8
  %d = getelementptr i8, ptr %a, i32 2097152
  %x = call i32 @twice(ptr %a)
  %y = load i32, ptr %b
  %z = load i32, ptr %c
  %w = load i32, ptr %d
  %s = add i32 %x, %y
  %t = sub i32 %s, %z
  %u = add i32 %t, %w
  %more = add i32 %sum, %u
  %next = add i32 %i, 1
  %again = icmp slt i32 %next, %count
  br i1 %again, label %turn, label %done
done:
  ret i32 %more
}
"""
STACK = """
define i32 @picked(i32 %which) {
  %room = alloca [4 x i32]
  store volatile i32 11, ptr %room
  %second = getelementptr i32, ptr %room, i32 1
  store volatile i32 22, ptr %second
  %chosen = getelementptr i32, ptr %room, i32 %which
  %found = load volatile i32, ptr %chosen
  ret i32 %found
}
"""


def made(text: str, *exports: str, target: Target = SIMD, pages: int = 64) -> bytes:
    return linked(assemble(text, target, alone=True), exports, pages, FIRST + 1024)


def in_node(module: bytes, script: str, folder: Path) -> str:
    """What a script prints, for which `module` is the compiled module and `exports` an instance."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed: on Debian, apt-get install nodejs")
    (folder / "module.wasm").write_bytes(module)
    text = (
        'const module = new WebAssembly.Module(require("fs").readFileSync("module.wasm"));\n'
        f"const {{ exports }} = new WebAssembly.Instance(module);\n{script}"
    )
    done = subprocess.run([node, "-e", text], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("target", [SIMD, PLAIN])
def test_calls_and_offsets(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loads at once, below, far behind and by a call find what they find without offsets."""
    script = f"""
        const words = new Int32Array(exports.memory.buffer);
        for (let i = {FIRST} / 4; i < words.length; i++) words[i] = (i * i) % 1009;
        const found = [];
        for (const start of [{FIRST} + 8, {FIRST} + 4096]) found.push(exports.sums(start, 100));
        console.log(found.join(), exports.memory.buffer.byteLength);
    """

    def value(index: int) -> int:
        return index * index % 1009

    expected = []
    for start in (FIRST + 8, FIRST + 4096):
        first = start // 4
        expected.append(
            sum(
                2 * value(i) + value(i + 1024) - value(i - 2) + value(i + (1 << 19))
                for i in range(first, first + 100)
            )
        )
    text = f"{expected[0]},{expected[1]} {64 << 16}"
    module = made(SUMS, "sums", target=target)
    assert in_node(module, script, tmp_path) == text
    monkeypatch.setattr(wasm_module, "with_offsets", lambda code: code)
    without = made(SUMS, "sums", target=target)
    assert in_node(without, script, tmp_path) == text
    assert len(module) < len(without)


def test_a_stack_and_names(tmp_path: Path) -> None:
    module = made(STACK, "picked")
    script = """
        console.log([exports.picked(0), exports.picked(1), exports.picked(0)].join(),
          WebAssembly.Module.imports(module).length,
          WebAssembly.Module.customSections(module, "name").length);
    """
    assert in_node(module, script, tmp_path) == "11,22,11 0 1"
    assert [n for n, _ in sections(module)] == [1, 3, 5, 6, 7, 10, CUSTOM]
    assert [n for n, _ in sections(made(SUMS, "sums"))] == [1, 3, 5, 7, 10, CUSTOM]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("declare float @sinf(float)\ndefine float @f(float %x) {\n"
         "  %y = call float @sinf(float %x)\n  ret float %y\n}", "needs sinf, which nothing"),
        ("@there = external global i32\ndefine i32 @f() {\n"
         "  %y = load i32, ptr @there\n  ret i32 %y\n}", "symbol of kind 1: data"),
        ("@here = internal constant [2 x i32] [i32 1, i32 2]\ndefine ptr @f(i32 %i) {\n"
         "  %y = getelementptr i32, ptr @here, i32 %i\n  ret ptr %y\n}", "data"),
        ("define internal void @g() {\n  ret void\n}\ndefine ptr @f() {\n  ret ptr @g\n}",
         "needs __indirect_function_table|relocation of kind"),
    ],
)  # fmt: skip
def test_what_no_module_can_have(text: str, reason: str) -> None:
    with pytest.raises(MachineCodeError, match=reason):
        made(text, "f")


def test_damaged_files_are_refused() -> None:
    whole = assemble(SUMS, SIMD, alone=True)
    with pytest.raises(MachineCodeError, match="ends too early"):
        linked(whole[:-3], ["sums"], 1, FIRST)
    with pytest.raises(MachineCodeError, match="of version 1"):
        linked(b"\x7fELF" + whole[4:], ["sums"], 1, FIRST)
    assert IMPORT in [n for n, _ in sections(whole)] and CODE in [n for n, _ in sections(whole)]


def code_of(*instructions: bytes) -> bytes:
    """A section with one function: two variables, some instructions, the end."""
    body = vector([unsigned(2) + b"\x7f"]) + b"".join(instructions) + b"\x0b"
    return vector([unsigned(len(body)) + body])


HERE, ADD, TEE = b"\x20\x00", b"\x6a", b"\x22\x01"
LOADS = (b"\x2a", b"\xfd\x00", b"\xfd\x09", b"\xfd\x5c")  # of a number, a vector, a splat, a half


def constant(number: int) -> bytes:
    return b"\x41" + signed(number)


@pytest.mark.parametrize("load", LOADS)
def test_which_constants_become_offsets(load: bytes) -> None:
    def loaded(offset: int) -> bytes:
        return load + b"\x02" + unsigned(offset)

    for number, offset in ((48, 0), (0, 4), (FIRST, 0), (FIRST - 64, 64)):
        found = with_offsets(code_of(HERE, constant(number), ADD, loaded(offset)))
        assert found == code_of(HERE, loaded(number + offset))
    for others in (
        (HERE, constant(-4), ADD, loaded(0)),  # it lies below
        (HERE, constant(FIRST), ADD, loaded(4)),  # it might wrap around
        (HERE, constant(48), ADD, TEE, loaded(0)),  # the sum is needed again
        (HERE, HERE, ADD, loaded(0)),
        (HERE, constant(48), b"\x6b", loaded(0)),  # a difference
        (HERE, b"\x43\x41\x08\x6a\x6a", b"\x1a", loaded(0)),  # a float of these very bytes
        (HERE, b"\xfd\x0c" + b"\x41\x08\x6a\x2a" * 4, b"\x1a", loaded(0)),
        (HERE, constant(48), ADD, HERE, b"\x38\x02\x00"),  # a store
        (b"\x02\x40", b"\x0e\x01\x00\x00", b"\x0b", b"\x10" + padded(3), b"\x0c\x00"),
    ):
        assert with_offsets(code_of(*others)) == code_of(*others)
    with pytest.raises(MachineCodeError, match="an instruction 0xfe"):
        with_offsets(code_of(b"\xfe\x10\x02\x00"))


def test_numbers() -> None:
    for number in (0, 1, 63, 64, 127, 128, 300, 8191, 8192, 1 << 20, (1 << 31) - 1):
        assert WasmReader(unsigned(number)).unsigned() == number
        assert WasmReader(padded(number)).unsigned() == number and len(padded(number)) == 5
        for value in (number, -number):
            assert WasmReader(signed(value)).signed() == value
    # Those of the specification's own examples.
    assert unsigned(624485) == bytes([0xE5, 0x8E, 0x26])
    assert signed(-123456) == bytes([0xC0, 0xBB, 0x78])
