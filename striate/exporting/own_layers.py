"""Which layers can be written for other programs."""

from __future__ import annotations

from striate.common.errors import StriateValueError
from striate.common.text import listed
from striate.layers import LAYERS
from striate.model.model import Model


def check_layers(model: Model, who: str, form: str) -> None:
    """Raise unless all layers are striate's own: any other, a subclass too, computes what only its
    author knows.

    Args:
        model: the network.
        who: the function that writes it, as messages begin.
        form: what is written, such as "ONNX".

    Raises:
        ValueError: some are of other classes; the message names them.
    """
    strange = [
        f"{node.name} ({type(node.layer).__name__})"
        for node in model.nodes
        if LAYERS.get(type(node.layer).__name__) is not type(node.layer)
    ]
    if strange:
        raise StriateValueError(
            f"{who}: {listed(strange)} cannot be written as {form}, which is known of striate's "
            "own layers only; replace them, or leave them out"
        )
