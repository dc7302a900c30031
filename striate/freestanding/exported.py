"""What is written of a network for other machines: files, and what they take there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from striate.common.text import in_bytes


@dataclass(frozen=True)
class CodeFigures:
    """What code takes where it runs.

    Attributes:
        code_bytes: instructions, and numbers between them; None where a compiler makes them later.
        constant_bytes: weights and tables, which may stay in flash.
        arena_bytes: memory that a run works on, and needs not keep.
        image_bytes, output_bytes: what goes in and what comes out.
        multiply_adds: of a run.
    """

    code_bytes: int | None
    constant_bytes: int
    arena_bytes: int
    image_bytes: int
    output_bytes: int
    multiply_adds: int

    def rows(self) -> list[tuple[str, str]]:
        """In words: (what, how much)."""
        code = [] if self.code_bytes is None else [("code", in_bytes(self.code_bytes))]
        return [
            *code,
            ("weights and tables, constant", in_bytes(self.constant_bytes)),
            ("arena, to work on", in_bytes(self.arena_bytes)),
            ("images, to read", in_bytes(self.image_bytes)),
            ("outputs", in_bytes(self.output_bytes)),
            ("multiply-adds of a run", f"{self.multiply_adds:,}"),
        ]


@dataclass(frozen=True)
class Exported:
    """Files for other machines.

    Attributes:
        kind: as `export` takes it: "object", "c".
        name: what its functions and files begin with.
        target: the processor's name.
        files: their contents, by their names in the folder.
        figures: what the code takes.
        same_bits: whether it gives the bits that ``compile(exact=True, portable=True)`` gives here.
    """

    kind: str
    name: str
    target: str
    files: Mapping[str, bytes]
    figures: CodeFigures
    same_bits: bool
