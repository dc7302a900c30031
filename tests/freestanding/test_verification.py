"""Exported code beside its network: what is the same, what is not and why; what has no room."""

from __future__ import annotations

import shutil
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from striate.common.errors import StriateError, StriateImportError
from striate.freestanding import code_export
from striate.freestanding.code_export import KINDS
from striate.freestanding.code_request import CodeRequest
from striate.freestanding.exported import Exported, arena_peak
from striate.freestanding.object import counted_instructions
from striate.freestanding.object.object_export import object_files
from striate.freestanding.program.segmented_program import ArenaBuffer
from striate.freestanding.running import code_runners
from striate.freestanding.running.verification import verify
from striate.freestanding.running.verified_code import FAR
from striate.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU
from striate.model.answers import Answers
from striate.model.preprocessing import Preprocessing
from striate.nest.target import host
from striate.network import Network

fused = pytest.mark.skipif(not host().fused, reason="this processor rounds multiply-adds twice")


def network() -> Network:
    made = Network(
        [Conv2D(6, 3, padding="same"), ReLU(), MaxPool2D(2), Conv2D(8, (3, 2)), Flatten(),
         Dense(4)],
        (8, 10, 2), seed=1,
    )  # fmt: skip
    made.preprocessing = Preprocessing((120.0, 100.0), (60.0, 70.0))
    return made


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 8, 10, 2)).astype(np.uint8)


def exported(target: str, batch_size: int = 1) -> Exported:
    return object_files(CodeRequest(network(), "eyes", target, batch_size))


def labels_of(given: np.ndarray) -> np.ndarray:
    """The classes that the network finds."""
    return network().predict_logits(given, exact=True, portable=True).argmax(axis=1)


@fused
@pytest.mark.parametrize("target", ["cortex-m4", "riscv64", "x86-64-v3"])
def test_the_same_bits(target: str) -> None:
    given = images(5)
    labels = labels_of(given)
    labels[0] += 1
    told: list[tuple[int, int, str]] = []
    found = verify(
        network(), exported(target, 2), given, labels, progress=lambda *how: told.append(how)
    )
    assert (found.images, found.same, found.difference, found.other_classes) == (5, 5, 0.0, 0)
    assert found.holds and found.sentence().startswith("same bits on 5 images; accuracy 80.00 %")
    assert told[-1] == (5, 5, "Verifying") and found.accuracy == found.network_accuracy == 0.8
    assert (found.counts is not None) == ("emulated" in found.how)
    assert "other classes" not in found.sentence() and found.reason == ""


def test_other_rounding_is_explained() -> None:
    found = verify(network(), exported("raspberry-pi-zero"), images(3), labels_of(images(3)))
    assert found.same < 3 and found.holds and 0 < found.difference <= FAR
    assert "rounds each product before it is added" in found.sentence()
    assert found.accuracy == 1.0
    assert not replace(found, difference=1.01 * FAR).holds
    assert not replace(found, reason="").holds


def test_numbers_are_no_classes() -> None:
    made = network()
    made.answers = Answers("numbers", names=tuple("abcd"))
    found = verify(made, object_files(CodeRequest(made, "eyes", "raspberry-pi-zero")), images(2))
    assert found.other_classes is None and "class" not in found.sentence()


def broken(given: Exported, factor: float) -> Exported:
    """With the last layer's biases, which are in the constants, times something."""
    bias = network()
    wanted = np.linspace(1, 2, 4, dtype=np.float32)
    bias.parameters["dense_1/bias"][...] = wanted
    files = dict(object_files(CodeRequest(bias, "eyes", given.target)).files)
    old = wanted.tobytes()
    assert files["eyes.o"].count(old) == 1
    new = struct.pack("<4f", *(wanted * factor))
    return replace(given, files={**files, "eyes.o": files["eyes.o"].replace(old, new)})


