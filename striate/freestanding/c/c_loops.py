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
        mark: what stands in front of it.
    """

    variable: str
    stop: int | str
    step: int = 1
    first: tuple[str, ...] = ()
    start: int = 0
    mark: str = ""

    def around(self, body: Sequence[str]) -> list[str]:
        """The loop, with braces if its body is more than one statement."""
        name = self.variable
        turn = f"{name}++" if self.step == 1 else f"{name} += {self.step}"
        head = f"{self.mark}for (int {name} = {self.start}; {name} < {self.stop}; {turn})"
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


def wrapped(line: str, width: int = 100) -> Iterator[str]:
    """A line of code as lines of at most so many characters, if it can be broken: between
    arguments, or in front of operators, where it is least deep in parentheses.
    """
    margin = len(line) - len(line.lstrip())
    indent = margin + 4
    while len(line) > width:
        places = [*_breaks(line[:width])]
        if not places:
            break
        _, at = max(places)
        yield line[:at].rstrip()
        line = " " * indent + line[at:].lstrip()
    yield line


def _breaks(line: str) -> Iterator[tuple[tuple[int, int], int]]:
    """Where a line may be broken, the best of them the largest: what is deep is kept together."""
    depth, margin = 0, len(line) - len(line.lstrip())
    for at, character in enumerate(line):
        call = character == "(" and line[at - 1].isalnum()
        equals = line[at : at + 3] == " = "
        operator = line[at : at + 3] in (" + ", " - ", " * ", " / ", " ? ", " : ")
        if at > margin + 8 and (character == "," or operator or call or equals):
            yield (-depth, at), at + (2 if equals else 1)
        depth += (character in "([") - (character in ")]")
