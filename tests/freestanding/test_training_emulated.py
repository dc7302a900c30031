"""Exported training on emulated processors: the engine's bits, and a microcontroller's memory."""

from __future__ import annotations

import copy
import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from sklearn.datasets import load_digits
from unicorn import arm64_const as arm64
from unicorn import arm_const as arm
from unicorn import unicorn_const as unicorn
from unicorn.unicorn_py3 import Uc

from striate.engines.llvm import CompiledEngine
from striate.freestanding.targets.named_targets import named_target
from striate.freestanding.training_code.learning import Learning, learning_of
from striate.freestanding.training_code.training_module import TrainingModule
from striate.freestanding.training_code.training_program import TrainingProgram
from striate.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU
from striate.nest.target import Target, assemble, host
from striate.network import Network
from striate.optim.optimizers import SGD
from tests.freestanding.learning_networks import data_for, plain, residual, uneven

pytestmark = pytest.mark.skipif(
    not host().fused, reason="this processor rounds multiply-adds twice"
)

CORTEX_A72 = Target(
    "aarch64-unknown-linux-gnu", "cortex-a72", "", vector_bytes=16, registers=32, portable=True
)
FLASH, RAM, HELPERS, END = 0x08000000, 0x20000000, 0x07F00000, 0x06000000
RAM_BYTES = 192 << 10
STACK_BYTES = 4 << 10


