"""A network as data: layers in a graph, and all their parameters in one buffer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from striate.common.arrays import Floats
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.memory import aligned_copy
from striate.common.text import cut, listed
from striate.layers import Layer, Node
from striate.model import branches, features, graph
from striate.model.answers import Answers
from striate.model.parameters import (
    draw,
    lay_out,
    set_identity_filters,
    views,
    zeros,
)
from striate.model.preprocessing import Preprocessing
from striate.model.trained_parts import TrainedParts
from striate.ops.shapes import Shape


class Model(TrainedParts):
    """A convolutional network as data: its graph, parameters, preprocessing and class names.

    Plans, engines and training work on this class; `striate.network.Network` adds the methods
    that run, train and save. It is built from a chain or a graph of layers, as shown there.

    All sizes are checked here, before any data is touched. The layer objects are copied and
    named; they hold no parameters, so they may be used again in another network.

    Attributes:
        nodes: the vertices of the graph, inputs before their readers; the last one is the output.
        flat, slots, parameters: all trained parameters as one float32 buffer, the place of each
            in it, and views by name ("conv2d_1/filters"). Change them in place.
        state_flat, state_slots, state: the same for batch normalisation's running statistics.
        preprocessing: from raw images to the network's input.
        classes: class names in the order of the outputs, or None.
        answers: what the outputs mean, and how they become answers.
        heads: auxiliary outputs by name: `graph.Head`.
        frozen: the names of layers that training does not change: see `freeze`.
        kept_statistics: the names of batch normalisations that are trained on their running
            statistics: see `keep_statistics`.
        rates: what the learning rate is multiplied by, by the names of layers: see `set_rate`.
    """

    def __init__(
        self,
        layers: Sequence[Layer] | None = None,
        input_shape: tuple[int, ...] | None = None,
        *,
        inputs: Node | None = None,
        output: Node | None = None,
        heads: Mapping[str, tuple[Node, float]] | None = None,
        seed: int | None = 0,
    ) -> None:
        if output is None:
            if heads is not None:
                raise StriateTypeError("Network: heads need a graph: give its output too")
            if layers is None or input_shape is None:
                raise StriateTypeError(
                    "Network: give layers and input_shape, or the output of a graph"
                )
            output = graph.chain(layers, input_shape)
        elif layers is not None or input_shape is not None:
            raise StriateTypeError(
                "Network: give either layers and input_shape, or a graph's output"
            )
        self.input_shape, self.nodes, found = graph.vertices(output, inputs, heads)
        self.heads: Mapping[str, graph.Head] = MappingProxyType(found)
        self.output_shape = self.nodes[-1].shape
        self.classes: list[str] | None = None
        self._preprocessing = Preprocessing()
        self._answers = Answers()
        self._train_all()
        self._allocate()
        if seed is not None:
            self.initialise(seed)

    # Parameters.

    def _allocate(self) -> None:
        """Lay out the parameters, and allocate their buffers, all zero, with views by name."""
        self._lay_out()
        self.flat, self.state_flat = zeros(self.slots), zeros(self.state_slots)
        self._make_views()

    def _lay_out(self) -> None:
        """Find the places of all parameters and running statistics in their buffers."""
        own = [(i, v.layer, self.input_shapes(i)) for i, v in enumerate(self.nodes)
               if v.shares is None]  # fmt: skip
        self.slots = lay_out((i, layer.parameters(*shapes)) for i, layer, shapes in own)
        self.state_slots = lay_out((i, layer.state(*shapes)) for i, layer, shapes in own)

    def _make_views(self) -> None:
        names = [vertex.name for vertex in self.nodes]
        self.parameters = MappingProxyType(views(self.slots, self.flat, names))
        self.state = MappingProxyType(views(self.state_slots, self.state_flat, names))
        self._with_features: Self | None = None

    def input_shapes(self, node: int) -> tuple[Shape, ...]:
        """The shapes of a node's inputs, without the batch axis."""
        return tuple(
            self.input_shape if source < 0 else self.nodes[source].shape
            for source in self.nodes[node].inputs
        )

    def parameters_of(self, node: int) -> dict[str, Floats]:
        """Views of one node's parameters, by their short names."""
        return self._views_of(node, self.parameters)

    def state_of(self, node: int) -> dict[str, Floats]:
        """Views of one node's running statistics, by their short names."""
        return self._views_of(node, self.state)

    def _views_of(self, node: int, views: Mapping[str, Floats]) -> dict[str, Floats]:
        slots = self.slots if views is self.parameters else self.state_slots
        node = self.owner(node)
        name = self.nodes[node].name
        return {
            slot.parameter.name: views[f"{name}/{slot.parameter.name}"]
            for slot in slots
            if slot.node == node
        }

    @property
    def parameter_count(self) -> int:
        """The number of trained parameters."""
        return sum(slot.stop - slot.start for slot in self.slots)

    @property
    def decay_mask(self) -> Floats:
        """A float32 array like `flat`: 1 where weight decay applies, else 0, also in gaps."""
        mask = np.zeros(self.flat.size, np.float32)
        for slot in self.slots:
            mask[slot.start : slot.stop] = slot.parameter.decay
        return mask

    def initialise(self, seed: int = 0) -> None:
        """Draw new parameters, by default He normal for weights (arXiv:1502.01852), 0 for biases.

        Each parameter has a random generator of its own, so it does not depend on the others.
        """
        for slots, flat in ((self.slots, self.flat), (self.state_slots, self.state_flat)):
            for index, slot in enumerate(slots):
                part = flat[slot.start : slot.stop]
                draw(slot.parameter, seed, index, part)
                if slot.parameter.initial == "identity":
                    set_identity_filters(slot.parameter, part.reshape(slot.parameter.shape))

    # Heads.

    def branch(self, head: str | None = None) -> Model:
        """What leads to the output, or to a head, as a model with the same memory; the whole
        network, if that is all.

        Raises:
            ValueError: there is no such head.
        """
        if head is None:
            if not self.heads:
                return self
            node = len(self.nodes) - 1
        elif head not in self.heads:
            known = f"the heads are {cut(listed(list(self.heads)), 200)}" if self.heads else (
                "it has no heads"
            )  # fmt: skip
            raise StriateValueError(f"Network: there is no head {cut(repr(head), 80)}; {known}")
        else:
            node = self.heads[head].node
        part = object.__new__(Model)
        chosen = branches.leading_to(self.nodes, node)
        part.__dict__.update(
            self.__getstate__(),  # no copies
            nodes=chosen.nodes,
            heads=MappingProxyType({}),
            output_shape=chosen.nodes[-1].shape,
            slots=chosen.slots(self.slots),
            state_slots=chosen.slots(self.state_slots),
            frozen=chosen.named(self.frozen, self.nodes),
            kept_statistics=chosen.named(self.kept_statistics, self.nodes),
            rates=MappingProxyType(chosen.rates(self.rates, self.nodes)),
        )
        part._make_views()
        return part

    def without_heads(self) -> Self:
        """A copy of the network without its auxiliary heads, and without what only they need."""
        part = self.branch()
        made = type(self).from_config(part.get_config(), seed=None)
        for own, given in ((made.parameters, part.parameters), (made.state, part.state)):
            for name, array in given.items():
                own[name][...] = array
        made.classes = None if self.classes is None else list(self.classes)
        made.preprocessing = self.preprocessing
        made.answers = self.answers
        made._set_frozen(part.frozen)
        made._set_kept_statistics(part.kept_statistics)
        made._set_rates(part.rates)
        return made

    # Features.

    @property
    def feature_count(self) -> int | None:
        """How many features it has: values that its last layer with weights reads, averages if it
        reads an image; None where there are none to speak of (see `striate.model.features`).
        """
        part = self.branch()
        found = features.feature_source(part.nodes, frozenset(slot.node for slot in part.slots))
        return None if found is None else found[1]

    def with_features(self) -> Self:
        """A network with the same memory whose outputs, a vector, are followed by the features, if
        there are any.  It is kept; do not change it.
        """
        if self._with_features is None:
            part = self.branch()
            made = object.__new__(type(self))
            owners = frozenset(slot.node for slot in part.slots)
            nodes = features.with_features(part.nodes, owners)
            made.__dict__.update(part.__getstate__())  # no copies
            made.__dict__.update(nodes=nodes, output_shape=nodes[-1].shape, _answers=Answers())
            made.classes = None
            made.heads = MappingProxyType({})
            made._make_views()
            self._with_features = made
        return self._with_features

    # Preprocessing.

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing of raw images."""
        return self._preprocessing

    @preprocessing.setter
    def preprocessing(self, value: Preprocessing) -> None:
        if not isinstance(value, Preprocessing):
            raise StriateTypeError(f"Network: preprocessing must be a Preprocessing, got {value!r}")
        channels = self.input_shape[-1]
        if not value.is_identity and len(value.mean) != channels:
            raise StriateValueError(
                f"Network: the preprocessing has {len(value.mean)} channels, the network reads "
                f"{channels}"
            )
        self._replace_preprocessing(value)

    def _replace_preprocessing(self, value: Preprocessing) -> None:
        """Set a preprocessing that has been checked."""
        self._preprocessing = value
        self._with_features = None  # it has the old one

    @property
    def answers(self) -> Answers:
        """What the outputs mean, and how they become answers."""
        return self._answers

    @answers.setter
    def answers(self, value: Answers) -> None:
        if not isinstance(value, Answers):
            raise StriateTypeError(f"Network: answers must be an Answers, got {value!r}")
        if problem := value.problem(self.output_shape, self.feature_count):
            raise StriateValueError(f"Network: its answers do not fit it: {problem}")
        self._answers = value

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({len(self.nodes)} layers, {self.input_shape} → "
            f"{self.output_shape}, {self.parameter_count:,} parameters)"
        )

    # Copies: the views are made anew.

    def __getstate__(self) -> dict[str, Any]:
        dropped = ("parameters", "state", "_with_features")
        kept = {key: value for key, value in self.__dict__.items() if key not in dropped}
        # Views cannot be pickled.
        return {**kept, "heads": dict(self.heads), "rates": dict(self.rates)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        flat, state_flat = state["flat"], state["state_flat"]
        older: dict[str, Any] = {
            "frozen": frozenset(),
            "kept_statistics": frozenset(),
            "rates": {},
            "_answers": Answers(),
        }
        whole = {**older, **state}
        views = {name: MappingProxyType(dict(whole.get(name, {}))) for name in ("heads", "rates")}
        self.__dict__.update({**whole, **views})
        self.flat, self.state_flat = aligned_copy(flat), aligned_copy(state_flat)
        self._make_views()

    # Description.

    def get_config(self) -> dict[str, Any]:
        """The architecture as a JSON-able dict; `from_config` builds it again."""
        nodes: list[dict[str, Any]] = [
            {
                "type": type(vertex.layer).__name__,
                "name": vertex.name,
                "inputs": list(vertex.inputs),
                "config": vertex.layer.config(),
                **({} if vertex.shares is None else {"shares": vertex.shares}),
            }
            for vertex in self.nodes
        ]
        config = {
            "input_shape": list(self.input_shape),
            "nodes": nodes,
            "output": len(self.nodes) - 1,
        }
        heads = {name: asdict(head) for name, head in self.heads.items()}
        return {**config, "heads": heads} if heads else config

    @classmethod
    def from_config(cls, config: Mapping[str, Any], *, seed: int | None = 0) -> Self:
        """Build a network from the description that `get_config` made.

        The description may come from any file: layers are looked up in the fixed table
        `striate.layers.LAYERS`, and nothing is imported by name.

        Raises:
            ValueError, TypeError: it is no valid description.
        """
        image, output, heads = graph.rebuild(config)
        return cls(inputs=image, output=output, heads=heads, seed=seed)
