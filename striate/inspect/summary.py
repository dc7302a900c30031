"""The summary of a network: shapes, parameters, work and memory of each layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from striate.common.short_repr import short_repr
from striate.common.tables import html_table, ruled
from striate.common.text import counted, in_bytes, sizes
from striate.layers.layer import WindowLayer
from striate.ops.shapes import Field, Pair, Shape

if TYPE_CHECKING:
    from striate.model.model import Model

LAYERS = 200
"""The rows that a notebook shows in a table: of more only the first and the last."""


@dataclass(frozen=True)
class SummaryRow:
    """The figures of one layer.

    Attributes:
        name, type: of the layer.
        inputs: names of the layers that it reads; "input" is the network's input.
        output_shape: without the batch axis.
        parameters: number of trained parameters; those of a shared layer count in its first place.
        multiply_adds, activation_bytes: for one image; activations are float32.
        receptive_field: rows and columns of the image that one output depends on, at most the
            whole image; None in a network of vectors.
        jump: distance in the image between the fields of neighbouring outputs.
        dropped: rows and columns that no output reads, with uncovered="drop".
    """

    name: str
    type: str
    inputs: tuple[str, ...]
    output_shape: Shape
    parameters: int
    multiply_adds: int
    activation_bytes: int
    receptive_field: Pair | None
    jump: Pair | None
    dropped: Pair

    def type_behind(self, previous: str) -> str:
        """The type, in a table in which the layer stands behind the one called `previous`: a chain
        needs no arrows, a branch shows what it reads.
        """
        if self.inputs == (previous,):
            return self.type
        return f"{self.type} ← {', '.join(self.inputs)}"


@short_repr
@dataclass(frozen=True)
class Summary:
    """The figures of all layers, and their sums. ``str(summary)`` is a table.

    Attributes:
        input_shape: of the network, without the batch axis.
        rows: one for each layer, in order.
        unread: rows and columns of the image that no output of the network reads, as text; "" if
            there are none. `striate.inspect.ledger` lists them, with cures.
        remarks: sentences about layers that share weights, and about auxiliary heads.
    """

    input_shape: Shape
    rows: tuple[SummaryRow, ...]
    unread: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of a forward pass of one image."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        """Bytes of all layers' outputs for one image, in float32."""
        return sum(row.activation_bytes for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON-able values."""
        return {
            "input_shape": list(self.input_shape),
            "layers": [
                {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(row).items()}
                for row in self.rows
            ],
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "activation_bytes": self.activation_bytes,
            "unread": self.unread,
            **({"remarks": list(self.remarks)} if self.remarks else {}),
        }

    def table(self) -> list[tuple[str, ...]]:
        """The figures as cells of text: a row of names, the input, the layers, and the sums."""
        head: tuple[str, ...] = (
            "layer",
            "type",
            "output",
            "parameters",
            "multiply-adds",
            "memory",
            "sees",
            "jump",
        )
        lines: list[tuple[str, ...]] = [
            head,
            ("input", "", sizes(self.input_shape), "", "", "", "", ""),
        ]
        previous = "input"
        for row in self.rows:
            lines.append(
                (
                    row.name,
                    row.type_behind(previous),
                    sizes(row.output_shape),
                    f"{row.parameters:,}",
                    f"{row.multiply_adds:,}",
                    in_bytes(row.activation_bytes),
                    "" if row.receptive_field is None else sizes(row.receptive_field),
                    # Outputs of vectors have no neighbours.
                    "" if row.jump is None or len(row.output_shape) == 1 else sizes(row.jump),
                )
            )
            previous = row.name
        lines.append(
            (
                "total",
                "",
                "",
                f"{self.parameters:,}",
                f"{self.multiply_adds:,}",
                in_bytes(self.activation_bytes),
                "",
                "",
            )
        )
        return lines

    def notes(self) -> list[str]:
        """What is worth knowing of shared weights, heads, and pixels that are never read."""
        notes = [*self.remarks]
        notes += [f"No output reads {self.unread} of the image: see striate inspect"] * bool(
            self.unread
        )
        notes += [
            f'{row.name} leaves {_lines(row.dropped)} of its input unread (uncovered="drop")'
            for row in self.rows
            if any(row.dropped)
        ]
        return notes

    def _brief(self) -> str:
        output = sizes(self.rows[-1].output_shape if self.rows else self.input_shape)
        return (
            f"{counted(len(self.rows), 'layer')}, {sizes(self.input_shape)} → {output}, "
            f"{counted(self.parameters, 'parameter')}, {self.multiply_adds:,} multiply-adds"
        )

    def __str__(self) -> str:
        return "\n".join([ruled(self.table(), left=2, total=True), *self.notes()])

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.notes())
        return html_table(self.table(), left=2, most=LAYERS) + notes


def summarise(network: Model) -> Summary:
    """The summary of a network; multiply-adds and memory are for one image."""
    image = network.input_shape[:2] if len(network.input_shape) == 3 else None
    fields = {-1: Field()}
    names = {-1: "input"} | {i: vertex.name for i, vertex in enumerate(network.nodes)}
    rows: list[SummaryRow] = []
    for index, vertex in enumerate(network.nodes):
        layer, shapes = vertex.layer, network.input_shapes(index)
        field: Pair | None = None
        jump: Pair | None = None
        if image is not None:
            seen = layer.field(
                *shapes, fields=tuple(fields[source] for source in vertex.inputs), image=image
            )
            fields[index] = seen
            field = (min(seen.size[0], image[0]), min(seen.size[1], image[1]))
            jump = seen.jump
        rows.append(
            SummaryRow(
                name=vertex.name,
                type=type(layer).__name__,
                inputs=tuple(names[source] for source in vertex.inputs),
                output_shape=vertex.shape,
                parameters=sum(own.size for own in network.parameters_of(index).values())
                if vertex.shares is None
                else 0,
                multiply_adds=layer.multiply_adds(*shapes),
                activation_bytes=4 * math.prod(vertex.shape),
                receptive_field=field,
                jump=jump,
                dropped=layer.dropped(*shapes) if isinstance(layer, WindowLayer) else (0, 0),
            )
        )
    unread = _unread(network) if image else ""
    return Summary(network.input_shape, tuple(rows), unread, tuple(_remarks(network)))


def _remarks(network: Model) -> Iterator[str]:
    """Sentences about layers that share weights, and about auxiliary heads."""
    for vertex in network.nodes:
        if vertex.shares is not None:
            yield f"{vertex.name} shares the weights of {network.nodes[vertex.shares].name}"
    if network.heads:
        left_out = len(network.nodes) - len(network.branch().nodes)
        for name, head in network.heads.items():
            yield (
                f"{network.nodes[head.node].name} is the auxiliary head {name}, trained with "
                f"{head.weight:g} times its loss"
            )
        yield f"Predictions leave out {counted(left_out, 'layer')} that only heads need"


def _unread(network: Model) -> str:
    """The pixels of the image that no output reads, as text; "" if there are none.

    Only layers with windows can leave pixels unread; without such a layer nothing is traced.
    """
    from striate.inspect.unread_pixels import left_out, unread_image

    if not any(left_out(network, index) for index in range(len(network.nodes))):
        return ""
    missing = unread_image(network)
    return str(missing) if missing else ""


def _lines(dropped: Pair) -> str:
    parts = [
        counted(count, what)
        for count, what in zip(dropped, ("row", "column"), strict=True)
        if count
    ]
    return " and ".join(parts)