class Board:
    """Code in memory that cannot be written, and as much RAM as there is: all else is a fault."""

    def __init__(self, learning: Learning, target: Target, batch: int, ram_bytes: int) -> None:
        self.program = TrainingProgram(learning, target, batch)
        self.made = TrainingModule(self.program, "tested")
        self.is_arm = target.triple.startswith("thumb")
        code = assemble(self.made.module.text, target, alone=True)
        elf = ELFFile(io.BytesIO(code))
        self._symbols = elf.get_section_by_name(".symtab")
        text = bytearray(elf.get_section_by_name(".text").data())
        if self.is_arm:
            self.emulator = Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
            self.emulator.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
        else:
            self.emulator = Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
            self.emulator.reg_write(arm64.UC_ARM64_REG_CPACR_EL1, 3 << 20)
        self._link(elf, text)
        self.constants = FLASH + (len(text) + 63) // 64 * 64
        flash = self.constants - FLASH + len(self.made.constants)
        reads = unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
        self.emulator.mem_map(FLASH, (flash + 0xFFF) & ~0xFFF, reads)
        self.emulator.mem_write(FLASH, bytes(text))
        self.emulator.mem_write(self.constants, self.made.constants)
        self.emulator.mem_map(END, 0x1000, reads)
        self.emulator.mem_map(RAM, ram_bytes)
        self.top = RAM + ram_bytes
        self.free = RAM
        self.state = self.take(self.program.state_bytes)
        self.arena = self.take(self.made.arena_bytes)
        self.call("begin", state=self.state)

    def take(self, size: int) -> int:
        """So many bytes of RAM that nothing else has, from a whole line on."""
        found, self.free = self.free, self.free + (size + 63) // 64 * 64
        assert self.free <= self.top - STACK_BYTES, "there is not so much RAM"
        return found

    def _link(self, elf: ELFFile, text: bytearray) -> None:
        """Calls of the compiler's helpers; the constants are given, so nothing else is needed."""
        moved = elf.get_section_by_name(".rel.text") or elf.get_section_by_name(".rela.text")
        names = []
        for one in moved.iter_relocations() if moved else ():
            assert self.is_arm and one["r_info_type"] == 10  # R_ARM_THM_CALL
            names.append(self._symbols.get_symbol(one["r_info_sym"]).name)
            place, helper = one["r_offset"], HELPERS + 16 * sorted(DOUBLES).index(names[-1])
            distance = helper - (FLASH + place + 4)
            sign, rest = distance >> 24 & 1, distance >> 1
            j1, j2 = (1 - ((distance >> bit & 1) ^ sign) for bit in (23, 22))
            words = 0xF000 | sign << 10 | rest >> 11 & 0x3FF, 0xD000 | j1 << 13 | j2 << 11
            text[place : place + 4] = struct.pack("<2H", words[0], words[1] | rest & 0x7FF)
        if names:
            self.emulator.mem_map(HELPERS, 0x1000)
            self.emulator.mem_write(HELPERS, struct.pack("<H", 0x4770) * 0x800)  # bx lr
            self.emulator.hook_add(
                unicorn.UC_HOOK_CODE, self._help, begin=HELPERS, end=HELPERS + 0x1000
            )
        self.helpers = set(names)

    def _help(self, emulator: Uc, address: int, size: int, data: object) -> None:
        if address % 16:
            return
        takes, function, gives = DOUBLES[sorted(DOUBLES)[(address - HELPERS) // 16]]
        words = [emulator.reg_read(arm.UC_ARM_REG_R0 + i) for i in range(4)]
        given = struct.unpack_from(takes, struct.pack("<4I", *words))
        found = struct.pack(gives, function(*given)) + bytes(4)
        for i, word in enumerate(struct.unpack_from("<2I", found)):
            emulator.reg_write(arm.UC_ARM_REG_R0 + i, word)

    def call(self, name: str, **arguments: float) -> float:
        """Call one of the functions as C does."""
        signature = next(s for s in self.made.signatures if s.name == name)
        known = {"state": self.state, "constants": self.constants, **arguments}
        if "arena" in dict(signature.parameters).values() or name != "begin":
            known["arena"] = self.arena
        stack, whole = self.top - 64, list[int]()
        for kind, own in signature.parameters:
            if kind == "double":
                bits = struct.unpack("<Q", struct.pack("<d", known[own]))[0]
                double = arm.UC_ARM_REG_D0 if self.is_arm else arm64.UC_ARM64_REG_D0
                self.emulator.reg_write(double, bits)
            else:
                whole.append(int(known[own]))
        registers, first = (4, arm.UC_ARM_REG_R0) if self.is_arm else (8, arm64.UC_ARM64_REG_X0)
        for i, value in enumerate(whole[:registers]):
            self.emulator.reg_write(first + i, value)
        self.emulator.mem_write(
            stack, struct.pack(f"<{len(whole[registers:])}I", *whole[registers:])
        )
        (symbol,) = self._symbols.get_symbol_by_name(f"tested_{name}_on")
        if self.is_arm:
            self.emulator.reg_write(arm.UC_ARM_REG_SP, stack)
            self.emulator.reg_write(arm.UC_ARM_REG_LR, END | 1)
        else:
            self.emulator.reg_write(arm64.UC_ARM64_REG_SP, stack)
            self.emulator.reg_write(arm64.UC_ARM64_REG_X30, END)
        self.emulator.emu_start(FLASH + symbol["st_value"], END)
        single = arm.UC_ARM_REG_S0 if self.is_arm else arm64.UC_ARM64_REG_S0
        found = self.emulator.reg_read(single) & 0xFFFFFFFF
        return float(struct.unpack("<f", struct.pack("<I", found))[0])

    def read(self, address: int, count: int) -> np.ndarray:
        return np.frombuffer(self.emulator.mem_read(address, 4 * count), np.float32)


DOUBLES: dict[str, tuple[str, Callable[..., float], str]] = {
    "__aeabi_dadd": ("<2d", lambda a, b: a + b, "<d"),
    "__aeabi_dsub": ("<2d", lambda a, b: a - b, "<d"),
    "__aeabi_dmul": ("<2d", lambda a, b: a * b, "<d"),
    "__aeabi_ddiv": ("<2d", lambda a, b: a / b, "<d"),
    "__aeabi_d2f": ("<d", float, "<f"),
    "__aeabi_f2d": ("<f", float, "<d"),
}
"""The compiler's helpers: what they take, do and give."""


def learned_here(
    learning: Learning, batches: list[tuple[np.ndarray, np.ndarray]], rate: float
) -> Network:
    """The network after the engine's steps."""
    network, optimizer = copy.deepcopy(learning.network), copy.deepcopy(learning.optimizer)
    largest = max(len(images) for images, _ in batches)
    engine = CompiledEngine(
        network, batch_size=largest, loss=learning.loss, threads=1, exact=True, portable=True
    )
    for images, labels in batches:
        weights = np.full(len(images), 1 / len(images), np.float32)
        targets = learning.loss.targets(labels, network.output_shape[0])
        engine.step(images, targets, weights, np.arange(len(images), dtype=np.uint32))
        engine.update(optimizer, rate)
    return network


@pytest.mark.parametrize(
    ("make", "optimizer"), [(plain, "adamw"), (residual, "adamw"), (uneven, "sgd")]
)
def test_aarch64_learns_the_same_bits(make: Callable[[], Network], optimizer: str) -> None:
    network = make()
    learning = learning_of(network, optimizer=optimizer)
    board = Board(learning, CORTEX_A72, 6, 8 << 20)
    assert not board.helpers
    images, labels = data_for(network, 16)
    batches = [(images[:6], labels[:6]), (images[6:12], labels[6:12]), (images[12:], labels[12:])]
    places = {name: board.take(1 << 16) for name in ("images", "labels", "keys")}
    for part, own in batches:
        board.emulator.mem_write(places["images"], part.tobytes())
        board.emulator.mem_write(places["labels"], own.astype(np.int32).tobytes())
        board.emulator.mem_write(places["keys"], np.arange(6, dtype=np.uint32).tobytes())
        board.call("train", **places, count=len(part), learning_rate=0.02)
    expected = learned_here(learning, batches, 0.02)
    found = board.read(board.state, network.flat.size)
    np.testing.assert_array_equal(found, expected.flat)
    statistics = board.read(board.state + board.program.statistics, network.state_flat.size)
    np.testing.assert_array_equal(statistics, expected.state_flat)


@pytest.fixture(scope="module")
def half_taught() -> tuple[Network, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """A network that has seen the digits 0 to 4, and images of all."""
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    images, labels = digits.images[order][..., None].astype(np.float32), digits.target[order]
    known = np.flatnonzero(labels[:1000] < 5)
    network = Network(
        [Conv2D(16, 3, padding="same"), ReLU(), MaxPool2D(2), Conv2D(32, 3, padding="same"),
         ReLU(), MaxPool2D(2), Flatten(), Dense(10)],
        (8, 8, 1), seed=1,
    )  # fmt: skip
    network.fit(images[known], labels[known], epochs=15, portable=True, progress=False, threads=1)
    data = {
        "taught": (images[1000:1200], labels[1000:1200]),
        "test": (images[1200:], labels[1200:]),
    }
    return network, data


def test_a_microcontroller_learns_new_classes(
    half_taught: tuple[Network, dict[str, tuple[np.ndarray, np.ndarray]]],
) -> None:
    """All in 192 kB of RAM, with the frozen layers in flash: five digits that it has never seen."""
    network, data = half_taught
    batch, rate, passes = 8, 0.02, 2
    learning = learning_of(network, optimizer=SGD(0.9), frozen_until="dense_1")
    board = Board(learning, named_target("cortex-m4").target, batch, RAM_BYTES)
    assert board.helpers == {"__aeabi_d2f", "__aeabi_dadd", "__aeabi_f2d"}
    places = {"images": board.take(4 * 64 * batch), "labels": board.take(4 * batch)}
    outputs = board.take(4 * 10 * batch)
    images, labels = data["taught"]
    front = learning.front
    assert front is not None
    seen = front.compile(batch_size=1, exact=True, portable=True, threads=1)
    batches = []
    for begin in [*range(0, len(images), batch)] * passes:
        part, own = images[begin : begin + batch], labels[begin : begin + batch]
        board.emulator.mem_write(places["images"], part.tobytes())
        board.emulator.mem_write(places["labels"], own.astype(np.int32).tobytes())
        board.call("train", **places, count=len(part), learning_rate=rate)
        batches.append((np.concatenate([seen(image[None]) for image in part]), own))
    expected = learned_here(learning, batches, rate)
    found = board.read(board.state, expected.flat.size)
    np.testing.assert_array_equal(found, expected.flat)
    # What it says now, on the board itself, and of all test images here.
    some = data["test"][0][:batch]
    board.emulator.mem_write(places["images"], some.tobytes())
    board.call("run", images=places["images"], outputs=outputs)
    taught = copy.deepcopy(network)
    for name, values in expected.parameters.items():
        taught.parameters[name][...] = values
    logits = board.read(outputs, 10 * batch).reshape(batch, 10)
    np.testing.assert_allclose(logits, taught.predict_logits(some), rtol=1e-4, atol=1e-4)
    given, truth = data["test"]
    new = truth >= 5
    before, after = (one.predict_logits(given).argmax(axis=1) == truth for one in (network, taught))
    print(
        f"new digits {before[new].mean():.3f} to {after[new].mean():.3f}, others "
        f"{before[~new].mean():.3f} to {after[~new].mean():.3f}, {board.free - RAM:,} bytes of RAM"
    )
    assert before[new].mean() == 0 and after[new].mean() > 0.7
    assert before[~new].mean() > 0.9 and after[~new].mean() > 0.75
    assert board.free - RAM + STACK_BYTES <= RAM_BYTES // 2
