"""The machine: its vector unit, and LLVM's way from text to machine code."""

from __future__ import annotations

import functools
import importlib.util
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from striate.common.errors import StriateError, StriateValueError
from striate.common.fork import finished_before_fork
from striate.common.memory import give_back
from striate.common.text import cut
from striate.nest.ir import IndexType


@dataclass(frozen=True)
class Target:
    """A processor that code is made for.

    Attributes:
        triple, cpu, features: what LLVM calls it: "x86_64-pc-linux-gnu", "znver4", "+avx2,-sse4a".
        vector_bytes, registers: the widest vector unit: 64 bytes and 32 registers with AVX-512, 32
            and 16 with AVX2, 16 and 16 with SSE, 16 and 32 with NEON.
        fused: whether it multiplies and adds in one instruction.
        core_cache, shared_cache: bytes of a core's own cache and of the last one that plans count
            on.  They are not read from the machine, so that the same vector unit gives the same
            bits.
        rounds: whether it has an instruction that rounds to whole numbers; else LLVM would call the
            C library.
        portable: whether sums are added in the order that `ORDER` gives, so that all processors
            that multiply and add in one step find the same bits.
        writes_out: whether the loops that `Schedule.unroll` names are written out. Not where
            another compiler reads the code: that of a browser loads all that a straight piece of
            it needs, more than there are registers, before it computes.
    """

    triple: str
    cpu: str
    features: str
    vector_bytes: int
    registers: int
    fused: bool = True
    core_cache: int = 1 << 20
    shared_cache: int = 16 << 20
    rounds: bool = True
    portable: bool = False
    writes_out: bool = True

    @property
    def order(self) -> Target:
        """The processor by which orders of sums are chosen: itself, or if `portable` one for all.

        What a plan looks like depends on this one alone; how a nest is tiled, on both.
        """
        return ORDER if self.portable else self

    @property
    def index(self) -> IndexType:
        """The type of indices: as wide as addresses."""
        narrow = ("riscv32", "wasm32", "i386", "i486", "i586", "i686", "mips-", "mipsel")
        return "i32" if self._is_arm32 or self.triple.startswith(narrow) else "i64"

    @property
    def prefetches(self) -> bool:
        """Whether it has caches, into which code may ask for what it will read."""
        return self.triple.startswith(("x86_64", "amd64", "aarch64", "arm64"))

    @property
    def relaxed(self) -> bool:
        """Whether it is WebAssembly with instructions that may multiply and add in one step: of
        vectors of four numbers only, and what they round is for the engine to say.
        """
        return self.triple.startswith("wasm") and "+relaxed-simd" in self.features.split(",")

    @property
    def conversion(self) -> int:
        """Instructions that make weights of 8 or 16 bits floating-point numbers of 32, beside the
        load: they are widened and converted, or, without vectors, converted and brought from one
        kind of register into the other. The processor by which orders of sums are chosen has none,
        so that weights in fewer bits are added up in the order of all others.
        """
        return 2 if self.triple else 0

    @property
    def reach(self) -> tuple[int, int] | None:
        """The bytes, from the least to the most, that a load of a number adds to a pointer; None if
        it adds an index, too, so that loops need not carry pointers.
        """
        if self._is_arm32:
            return -1020, 1020
        return (-2048, 2047) if self.triple.startswith("riscv") else None

    @property
    def _is_arm32(self) -> bool:
        return self.triple.startswith(("thumb", "arm")) and not self.triple.startswith("arm64")

    def lanes(self, element_bytes: int) -> int:
        """How many elements one vector register holds."""
        return self.vector_bytes // element_bytes

    def vectors(self, count: int, element_bytes: int) -> int:
        """How many vector registers hold so many elements."""
        return -(-count // self.lanes(element_bytes))

    def narrowed(self, vector_bytes: int, registers: int | None = None) -> Target:
        """The same processor with shorter vectors, to drive the emitter in tests."""
        return replace(
            self, vector_bytes=vector_bytes, registers=registers or min(self.registers, 16)
        )

    @property
    def is_x86(self) -> bool:
        """Whether it is an x86 processor; else it is an ARM one."""
        return self.triple.startswith(("x86_64", "amd64"))

    @property
    def bfloat16(self) -> bool:
        """Whether one instruction multiplies pairs of bfloat16 numbers and sums in 32 bits."""
        return "+avx512bf16" in self.features.split(",")

    @property
    def accumulators(self) -> int:
        """How many registers a tile may fill: the rest hold what is being multiplied."""
        if self.registers < 16:
            return 8
        if self.registers < 32:
            return 12
        # Without vectors each number that is multiplied has a register of its own.
        return 24 if self.vector_bytes > 4 else 16


ORDER = Target("", "", "", vector_bytes=64, registers=32)
"""The processor, of no kind, by which portable orders of sums are chosen. Its vectors are as wide
as the widest there are: others take two or four of their own for one, but these would leave half of
theirs empty for a narrower one.
"""


class TargetError(StriateValueError):
    """The processor's features cannot be told, so no code can be made for it."""


def describe(triple: str, cpu: str, features: dict[str, bool]) -> Target:
    """The target for LLVM's description of a processor.

    Raises:
        TargetError: if the feature list of an x86 processor is empty: code without features would
            run, but many times slower than the machine, and nobody would notice.  (On 64-bit ARM
            the vector unit, NEON, is part of the architecture.)  And if the processor is a 32-bit
            one.
    """
    if not triple.startswith(("x86_64", "amd64", "aarch64", "arm64")):
        raise TargetError(
            f"striate makes code for 64-bit x86 and ARM processors, not {triple}; "
            'use engine="numpy"'
        )
    x86 = triple.startswith(("x86_64", "amd64"))
    if x86 and not any(features.values()):
        raise TargetError(
            f"LLVM reports no features for the processor {cpu!r} ({triple}), so striate cannot "
            'know its vector unit; use engine="numpy", or another build of llvmlite'
        )
    if x86 and features.get("avx512f") and features.get("avx512vl"):
        size, registers = 64, 32
    elif x86 and features.get("avx2") and features.get("fma"):
        size, registers = 32, 16
    elif x86:
        size, registers = 16, 16
    else:
        size, registers = 16, 32
    flags = [("+" if on else "-") + name for name, on in sorted(features.items())]
    if size == 64:
        flags.append("-prefer-256-bit")  # LLVM would otherwise split 512-bit vectors on many CPUs
    fused = not x86 or size == 64 or bool(features.get("fma"))
    return Target(triple, cpu, ",".join(flags), size, registers, fused)


def require_bfloat16(target: Target) -> None:
    """ValueError if a processor cannot multiply in bfloat16, or not as all others do."""
    if target.portable:
        raise StriateValueError(
            "bfloat16=True adds products in pairs, as few processors do: leave it or portable=True "
            "out"
        )
    if target.bfloat16:
        return
    has = {64: "AVX-512 without it", 32: "AVX2"}.get(target.vector_bytes, "shorter vectors only")
    if not target.is_x86:
        has = "NEON"
    raise StriateValueError(
        f"bfloat16=True needs a processor with AVX-512 BF16; this one ({target.cpu}) has {has}"
    )


class MachineCodeError(StriateError, RuntimeError):
    """The system or LLVM refuses what compiled code needs, such as memory."""


_LLVM_LOCK = threading.RLock()
finished_before_fork(_LLVM_LOCK)


@functools.cache
def _llvm() -> Any:
    reason = compiler_error()
    if reason is not None:
        raise MachineCodeError(f'llvmlite {reason}; install it anew, or use engine="numpy"')
    import llvmlite.binding

    return llvmlite.binding


@functools.cache
def compiler_error() -> str | None:
    """Why nothing can be compiled here: "is not installed", "cannot be loaded (…)"; None if it can.

    The first call loads llvmlite.
    """
    if importlib.util.find_spec("llvmlite") is None:
        return "is not installed"
    try:
        with _LLVM_LOCK:
            import llvmlite.binding as llvm

            llvm.initialize_native_target()
            llvm.initialize_native_asmprinter()
    except Exception as error:  # a damaged library, or one for another system, fails in many ways
        return f"cannot be loaded ({cut(' '.join(str(error).split()), 200)})"
    return None


_instead: list[Target] = []


def host(*, portable: bool = False) -> Target:
    """The processor that this runs on, where nobody asks for another."""
    found = _instead[-1] if _instead else _detected()
    return replace(found, portable=True) if portable else found


@contextmanager
def as_host(target: Target) -> Iterator[None]:
    """Let `host` be a target for a while: shorter vectors than this processor's, say.

    It is for the whole process; plans that were made before stay as they are.
    """
    _instead.append(target)
    try:
        yield
    finally:
        _instead.pop()


@functools.cache
def _detected() -> Target:
    llvm = _llvm()
    features = dict(llvm.get_host_cpu_features())
    return describe(llvm.get_process_triple(), llvm.get_host_cpu_name(), features)


def assemble(source: str, target: Target, *, alone: bool = False) -> bytes:
    """Optimise LLVM IR for `target` and return an object file: one to be loaded into this process,
    or, `alone`, one for a linker, for any processor that LLVM knows.

    No fast-math flag is set anywhere: every reassociation that striate wants is written out by
    the emitter, so a sum's order, and with it every bit of the result, is what the code says.
    """
    with _LLVM_LOCK:
        _empty()
        return _assembled(source, target, alone)


def assembly_text(source: str, target: Target, *, alone: bool = False) -> str:
    """What `assemble` makes, as text for an assembler: instructions with what is said of them."""
    with _LLVM_LOCK:
        _empty()
        module, machine = _optimised(source, target, alone)
        return str(machine.emit_assembly(module))


def _assembled(source: str, target: Target, alone: bool) -> bytes:
    module, machine = _optimised(source, target, alone)
    return bytes(machine.emit_object(module))


def _optimised(source: str, target: Target, alone: bool) -> tuple[Any, Any]:
    """A module, and the machine that code of it is made for."""
    # A context of its own: LLVM's global one keeps the types of every module for ever.
    module = _llvm().parse_assembly(source, context=_llvm().create_context())
    module.verify()
    machine, passes, builder = _machinery(target, alone)
    passes.run(module, builder)
    return module, machine


def section_bytes(code: bytes, beginnings: tuple[str, ...]) -> int:
    """Bytes of the sections of an object file whose names begin with one of some words."""
    with _LLVM_LOCK:
        sections = _llvm().ObjectFileRef.from_data(code).sections()
        named = ((section.name() or b"", int(section.size())) for section in sections)
        return sum(size for name, size in named if name.decode().startswith(beginnings))


@functools.lru_cache(maxsize=8)
def _machinery(target: Target, alone: bool) -> tuple[Any, Any, Any]:
    """What makes machine code: a machine, the passes over a module, what runs them.

    They serve all modules, since llvmlite does not give back all of their memory.
    """
    llvm = _llvm()
    if alone:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
    # Programs of Linux may be put anywhere in memory; what has no system stays where it is linked.
    machine = llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu,
        features=target.features,
        opt=2,
        reloc="static" if alone and "linux" not in target.triple else "pic",
        codemodel="default" if alone else "jitdefault",
    )
    # Schedules have unrolled loops and filled vectors, and the code generator moves what does not
    # change out of loops: LLVM's other passes would take as long as all else, for nothing.
    passes = llvm.create_new_module_pass_manager()
    passes.add_instruction_combine_pass()
    return machine, passes, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options())


