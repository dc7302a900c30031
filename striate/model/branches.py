"""Parts of a network: what leads to its output, or to one of its heads, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from striate.model.graph import Vertex
from striate.model.parameters import Slot


@dataclass(frozen=True)
class Branch:
    """What leads to one node of a graph.

    Attributes:
        nodes: in order; that node is the last.
        first: for each node of the whole that owns parameters, the first of these nodes that uses
            them, and after which they are named here.
    """

    nodes: tuple[Vertex, ...]
    first: Mapping[int, int]

    def slots(self, whole: Sequence[Slot]) -> tuple[Slot, ...]:
        """Those of the whole that are used, where they are."""
        return tuple(replace(s, node=self.first[s.node]) for s in whole if s.node in self.first)

    def named(self, names: frozenset[str], whole: Sequence[Vertex]) -> frozenset[str]:
        """Names of owners of parameters in the whole, as they are called here."""
        return frozenset(
            self.nodes[new].name for old, new in self.first.items() if whole[old].name in names
        )

    def rates(self, rates: Mapping[str, float], whole: Sequence[Vertex]) -> dict[str, float]:
        """Rates by names of owners of parameters in the whole, by how these are called here."""
        return {
            self.nodes[new].name: rates[whole[old].name]
            for old, new in self.first.items()
            if whole[old].name in rates
        }


def leading_to(nodes: Sequence[Vertex], node: int) -> Branch:
    """The part of a graph that leads to a node."""
    kept = _ancestors(nodes, node)
    index = {-1: -1} | {old: new for new, old in enumerate(kept)}
    first: dict[int, int] = {}
    vertices: list[Vertex] = []
    for new, old in enumerate(kept):
        vertex = nodes[old]
        owner = first.setdefault(old if vertex.shares is None else vertex.shares, new)
        inputs = tuple(index[source] for source in vertex.inputs)
        vertices.append(replace(vertex, inputs=inputs, shares=owner if owner != new else None))
    return Branch(tuple(vertices), first)


def _ancestors(nodes: Sequence[Vertex], node: int) -> list[int]:
    """A node and all from which a path leads to it, in order."""
    found = {node}
    for index in range(node, -1, -1):
        if index in found:
            found.update(source for source in nodes[index].inputs if source >= 0)
    return sorted(found)