@pytest.mark.parametrize(("factor", "holds"), [(1.0, True), (1.00001, False), (np.nan, False)])
def test_a_changed_constant_is_found(factor: float, holds: bool) -> None:
    own = network()
    own.parameters["dense_1/bias"][...] = np.linspace(1, 2, 4)
    found = verify(own, broken(exported("cortex-m4"), factor), images(2))
    assert found.holds is (holds and host().fused)
    if not holds:
        assert found.difference > 1e-7 and "which should not be" in found.sentence()
    assert found.accuracy is None and "accuracy" not in found.sentence()


def test_what_cannot_be_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StriateError, match="can neither be run on this processor nor be emulated"):
        verify(network(), exported("x86_64-pc-windows-msvc"), images(1))
    with pytest.raises(StriateError, match="there are no images"):
        verify(network(), exported("cortex-m4"), images(0))
    with pytest.raises(StriateError, match="shape"):
        verify(network(), exported("cortex-m4"), images(1)[:, 1:])
    with pytest.raises(StriateError, match="kind 'page' cannot be run here"):
        verify(network(), replace(exported("cortex-m4"), kind="page"), images(1))
    monkeypatch.setattr("striate.common.optional.find_spec", lambda name: None)
    with pytest.raises(StriateImportError, match=r"pip install 'striate\[emulate\]'"):
        verify(network(), exported("cortex-m4"), images(1))


