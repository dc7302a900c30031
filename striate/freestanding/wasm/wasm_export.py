"""A network as WebAssembly, with what JavaScript needs to call it.

For a network called NAME:

    NAME_fused.wasm       the code, with vectors of 16 bytes and multiply-adds in one step
    NAME.wasm             the code, with vectors, for engines that have no such multiply-adds
    NAME_plain.wasm       the code without vectors, for engines that have none
    NAME.weights.bin      weights and tables, for all
    NAME.js, NAME.d.ts    a module of JavaScript that loads and runs them, and its types
    NAME_test_vectors.js  a few images and what the network says of them
    example.mjs           an example, which runs the test vectors
    package.json          says that these are modules
    README.md             how to use it, and what it takes

Weights are a file of their own since all modules read the same ones; these are then small
enough to be compiled while the weights are on their way. A module imports nothing. Its memory has
the size that a run needs and cannot grow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.memory import whole_lines
from striate.common.templates import rendered
from striate.common.text import in_bytes, sizes
from striate.freestanding.code_request import CodeRequest
from striate.freestanding.exported import CodeFigures, Exported
from striate.freestanding.program.frozen_program import FrozenProgram
from striate.freestanding.program.llvm_module import write_module
from striate.freestanding.program.sample_runs import sample_runs
from striate.freestanding.wasm.wasm_module import PAGE_BYTES, linked
from striate.freestanding.wasm.wasm_offsets import FIRST
from striate.freestanding.weights.rounded_weights import Weights
from striate.model.work import multiply_adds_of_nodes
from striate.nest.target import Target, assemble

if TYPE_CHECKING:
    from striate.model.model import Model


def _target(features: str, vector_bytes: int, *, fused: bool = False) -> Target:
    """WebAssembly as it was at first, and some features.

    An engine on x86 has 16 registers, of which it keeps one, and loads into them what is
    multiplied.
    """
    return Target(
        "wasm32-unknown-unknown",
        "mvp",
        features,
        vector_bytes,
        registers=15,
        fused=fused,
        portable=True,
        writes_out=False,
    )


FUSED = _target("+simd128,+relaxed-simd", 16, fused=True)
"""WebAssembly with vectors and "relaxed" multiply-adds: Chromium since 2023, Firefox since 2025.

