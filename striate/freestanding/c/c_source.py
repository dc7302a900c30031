"""A program as one file of C99: weights, a function for each layer, and one that calls them.

    void NAME_run(const float *images, float *outputs, void *arena)

Layers that compute the same share a function. Weights are arrays named after the layer that reads
them, in the order in which its loops do.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from striate.common.templates import rendered
from striate.common.text import listed, sizes
from striate.freestanding.c.c_emitter import CFunction, emit_c
from striate.freestanding.c.c_expressions import c_type
from striate.freestanding.c.c_functions import c_functions
from striate.freestanding.c.c_loops import CLoop, indented, wrapped
from striate.freestanding.c.c_names import free_name
from striate.freestanding.c.c_numbers import c_floats, is_named
from striate.freestanding.program.frozen_program import FrozenProgram
from striate.freestanding.program.segmented_program import Call, Segment, SegmentPlace, Shard
from striate.nest.algebra import Constant, Nest, Tensor
from striate.nest.ir import BYTES
from striate.nest.schedule import choose
from striate.plan.layout import Buffer

_WIDTH = 100
_AROUND = {
    "input pack": "The images, standardised, where the first layer reads them.",
    "output unpack": "What the last layer says, where the caller reads it.",
}
_DTYPES = {"float": np.float32, "double": np.float64} | {
    f"{kind}{bits}_t": np.dtype(f"{kind}{bits}")
    for kind in ("int", "uint")
    for bits in (8, 16, 32, 64)
}
_OFTEN = re.compile(
    r"(, )?(stride|dilation)=\(1, 1\)|(, )?name=(\"([^\"\\]|\\.)*\"|'([^'\\]|\\.)*')"
)
_AXES = {
    "n": "images",
    "y": "rows of what is written",
    "x": "columns of it",
    "k": "its channels: filters",
    "r": "rows of the filter",
    "s": "columns of the filter",
    "c": "channels of what is read, in all columns of the filter if s is missing",
    "o": "outputs of a dense layer",
    "i": "its inputs",
    "e": "elements of a row",
    "K": "panels of k",
    "O": "panels of o",
    "C": "rounds over c: sums are stored after each",
    "R": "rounds over r",
    "S": "rounds over s",
    "g": "groups of channels",
}


def c_source(program: FrozenProgram, name: str) -> str:
    """The file.

    Args:
        program: the calls.
        name: what the names of all that it exports begin with; a name in C.

    Raises:
        ValueError: something cannot be written in C.
    """
    return _SourceWriter(program, name).text()


@dataclass
class _Array:
    """Numbers that calls read: bytes `first` to `stop` of the constants."""

    first: int
    stop: int
    tensor: Tensor
    name: str


@dataclass(frozen=True)
class _Value:
    """What layers write: a variable that points into the arena, `offset` bytes from its begin."""

    name: str
    offset: int
    tensor: Tensor


class _SourceWriter:
    def __init__(self, program: FrozenProgram, name: str) -> None:
        self.program, self.name = program, name
        self.network = program.network.branch()
        self.taken = {"images", "outputs", "arena", "memory", f"{name}_run"}
        self.functions: dict[object, CFunction] = {}
        self.labels: dict[str, list[str]] = {}
        self.borders: set[str] = set()
        self.helpers: set[str] = set()
        self.axes: set[str] = set()
        calls = [c for s in program.shards for c in (*s.starts, *s.calls, *s.ends)]
        self.arrays = [*self._arrays(calls)]
        self.values = self._values(calls)

    def text(self) -> str:
        """All of it."""
        lines = [line for shard in self.program.shards for line in self._shard(shard)]
        values = {
            "name": self.name,
            "image": sizes(self.network.input_shape),
            "outputs": sizes(self.network.output_shape),
            "axes": [(axis, what) for axis, what in _AXES.items() if axis in self.axes],
            "arrays": [*map(self._array, self.arrays)],
            "functions": c_functions(self.helpers, self.name),
            "layers": [
                (self._comment(function.name), function.text)
                for function in self.functions.values()
            ],
            "used": self.helpers,
            "lines": [*indented([*self._declared_values(), *lines])],
        }
        return rendered("striate.freestanding.c", "templates/network.c", values, html=False)

    def _free(self, wanted: str) -> str:
        found = free_name(wanted.lower(), self.taken)
        self.taken.add(found)
        return found

    # --- weights -----------------------------------------------------------------------------

    def _arrays(self, calls: Sequence[Call]) -> Iterator[_Array]:
        """What calls read of the constants, each number once."""
        found: list[tuple[range, Tensor, str]] = []
        for call in calls:
            nest = call.step.nest
            for role, place in zip(nest.buffers, call.places, strict=True):
                if place.segment is Segment.CONSTANTS:
                    tensors = [tensor for tensor in nest.tensors() if tensor.buffer == role]
                    size, ends = _bytes(tensors[0]), [nest.reach(tensor) for tensor in tensors]
                    if any(tensor.shift for tensor in tensors):  # tables say what is read
                        whole = call.step.places[role]
                        ends = [(-whole.offset, whole.buffer.size - whole.offset - 1)]
                    # From where the call begins to count, even if it reads from later on.
                    low, high = min(0, *(low for low, _ in ends)), max(high for _, high in ends)
                    span = range(place.offset + size * low, place.offset + size * (high + 1))
                    found.append((span, tensors[0], f"{_layer(call.step.label)} {role}"))
        first = {span.start: i for i, (span, _, _) in reversed([*enumerate(found)])}
        merged: list[range] = []
        for span, _, _ in sorted(found, key=lambda one: (one[0].start, one[0].stop)):
            if merged and span.start < merged[-1].stop:
                merged[-1] = range(merged[-1].start, max(merged[-1].stop, span.stop))
            else:
                merged.append(span)
        for span in sorted(merged, key=lambda span: first[span.start]):
            _, tensor, wanted = found[first[span.start]]
            yield _Array(span.start, span.stop, tensor, self._free(wanted))

    def _array(self, array: _Array) -> str:
        """Its definition."""
        kind = c_type(array.tensor)
        data = self.program.constants[array.first : array.stop]
        numbers = np.frombuffer(data, _DTYPES[kind])
        texts = [*c_floats(numbers)] if kind == "float" else [*map(str, numbers.tolist())]
        if any(map(is_named, texts)):
            self.helpers.add("math.h")
        lines = textwrap.wrap(", ".join(texts), _WIDTH - 4, break_on_hyphens=False)
        head = f"static const {kind} {array.name}[{len(texts)}] = {{"
        return "\n".join([head, *indented(lines), "};"])

    # --- the arena ---------------------------------------------------------------------------

    def _values(self, calls: Sequence[Call]) -> dict[Buffer, _Value]:
        """What lies in the arena, named after what writes it first."""
        found: dict[Buffer, _Value] = {}
        for call in calls:
            step = call.step
            for store in step.nest.stores:
                buffer = step.places[store.target.buffer].buffer
                segment, offset = self.program.place_of(buffer)
                if segment is Segment.ARENA and buffer not in found:
                    name = self._free(f"{_layer(step.label)} out")
                    found[buffer] = _Value(name, offset, store.target)
        return found

    def _declared_values(self) -> Iterator[str]:
        """The variables, and where in the arena they point to."""
        if not self.values:
            yield "(void)arena;"
            return
        yield "unsigned char *const memory = (unsigned char *)arena;"
        for value in self.values.values():
            kind = c_type(value.tensor)
            yield f"{kind} *const {value.name} = ({kind} *)(memory + {value.offset});"
        yield ""

    # --- calls -------------------------------------------------------------------------------

    def _shard(self, shard: Shard) -> Iterator[str]:
        yield from self._calls(shard.starts, 0, shard)
        if len(shard.tasks) == 1:
            yield from self._calls(shard.calls, shard.tasks.start, shard)
        elif shard.tasks:
            body = [*self._calls(shard.calls, "n", shard)]
            yield from CLoop("n", shard.tasks.stop, start=shard.tasks.start).around(body)
        yield from self._calls(shard.ends, 0, shard)

    def _calls(self, calls: Sequence[Call], task: int | str, shard: Shard) -> Iterator[str]:
        for together in _joined(calls):
            function = self._function(together)
            places = {
                role: self._argument(call, role, place, task, shard.number)
                for call in together
                for role, place in zip(call.step.nest.buffers, call.places, strict=True)
            }
            arguments = [places[role] for role, _ in function.parameters]
            yield from wrapped(f"{function.name}({', '.join(arguments)});", _WIDTH - 4)

    def _function(self, calls: Sequence[Call]) -> CFunction:
        """The function of some calls: one for all that compute the same."""
        step, target = calls[0].step, self.program.target
        nests = [call.step.nest for call in calls]
        scheduled = [
            (nest, call.step.schedule or choose(nest, target))
            for nest, call in zip(nests, calls, strict=True)
        ]
        key = repr(scheduled)
        if key not in self.functions:
            border = _is_border(nests[0])
            label = f"{_layer(step.label)} border" if border else step.label
            made = emit_c(self._free(label), *scheduled)
            if border:
                self.borders.add(made.name)
            self.functions[key], self.labels[made.name] = made, []
            self.helpers |= made.helpers
            self.axes |= {axis for nest in nests for axis, _ in nest.axes}
        function = self.functions[key]
        if step.label not in self.labels[function.name]:
            self.labels[function.name].append(step.label)
        return function

    def _argument(
        self, call: Call, role: str, place: SegmentPlace, task: int | str, shard: int
    ) -> str:
        """Where a call finds a buffer."""
        tensor = next(t for t in call.step.nest.tensors() if t.buffer == role)
        size, offset = _bytes(tensor), place.offset + shard * place.per_shard
        if isinstance(task, int):
            offset += task * place.per_task
        match place.segment:
            case Segment.IMAGES | Segment.OUTPUTS as segment:
                name = segment.name.lower()
            case Segment.CONSTANTS:
                array = next(a for a in self.arrays if a.first <= offset < a.stop)
                name, offset = array.name, offset - array.first
            case Segment.ARENA:
                value = self.values[call.step.places[role].buffer]
                name, offset = value.name, offset - value.offset
        if isinstance(task, str) and place.per_task:
            name += f" + {place.per_task // size}*{task}"
        return f"{name} + {offset // size}" if offset else name

    # --- what is said of a function ------------------------------------------------------------

    def _comment(self, function: str) -> str:
        """What a function computes, and for which layers."""
        labels = self.labels[function]
        others = [_layer(label) for label in labels[1:]]
        text = self._told(labels[0])
        if function in self.borders:
            text = f"What lies around the outputs of {_layer(labels[0])}."
        if others:
            text += f" Also for {listed(others, len(others))}."
        return "\n   ".join(textwrap.wrap(text, _WIDTH - 8))

    def _told(self, label: str) -> str:
        layer = _layer(label)
        nodes = {vertex.name: i for i, vertex in enumerate(self.network.nodes)}
        if layer not in nodes:
            return _AROUND.get(label, f"{label}.")
        node = nodes[layer]
        # Without what is mostly left as it is.
        given = _OFTEN.sub("", repr(self.network.nodes[node].layer)).replace("(, ", "(")
        read = " and ".join(map(sizes, self.network.input_shapes(node)))
        return f"{layer}: {given}, {read} to {sizes(self.network.nodes[node].shape)}."


def _layer(label: str) -> str:
    """The layer of a step's label, which ends with what is computed for it."""
    return label.rpartition(" ")[0] or label


def _bytes(tensor: Tensor) -> int:
    return 4 if tensor.element == "real" else BYTES[tensor.element]


def _is_border(nest: Nest) -> bool:
    """Whether a nest does nothing but fill in a number."""
    return nest.reduction == "none" and all(isinstance(s.value, Constant) for s in nest.stores)


def _joined(calls: Sequence[Call]) -> Iterator[list[Call]]:
    """Calls one by one, but those together that fill in what is around one value."""

    def what(numbered: tuple[int, Call]) -> object:
        number, call = numbered
        return (call.step.label, call.places) if _is_border(call.step.nest) else number

    for _, together in groupby(enumerate(calls), key=what):
        yield [call for _, call in together]
