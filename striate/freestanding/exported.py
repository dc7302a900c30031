"""What is written of a network for other machines: files, and what they take there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from striate.common.text import in_bytes
from striate.freestanding.weights.rounded_weights import Weights

if TYPE_CHECKING:
    from striate.freestanding.program.segmented_program import ArenaBuffer
    from striate.freestanding.running.verified_code import Verification
    from striate.model.model import Model

_MOST_LAYERS = 12
"""Layers of whose instructions the table tells."""


@dataclass(frozen=True)
class LayerInstructions:
    """What a layer takes of a run."""

    layer: str
    instructions: int
    multiply_adds: int

    def words(self) -> str:
        """In words."""
        if not self.multiply_adds:
            return f"{self.instructions:,}"
        each = self.instructions / self.multiply_adds
        return f"{self.instructions:,} ({each:.2f} per multiply-add)"


@dataclass(frozen=True)
class CodeFigures:
    """What code takes where it runs.

    Attributes:
        code_bytes: instructions, and numbers between them; None where a compiler makes them later.
        constant_bytes: weights and tables, which may stay in flash.
        arena_bytes: memory that a run works on, and needs not keep.
        image_bytes, output_bytes: what goes in and what comes out.
        multiply_adds: of a run.
        stack_bytes: what a run takes of the stack, without compilers' helpers; None if that is
            not known.
        arena_peak: the layers whose values are in the arena at once where most of it is used, with
            their bytes; the largest first.
        instructions: of a run as they were counted, by layer; () if they were not.
        not_counted: why not, if somebody may want to know.
        calls_helpers: whether the code calls functions that compilers bring, whose instructions and
            stack are not counted.
        state_bytes: memory of a network that learns, which lasts: weights, and what is kept about
            them.
        weights: how those that sums are multiplied by are stored: "float32", "bfloat16" or "int8".
        small_weights: how many of them are stored in fewer bits than 32.
    """

    code_bytes: int | None
    constant_bytes: int
    arena_bytes: int
    image_bytes: int
    output_bytes: int
    multiply_adds: int
    stack_bytes: int | None = None
    arena_peak: tuple[tuple[str, int], ...] = ()
    instructions: tuple[LayerInstructions, ...] = ()
    not_counted: str = ""
    calls_helpers: bool = False
    state_bytes: int = 0
    weights: Weights = "float32"
    small_weights: int = 0

    @property
    def ram_bytes(self) -> int:
        """All memory that is written or holds the images."""
        parts = (self.arena_bytes, self.state_bytes, self.image_bytes, self.output_bytes)
        return sum(parts) + (self.stack_bytes or 0)

    @property
    def flash_bytes(self) -> int:
        """All memory that is only read."""
        return (self.code_bytes or 0) + self.constant_bytes

    @property
    def instructions_of_run(self) -> int | None:
        """All instructions; None if they were not counted."""
        return sum(one.instructions for one in self.instructions) or None

    def rows(self) -> list[tuple[str, str]]:
        """In words: (what, how much)."""
        rows = [] if self.code_bytes is None else [("code", in_bytes(self.code_bytes))]
        rows += [
            ("weights and tables, constant", in_bytes(self.constant_bytes)),
        ]
        if self.small_weights:
            rows.append((f"weights stored as {self.weights}", f"{self.small_weights:,}"))
        if self.state_bytes:
            rows.append(("state, which learns", in_bytes(self.state_bytes)))
        rows += [
            ("arena, to work on", in_bytes(self.arena_bytes)),
            ("images, to read", in_bytes(self.image_bytes)),
            ("outputs", in_bytes(self.output_bytes)),
        ]
        if self.stack_bytes is not None:
            rows.append(("stack", in_bytes(self.stack_bytes)))
        rows.append(("multiply-adds of a run", f"{self.multiply_adds:,}"))
        return rows + self._rows_of_instructions()

    def _rows_of_instructions(self) -> list[tuple[str, str]]:
        total = self.instructions_of_run
        if total is None:
            return [("instructions of a run", self.not_counted)] * bool(self.not_counted)
        whole = LayerInstructions("", total, self.multiply_adds)
        without = ", without those of the compiler's helpers" * self.calls_helpers
        rows = [(f"instructions of a run{without}", whole.words())]
        shown = self.instructions[:_MOST_LAYERS]
        rows += [(f"… in {one.layer}", one.words()) for one in shown]
        rest = total - sum(one.instructions for one in shown)
        return rows + [("… in all others", f"{rest:,}")] * bool(rest)


@dataclass(frozen=True)
class Exported:
    """Files for other machines.

    Attributes:
        kind: as `export` takes it, such as "object".
        name: what its functions and files begin with, or the title of a page.
        target: the processor's name.
        files: their contents, by their names in the folder.
        figures: what the code takes.
        same_bits: whether it gives the bits that ``compile(exact=True, portable=True)`` gives here,
            with weights rounded as they are stored.
        computed: the network with these weights, which the code computes.
        helpers: the functions that the code calls and that compilers bring, where the processor has
            no instructions for floats.
        verification: how it compares with the network, if that was asked for.
    """

    kind: str
    name: str
    target: str
    files: Mapping[str, bytes]
    figures: CodeFigures
    same_bits: bool
    computed: Model
    helpers: tuple[str, ...] = ()
    verification: Verification | None = None


def arena_peak(buffers: Iterable[ArenaBuffer]) -> tuple[tuple[str, int], ...]:
    """The layers, with their bytes, whose buffers are needed at once where these are most."""
    found: tuple[tuple[str, int], ...] = ()
    known = list(buffers)
    for time in sorted({buffer.start for buffer in known}):
        alive = [buffer for buffer in known if buffer.start <= time <= buffer.stop]
        if sum(b.bytes for b in alive) > sum(size for _, size in found):
            alive.sort(key=lambda buffer: -buffer.bytes)
            found = tuple((buffer.layer, buffer.bytes) for buffer in alive)
    return found
