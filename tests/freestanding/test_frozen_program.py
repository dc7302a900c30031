"""Networks as code on segments of memory: run here, and on emulated processors, bit for bit."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from striate.freestanding.object.object_export import with_constants
from striate.freestanding.program.frozen_program import FrozenProgram
from striate.freestanding.program.llvm_module import write_module
from striate.freestanding.running.emulation import EmulatedCode
from striate.layers import (
    Add,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    Input,
    MaxPool2D,
    ReLU,
    Tanh,
)
from striate.model.preprocessing import Preprocessing
from striate.nest.algebra import Nest, Store, Tensor, strides_of
from striate.nest.elementary import rint
from striate.nest.emit import emit_function
from striate.nest.schedule import Schedule
from striate.nest.target import Loaded, Target, assemble, host
from striate.network import Network

fused = pytest.mark.skipif(not host().fused, reason="this processor rounds multiply-adds twice")


def digits() -> Network:
    return Network(
        [Conv2D(16, 3, padding="same"), ReLU(), MaxPool2D(2), Conv2D(32, 3, padding="same"),
         ReLU(), MaxPool2D(2), Flatten(), Dense(10)],
        (8, 8, 1), seed=1,
    )  # fmt: skip


def uneven() -> Network:
    """Uneven sizes, paddings, strides and groups; a preprocessing."""
    made = Network(
        [Conv2D(6, (3, 2), padding=(2, 1), uncovered="drop"), BatchNorm(), ReLU(),
         Conv2D(9, 3, stride=2, groups=3, padding=1, uncovered="drop"), ReLU(),
         MaxPool2D(3, stride=2, padding=1, uncovered="drop"), Flatten(), Dense(17), ReLU(),
         Dense(5)],
        (9, 14, 3), seed=2,
    )  # fmt: skip
    made.preprocessing = Preprocessing((0.1, 0.2, 0.3), (0.5, 2.0, 1.5))
    made.state["batch_norm_1/mean"][...] = np.linspace(-0.2, 0.3, 6)
    made.state["batch_norm_1/variance"][...] = np.linspace(0.5, 2, 6)
    return made


def branches() -> Network:
    """Sums, a concatenation, an average of all, dense layers that sum over lanes."""
    x = Input((10, 7, 5))
    a = ReLU()(Conv2D(8, 3, padding="same")(x))
    b = Conv2D(8, 1)(x)
    joined = Concat()(Add()(a, b), AvgPool2D(3, stride=1, padding=1)(a))
    return Network(inputs=x, output=Dense(3)(GlobalAvgPool2D()(joined)), seed=3)


def smooth() -> Network:
    return Network([Conv2D(4, 3), Tanh(), Flatten(), Dense(3), Tanh()], (6, 5, 2), seed=4)


def channels() -> Network:
    """Where narrow panels of weights would make another order of sums the cheapest."""
    return Network([Conv2D(64, 3, padding=1), Flatten(), Dense(3)], (4, 4, 32), seed=5)


NETWORKS: list[Callable[[], Network]] = [digits, uneven, branches, smooth, channels]


def images_for(network: Network, count: int) -> np.ndarray:
    random = np.random.default_rng(count)
    return random.normal(size=(count, *network.input_shape)).astype(np.float32)


def expected(network: Network, images: np.ndarray) -> np.ndarray:
    """What the library says, one image after the other."""
    run = network.compile(batch_size=1, exact=True, portable=True, threads=1)
    return np.concatenate([run(image[None]) for image in images])


def aligned(size: int, value: int) -> np.ndarray:
    """So many bytes from a whole line on, with some more on both sides."""
    room = np.full(size + 192, value, np.uint8)
    start = -room.ctypes.data % 64 + 64
    return room[start : start + size]


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("vector_bytes", [4, 16, 32, 64])
def test_it_runs_on_its_segments_alone(make: Callable[[], Network], vector_bytes: int) -> None:
    if vector_bytes > host().vector_bytes:
        pytest.skip(f"this processor has no vectors of {vector_bytes} bytes")
    network = make()
    target = host(portable=True).narrowed(vector_bytes, 16)
    for count in (1, 3):
        images = images_for(network, count)
        program = FrozenProgram(network, target, batch_size=count)
        module = write_module(program, "tested")
        assert module.functions and all(name.startswith("tested_") for name in module.functions)
        code = Loaded(assemble(module.text, target), "tested_run_on")
        run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(code.address)
        constants = aligned(len(program.constants), 0)
        constants[...] = np.frombuffer(program.constants, np.uint8)
        outputs = aligned(program.output_bytes, 0)
        for garbage in (0xFF, 0x41):  # NaN, and 12.08: nothing may be left from before
            arena = aligned(program.arena_bytes, garbage)
            base = arena.base
            assert base is not None
            before, first = base.copy(), arena.ctypes.data - base.ctypes.data
            run(images.ctypes.data, outputs.ctypes.data, constants.ctypes.data, arena.ctypes.data)
            found = outputs.view(np.float32).reshape(count, -1)
            np.testing.assert_array_equal(found, expected(network, images))
            assert constants.tobytes() == program.constants
            last = first + program.arena_bytes
            np.testing.assert_array_equal(base[:first], before[:first])
            np.testing.assert_array_equal(base[last:], before[last:])


@pytest.mark.parametrize("make", NETWORKS)
def test_loops_that_are_not_written_out_add_in_the_same_order(make: Callable[[], Network]) -> None:
    network = make()
    images = images_for(network, 1)
    target = host(portable=True).narrowed(16, 16)
    texts = set()
    for one in (target, replace(target, registers=15, writes_out=False)):
        program = FrozenProgram(network, target)
        text = write_module(program, "tested", one).text
        texts.add(text)
        code = Loaded(assemble(text, target), "tested_run_on")
        constants = aligned(len(program.constants), 0)
        constants[...] = np.frombuffer(program.constants, np.uint8)
        outputs, arena = aligned(program.output_bytes, 0), aligned(program.arena_bytes, 0xFF)
        ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(code.address)(
            *(array.ctypes.data for array in (images, outputs, constants, arena))
        )
        found = outputs.view(np.float32).reshape(1, -1)
        np.testing.assert_array_equal(found, expected(network, images))
    assert len(texts) == 2


def test_the_arena_is_what_lives_at_once() -> None:
    """Of the digits that is what the first convolution writes and what pooling makes of it."""
    program = FrozenProgram(digits(), host(portable=True))
    convolved, pooled = 4 * 8 * 8 * 16, 4 * 6 * 6 * 16  # with a border of zeros for the next one
    assert convolved + pooled <= program.arena_bytes <= 1.1 * (convolved + pooled)
    numbers = digits().parameter_count
    assert 4 * numbers <= len(program.constants) <= 4 * numbers + 1024


MACHINES = {
    "cortex-m4": Target(
        "thumbv7em-unknown-none-eabihf", "cortex-m4", "",
        vector_bytes=4, registers=32, rounds=False, portable=True,
    ),
    "cortex-a72": Target(
        "aarch64-unknown-linux-gnu", "cortex-a72", "", vector_bytes=16, registers=32, portable=True
    ),
    "rv64gc": Target(
        "riscv64-unknown-linux-gnu", "generic-rv64", "+m,+a,+f,+d,+c",
        vector_bytes=4, registers=32, portable=True,
    ),
}  # fmt: skip


def emulated(target: Target, code: bytes, program: FrozenProgram, images: np.ndarray) -> np.ndarray:
    """Run an object file with its constants on an emulated processor."""
    run = EmulatedCode(
        code,
        "tested_run",
        target,
        image_bytes=program.image_bytes,
        output_bytes=program.output_bytes,
        arena_bytes=program.arena_bytes,
    )
    return np.stack([run(image) for image in images])


@fused
@pytest.mark.parametrize("machine", list(MACHINES))
@pytest.mark.parametrize("make", NETWORKS)
def test_other_processors_find_the_same_bits(machine: str, make: Callable[[], Network]) -> None:
    network = make()
    images = images_for(network, 2)
    program = FrozenProgram(network, MACHINES[machine])
    module = with_constants(write_module(program, "tested"), program, "tested")
    code = assemble(module.text, MACHINES[machine], alone=True)
    found = emulated(MACHINES[machine], code, program, images)
    np.testing.assert_array_equal(found, expected(network, images))


def padded() -> Network:
    """Half of what its second convolution multiplies is padding."""
    return Network(
        [Conv2D(4, 3, padding="same"), ReLU(), Conv2D(8, 3, padding=(2, 1)), Flatten(), Dense(3)],
        (2, 5, 3), seed=6,
    )  # fmt: skip


def test_products_with_padding_are_left_out() -> None:
    """Of the halo's rows, unless a weight is such that they are not zero."""
    network = padded()
    target = host(portable=True).narrowed(4, 32)
    image = images_for(network, 1)
    counts = []
    for weight in (0.5, np.inf, np.nan):
        network.parameters["conv2d_2/filters"][0, 0, 0, 0] = weight
        program = FrozenProgram(network, target)
        text = write_module(program, "tested").text
        counts.append(text.count("llvm.fma"))
        run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(
            (code := Loaded(assemble(text, target), "tested_run_on")).address
        )
        constants = aligned(len(program.constants), 0)
        constants[...] = np.frombuffer(program.constants, np.uint8)
        outputs, arena = aligned(program.output_bytes, 0), aligned(program.arena_bytes, 0xFF)
        run(image.ctypes.data, outputs.ctypes.data, constants.ctypes.data, arena.ctypes.data)
        del code
        found = outputs.view(np.float32)
        np.testing.assert_array_equal(found, expected(network, image)[0])
        assert np.isfinite(found).all() == np.isfinite(weight)
    assert counts[0] < 0.8 * counts[1] and counts[1] == counts[2]


