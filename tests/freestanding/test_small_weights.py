"""Weights as bfloat16 and int8: bits of rounded networks, sums in float64, emulated processors."""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.engines.numpy import NumPyEngine
from striate.freestanding.object.object_export import with_constants
from striate.freestanding.program.frozen_program import FrozenProgram
from striate.freestanding.program.llvm_module import write_module
from striate.freestanding.weights import small_weights
from striate.freestanding.weights.rounded_weights import Weights
from striate.layers import (
    LAYERS,
    Add,
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    Input,
    LocallyConnected2D,
    MaxPool2D,
    ReLU,
    SiLU,
)
from striate.model.model import Model
from striate.nest.algebra import Tensor
from striate.nest.target import Loaded, Target, assemble, host
from striate.network import Network
from striate.plan.inference import CompiledNetwork
from striate.plan.layout import Buffer
from striate.plan.stage import BoundNest
from tests.freestanding.test_frozen_program import MACHINES, aligned, emulated, images_for
from tests.small_networks import CASES, IMAGE, case_id, randomise, read_by

SMALL: list[Weights] = ["bfloat16", "int8"]
fused = pytest.mark.skipif(not host().fused, reason="this processor rounds multiply-adds twice")


def digits() -> Network:
    return randomise(
        Network(
            [Conv2D(16, 3, padding="same"), ReLU(), MaxPool2D(2), Conv2D(32, 3, padding="same"),
             ReLU(), MaxPool2D(2), Flatten(), Dense(10)],
            (8, 8, 1),
        )
    )  # fmt: skip


def uneven() -> Network:
    """Groups, depthwise, dilation, uneven padding, batch normalisation folded and not."""
    return randomise(
        Network(
            [Conv2D(18, (3, 2), padding=(2, 1), uncovered="drop"), BatchNorm(), ReLU(),
             Conv2D(18, (2, 3), groups=18, dilation=2, bias=False), SiLU(), BatchNorm(),
             Conv2D(9, 3, stride=2, groups=3, padding=1, uncovered="drop"), ReLU(), Flatten(),
             Dense(17), ReLU(), Dense(5)],
            (9, 14, 3),
        )
    )  # fmt: skip


def transposed() -> Network:
    """Sums in rounds, phases that have taps of their own, and filters of each position."""
    return randomise(
        Network(
            [Conv2D(96, 1), ReLU(), ConvTranspose2D(6, 3, stride=2),
             ConvTranspose2D(4, (3, 2), stride=(3, 1), groups=2, bias=False),
             LocallyConnected2D(4, (3, 2), stride=(2, 1), uncovered="drop"), GlobalAvgPool2D(),
             Dense(3)],
            (8, 7, 3),
        )
    )  # fmt: skip


def shared() -> Network:
    """One layer at two places, with images of two sizes."""
    x = Input((9, 8, 6))
    layer = Conv2D(6, 3, padding="same")
    a = ReLU()(layer(x))
    b = layer(a)
    out = Dense(3)(GlobalAvgPool2D()(layer(MaxPool2D(2, uncovered="drop")(Add()(a, b)))))
    return randomise(Network(inputs=x, output=out))


NETWORKS: list[Callable[[], Network]] = [digits, uneven, transposed, shared]


def run_here(program: FrozenProgram, images: np.ndarray) -> np.ndarray:
    """What a program of one image says of each, on this processor."""
    code = Loaded(assemble(write_module(program, "tested").text, program.target), "tested_run_on")
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(code.address)
    constants = aligned(len(program.constants), 0)
    constants[...] = np.frombuffer(program.constants, np.uint8)
    outputs, arena = aligned(program.output_bytes, 0), aligned(program.arena_bytes, 0xFF)
    found = []
    for batch in images.reshape(-1, program.batch_size, *images.shape[1:]):
        given = np.ascontiguousarray(batch)
        run(given.ctypes.data, outputs.ctypes.data, constants.ctypes.data, arena.ctypes.data)
        found.append(outputs.view(np.float32).reshape(program.batch_size, -1).copy())
    return np.concatenate(found)


def in_float64(model: Model, images: np.ndarray) -> np.ndarray:
    found = NumPyEngine(model, batch_size=len(images), dtype=np.float64).forward(images)
    return found.reshape(len(images), -1)


