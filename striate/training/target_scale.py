"""Standardised targets for training, and networks that then answer in the targets' own units.

A network starts with outputs near 0 of size 1, and learning rates suit those. So numbers in metres
or years are brought to mean 0 and deviation 1; after training the last dense layer takes over what
turns its outputs back, and nobody needs to know:

    (W x + b) * std + mean = (W std) x + (b std + mean)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from striate.common.arithmetic import unwatched
from striate.common.arrays import Floats
from striate.common.errors import StriateValueError
from striate.layers import Dense, Scale

if TYPE_CHECKING:
    from striate.model.model import Model

COARSE = 1e5
"""How many deviations the mean may be away from 0 before float32 loses digits that count."""


@dataclass(frozen=True)
class TargetScale:
    """The mean and the standard deviation of numbers.

    Attributes:
        mean, std: of each number; a number that never changes has a deviation of 1.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    @unwatched
    def of(cls, numbers: NDArray[np.float64]) -> TargetScale:
        """Return those of numbers (images, numbers)."""
        mean, std = numbers.mean(axis=0), numbers.std(axis=0)
        std = np.where(std > 1e-12 * np.abs(mean), std, 1.0)
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    @unwatched
    def scaled(self, numbers: NDArray[np.float64]) -> Floats:
        """Return numbers (images, numbers) as they are trained on, float32."""
        result: Floats = ((numbers - np.array(self.mean)) / np.array(self.std)).astype(np.float32)
        return result

    @property
    def is_coarse(self) -> bool:
        """Whether float32 cannot hold differences between the numbers well."""
        pairs = zip(self.mean, self.std, strict=True)
        return any(abs(mean) > COARSE * std for mean, std in pairs)

    @unwatched
    def fold_into(self, network: Model) -> None:
        """Let a network whose outputs are standardised answer in the numbers' own units.

        Raises:
            ValueError: it does not end as `can_fold` asks.
        """
        mean, std = np.array(self.mean), np.array(self.std)
        found = {_last_dense(network, output) for output in _outputs(network)}
        if None in found:
            raise StriateValueError("the network does not end in a Dense layer with a bias")
        for place in found:
            if place is None:
                continue
            node, factor = place
            parameters = network.parameters_of(node)
            weights, bias = parameters["weights"], parameters["bias"]
            weights[...] = weights.astype(np.float64) * std
            bias[...] = bias.astype(np.float64) * std + mean / factor


def can_fold(network: Model) -> bool:
    """Return whether the network's last layer, and that of each auxiliary head, is a dense layer
    with a bias, or one and a `Scale` behind it, whose outputs and weights nothing else uses.
    """
    return all(_last_dense(network, output) is not None for output in _outputs(network))


def _outputs(network: Model) -> list[int]:
    heads = (head.node for head in network.heads.values())
    return list(dict.fromkeys([len(network.nodes) - 1, *heads]))


def _last_dense(network: Model, output: int) -> tuple[int, float] | None:
    """Return the dense layer that makes an output, and the factor behind it; None without one."""
    node, factor = output, 1.0
    outputs = _outputs(network)
    while True:
        layer = network.nodes[node].layer
        readers = sum(vertex.inputs.count(node) for vertex in network.nodes)
        if readers != (node != output) or (node != output and node in outputs):
            return None
        if type(layer) is Dense and layer.bias:
            places = range(len(network.nodes))
            alone = [network.owner(place) for place in places].count(network.owner(node)) == 1
            return (node, factor) if alone else None
        if type(layer) is not Scale or not layer.factor or network.nodes[node].inputs[0] < 0:
            return None
        factor *= layer.factor
        node = network.nodes[node].inputs[0]
