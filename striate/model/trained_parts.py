"""Which parts of a network training changes, and how fast."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

import numpy as np

from striate.common.arguments import real_number
from striate.common.arrays import Floats
from striate.common.errors import StriateValueError
from striate.common.memory import whole_lines
from striate.common.text import cut, did_you_mean, listed
from striate.model.graph import Vertex
from striate.model.parameters import Slot


class TrainedParts:
    """What of a model is trained: the part of `Model` that says so.

    Attributes:
        frozen: the names of layers that training does not change.
        kept_statistics: the names of batch normalisations that are trained on their running
            statistics.
        rates: what the learning rate is multiplied by, by the names of layers.
    """

    nodes: tuple[Vertex, ...]
    slots: tuple[Slot, ...]
    state_slots: tuple[Slot, ...]
    flat: Floats
    frozen: frozenset[str]
    kept_statistics: frozenset[str]
    rates: Mapping[str, float]

    def _train_all(self) -> None:
        """Nothing is frozen or kept, and one learning rate is for all."""
        self.frozen, self.kept_statistics = frozenset(), frozenset()
        self._set_rates({})

    def owner(self, node: int) -> int:
        """The node whose parameters a node uses: itself, or the first place of its layer."""
        first = self.nodes[node].shares
        return node if first is None else first

    def freeze(self, *layers: str) -> None:
        """Let training leave the parameters of these layers as they are; of none named, of all.

        Frozen batch normalisation uses its running statistics in training too, and keeps them.
        Where nothing before a layer learns either, the backward pass ends.  Model files keep it.
        It counts from the next call of `fit` on.

        Raises:
            ValueError: there is no such layer.
        """
        self._set_frozen(self.frozen | self._owning(self.slots, layers))

    def unfreeze(self, *layers: str) -> None:
        """Let training change these layers again; of none named, all.

        Raises:
            ValueError: there is no such layer.
        """
        self._set_frozen(self.frozen - self._owning(self.slots, layers))

    def keep_statistics(self, *layers: str) -> None:
        """Let training use the running statistics of these batch normalisations as they are, and
        not those of the batch; of none named, of all.  Scale and shift are trained all the same.

        Predictions do so anyway.  For fine-tuning with small batches, whose statistics say little.
        Model files keep it.  It counts from the next call of `fit` on.

        Raises:
            ValueError: there is no such layer.
        """
        self._set_kept_statistics(self.kept_statistics | self._owning(self.state_slots, layers))

    def update_statistics(self, *layers: str) -> None:
        """Let training use the batch's statistics again, and update the running ones, in these
        layers; of none named, in all.

        Raises:
            ValueError: there is no such layer.
        """
        self._set_kept_statistics(self.kept_statistics - self._owning(self.state_slots, layers))

    def set_rate(self, factor: float, *layers: str) -> None:
        """Let training move the parameters of these layers at `factor` times the learning rate; of
        none named, of all.

        For fine-tuning, where layers nearer to the image have less to learn anew.  With AdamW the
        weight decay of a layer, which is a part of its learning rate, changes alike.  Model files
        keep it.  It counts from the next call of `fit` on.

        Raises:
            ValueError, TypeError: there is no such layer, or the factor is not above 0 and finite.
        """
        factor = real_number(factor, "factor", "Network.set_rate")
        if not 0 < factor < math.inf:
            raise StriateValueError(
                f"Network: the factor of a learning rate must be above 0 and finite, got {factor}; "
                "freeze layers that are not to be trained"
            )
        self._set_rates({**self.rates, **dict.fromkeys(self._owning(self.slots, layers), factor)})

    def _owning(self, slots: Sequence[Slot], layers: Sequence[str]) -> set[str]:
        """Those of these layers that have such arrays, each by the name of its first place."""
        known = [node.name for node in self.nodes]
        for name in layers:
            if name not in known:
                raise StriateValueError(
                    f"Network: there is no layer {cut(repr(name), 80)}"
                    f"{did_you_mean(str(name), known)}; the layers are {cut(listed(known), 200)}"
                )
        chosen = set(layers) or set(known)
        owners = {self.nodes[self.owner(i)].name for i, name in enumerate(known) if name in chosen}
        return {self.nodes[slot.node].name for slot in slots} & owners

    def _set_frozen(self, names: frozenset[str]) -> None:
        self.frozen = frozenset(names)

    def _set_kept_statistics(self, names: frozenset[str]) -> None:
        self.kept_statistics = frozenset(names)

    def _set_rates(self, rates: Mapping[str, float]) -> None:
        self.rates = MappingProxyType({n: rate for n, rate in rates.items() if rate != 1})

    @property
    def frozen_nodes(self) -> frozenset[int]:
        """The indices of the frozen layers."""
        return self._places_of(self.frozen)

    @property
    def steady_nodes(self) -> frozenset[int]:
        """The indices of layers whose running statistics are used in training, and stay."""
        return self._places_of(self.frozen | self.kept_statistics)

    def _places_of(self, names: frozenset[str]) -> frozenset[int]:
        """All places of the layers with these names."""
        if not names:
            return frozenset()
        found = (i for i in range(len(self.nodes)) if self.nodes[self.owner(i)].name in names)
        return frozenset(found)

    def learned_parts(self) -> list[tuple[int, int, float]]:
        """(start, stop, factor) of the parts of `flat`, in whole cache lines, that are not frozen,
        and what the learning rate is multiplied by there.
        """
        parts = list[tuple[int, int, float]]()
        for start, stop, factor in self.learned_tensors():
            if parts and parts[-1][1:] == (start, factor):
                parts[-1] = (parts[-1][0], stop, factor)
            else:
                parts.append((start, stop, factor))
        return parts

    def learned_tensors(self) -> list[tuple[int, int, float]]:
        """The same for each parameter alone, such as the filters of one layer.

        Between its last number and the end of the cache line are zeros, here and in gradients.
        """
        frozen = self.frozen_nodes
        return [
            (
                slot.start,
                whole_lines(4 * slot.stop) // 4,
                self.rates.get(self.nodes[slot.node].name, 1.0),
            )
            for slot in self.slots
            if slot.node not in frozen
        ]

    def learning_rates(self, rate: float) -> float | Floats:
        """The learning rate of each element of `flat`, or the one of all."""
        if not self.rates:
            return rate
        rates = np.full(self.flat.size, rate, np.float32)
        for start, stop, factor in self.learned_parts():
            rates[start:stop] *= factor
        return rates

    @contextmanager
    def frozen_kept(self) -> Iterator[None]:
        """While all parameters are changed, keep the frozen ones as they are."""
        frozen = self.frozen_nodes
        kept = [s for s in self.slots if s.node in frozen]
        copies = [self.flat[slot.start : slot.stop].copy() for slot in kept]
        yield
        for slot, copy in zip(kept, copies, strict=True):
            self.flat[slot.start : slot.stop] = copy
