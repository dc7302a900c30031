"""Networks as code on segments of memory: run here, and on emulated processors, bit for bit."""

from __future__ import annotations

import ctypes
import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from unicorn import arm64_const as arm64
from unicorn import arm_const as arm
from unicorn import riscv_const as riscv
from unicorn import unicorn_const as unicorn
from unicorn.unicorn_py3 import Uc

from striate.freestanding.frozen_program import FrozenProgram
from striate.freestanding.llvm_module import write_module
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


NETWORKS: list[Callable[[], Network]] = [digits, uneven, branches, smooth]


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
        "thumbv7em-none-eabihf", "cortex-m4", "",
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


def emulated(machine: str, code: bytes, program: FrozenProgram, images: np.ndarray) -> np.ndarray:
    """Run an object file's code, which needs no linking, on an emulated processor."""
    elf = ELFFile(io.BytesIO(code))
    text, symbols = elf.get_section_by_name(".text"), elf.get_section_by_name(".symtab")
    moved = [s for s in elf.iter_sections() if s.name in (".rel.text", ".rela.text")]
    assert not moved, "there is something to link"
    (symbol,) = symbols.get_symbol_by_name("tested_run_on")
    start, end = 0x10000, 0x8000
    places = [0x1000000 * i for i in range(1, 5)]  # images, outputs, constants, arena
    stack = 0x6000000
    if machine == "cortex-m4":
        emulator = Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        emulator.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
        registers = [arm.UC_ARM_REG_R0 + i for i in range(4)]
        returns, top = arm.UC_ARM_REG_LR, arm.UC_ARM_REG_SP
    elif machine == "cortex-a72":
        emulator = Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
        emulator.reg_write(arm64.UC_ARM64_REG_CPACR_EL1, 3 << 20)
        registers = [arm64.UC_ARM64_REG_X0 + i for i in range(4)]
        returns, top = arm64.UC_ARM64_REG_X30, arm64.UC_ARM64_REG_SP
    else:
        emulator = Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64)
        status = emulator.reg_read(riscv.UC_RISCV_REG_MSTATUS)
        emulator.reg_write(riscv.UC_RISCV_REG_MSTATUS, status | 0x6000)  # the unit of floats is on
        registers = [riscv.UC_RISCV_REG_A0 + i for i in range(4)]
        returns, top = riscv.UC_RISCV_REG_RA, riscv.UC_RISCV_REG_SP
    for place in (*places, stack, 0):
        emulator.mem_map(place, 0x100000)
    emulator.mem_write(start, text.data())
    emulator.mem_write(places[2], program.constants)
    emulator.mem_write(places[3], b"\xff" * program.arena_bytes)
    found = []
    for image in images:
        emulator.mem_write(places[0], image.tobytes())
        for register, place in zip(registers, places, strict=True):
            emulator.reg_write(register, place)
        emulator.reg_write(top, stack + 0x80000)
        emulator.reg_write(returns, end | int(machine == "cortex-m4"))
        emulator.emu_start(start + symbol["st_value"], end)
        found.append(np.frombuffer(emulator.mem_read(places[1], program.output_bytes), np.float32))
    return np.stack(found)


@fused
@pytest.mark.parametrize("machine", list(MACHINES))
@pytest.mark.parametrize("make", NETWORKS)
def test_other_processors_find_the_same_bits(machine: str, make: Callable[[], Network]) -> None:
    network = make()
    images = images_for(network, 2)
    program = FrozenProgram(network, MACHINES[machine])
    code = assemble(write_module(program, "tested").text, MACHINES[machine], alone=True)
    found = emulated(machine, code, program, images)
    np.testing.assert_array_equal(found, expected(network, images))


def test_rounding_without_an_instruction_for_it() -> None:
    nest = Nest(
        (("e", 40),),
        (Store(Tensor("out", strides_of({"e": 1})), rint(Tensor("x", strides_of({"e": 1})))),),
    )
    for lanes in (1, 4):
        body = emit_function(nest, Schedule("e", lanes), "body", rounds=False)
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
