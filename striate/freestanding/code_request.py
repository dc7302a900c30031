"""What an export of a network is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from striate.freestanding.weights.rounded_weights import Weights

if TYPE_CHECKING:
    from striate.model.model import Model


@dataclass(frozen=True)
class CodeRequest:
    """A network, and what its code is to be.

    Attributes:
        network: the network.
        name: what all names of functions and files begin with.
        target: the processor's name; None for code that is of none.
        batch_size: images of a run.
        weights: how they are stored.
    """

    network: Model
    name: str
    target: str | None = None
    batch_size: int = 1
    weights: Weights = "float32"
