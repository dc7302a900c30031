"""Networks that go on learning as object files: what is written, and that C can use it."""

from __future__ import annotations

import io
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from striate.common.errors import StriateError
from striate.freestanding import code_export
from striate.freestanding.object.object_export import object_files
from striate.freestanding.targets.named_targets import named_target
from striate.freestanding.training_code.learning import learning_of
from striate.freestanding.training_code.training_module import TrainingModule
from striate.freestanding.training_code.training_program import TrainingProgram
from striate.nest.target import host
from striate.network import Network
from striate.optim.losses import MeanSquaredError
from tests.freestanding.learning_networks import plain, uneven

HELPERS = {
    "", "__aeabi_unwind_cpp_pr0", "__aeabi_dadd", "__aeabi_dsub", "__aeabi_dmul", "__aeabi_ddiv",
    "__aeabi_d2f", "__aeabi_f2d",
}  # fmt: skip
"""Symbols that may be left open: what every ARM compiler brings."""


@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m7", "raspberry-pi", "riscv64"])
def test_objects_for_other_processors(target: str, tmp_path: Path) -> None:
    network, folder = plain(), tmp_path / "pupil"
    found = network.export(
        folder, to="object", target=target, train=True, frozen_until="dense_1", batch_size=2
    )
    assert sorted(path.name for path in folder.iterdir()) == sorted(found.files)
    elf = ELFFile(io.BytesIO((folder / "pupil.o").read_bytes()))
    symbols = elf.get_section_by_name(".symtab")
    undefined = {s.name for s in symbols.iter_symbols() if s["st_shndx"] == "SHN_UNDEF"}
    assert undefined <= HELPERS
    readme = (folder / "README.md").read_text()
    assert all(f"`{name}`" in readme for name in undefined - {"", "__aeabi_unwind_cpp_pr0"})
    for name in ("begin", "train", "run"):
        (symbol,) = symbols.get_symbol_by_name(f"pupil_{name}")
        assert symbol["st_info"]["bind"] == "STB_GLOBAL"
    assert not [s.name for s in elf.iter_sections() if s.name in (".data", ".bss") and s["sh_size"]]
    learning = learning_of(network, frozen_until="dense_1")
    made = TrainingModule(TrainingProgram(learning, named_target(target).target, 2), "pupil")
    figures = found.figures
    assert figures.state_bytes == made.program.state_bytes == 4 * (3 * (480 + 16) + 16)
    assert figures.constant_bytes == len(made.constants)
    assert figures.arena_bytes == made.arena_bytes
    data = b"".join(s.data() for s in elf.iter_sections() if s.name.startswith(".rodata"))
    assert made.constants in data
    text = sum(s["sh_size"] for s in elf.iter_sections() if s.name.startswith(".text"))
    assert text <= figures.code_bytes <= text + 1024
    assert ("state, which learns", "5.9 KiB") in figures.rows()
    assert f"{figures.state_bytes:,} bytes" in readme and "What learns: dense_1; by AdamW" in readme
    header = (folder / "pupil.h").read_text()
    assert f"PUPIL_STATE_BYTES {figures.state_bytes}\n" in header


LEARNING: dict[str, tuple[Network, dict[str, Any]]] = {
    "head": (plain(), {"frozen_until": "dense_1", "optimizer": "sgd"}),
    "keys": (uneven(), {}),
    "numbers": (plain(), {"loss": MeanSquaredError(), "batch_size": 1}),
}


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="it is another processor")
@pytest.mark.parametrize(
    ("name", "target"),
    [("head", "x86-64"), ("head", "x86-64-v3"), ("keys", "x86-64-v3"), ("numbers", "x86-64")],
)
def test_c_compiles_and_learns_what_is_expected(name: str, target: str, tmp_path: Path) -> None:
    known = named_target(target).target
    if known.vector_bytes > host().vector_bytes or (known.fused and not host().fused):
        pytest.skip("this processor cannot run it")
    folder, (network, options) = tmp_path / "pupil", LEARNING[name]
    network.classes = None if name == "numbers" else [str(i) for i in range(*network.output_shape)]
    found = network.export(
        folder, to="object", target=target, train=True, **{"batch_size": 3, **options}
    )
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    compiled = ["gcc", *strict, "-O2", "main.c", "pupil.o", "-o", "pupil"]
    (folder / "other.cpp").write_text('#include "pupil.h"\n')
    subprocess.run(compiled, cwd=folder, check=True, capture_output=True)
    subprocess.run(
        ["gcc", "-x", "c++", "-Wall", "-fsyntax-only", "-Wno-unused", "other.cpp"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    ran = subprocess.run([folder / "pupil"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert found.same_bits == known.fused
    same = "same bits in 3 of 3 losses, and in outputs; farthest 0"
    assert ran.stdout.splitlines()[-1].startswith(same)
    # And the example sees what is wrong.
    vectors = folder / "pupil_test_vectors.h"
    text = vectors.read_text()
    vectors.write_text(text.replace("RATE 0.001", "RATE 0.1"))
    assert vectors.read_text() != text
    subprocess.run(compiled, cwd=folder, check=True)
    assert subprocess.run([folder / "pupil"], capture_output=True, check=False).returncode == 1


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, to = plain(), {"to": "object", "target": "cortex-m4"}
    for option, value in (("optimizer", "sgd"), ("loss", "numbers"), ("frozen_until", "dense_1")):
        with pytest.raises(StriateError, match=f"{option} is for train=True; leave it out"):
            made.export(tmp_path / "x", **to, **{option: value})
    with pytest.raises(StriateError, match="no layer 'dense' to be frozen until; did you mean"):
        made.export(tmp_path / "x", **to, train=True, frozen_until="dense")
    monkeypatch.setitem(code_export.KINDS, "tape", object_files)
    with pytest.raises(StriateError, match="kind 'tape' does not learn; with train=True give obj"):
        made.export(tmp_path / "x", to="tape", train=True)
    assert not [*tmp_path.iterdir()]