def test_other_kinds_can_be_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind registers what runs it."""

    class Ours:
        how, runs_at_once, counts, rounds_once = "in this test", 2, None, None

        def __init__(self) -> None:
            self.run = network().compile(batch_size=1, exact=True, portable=True, threads=1)

        def __call__(self, given: np.ndarray) -> np.ndarray:
            assert given.dtype == np.float32 and given.shape[1:] == (2, 8, 10, 2)
            return np.stack([[self.run(image[None])[0] for image in run] for run in given])

    monkeypatch.setattr(code_runners, "RUNNERS", {"ours": lambda exported: Ours()})
    found = verify(network(), replace(exported("cortex-m4", 2), kind="ours"), images(7))
    assert found.sentence() == "same bits on 7 images; run in this test"


# --- what code takes -----------------------------------------------------------------------------


def test_instructions_by_layer() -> None:
    figures = exported("cortex-m4", 2).figures
    by_layer = {one.layer: one for one in figures.instructions}
    assert by_layer["conv2d_1"].multiply_adds == 2 * 8 * 10 * 6 * 2 * 9
    assert by_layer["conv2d_2"].multiply_adds == 2 * 2 * 4 * 8 * 6 * 6
    assert by_layer["dense_1"].multiply_adds == 2 * 64 * 4
    for name in ("conv2d_1", "conv2d_2", "dense_1"):
        assert 1 < by_layer[name].instructions / by_layer[name].multiply_adds < 8
    assert figures.instructions_of_run == sum(one.instructions for one in figures.instructions)
    once = exported("cortex-m4").figures.instructions_of_run
    assert once is not None and 1.8 < (figures.instructions_of_run or 0) / once < 2.1
    rows = dict(figures.rows())
    assert rows["… in conv2d_1"] == by_layer["conv2d_1"].words()
    assert exported("riscv64").figures.instructions == ()  # which has no need to count them


def test_instructions_that_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted_instructions, "MOST_COUNTED", 1000)
    rows = dict(exported("cortex-m4").figures.rows())
    assert "--verify counts them" in rows["instructions of a run"]
    monkeypatch.setattr(counted_instructions, "find_spec", lambda name: None)
    rows = dict(exported("cortex-m4").figures.rows())
    assert "pip install 'striate[emulate]'" in rows["instructions of a run"]


def test_the_peak_of_the_arena() -> None:
    buffers = [
        ArenaBuffer("a", 100, 0, 2),
        ArenaBuffer("b", 50, 2, 4),
        ArenaBuffer("c", 90, 3, 4),
        ArenaBuffer("d", 10, 4, 5),
    ]
    assert arena_peak(buffers) == (("a", 100), ("b", 50))  # 150 twice: the first counts
    buffers[3] = ArenaBuffer("d", 11, 4, 5)
    assert arena_peak(buffers) == (("c", 90), ("b", 50), ("d", 11))
    assert arena_peak([]) == ()
    figures = exported("cortex-m4").figures
    assert [layer for layer, _ in figures.arena_peak] == ["conv2d_1", "input"]
    assert sum(size for _, size in figures.arena_peak) <= figures.arena_bytes


def test_limits_name_the_layers(tmp_path: Path) -> None:
    made = network()

    def export(**limits: int) -> Exported:
        return made.export(tmp_path / "x", to="object", target="cortex-m4", **limits)

    figures = exported("cortex-m4").figures
    with pytest.raises(StriateError, match=r"conv2d_1 \(.*\) and input \(.*\) are needed at once"):
        export(max_ram=figures.ram_bytes - 1)
    with pytest.raises(StriateError, match=r"of flash, .* those of conv2d_2 \(.*, dense_1 \("):
        export(max_flash=figures.flash_bytes - 1)
    with pytest.raises(StriateError, match="max_ram"):
        export(max_ram=0)
    assert not (tmp_path / "x").exists()
    found = export(max_ram=figures.ram_bytes, max_flash=figures.flash_bytes)
    assert found.figures.code_bytes + found.figures.constant_bytes == figures.flash_bytes


def test_nothing_is_written_where_verifying_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = {"to": "object", "target": "cortex-m4"}
    found = network().export(tmp_path / "good", **how, verify=images(2))
    assert found.verification is not None and found.verification.images == 2

    def stopped(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(code_export, "verify_code", stopped)
    with pytest.raises(KeyboardInterrupt):
        network().export(tmp_path / "x", **how, verify=images(1))
    assert [path.name for path in tmp_path.iterdir()] == ["good"]


NEEDS = {"c": "gcc", "wasm": "node"}


@pytest.mark.parametrize("weights", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("kind", list(NEEDS))
def test_c_and_webassembly_are_run(kind: str, weights: str, tmp_path: Path) -> None:
    if shutil.which(NEEDS[kind]) is None:
        pytest.skip(f"there is no {NEEDS[kind]}")
    made, given = network(), images(5)
    labels = made.predict_logits(given).argmax(axis=1)
    found = made.export(
        *(tmp_path / "eyes",),
        to=kind,
        batch_size=2,
        weights=weights,
        verify=given,
        labels=labels,
    ).verification
    assert found is not None and found.holds and found.images == 5, found
    assert found.difference <= 1e-6
    if kind == "c" and weights != "int8" and host().fused:
        assert found.same == 5
    assert ("compiled by" if kind == "c" else "in Node ") in found.how
    if weights == "float32":
        assert found.other_classes == 0 and found.accuracy == 1.0


@pytest.mark.parametrize("kind", list(NEEDS))
def test_what_is_wrong_in_c_and_webassembly_is_found(kind: str) -> None:
    if shutil.which(NEEDS[kind]) is None:
        pytest.skip(f"there is no {NEEDS[kind]}")
    request = CodeRequest(network(), "eyes")
    exported = KINDS[kind](request)
    file = "eyes.c" if kind == "c" else "eyes.weights.bin"
    content = exported.files[file]
    if kind == "c":
        words = b"= multiply_add("
        broken = content.replace(words, b"= 1.001f * multiply_add(")
    else:
        numbers = np.frombuffer(content, np.float32) * np.float32(1.001)
        broken = numbers.tobytes()
    assert broken != content
    wrong = replace(exported, files={**exported.files, file: broken})
    found = verify(network(), wrong, images(3))
    assert not found.holds and found.same == 0 and found.difference > 1e-5
    nothing = replace(exported, files={**exported.files, file: content[: len(content) // 2]})
    with pytest.raises(StriateError, match=r"refuses eyes\.c: |Node could not run the code: "):
        verify(network(), nothing, images(3))


def test_without_compiler_or_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    for kind, message in (("c", "no C compiler here"), ("wasm", "run by Node, which is not here")):
        exported = KINDS[kind](CodeRequest(network(), "eyes"))
        with pytest.raises(StriateError, match=message):
            verify(network(), exported, images(1))
