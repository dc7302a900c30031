"""What is written of a network for other machines: files, and what they take there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from striate.common.text import in_bytes
from striate.freestanding.rounded_weights import Weights

if TYPE_CHECKING:
    from striate.model.model import Model


@dataclass(frozen=True)
class CodeFigures:
    """What code takes where it runs.

    Attributes:
        code_bytes: instructions, and numbers between them.
        constant_bytes: weights and tables, which may stay in flash.
        arena_bytes: memory that a run works on, and needs not keep.
        image_bytes, output_bytes: what goes in and what comes out.
        multiply_adds: of a run.
        state_bytes: memory of a network that learns, which lasts: weights, and what is kept about
            them.
        weights: how those that sums are multiplied by are stored: "float32", "bfloat16" or "int8".
        small_weights: how many of them are stored in fewer bits than 32.
    """

    code_bytes: int
    constant_bytes: int
    arena_bytes: int
    image_bytes: int
    output_bytes: int
    multiply_adds: int
    state_bytes: int = 0
    weights: Weights = "float32"
    small_weights: int = 0

    def rows(self) -> list[tuple[str, str]]:
        """In words: (what, how much)."""
        stored = [(f"weights stored as {self.weights}", f"{self.small_weights:,}")]
        return [
            ("code", in_bytes(self.code_bytes)),
            ("weights and tables, constant", in_bytes(self.constant_bytes)),
            *([("state, which learns", in_bytes(self.state_bytes))] if self.state_bytes else []),
            *(stored if self.small_weights else []),
            ("arena, to work on", in_bytes(self.arena_bytes)),
            ("images, to read", in_bytes(self.image_bytes)),
            ("outputs", in_bytes(self.output_bytes)),
            ("multiply-adds of a run", f"{self.multiply_adds:,}"),
        ]


@dataclass(frozen=True)
class Exported:
    """Files for other machines.

    Attributes:
        kind: as `export` takes it: "object".
        name: what its functions and files begin with.
        target: the processor's name.
        files: their contents, by their names in the folder.
        figures: what the code takes.
        same_bits: whether it gives the bits that ``compile(exact=True, portable=True)`` gives here,
            with weights rounded as they are stored.
        computed: the network with these weights, which the code computes.
    """

    kind: str
    name: str
    target: str
    files: Mapping[str, bytes]
    figures: CodeFigures
    same_bits: bool
    computed: Model
