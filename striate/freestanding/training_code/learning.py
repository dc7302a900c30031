"""How exported code learns: which layers, by which loss and rule; and what it cannot do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from striate.common.errors import StriateValueError
from striate.common.text import counted, cut, did_you_mean, listed, sizes
from striate.model.cuts import WHOLE, cuts, extended, rest
from striate.optim.losses import (
    Loss,
    MeanSquaredError,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    from_dict,
    has_nests,
)
from striate.optim.optimizers import SGD, AdamW, Optimizer, by_name
from striate.plan.update.update_rules import is_known

if TYPE_CHECKING:
    from striate.model.model import Model

_LOSSES: dict[str, type[Loss]] = {
    "classes": SoftmaxCrossEntropy,
    "labels": SigmoidCrossEntropy,
    "numbers": MeanSquaredError,
}
"""The loss of each kind of answer."""


@dataclass(frozen=True)
class Learning:
    """A network that goes on learning where it runs.

    Attributes:
        whole: all of it.
        front: what leads to the first layer that learns, with the preprocessing; None where that
            is nothing.
        network: what follows, all or some of whose layers learn.
        loss, optimizer: by which they do.
    """

    whole: Model
    front: Model | None
    network: Model
    loss: Loss
    optimizer: Optimizer

    @property
    def takes_labels(self) -> bool:
        """Whether targets are numbers of classes; else they are as many floats as outputs."""
        return isinstance(self.loss, SoftmaxCrossEntropy)

    @property
    def layers(self) -> list[str]:
        """The names of the layers that learn, in order."""
        nodes, frozen = self.network.nodes, self.network.frozen
        names = dict.fromkeys(nodes[slot.node].name for slot in self.network.slots)
        return [name for name in names if name not in frozen]


def learning_of(
    network: Model,
    *,
    optimizer: str | Optimizer = "adamw",
    loss: Loss | str | None = None,
    frozen_until: str | None = None,
) -> Learning:
    """How a network learns.

    Args:
        network: the network; it is not changed. Layers that it has frozen stay so, and learning
            rates that it has set are kept.
        optimizer: "sgd", "adamw", or one of these with other settings; its state is not taken.
        loss: one that needs no Python, or its kind; by default that of the network's `answers`.
        frozen_until: the first layer that learns: all before it are frozen, and run as those of a
            network that is only used. None for all.

    Raises:
        ValueError: it cannot be carried, as this sentence says.
    """
    if network.heads:
        raise StriateValueError(
            f"export: training with auxiliary heads ({cut(listed(list(network.heads)), 80)}) "
            "cannot be carried; export network.without_heads()"
        )
    if len(network.output_shape) != 1:
        raise StriateValueError(
            f"export: the network ends in {sizes(network.output_shape)}, but training needs a "
            "vector of outputs: add Flatten() and Dense(classes), or GlobalAvgPool2D(), at its end"
        )
    front, back = (None, network) if frozen_until is None else _parted(network, frozen_until)
    if not back.learned_parts():
        before = "" if frozen_until is None else f" from {frozen_until!r} on"
        raise StriateValueError(
            f"export: no layer{before} learns: {_why(back)}; unfreeze one, or freeze less"
        )
    return Learning(network, front, back, _loss(network, loss), _optimizer(optimizer))


def _why(network: Model) -> str:
    if not network.slots:
        return "none has weights"
    return f"{counted(len(network.frozen), 'layer')} with weights are frozen"


def _parted(network: Model, first: str) -> tuple[Model | None, Model]:
    """What is frozen before a layer, and the rest, in which it is frozen, too."""
    names = [node.name for node in network.nodes]
    if first not in names:
        raise StriateValueError(
            f"export: there is no layer {cut(repr(first), 80)} to be frozen until"
            f"{did_you_mean(first, names)}; the layers are {cut(listed(names, 8), 200)}"
        )
    place = names.index(first)
    node = max((cut for cut in cuts(network.nodes) if cut < place), default=WHOLE)
    back = rest(network, node)
    own = {vertex.name for vertex in back.nodes}
    if frozen := {*names[node + 1 : place], *network.frozen & own}:
        back.freeze(*frozen)
    if kept := network.kept_statistics & own:
        back.keep_statistics(*kept)
    for name in network.rates.keys() & own:
        back.set_rate(network.rates[name], name)
    return None if node == WHOLE else extended(network, node), back


def _loss(network: Model, given: Loss | str | None) -> Loss:
    if given is None:
        return _LOSSES[network.answers.kind]()
    found = from_dict({"kind": given}) if isinstance(given, str) else given
    if not isinstance(found, Loss) or not has_nests(found):
        raise StriateValueError(
            "export: a loss that Python computes cannot be carried; give "
            f"{listed([loss.kind for loss in _LOSSES.values()], 3)}, or a Loss of these kinds"
        )
    return found


def _optimizer(given: str | Optimizer) -> Optimizer:
    found = by_name(given) if isinstance(given, str) else given
    if not isinstance(found, Optimizer) or not is_known(found):
        raise StriateValueError(
            "export: an optimizer with a rule of its own cannot be carried; give SGD, AdamW or "
            "their names"
        )
    if not isinstance(found, SGD | AdamW):
        raise StriateValueError(
            f"export: {found.kind} is for large batches and cannot be carried; give SGD, AdamW or "
            "their names"
        )
    return found
