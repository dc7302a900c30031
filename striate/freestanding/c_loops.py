"""Lines of C: loops, and what is in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class CLoop:
    """A loop.

    Attributes:
        variable: which counts.
        stop: where it ends: a number, or the name of one.
        step: what is added at each turn.
        first: what each turn begins with.
        start: where it begins.
    """

    variable: str
    stop: int | str
    step: int = 1
    first: tuple[str, ...] = ()
    start: int = 0

    def around(self, body: Sequence[str]) -> list[str]:
        """The loop, with braces if its body is more than one statement."""
        turn = f"{self.variable}++" if self.step == 1 else f"{self.variable} += {self.step}"
        head = f"for (int {self.variable} = {self.start}; {self.variable} < {self.stop}; {turn})"
        body = [*self.first, *body]
        if is_one_statement(body):
            return [head, *indented(body)]
        return [head + " {", *indented(body), "}"]


def nested(loops: Iterable[CLoop], body: Sequence[str]) -> list[str]:
    """Loops around a body, the outermost first."""
    lines = [*body]
    for each in reversed([*loops]):
        lines = each.around(lines)
    return lines


def is_one_statement(lines: Sequence[str]) -> bool:
    """Whether lines are one statement, and no declaration."""
    inside = all(line[0] in " }" for line in lines[1:])
    return inside and not lines[0].startswith(("const ", "float "))


def indented(lines: Iterable[str]) -> Iterator[str]:
    """Lines, one level further in."""
    return ("    " + line if line else line for line in lines)
