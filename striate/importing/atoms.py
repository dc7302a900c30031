"""The pieces that axes are made of: see `striate.importing.axis_view`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from striate.common.errors import StriateValueError

Atoms = tuple[int, ...]
Label = Any
"""Of an atom while a view is made: anything that is hashed."""


class ViewError(StriateValueError):
    """What no layer can do with a value as a tensor sees it; the message is a clause."""


def divided(atoms: Iterable[Label], pieces: Mapping[Label, Sequence[Label]]) -> list[Label]:
    """Atoms, with those that were divided replaced by their pieces, which may be divided again."""
    found: list[Label] = []
    waiting = list(atoms)[::-1]
    while waiting:
        atom = waiting.pop()
        if atom in pieces:
            waiting.extend(reversed(pieces[atom]))
        else:
            found.append(atom)
    return found


def canonical(
    batch: Label,
    stored: Sequence[Sequence[Label]],
    axes: Sequence[Sequence[Label]],
    extents: Mapping[Label, int],
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[Atoms, ...]]:
    """The atoms of a view by numbers: ones of one element left out, neighbours merged.

    Args:
        batch: the atom of the images.
        stored: the atoms of each stored axis, in order.
        axes: those of each axis of the tensor.
        extents: of all atoms.

    Returns:
        The extents, parts and axes of the `AxisView`.

    Raises:
        ViewError: some atom lies in no axis, or in several.
    """
    sizes = dict(extents)
    kept = [[a for a in part if sizes[a] != 1] for part in stored]
    there = [[a for a in axis if a == batch or sizes[a] != 1] for axis in axes]
    follower = {a: b for axis in there for a, b in pairwise(axis)}
    merged: dict[Label, Label] = {}
    for part in kept:
        run: list[Label] = part[:1]
        for before, atom in pairwise(part):
            if follower.get(before) == atom:
                sizes[run[-1]] *= sizes[atom]
                merged[atom] = run[-1]
            else:
                run.append(atom)
        part[:] = run
    number: dict[Label, int] = {batch: 0}
    for part in kept:
        for atom in part:
            number[atom] = len(number)
    placed = [number.get(a, -1) for axis in there for a in _unmerged(axis, merged)]
    if sorted(placed) != list(range(len(number))):
        raise ViewError("its axes do not hold each number of the value once")
    return (
        (sizes[batch], *(sizes[atom] for part in kept for atom in part)),
        tuple(len(part) for part in kept),
        tuple(tuple(number[a] for a in _unmerged(axis, merged)) for axis in there),
    )


def _unmerged(axis: Iterable[Label], merged: Mapping[Label, Label]) -> list[Label]:
    return [atom for atom in axis if atom not in merged]
