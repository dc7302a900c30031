"""Processors by names and by LLVM's triples, and what their object files want from elsewhere."""

from __future__ import annotations

import io

import pytest
from elftools.elf.elffile import ELFFile

from striate.common.errors import StriateError
from striate.freestanding.object.stack_frames import frame_bytes
from striate.freestanding.object.undefined_symbols import MARKS, compiler_helpers, undefined_symbols
from striate.freestanding.targets.named_targets import NAMED_TARGETS, named_target
from striate.freestanding.targets.target_probe import probed
from striate.nest.target import assemble


@pytest.mark.parametrize("name", list(NAMED_TARGETS))
def test_what_is_said_of_a_processor_is_what_llvm_makes_of_it(name: str) -> None:
    target = NAMED_TARGETS[name].target
    assert probed(target, 64) == target


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("thumbv7em-none-eabihf:cortex-m7", "cortex-m7"),
        ("thumbv8m.main-none-eabihf:cortex-m33", "cortex-m33"),
        ("aarch64-unknown-linux-gnu:cortex-a53", "raspberry-pi"),
        ("x86_64-unknown-linux-gnu:haswell", "x86-64-v3"),
        ("riscv32-unknown-none-elf:generic-rv32:+m,+c", "esp32-c3"),
        ("riscv64-unknown-linux-gnu:generic-rv64:+m,+a,+f,+d,+c", "riscv64"),
    ],
)
def test_triples_of_named_processors(text: str, same: str) -> None:
    found = named_target(text)
    assert found.target == NAMED_TARGETS[same].target
    assert found.name == text and found.is_small == NAMED_TARGETS[same].is_small
    assert found.compiler.startswith(f"clang --target={text.partition(':')[0]} -m")


@pytest.mark.parametrize(
    ("text", "vector_bytes", "fused", "index"),
    [
        ("aarch64-apple-darwin", 16, True, "i64"),
        ("arm64-apple-ios", 16, True, "i64"),
        ("x86_64-pc-windows-msvc", 16, False, "i64"),
        ("thumbv7em-none-eabihf", 4, True, "i32"),
        ("thumbv7m-none-eabi", 4, False, "i32"),
        ("riscv64-unknown-linux-gnu", 4, True, "i64"),
        ("armv7-unknown-linux-gnueabihf", 4, False, "i32"),
    ],
)
def test_other_triples(text: str, vector_bytes: int, fused: bool, index: str) -> None:
    target = named_target(text).target
    assert (target.vector_bytes, target.fused, target.index) == (vector_bytes, fused, index)
    assert target.portable


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cortex-m5", "no target 'cortex-m5'; did you mean 'cortex-m.*known are cortex-m4"),
        ("", "there is no target ''"),
        ("avr-none-elf", "there is no target"),
        ("aarch64_be-linux-gnu", "there is no target"),
        ("thumbv7em-none-eabihf:cortex-m44", "no processor 'cortex-m44'.*mean 'cortex-m4'"),
        ("thumbv7em-none-eabihf:+vfp5", "no feature '.vfp5'.*did you mean '.vfp4'"),
        ("x86_64-linux-gnu:a:b", "behind the triple may stand one processor and features"),
        ("x86_64-linux-gnu:", "behind the triple may stand"),
    ],
)
def test_targets_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(StriateError, match=message):
        named_target(text)


CALLING = """
declare float @{0}(float)
define float @run(float %a, float %b) nounwind {{
  %c = fadd float %a, %b
  %d = call float @{0}(float %c)
  ret float %d
}}"""


@pytest.mark.parametrize(
    "name",
    ["cortex-m4", "cortex-m0", "esp32-c3", "riscv64", "raspberry-pi", "x86-64", "i686-linux-gnu"],
)
def test_undefined_symbols_are_those_of_an_independent_reader(name: str) -> None:
    code = assemble(CALLING.format("expf"), named_target(name).target, alone=True)
    table = ELFFile(io.BytesIO(code)).get_section_by_name(".symtab")
    expected = {s.name for s in table.iter_symbols() if s["st_shndx"] == "SHN_UNDEF"}
    found = undefined_symbols(code)
    assert set(found) == expected - {"", *MARKS} and "expf" in found
    with pytest.raises(StriateError, match="would call expf, which a chip does not have"):
        compiler_helpers(code)


def test_undefined_symbols_of_windows_and_macos() -> None:
    for triple, expected in (
        ("x86_64-pc-windows-msvc", "a_function_with_a_long_name"),
        ("aarch64-apple-darwin", "_a_function_with_a_long_name"),
        ("x86_64-pc-windows-msvc", "short"),
        ("aarch64-apple-darwin", "_short"),
    ):
        code = assemble(
            CALLING.format(expected.lstrip("_")), named_target(triple).target, alone=True
        )
        assert undefined_symbols(code) == (expected,)
    with pytest.raises(StriateError, match="neither ELF nor COFF nor Mach-O"):
        undefined_symbols(b"nothing of the kind")


def test_helpers_are_what_compilers_bring() -> None:
    text = (
        "define float @run(float %a, float %b) nounwind {{\n"
        "  %c = f{} float %a, %b\n  ret float %c\n}}"
    )
    target = named_target("esp32-c3").target
    for name in ("add", "sub", "mul", "div"):
        assert compiler_helpers(assemble(text.format(name), target, alone=True)) == (
            f"__{name}sf3",
        )


def test_frames_from_assembly() -> None:
    """Of processors that no test runs: pushes, frames and an aligned stack of x86."""
    text = """
one:
	pushq	%rbp
	.cfi_def_cfa_offset 16
	movq	%rsp, %rbp
	pushq	%r15
	andq	$-32, %rsp
	subq	$96, %rsp
	retq
_two:
	subq	$40, %rsp
	.cfi_def_cfa_offset 48
"""
    assert frame_bytes(text, {"one", "two"}) == {"one": 8 + 8 + 32 + 96, "two": 40}
