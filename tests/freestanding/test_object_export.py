"""Networks as object files in folders: what is written, and that C can use it."""

from __future__ import annotations

import io
import platform
import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from striate.common import new_folder
from striate.common.errors import StriateError
from striate.freestanding import code_export
from striate.freestanding.code_export import c_name
from striate.freestanding.program.frozen_program import FrozenProgram
from striate.freestanding.targets.named_targets import NAMED_TARGETS, named_target
from striate.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU, Tanh
from striate.model.preprocessing import Preprocessing
from striate.nest.target import host
from striate.network import Network

HELPERS = {"", "__aeabi_unwind_cpp_pr0"}
"""Symbols that may be left open: what every ARM compiler brings."""
WITHOUT_FLOATS = ("cortex-m0", "esp32-c3")
MACHINES = {
    "thumb": "EM_ARM",
    "armv6": "EM_ARM",
    "aarch64": "EM_AARCH64",
    "riscv": "EM_RISCV",
    "x86_64": "EM_X86_64",
}


def network() -> Network:
    made = Network(
        [Conv2D(5, 3, padding="same"), ReLU(), MaxPool2D(2), Tanh(), Flatten(), Dense(3)],
        (6, 8, 2), seed=1,
    )  # fmt: skip
    made.preprocessing = Preprocessing((120.0, 100.0), (60.0, 70.0))
    made.classes = ["a", 'quote " and \\', "Äpfel?"]
    return made


@pytest.mark.parametrize("target", list(NAMED_TARGETS))
def test_objects_for_every_target(target: str, tmp_path: Path) -> None:
    found = network().export(tmp_path / "eyes", to="object", target=target, batch_size=2)
    assert sorted(path.name for path in (tmp_path / "eyes").iterdir()) == sorted(found.files)
    elf = ELFFile(io.BytesIO((tmp_path / "eyes" / "eyes.o").read_bytes()))
    triple = named_target(target).target.triple
    assert elf["e_machine"] == next(m for start, m in MACHINES.items() if triple.startswith(start))
    symbols = elf.get_section_by_name(".symtab")
    undefined = {s.name for s in symbols.iter_symbols() if s["st_shndx"] == "SHN_UNDEF"}
    assert undefined <= HELPERS | set(found.helpers)
    assert bool(found.helpers) == (target in WITHOUT_FLOATS)
    (run,) = symbols.get_symbol_by_name("eyes_run")
    assert run["st_info"]["bind"] == "STB_GLOBAL"
    assert not [s.name for s in elf.iter_sections() if s.name in (".data", ".bss") and s["sh_size"]]
    program = FrozenProgram(network(), named_target(target).target, 2)
    assert found.figures.constant_bytes == len(program.constants)
    assert found.figures.arena_bytes == program.arena_bytes
    data = b"".join(s.data() for s in elf.iter_sections() if s.name.startswith(".rodata"))
    assert program.constants in data
    text = sum(s["sh_size"] for s in elf.iter_sections() if s.name.startswith(".text"))
    assert text <= found.figures.code_bytes <= text + 512
    assert (found.figures.image_bytes, found.figures.output_bytes) == (2 * 4 * 96, 2 * 4 * 3)
    assert found.figures.multiply_adds == 2 * (6 * 8 * 5 * 9 * 2 + 60 * 3)
    readme = (tmp_path / "eyes" / "README.md").read_text()
    assert (
        f"{found.figures.arena_bytes:,} bytes" in readme and named_target(target).compiler in readme
    )


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="it is another processor")
@pytest.mark.parametrize("target", ["x86-64", "x86-64-v3"])
def test_c_compiles_and_finds_what_is_expected(target: str, tmp_path: Path) -> None:
    known = named_target(target).target
    if known.vector_bytes > host().vector_bytes or (known.fused and not host().fused):
        pytest.skip("this processor cannot run it")
    folder = tmp_path / "eyes"
    found = network().export(folder, to="object", target=target, batch_size=2)
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    (folder / "names.c").write_text(
        '#include <stdio.h>\n#include "eyes.h"\n'
        "int main(void) { for (int i = 0; i < 3; i++) puts(eyes_classes[i]); return 0; }\n"
    )
    for command in (
        ["gcc", *strict, "-O2", "main.c", "eyes.o", "-o", "eyes"],
        ["gcc", *strict, "names.c", "-o", "names"],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    ran = subprocess.run([folder / "eyes"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert ran.stdout.startswith("same bits in 3 of 3 runs") == found.same_bits
    named = subprocess.run([folder / "names"], capture_output=True, check=True).stdout.decode()
    assert named.splitlines() == network().classes
    # And the example sees what is wrong.
    vectors = (folder / "eyes_test_vectors.h").read_text()
    head, outputs = vectors.split("eyes_test_outputs")
    broken = outputs.replace("{", "{1e3f + ", 2).replace("= {1e3f + ", "= {", 1)
    (folder / "eyes_test_vectors.h").write_text(head + "eyes_test_outputs" + broken)
    subprocess.run(["gcc", "main.c", "eyes.o", "-o", "eyes"], cwd=folder, check=True)
    assert subprocess.run([folder / "eyes"], capture_output=True, check=False).returncode == 1


def test_names_in_c() -> None:
    assert [c_name(text) for text in ("Digits 2.0", "7eleven", "é!", "", "a-b")] == [
        "digits_2_0", "network_7eleven", "network", "network", "a_b",
    ]  # fmt: skip


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = network()
    with pytest.raises(StriateError, match="no target 'cortex-m5'; did you mean 'cortex-m"):
        made.export(tmp_path / "x", to="object", target="cortex-m5")
    with pytest.raises(StriateError, match="no kind 'objects'; did you mean 'object'"):
        made.export(tmp_path / "x", to="objects", target="cortex-m4")
    with pytest.raises(StriateError, match="cannot begin names in C; 'x_y' could"):
        made.export(tmp_path / "x", to="object", target="cortex-m4", name="x-y")
    with pytest.raises(StriateError, match="batch_size"):
        made.export(tmp_path / "x", to="object", target="cortex-m4", batch_size=0)
    with pytest.raises(StriateError, match="there is no folder"):
        made.export(tmp_path / "none" / "x", to="object", target="cortex-m4")
    (tmp_path / "there").mkdir()
    with pytest.raises(StriateError, match="there exists; give the name of a folder that does not"):
        made.export(tmp_path / "there", to="object", target="cortex-m4")
    monkeypatch.setattr(code_export, "_MOST_CONSTANTS", 100)
    with pytest.raises(StriateError, match="of weights, and code takes at most 100 B"):
        made.export(tmp_path / "x", to="object", target="cortex-m4")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_nothing_is_left_of_what_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(files: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(new_folder, "write_all_atomically", full)
    with pytest.raises(OSError, match="No space"):
        network().export(tmp_path / "x", to="object", target="cortex-m4")
    assert not (tmp_path / "x").exists()