def distance(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def narrow(vector_bytes: int) -> Target:
    if vector_bytes > host().vector_bytes:
        pytest.skip(f"this processor has no vectors of {vector_bytes} bytes")
    return host(portable=True).narrowed(vector_bytes, 32 if vector_bytes == 64 else 16)


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize(("vector_bytes", "count"), [(4, 1), (16, 3), (64, 1)])
def test_bfloat16_has_the_bits_of_a_rounded_network(
    make: Callable[[], Network], vector_bytes: int, count: int
) -> None:
    network = make()
    images = images_for(network, 3)
    program = FrozenProgram(network, narrow(vector_bytes), count, "bfloat16")
    found = run_here(program, images)
    if count == 1:
        run = CompiledNetwork(program.computed, exact=True, portable=True, threads=1)
        expected = np.concatenate([run(image[None]) for image in images]).reshape(3, -1)
    else:
        expected = run_here(FrozenProgram(program.computed, narrow(vector_bytes), count), images)
    np.testing.assert_array_equal(found, expected)
    assert 1e-4 < distance(found, in_float64(network, images)) < 0.05


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize(("vector_bytes", "count"), [(4, 3), (64, 1)])
def test_int8_has_the_sums_of_a_rounded_network(
    make: Callable[[], Network], vector_bytes: int, count: int
) -> None:
    network = make()
    images = images_for(network, 3)
    program = FrozenProgram(network, narrow(vector_bytes), count, "int8")
    found = run_here(program, images)
    assert distance(found, in_float64(program.computed, images)) < 2e-6
    assert 1e-4 < distance(found, in_float64(network, images)) < 0.1


def with_weights() -> list[tuple[str, dict[str, object]]]:
    names = {"Conv2D", "ConvTranspose2D", "LocallyConnected2D", "Dense", "GroupedDense"}
    # And some whose parameters are not weights.
    return [case for case in CASES if case[0] in names | {"BatchNorm", "LayerNorm", "PReLU"}]


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize(("name", "arguments"), with_weights(), ids=case_id)
def test_every_kind_of_layer(name: str, arguments: dict[str, object], kind: Weights) -> None:
    x = Input(IMAGE)
    layer = LAYERS[name](**arguments)
    network = randomise(Network(inputs=x, output=read_by(layer, SiLU()(x))))
    images = images_for(network, 2)
    program = FrozenProgram(network, host(portable=True), 1, kind)
    assert distance(run_here(program, images), in_float64(program.computed, images)) < 2e-6
    small = program.small
    assert small is not None and not small.kept
    weights = [n for n in network.parameters if n.endswith(("/filters", "/weights"))]
    assert list(small.names) == weights
    for parameter, before in network.parameters.items():
        after = program.computed.parameters[parameter]
        assert (parameter in weights) != np.array_equal(before, after)


def test_bfloat16_rounds_to_nearest_even() -> None:
    torch = pytest.importorskip("torch")
    network = digits()
    filters = network.parameters["conv2d_2/filters"]
    # Halfway between two, just beside, denormal, and of both signs.
    halfway = np.arange(0x3F800000, 0x3F800000 + (40 << 15), 1 << 15, np.uint32)
    bits = np.concatenate([halfway, halfway + 1, halfway - 1, np.arange(8, dtype=np.uint32) << 14])
    values = bits.view(np.float32)
    filters.reshape(-1)[: 2 * len(values)] = np.concatenate([values, -values])
    program = FrozenProgram(network, host(portable=True), 1, "bfloat16")
    for name in ("conv2d_1/filters", "conv2d_2/filters", "dense_1/weights"):
        expected = torch.from_numpy(network.parameters[name].copy()).bfloat16().float().numpy()
        found = program.computed.parameters[name]
        np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32))
    np.testing.assert_array_equal(
        program.computed.parameters["dense_1/bias"], network.parameters["dense_1/bias"]
    )


