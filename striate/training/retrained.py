"""A network that was trained twice: whether both have the same weights, to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.digests import digest_of
from striate.common.short_repr import short_repr
from striate.common.text import counted

if TYPE_CHECKING:
    from striate.model.model import Model


@dataclass(frozen=True)
class DifferingArray:
    """An array of weights or running statistics of which some numbers have other bits.

    Attributes:
        name: as in the model file.
        numbers: how many it has.
        others: how many have other bits.
        difference: the largest difference.
    """

    name: str
    numbers: int
    others: int
    difference: float


@short_repr
@dataclass(frozen=True)
class Retrained:
    """What a second training has found.

    Attributes:
        digest_there: of the weights of the first.
        digest_here: of those of the second.
        differing: the arrays that differ, in the network's order.
    """

    digest_there: str
    digest_here: str
    differing: Sequence[DifferingArray]

    @property
    def same(self) -> bool:
        """Whether all bits are the same."""
        return self.digest_there == self.digest_here

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values."""
        return asdict(self)

    def sentence(self, expected: bool) -> str:
        """In words; `expected`, whether the bits should be the same."""
        if self.same:
            return f"Same bits: the weights are those in the file, digest {self.digest_here}"
        first = self.differing[0]
        why = (
            "the weights in the file are of another training, or were changed"
            if expected
            else "which is no wonder: they were computed otherwise, see above"
        )
        return (
            f"Other bits in {counted(len(self.differing), 'array')}: the first is {first.name}, "
            f"{first.others:,} of {counted(first.numbers, 'number')}, by up to "
            f"{first.difference:.3g}; {why}; digest {self.digest_there} there, {self.digest_here} "
            "here"
        )


def weights_digest(network: Model) -> str:
    """A digest of all weights and running statistics of a network, by their names."""
    arrays = {**network.parameters, **network.state}
    return digest_of(*(item for name in sorted(arrays) for item in (name, arrays[name])))


def differing_arrays(there: Model, here: Model) -> list[DifferingArray]:
    """The arrays of two networks of one architecture that differ in some bit."""
    found = []
    ours = {**here.parameters, **here.state}
    for name, theirs in {**there.parameters, **there.state}.items():
        own = ours[name]
        others = theirs.view(np.uint32) != own.view(np.uint32)
        if others.any():
            apart = float(np.abs(theirs.astype(np.float64) - own).max())
            found.append(DifferingArray(name, theirs.size, int(others.sum()), apart))
    return found
