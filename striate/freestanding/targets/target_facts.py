"""What is known of a processor that code is exported for."""

from __future__ import annotations

from dataclasses import dataclass

from striate.nest.target import Target


@dataclass(frozen=True)
class NamedTarget:
    """A processor.

    Attributes:
        name: as people write it.
        what: which processors and boards that is.
        target: what code is made for; portable.
        compiler: what compiles and links C for it, with the flags that say which processor it is.
    """

    name: str
    what: str
    target: Target
    compiler: str

    @property
    def is_small(self) -> bool:
        """Whether it is a microcontroller: no system, and memory that every byte counts of."""
        return "-none-" in self.target.triple