def test_int8_has_a_scale_for_each_output() -> None:
    """Each channel is whole numbers times a scale, with less error than by its largest weight."""
    network = digits()
    program = FrozenProgram(network, host(portable=True), 1, "int8")
    better = 0
    for name in ("conv2d_1/filters", "conv2d_2/filters", "dense_1/weights"):
        before, after = (
            model.parameters[name].reshape(-1, model.parameters[name].shape[-1]).astype(np.float64)
            for model in (network, program.computed)
        )
        largest = np.abs(before).max(axis=0)
        plain = np.rint(before / (largest / 127)) * (largest / 127)
        errors = [((numbers - before) ** 2).sum(axis=0) for numbers in (after, plain)]
        assert (errors[0] <= errors[1] * (1 + 1e-5)).all()
        better += int((errors[0] < 0.99 * errors[1]).sum())
        scales = after.max(axis=0)
        for channel in range(before.shape[1]):
            steps = [
                scale
                for scale in largest[channel] / 127 * np.linspace(1.01, 0.96, 26)
                if np.abs(after[:, channel] / scale - np.rint(after[:, channel] / scale)).max()
                < 1e-4
            ]
            assert steps and scales.shape == largest.shape
            assert np.abs(after[:, channel]).max() <= 127.001 * steps[0]
    assert better > 20  # of 58 channels


def test_what_small_weights_take() -> None:
    """6,032 weights, 58 biases and for int8 as many scales; two numbers that standardise images."""
    target = MACHINES["cortex-m4"]
    bytes_of = {
        kind: len(FrozenProgram(digits(), target, 1, kind).constants)
        for kind in ("float32", *SMALL)
    }
    rest = 4 * (58 + 2 * 8)
    assert 4 * 6032 + rest <= bytes_of["float32"] <= 4 * 6032 + rest + 9 * 64
    assert 2 * 6032 + rest <= bytes_of["bfloat16"] <= 2 * 6032 + rest + 9 * 64
    assert 6032 + rest + 4 * 58 <= bytes_of["int8"] <= 6032 + rest + 4 * 58 + 12 * 64


@fused
@pytest.mark.parametrize("make", [digits, uneven])
@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("machine", ["cortex-m4", "cortex-a72", "rv64gc"])
def test_other_processors_find_the_same_bits(
    make: Callable[[], Network], kind: Weights, machine: str
) -> None:
    network, target = make(), MACHINES[machine]
    images = images_for(network, 2)
    program = FrozenProgram(network, target, 1, kind)
    module = with_constants(write_module(program, "tested"), program, "tested")
    code = assemble(module.text, target, alone=True)
    here = FrozenProgram(network, host(portable=True), 1, kind)
    found = emulated(target, code, program, images)
    np.testing.assert_array_equal(found, run_here(here, images))


def test_channels_of_zeros_and_of_next_to_nothing() -> None:
    network = digits()
    filters = network.parameters["conv2d_2/filters"]
    filters[..., 3] = 0.0
    filters[..., 4] = 0.0
    filters[0, 0, 0, 4] = 1e-44  # less than 127 of the least number
    filters[..., 5] *= 1e-30
    program = FrozenProgram(network, host(portable=True), 1, "int8")
    rounded = program.computed.parameters["conv2d_2/filters"]
    assert (rounded[..., 3:5] == 0).all()
    assert np.abs(rounded[..., 5] / filters[..., 5] - 1).min() < 1e-3
    images = images_for(network, 2)
    assert distance(run_here(program, images), in_float64(program.computed, images)) < 2e-6


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_cannot_be_rounded(kind: Weights, bad: float) -> None:
    network = digits()
    network.parameters["dense_1/weights"][5:7, 2] = bad
    network.parameters["dense_1/bias"][1] = np.nan  # is not rounded
    with pytest.raises(ValueError, match="dense_1/weights holds numbers that are not finite"):
        FrozenProgram(network, host(portable=True), 1, kind)
    FrozenProgram(network, host(portable=True))


def test_a_number_beyond_bfloat16() -> None:
    network = digits()
    network.parameters["conv2d_1/filters"][1, 1, 0, 2] = 3.4e38
    with pytest.raises(ValueError, match=r"conv2d_1/filters has numbers beyond 3\.39e38"):
        FrozenProgram(network, host(portable=True), 1, "bfloat16")


