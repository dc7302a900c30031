"""The machine: its vector unit, and LLVM's way from text to machine code."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Target:
    """A processor that code is made for.

    `vector_bytes` and `registers` are those of the widest vector unit: 64 and 32 with AVX-512,
    32 and 16 with AVX2, 16 and 16 with SSE, 16 and 32 with NEON.  `fused`: whether it multiplies
    and adds in one instruction.
    """

    triple: str
    cpu: str
    features: str
    vector_bytes: int
    registers: int
    fused: bool = True

    def lanes(self, element_bytes: int) -> int:
        """How many elements one vector register holds."""
        return self.vector_bytes // element_bytes

    def narrowed(self, vector_bytes: int, registers: int | None = None) -> Target:
        """The same processor with shorter vectors, to drive the emitter in tests."""
        return replace(
            self, vector_bytes=vector_bytes, registers=registers or min(self.registers, 16)
        )

    @property
    def accumulators(self) -> int:
        """How many registers a tile may fill: the rest hold what is being multiplied."""
        return 24 if self.registers >= 32 else 12


class TargetError(ValueError):
    """The processor's features cannot be told, so no code can be made for it."""


def describe(triple: str, cpu: str, features: dict[str, bool]) -> Target:
    """The target for LLVM's description of a processor.

    Raises
    ------
    TargetError
        If the feature list of an x86 processor is empty: code without features would run, but
        many times slower than the machine, and nobody would notice.  (On 64-bit ARM the vector
        unit, NEON, is part of the architecture.)  And if the processor is a 32-bit one.
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


_LLVM_LOCK = threading.RLock()


@functools.cache
def _llvm() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


@functools.cache
def host() -> Target:
    """The processor that this runs on."""
    llvm = _llvm()
    features = dict(llvm.get_host_cpu_features())
    return describe(llvm.get_process_triple(), llvm.get_host_cpu_name(), features)


def assemble(source: str, target: Target) -> bytes:
    """Optimise LLVM IR for `target` and return an object file.

    No fast-math flag is set anywhere: every reassociation that striate wants is written out by
    the emitter, so a sum's order, and with it every bit of the result, is what the code says.
    """
    llvm = _llvm()
    with _LLVM_LOCK:
        module = llvm.parse_assembly(source)
        module.verify()
        machine = _machine(target)
        options = llvm.create_pipeline_tuning_options(speed_level=2)
        # Loops are unrolled and vectorised by the schedule; LLVM doing it again costs time only.
        options.loop_unrolling = False
        options.loop_vectorization = False
        options.slp_vectorization = False
        passes = llvm.create_pass_builder(machine, options)
        passes.getModulePassManager().run(module, passes)
        return bytes(machine.emit_object(module))


@functools.lru_cache(maxsize=8)
def _machine(target: Target) -> Any:
    triple = _llvm().Target.from_triple(target.triple)
    return triple.create_target_machine(
        cpu=target.cpu, features=target.features, opt=2, reloc="pic", codemodel="jitdefault"
    )


class Loaded:
    """An object file in executable memory; the code lives as long as this does."""

    def __init__(self, code: bytes, symbol: str) -> None:
        llvm = _llvm()
        with _LLVM_LOCK:
            holder = llvm.parse_assembly("")
            # A machine of its own: MCJIT takes ownership of the one that it is given.
            machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
            self._engine = llvm.create_mcjit_compiler(holder, machine)
            self._engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
            self._engine.finalize_object()
            self.address: int = self._engine.get_function_address(symbol)
        if not self.address:
            raise ValueError(f"the object file has no function {symbol!r}")


def llvm_version() -> str:
    """llvmlite's version and LLVM's."""
    import llvmlite

    return f"{llvmlite.__version__}/{'.'.join(map(str, _llvm().llvm_version_info))}"