# What is not linked yet, by the name of its function.
_waiting: dict[str, Loaded] = {}
# Libraries that nobody uses any more. They are given back by whoever holds the lock of LLVM next:
# it cannot be asked for where the garbage collector finds them.
_unused: deque[tuple[Any, Any]] = deque()


class _Library:
    """Functions that were linked together; their code lives as long as this does.

    Each has a linker of its own: one that is shared keeps some memory for every library that it
    ever linked.
    """

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        llvm = _llvm()
        builder = llvm.JITLibraryBuilder()
        for symbol, code in objects.items():
            builder.add_object_img(code).export_symbol(symbol)
        try:
            self._linker = llvm.create_lljit_compiler()
            self._functions = builder.link(self._linker, "library")
        except RuntimeError as error:
            raise MachineCodeError(
                f"LLVM could not put {len(objects)} compiled kernels into memory "
                f'({cut(str(error), 200)}); free memory, or use engine="numpy"'
            ) from error

    def __getitem__(self, symbol: str) -> int:
        """Where a function begins."""
        return int(self._functions[symbol])

    # As Python ends, globals are gone before some objects are.
    def __del__(
        self,
        put: Callable[[tuple[Any, Any]], None] = _unused.append,
        ends: Callable[[], bool] = sys.is_finalizing,
    ) -> None:
        if not hasattr(self, "_functions"):
            return
        if ends():  # a thread may still be at work in there
            self._functions.detach()
            self._linker.detach()
        else:
            put((self._functions, self._linker))