An engine may round these once or twice, whichever is faster; the module is for those that round
once, as processors with such an instruction do.
"""
SIMD = _target("+simd128", 16)
"""WebAssembly with vectors: all browsers since 2023."""
PLAIN = _target("", 4)
"""WebAssembly without them."""
VARIANTS = {"fused": FUSED, "simd": SIMD, "plain": PLAIN}
"""The modules of an export, the fastest first, by what JavaScript calls them."""

_STACK_END = FIRST + 1024
# Beyond, numbers of 32 bits with a sign would no longer tell two places apart.
_MOST_MEMORY = 1 << 31


@dataclass(frozen=True)
class MemoryMap:
    """Where a module finds what it works on, in bytes from the beginning of its memory."""

    places: Mapping[str, int]
    bytes: int

    @classmethod
    def of(cls, parts: Mapping[str, int]) -> MemoryMap:
        """Parts of so many bytes, one behind the other, after the stack."""
        places, end = {}, _STACK_END
        for name, size in parts.items():
            places[name] = end
            end += whole_lines(size)
        return cls(places, end)

    @property
    def pages(self) -> int:
        """Pages that hold all of it."""
        return -(-self.bytes // PAGE_BYTES)


@dataclass(frozen=True)
class WasmCode:
    """A network as WebAssembly.

    Attributes:
        modules: those of `VARIANTS`.
        weights: for all of them.
        memory: of each.
        figures: what it takes; the code is that of "simd".
        computed: the network that it computes.
    """

    modules: Mapping[str, bytes]
    weights: bytes
    memory: MemoryMap
    figures: CodeFigures
    computed: Model

    def files(self, name: str) -> dict[str, bytes]:
        """The modules and the weights by the names of their files."""
        endings = {"fused": "_fused.wasm", "simd": ".wasm", "plain": "_plain.wasm"}
        found = {f"{name}{endings[kind]}": module for kind, module in self.modules.items()}
        return {**found, f"{name}.weights.bin": self.weights}


def wasm_files(request: CodeRequest) -> Exported:
    """The files, see above.

    Raises:
        ValueError: there is a target, a run takes too much memory, or the network has layers that
            only the NumPy engine can compute, or weights that cannot be rounded.
    """
    refuse_target(request.target)
    name = request.name
    code = wasm_code(request.network, name, request.batch_size, request.weights)
    files = {**code.files(name), **_texts(request, code)}
    return Exported("wasm", name, "wasm32", files, code.figures, False, code.computed)


def refuse_target(target: str | None) -> None:
    """WebAssembly has none."""
    if target is not None:
        raise StriateValueError(
            f"export: WebAssembly runs on every processor; leave the target {target!r} out"
        )


def wasm_code(network: Model, name: str, batch_size: int, weights: Weights = "float32") -> WasmCode:
    """The modules and their weights; see `wasm_files`."""
    program = FrozenProgram(network, SIMD, batch_size, weights)
    parts = {
        "images": program.image_bytes,
        "outputs": program.output_bytes,
        "constants": len(program.constants),
        "arena": program.arena_bytes,
    }
    memory, exports = memory_of(parts, batch_size), [f"{name}_run_on"]
    modules = {
        kind: linked_module(write_module(program, name, target).text, target, exports, memory)
        for kind, target in VARIANTS.items()
    }
    figures = CodeFigures(
        len(modules["simd"]),
        len(program.constants),
        program.arena_bytes,
        program.image_bytes,
        program.output_bytes,
        batch_size * sum(multiply_adds_of_nodes(network)),
        weights=weights,
        small_weights=program.small_numbers,
    )
    return WasmCode(modules, program.constants, memory, figures, program.computed)


def loader(network: Model, name: str, batch_size: int, code: WasmCode) -> str:
    """The module of JavaScript that loads and runs the code."""
    return rendered_text("network.js", values_of(network, name, batch_size, code))


def memory_of(parts: Mapping[str, int], batch_size: int) -> MemoryMap:
    """Memory for parts of so many bytes.

    Raises:
        ValueError: there is not so much.
    """
    found = MemoryMap.of(parts)
    if found.bytes > _MOST_MEMORY:
        raise StriateValueError(
            f"export: runs of {batch_size} images take {in_bytes(found.bytes)} of memory, "
            f"and WebAssembly has {in_bytes(_MOST_MEMORY)}; take a smaller batch_size"
        )
    return found


def linked_module(text: str, target: Target, exports: list[str], memory: MemoryMap) -> bytes:
    """A module of LLVM IR."""
    return linked(assemble(text, target, alone=True), exports, memory.pages, _STACK_END)


def _texts(request: CodeRequest, code: WasmCode) -> dict[str, bytes]:
    name, runs = request.name, sample_runs(code.computed, request.batch_size)
    values = {
        **values_of(request.network, name, request.batch_size, code),
        "rows": code.figures.rows(),
        "runs": list(zip(numbers_of(runs.images), numbers_of(runs.outputs), strict=True)),
    }
    named = {
        f"{name}.js": "network.js",
        f"{name}.d.ts": "types.d.ts",
        f"{name}_test_vectors.js": "test_vectors.js",
        "example.mjs": "example.mjs",
        "package.json": "package.json",
        "README.md": "README.md",
    }
    return {file: rendered_text(template, values).encode() for file, template in named.items()}


def values_of(network: Model, name: str, batch_size: int, code: WasmCode) -> dict[str, Any]:
    """What templates are given."""
    return {
        "name": name,
        "batch": batch_size,
        "input_shape": list(network.input_shape),
        "output_shape": list(network.output_shape),
        "image": sizes(network.input_shape),
        "outputs": sizes(network.output_shape),
        "image_numbers": int(np.prod(network.input_shape)),
        "output_numbers": int(np.prod(network.output_shape)),
        "classes": None if network.classes is None else _literal(network.classes),
        "kind": network.answers.kind if len(network.output_shape) == 1 else "numbers",
        "temperature": network.answers.temperature,
        "places": code.memory.places,
        "run_takes": ("images", "outputs", "constants", "arena"),
        "training": None,
        "constant_bytes": code.figures.constant_bytes,
    }


def rendered_text(template: str, values: dict[str, Any]) -> str:
    """A template of those for WebAssembly."""
    return rendered("striate.freestanding.wasm", f"templates/{template}", values, html=False)


def _literal(value: list[str]) -> str:
    """A list of texts in JavaScript, which may stand in a page, too."""
    return json.dumps(value).replace("<", "\\u003c")


def numbers_of(array: Array) -> list[str]:
    """The numbers of each run, which in JavaScript are those of the array to the bit."""
    rows = array.reshape(len(array), -1).tolist()
    return [", ".join(f"{number:.9g}" for number in row) for row in rows]