@pytest.mark.parametrize("machine", ["cortex-m4", "rv64gc"])
def test_maxima_of_no_numbers_and_of_infinities(machine: str) -> None:
    """Each place of a window once NaN, infinity, minus infinity, both infinities, zeros of both
    signs.
    """
    network = Network([MaxPool2D(2)], (16, 4, 1), seed=1)
    image = np.random.default_rng(0).normal(size=(16, 4, 1)).astype(np.float32)
    windows = image.reshape(8, 2, 2, 2).transpose(0, 2, 1, 3)
    for place in range(4):
        at = (place // 2, place % 2)
        windows[place, 0][at] = np.nan
        windows[place, 1][at] = np.inf
        windows[4 + place, 0][at] = -np.inf
        windows[4 + place, 0][(place + 1) % 4 // 2, (place + 1) % 2] = np.inf
        windows[4 + place, 1] = -0.0
        windows[4 + place, 1][at] = 0.0
    program = FrozenProgram(network, MACHINES[machine])
    module = with_constants(write_module(program, "tested"), program, "tested")
    code = assemble(module.text, MACHINES[machine], alone=True)
    found = emulated(MACHINES[machine], code, program, image[None])[0].reshape(8, 2)
    wanted = windows.max(axis=(2, 3))
    assert np.isnan(wanted).sum() == 4
    np.testing.assert_array_equal(found, wanted)


def test_rounding_without_an_instruction_for_it() -> None:
    nest = Nest(
        (("e", 40),),
        (Store(Tensor("out", strides_of({"e": 1})), rint(Tensor("x", strides_of({"e": 1})))),),
    )
    for lanes in (1, 4):
        body = emit_function(nest, Schedule("e", lanes), "body", replace(host(), rounds=False))
        entry = (
            "define void @run(ptr %a, ptr %b) {\n  call void @body(ptr %a, ptr %b)\n  ret void\n}"
        )
        text = "\n".join([*sorted(body.declarations), body.text, entry])
        assert "rint" not in text
        code = Loaded(assemble(text, host()), "run")
        numbers = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.49999997, 8388607.5, -8388607.5, 2.0**23,
                   2.0**24, -3e38, np.inf, -np.inf, np.nan]  # fmt: skip
        values = np.array(numbers + np.linspace(-3, 3, 24).tolist(), np.float32)
        found = np.empty_like(values)
        places = {"out": found, "x": values}
        ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 2)(code.address)(
            *(places[role].ctypes.data for role in nest.buffers)
        )
        np.testing.assert_array_equal(found, np.rint(values))
        np.testing.assert_array_equal(np.signbit(found), np.signbit(np.rint(values)))