@pytest.mark.parametrize("kind", SMALL)
def test_weights_that_are_read_in_another_way_too(
    kind: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a step cannot do with small weights it does with rounded ones of 32 bits."""
    known = small_weights.weight_of
    network = shared()
    target = narrow(4)  # it lays the filters out
    first = FrozenProgram(network, target, 1, kind)
    refused: list[BoundNest] = []

    def all_but_one(step: BoundNest, constants: Collection[Buffer]) -> Tensor | None:
        found = known(step, constants)
        if found is None or refused or step.nest.extent("y") != 4:
            return found
        refused.append(step)
        return None

    monkeypatch.setattr(small_weights, "weight_of", all_but_one)
    images = images_for(network, 2)
    program = FrozenProgram(network, target, 1, kind)
    assert refused and program.small is not None and not program.small.kept
    assert len(program.constants) > len(first.constants) + 4 * 54 * 2  # a panel of two channels
    assert distance(run_here(program, images), in_float64(program.computed, images)) < 2e-6


def test_weights_that_no_step_can_read_small(monkeypatch: pytest.MonkeyPatch) -> None:
    known = small_weights.weight_of
    monkeypatch.setattr(
        small_weights,
        "weight_of",
        lambda step, constants: None if "conv2d_2" in step.label else known(step, constants),
    )
    network = digits()
    program = FrozenProgram(network, host(portable=True), 1, "int8")
    assert program.small is not None
    assert program.small.names == ("conv2d_1/filters", "dense_1/weights")
    assert program.small.kept == ("conv2d_2/filters",)
    assert program.small.numbers == 9 * 16 + 128 * 10
    name = "conv2d_2/filters"
    np.testing.assert_array_equal(program.computed.parameters[name], network.parameters[name])


def test_weights_among_other_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that reads something that is no copy of a parameter goes on reading 32 bits."""
    known = small_weights.origins_of
    network = digits()
    (slot,) = [slot for slot in network.slots if slot.parameter.name == "weights"]

    def with_a_hole(*given: Any) -> dict[Buffer, np.ndarray]:
        found = known(*given)
        for origins in found.values():
            origins[origins == slot.stop - 1] = -1
        return found

    monkeypatch.setattr(small_weights, "origins_of", with_a_hole)
    program = FrozenProgram(network, host(portable=True), 1, "int8")
    assert program.small is not None and program.small.kept == ("dense_1/weights",)
    images = images_for(network, 2)
    assert distance(run_here(program, images), in_float64(program.computed, images)) < 2e-6


@pytest.mark.parametrize("kind", SMALL)
def test_objects_say_what_was_rounded(kind: Weights, tmp_path: Path) -> None:
    network = digits()
    found = network.export(tmp_path / "eyes", to="object", target="x86-64-v3", weights=kind)
    assert (found.figures.weights, found.figures.small_weights) == (kind, 6032)
    assert (f"weights stored as {kind}", "6,032") in found.figures.rows()
    readme = (tmp_path / "eyes" / "README.md").read_text()
    assert f"| weights stored as {kind} | 6,032 |" in readme
    assert "Rounded are conv2d_1/filters, conv2d_2/filters, dense_1/weights" in readme
    assert found.same_bits == (kind == "bfloat16" and host().fused)
    assert ("same bits" in readme) == (kind == "bfloat16")
    plain = network.export(tmp_path / "plain", to="object", target="x86-64-v3")
    assert plain.figures.constant_bytes > 1.9 * found.figures.constant_bytes
    assert "stored as" not in str(plain.figures.rows())
    assert "Rounded" not in (tmp_path / "plain" / "README.md").read_text()


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="it is another processor")
@pytest.mark.parametrize("kind", SMALL)
def test_the_example_in_c_finds_what_is_expected(kind: Weights, tmp_path: Path) -> None:
    found = uneven().export(tmp_path / "eyes", to="object", target="x86-64", weights=kind)
    command = ["gcc", "-O1", "main.c", "eyes.o", "-o", "eyes"]
    subprocess.run(command, cwd=tmp_path / "eyes", check=True, capture_output=True)
    ran = subprocess.run([tmp_path / "eyes" / "eyes"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0 and not found.same_bits, ran.stdout


def test_weights_that_do_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no weights 'int4'; did you mean 'int8'\?; known"):
        digits().export(tmp_path / "eyes", to="object", target="cortex-m4", weights="int4")
    assert not (tmp_path / "eyes").exists()
