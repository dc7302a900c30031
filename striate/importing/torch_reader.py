"""Reads the operators of a traced module one behind the other, and writes layers.

A value is a `Foreign` (it depends on the images), a `Known` (it does not), a list of values, a
`Padded` or a `Failure`.  An operator that no layer can stand for fails, and so does all that reads
it; only if that leads to the output it is an error, which lists all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn
from torch.multiprocessing.reductions import StorageWeakRef

from striate.common.errors import StriateValueError
from striate.common.text import cut
from striate.importing.axis_view import ViewError
from striate.importing.graph_writer import Foreign, GraphWriter
from striate.importing.torch_patterns import matched
from striate.importing.torch_trace import Known, TracedModule
from striate.importing.torch_values import (
    Failure,
    Padded,
    TorchCall,
    is_in_place,
    operator_name,
    where,
)

Operators = Mapping[str, Callable[["TorchReader", TorchCall], Any]]


@dataclass
class TorchReader:
    """Reads operators: see the head of this module.

    Attributes:
        traced: the module and its operators.
        writer: of the layers.
        operators: a function for each operator, by its name without the overload: "conv2d".
        values: of the nodes that were read.
        frozen: names of layers that training leaves as they are.
        keeping: names of batch normalisations that keep their statistics.
        told: what is not carried, in words.
    """

    traced: TracedModule
    writer: GraphWriter
    operators: Operators
    values: dict[fx.Node, Any] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    keeping: set[str] = field(default_factory=set)
    told: list[str] = field(default_factory=list)
    _places: dict[fx.Node, int] = field(default_factory=dict)
    _owners: dict[str, tuple[tuple[str, ...], Foreign]] = field(default_factory=dict)

    def read(self, image: Foreign) -> None:
        """Read all operators.

        Args:
            image: the images, or what a preprocessing has made of them.
        """
        self.values.update(self.traced.known)
        self.values.setdefault(self.traced.image, image)
        self._places = {node: place for place, node in enumerate(self.traced.nodes)}
        for node in self.traced.nodes:
            if node not in self.values:
                self.values[node] = self._value(node)
                if isinstance(self.values[node], Foreign) and is_in_place(node):
                    self._changed(node)

    def result(self, output: fx.Node) -> Foreign:
        """The value of a node that is asked for.

        Raises:
            ValueError: some operators that it needs are no layers.
        """
        result = self.values[output]
        if isinstance(result, Padded):
            result = self.bordered(result)
        if isinstance(result, Failure):
            raise StriateValueError(self._refusal(output))
        if not isinstance(result, Foreign):
            raise StriateValueError(
                "from_torch: the output that is asked for does not depend on the images; ask for "
                "another with output="
            )
        return result

    # One operator.

    def _value(self, node: fx.Node) -> Any:
        if node.op == "get_attr":
            return Failure(where(node), "it is a graph within the graph")
        arguments = _arguments(node)
        read = fx.node.map_arg(arguments, lambda n: self.values.get(n, Failure()))
        inside = list(_flat(read))
        if any(isinstance(value, Failure) for value in inside):
            return self._rescued(node, read)
        operator = operator_name(node)
        if operator == "getitem":
            return read["self"][read["index"]]
        try:
            if not any(isinstance(value, (Foreign, Padded)) for value in inside):
                return self._computed(node, inside)
            if operator not in ("conv2d", "conv1d", "max_pool2d", "max_pool1d", "avg_pool2d"):
                read = {
                    k: self.bordered(v) if isinstance(v, Padded) else v for k, v in read.items()
                }
            if operator not in self.operators:
                return Failure(where(node), "striate has no such layer")
            return self.operators[operator](self, TorchCall(node, read))
        except StriateValueError as error:
            return Failure(where(node), str(error))

    def _rescued(self, node: fx.Node, read: Mapping[str, Any]) -> Any:
        """What reads something that failed: operators that only belong to a known pattern."""
        known = operator_name(node) in (*self.operators, "getitem")
        unread = Failure() if known else Failure(where(node), "striate has no such layer")
        try:
            return matched(self.writer, self.values, node) or unread
        except StriateValueError as error:
            return Failure(where(node), str(error))

    def _computed(self, node: fx.Node, inside: list[Any]) -> Known:
        """An operator on known tensors: its result."""

        def tensor(source: fx.Node) -> Any:
            value = self.values[source]
            return value.tensor if isinstance(value, Known) else value

        with torch.no_grad():
            arguments = fx.node.map_arg(node.args, tensor)
            options = fx.node.map_arg(node.kwargs, tensor)
            result = node.target(*arguments, **options)  # type: ignore[operator]
        known = [value for value in inside if isinstance(value, Known)]
        names = tuple(dict.fromkeys(name for value in known for name in value.names))
        if not isinstance(result, torch.Tensor):
            raise StriateValueError("its result is no tensor")
        return Known(result, names, any(value.learned for value in known))

    def _changed(self, node: fx.Node) -> None:
        """A value was changed in place: whoever reads it later, or a view of it, sees that."""
        source = node.args[0]
        assert isinstance(source, fx.Node)
        old, new, memory = self.values[source], self.values[node], _memory(source)
        for other, value in list(self.values.items()):
            if other is node or _memory(other) != memory or isinstance(value, (Known, Failure)):
                continue
            if isinstance(value, Foreign) and value.node is old.node:
                self.values[other] = Foreign(new.node, value.view)
            elif any(self._places.get(user, 0) > self._places[node] for user in other.users):
                self.values[other] = Failure(where(node), "it changes a part of a value in place")

    def bordered(self, padded: Padded) -> Foreign:
        """Images with the zeros around them."""
        if padded.fill != 0:
            raise ViewError(f"it pads with {padded.fill:g}")
        rank = len(padded.value.shape) - len(padded.before)
        none = (0,) * rank
        return self.writer.padded(padded.value, (*none, *padded.before), (*none, *padded.after))

    # Layers with parameters.

    def layer(
        self, known: Mapping[str, Known | None], write: Callable[[str | None], Foreign]
    ) -> Foreign:
        """A layer with weights of the module, named after them.

        Args:
            known: the weights, those that give the name first.
            write: makes the layer with a name.

        Raises:
            ViewError: some of the weights belong to another layer too.
        """
        given = [value for value in known.values() if value is not None]
        names = tuple(name for value in given for name in value.names)
        owned = [self._owners[name] for name in names if name in self._owners]
        if owned:
            return self._again(names, owned[0], write)
        wanted = names[0].rpartition(".")[0] or names[0] if names else "constant"
        made = write(wanted)
        for name in names:
            self._owners[name] = (names, made)
        layer = made.node.layer
        assert layer is not None
        self._freeze(layer.name or "", given, names)
        return made

    def _again(
        self,
        names: tuple[str, ...],
        owner: tuple[tuple[str, ...], Foreign],
        write: Callable[[str | None], Foreign],
    ) -> Foreign:
        """A layer whose weights were used before: the same layer in another place."""
        made, (before, first) = write(None), owner
        layer, other = made.node.layer, first.node.layer
        assert layer is not None and other is not None
        if type(layer) is not type(other) or layer.config() != other.config() or names != before:
            raise ViewError(f"its weights {names[0]} are those of another kind of layer too")
        if not self.writer.same_weights(made.node, first.node):
            raise ViewError(f"its weights {names[0]} meet the features in another order elsewhere")
        return Foreign(other(*made.node.inputs), made.view)

    def _freeze(self, layer: str, given: list[Known], names: tuple[str, ...]) -> None:
        parameters = dict(self.traced.module.named_parameters(remove_duplicate=False))
        learn = {name: parameters[name].requires_grad for name in names if name in parameters}
        if not any(learn.values()):  # also if there are only buffers
            self.frozen.add(layer)
        elif not all(learn.values()):
            still = [name for name, whether in learn.items() if not whether]
            self.told.append(
                f"{still[0]} does not learn there, and does here with the rest of the layer"
            )
        if any(value.learned and not value.plain for value in given):
            self.told.append(f"the weights of {layer} are computed from others there")

    def owner_of(self, name: str) -> nn.Module:
        """The module that has a parameter or buffer."""
        return self.traced.module.get_submodule(name.rpartition(".")[0])

    # Errors.

    def _refusal(self, output: fx.Node) -> str:
        """One sentence with all operators in the way."""
        needed, waiting = set[fx.Node](), [output]
        while waiting:
            node = waiting.pop()
            if node not in needed:
                needed.add(node)
                waiting.extend(node.all_input_nodes)
        failures = [self.values[node] for node in self.traced.nodes if node in needed]
        kinds: dict[str, list[str]] = {}
        for failure in failures:
            if isinstance(failure, Failure) and failure.operator:
                kinds.setdefault(failure.why, []).append(failure.operator)
        told = [f"{_some(found)} ({cut(why, 120)})" for why, found in kinds.items()]
        return f"from_torch: no layers stand for {'; '.join(told)}; replace them in the module"


def _arguments(node: fx.Node) -> dict[str, Any]:
    """The arguments of an operator by their names, also those that are left out."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return dict(zip(("self", "index", *"abcdefgh"), node.args, strict=False))
    found = {}
    for place, argument in enumerate(node.target._schema.arguments):
        if place < len(node.args):
            found[argument.name] = node.args[place]
        else:
            found[argument.name] = node.kwargs.get(argument.name, argument.default_value)
    return found


def _flat(value: Any) -> Iterator[Any]:
    """The values in lists and dictionaries."""
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        yield value
        return
    for part in value:
        yield from _flat(part)


def _memory(node: fx.Node) -> object:
    """What tells whether two tensors are views of one memory."""
    tensor = node.meta.get("val")
    if not isinstance(tensor, torch.Tensor):
        return None
    return StorageWeakRef(tensor.untyped_storage()).cdata  # type: ignore[no-untyped-call]


def _some(found: list[str]) -> str:
    """The first of these, and how many more."""
    shown = ", ".join(found[:3])
    return shown + f" and {len(found) - 3} more" * (len(found) > 3)
