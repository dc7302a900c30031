"""Kernels: nests compiled for this machine, kept in memory and on disk."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from striate.common.arrays import Array
from striate.common.cache import CacheStore, name_of
from striate.common.fork import renewed_lock
from striate.common.recent import Recent
from striate.nest import tuned
from striate.nest.algebra import Nest
from striate.nest.ir import Number
from striate.nest.kernel_module import emit
from striate.nest.schedule import Schedule, choose
from striate.nest.target import Loaded, Target, assemble, host, llvm_version

# Machine code on disk, so that a second run compiles nothing. An entry's key says everything that
# the code depends on.
KERNELS = CacheStore("kernels", ".o", "kernels 2", limit=1024**3, every=256)
# How often kernels were compiled, and found on disk or in memory, in this process.
counts: Counter[str] = Counter()
# Kernels in memory that may be asked for again; those that plans use stay as long as these do.
# Each may keep a mapping of memory and some 160 KB of LLVM's, if none was linked with it.
MOST_LOADED = 512
_loaded: Recent[Loaded] = Recent(MOST_LOADED)
_LOCK = renewed_lock(sys.modules[__name__], "_LOCK")


@dataclass(frozen=True)
class CompiledNest:
    """Machine code of one nest.

    Calling it takes one array for each of `nest.buffers`, in that order; it checks nothing.
    `schedule` is None where the cost model chose.
    """

    nest: Nest
    code: Loaded
    schedule: Schedule | None = None

    @property
    def address(self) -> int:
        """Where the code begins: ``void kernel(void **buffers)``."""
        return self.code.address

    def __call__(self, *arrays: Array) -> None:
        self.bound(*arrays)()

    def bound(self, *arrays: Array) -> Callable[[], None]:
        """A call on these arrays, which it keeps alive, to be made again and again."""
        pointers = (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
        function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.address)
        address = ctypes.addressof(pointers)

        def call(_keep: object = (pointers, arrays, self.code)) -> None:
            function(address)

        return call


def compile_nest(
    nest: Nest,
    schedule: Schedule | None = None,
    *,
    element: Number = "f32",
    target: Target | None = None,
) -> CompiledNest:
    """The kernel of a nest; without a schedule, with the one that was kept as the fastest of those
    measured, or else with the one that the cost model chooses.
    """
    target = target or host()
    name = tuned_key(nest, element)
    if schedule is None:
        schedule = tuned.schedule_for(name, machine(target))
    key = f"{name}\n{schedule!r}"

    def source(symbol: str) -> str:
        return source_of(nest, schedule, target, element, symbol)

    return CompiledNest(nest, load(key, source, target), schedule)


def source_of(
    nest: Nest, schedule: Schedule | None, target: Target, element: Number, symbol: str = "kernel"
) -> str:
    """The LLVM IR of a nest for a machine, which need not be this one."""
    chosen = schedule or choose(nest, target, element)
    return emit(nest, chosen, symbol, element, target)


def tuned_key(nest: Nest, element: Number) -> str:
    """The name under which the best schedule of a nest is kept."""
    return f"{nest!r}\n{element}"


@functools.cache
def machine(target: Target) -> str:
    """The processor, and the compiler: all that machine code depends on, but for the nest."""
    return f"{target!r}\n{_versions()}"


def load(key: str, source: Callable[[str], str], target: Target) -> Loaded:
    """Code for `key`: from memory, from disk, or from compiling ``source(symbol)``, the IR of a
    function of that name.
    """
    key = f"{key}\n{machine(target)}"
    with _LOCK:
        known = _loaded.get(key)
        if known is not None:
            counts["remembered"] += 1
            return known
        symbol = f"kernel_{name_of(key)}"
        found = KERNELS.read(key)
        if found is None:
            code = assemble(source(symbol), target)
            counts["compiled"] += 1
            KERNELS.write(key, code)
        else:
            code = bytes(found)
            counts["found"] += 1
        return _loaded.keep(key, Loaded(code, symbol))


@functools.cache
def _versions() -> str:
    """striate's version, the compiler's own source, llvmlite's and LLVM's version."""
    from striate.common.version import __version__

    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return f"{__version__} {hashlib.sha256(sources).hexdigest()} {llvm_version()}"
