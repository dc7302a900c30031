"""Gradients of layers that have several places in the network, with the same parameters.

Each place finds a gradient of its own: the first one where the layer's gradient belongs, the others
in memory beside it, and they are added at the end, in the order of the places.
"""

from __future__ import annotations

from collections.abc import Sequence

from striate.common.memory import whole_lines
from striate.model.model import Model
from striate.model.parameters import Slot
from striate.nest.algebra import Accumulator, Nest, Store, Tensor, strides_of
from striate.plan.layout import Buffer, Location
from striate.plan.lowering.recorder import Recorder
from striate.plan.stage import in_tasks

# Elements that one task takes.
_SUM = 4096


class PlaceGradients:
    """Where the gradient of each place lies: `gradient` is laid out like the network's `flat`."""

    def __init__(self, network: Model, gradient: Buffer) -> None:
        self._gradient = gradient
        self._owners = {i: network.owner(i) for i in range(len(network.nodes))}
        self._places: dict[int, list[int]] = {}
        for node, owner in self._owners.items():
            self._places.setdefault(owner, []).append(node)
        self._slots: dict[int, list[Slot]] = {}
        for slot in network.slots:
            self._slots.setdefault(slot.node, []).append(slot)
        self._others: dict[int, Buffer] = {}

    def of(self, slot: Slot) -> Sequence[int]:
        """The places whose gradients a parameter's gradient is the sum of."""
        return self._places[slot.node]

    def place(self, node: int, slot: Slot) -> Location:
        """Where the gradient of a parameter lies that one place finds."""
        owner = slot.node
        if node == owner:
            return Location(self._gradient, slot.start)
        first, span = self._span(owner)
        if owner not in self._others:
            size = span * (len(self._places[owner]) - 1)
            self._others[owner] = Buffer(f"gradients of places of {owner}", size, "real", "global")
        number = self._places[owner].index(node) - 1
        return Location(self._others[owner], number * span + slot.start - first)

    def add_all(self, recorder: Recorder) -> None:
        """Steps that add what the other places have found to what the first one has."""
        if self._others and recorder.stages:
            recorder.stages[-1].barrier = True  # all of them must be there
        for owner, buffer in self._others.items():
            start, span = self._span(owner)
            out = Tensor("out", strides_of({"e": 1}))
            for slot in self._slots[owner]:
                for first, count, size in in_tasks(slot.stop - slot.start, _SUM):
                    recorder.tasks(
                        Nest(
                            (("e", size), ("s", len(self._places[owner]) - 1)),
                            stores=(Store(out, Accumulator()),),
                            terms=(Tensor("places", strides_of({"e": 1, "s": span})),),
                            reduce=("s",),
                            reduction="sum",
                            initial=(out,),
                        ),
                        count,
                        {"out": size, "places": size},
                        {
                            "places": Location(buffer, slot.start - start + first),
                            "out": Location(self._gradient, slot.start + first),
                        },
                        barrier=False,
                    )

    def _span(self, owner: int) -> tuple[int, int]:
        """Where a layer's parameters begin, and the numbers from one place's to the next."""
        slots = self._slots[owner]
        first = slots[0].start
        return first, whole_lines(4 * (slots[-1].stop - first)) // 4