class Loaded:
    """A function of an object file in executable memory; its code lives as long as this does.

    Object files are put there together, once an address of one is asked for: each by itself, those
    of a network would take four times as long.
    """

    def __init__(self, code: bytes, symbol: str) -> None:
        self.code, self.symbol = code, symbol
        self._library: _Library | None = None
        with _LLVM_LOCK:
            if symbol in _waiting:
                _link()
            _waiting[symbol] = self

    @property
    def address(self) -> int:
        """Where it begins.

        Raises:
            MachineCodeError: there is no memory for it.
        """
        if self._library is None:
            with _LLVM_LOCK:
                if self._library is None:
                    _waiting[self.symbol] = self
                    _link()
        assert self._library is not None
        return self._library[self.symbol]

    def linked(self, library: _Library) -> None:
        """Hold the library with the code, instead of the object file."""
        self._library, self.code = library, b""


def _link() -> None:
    """Put all that wait into executable memory."""
    _empty()
    if not _waiting:
        return
    waiting = dict(_waiting)
    _waiting.clear()
    library = _Library({symbol: loaded.code for symbol, loaded in waiting.items()})
    for loaded in waiting.values():
        loaded.linked(library)


def _empty() -> None:
    """Give back the memory of libraries that nobody uses."""
    if not _unused:
        return
    while _unused:
        functions, linker = _unused.popleft()
        functions.close()
        linker.close()
    _give_back()


# What LLVM frees lies between what it keeps, and the C library would hold on to it: it is asked for
# that, which takes at most one part in so many of the time.
_SHARE = 100
_next_time = 0.0


def _give_back() -> None:
    global _next_time
    begin = time.monotonic()
    if begin >= _next_time:
        give_back()
        end = time.monotonic()
        _next_time = end + _SHARE * (end - begin)


def llvm_version() -> str:
    """llvmlite's version and LLVM's."""
    import llvmlite

    return f"{llvmlite.__version__}/{'.'.join(map(str, _llvm().llvm_version_info))}"
