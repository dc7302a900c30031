"""A network without its last layer: what it sees in an image, as numbers."""

from __future__ import annotations

import os
from dataclasses import dataclass

from striate.common.errors import StriateValueError
from striate.common.text import quoted, sizes
from striate.layers import Conv2D, Dense, Dropout, Flatten
from striate.model.cuts import cuts, extended, to_vector
from striate.network import Network, load
from striate.transfer.pretrained import PRETRAINED, load_pretrained


@dataclass(frozen=True, eq=False)
class Backbone:
    """A trained network, and where to cut it.

    Attributes:
        network: the whole network, without auxiliary heads.
        name: what a person called it.
        node: the index of the node whose output are the features: what its last layer with weights
            reads; images of features are averaged over their pixels.
        dropout: the rate of the dropout before that layer, 0 if there is none.
    """

    network: Network
    name: str
    node: int
    dropout: float

    @classmethod
    def of(cls, network: Network, name: str = "backbone") -> Backbone:
        """Find where a network is to be cut: before its last dense layer or convolution.

        What `striate.model.features` calls features, by which rejections in model files tell
        unknown images, is what the last layer with any weights reads.  The two differ where a
        normalisation follows the last dense layer, whose outputs would be its features: there is
        more to learn from in what the dense layer reads.

        Raises:
            StriateValueError: it reads no images, or its last layer with weights reads more than
                one value, or there is nothing before that layer.
        """
        if len(network.input_shape) != 3:
            raise StriateValueError(
                f"{name}: a backbone reads images (height, width, channels), but this network "
                f"reads {sizes(network.input_shape)}"
            )
        whole = network.without_heads() if network.heads else network
        last = max(
            (i for i, v in enumerate(whole.nodes) if isinstance(v.layer, Dense | Conv2D)),
            default=-1,
        )
        node = whole.nodes[last].inputs[0] if last >= 0 else -1
        dropout = 0.0
        while node >= 0 and _changes_no_feature(whole, node):
            layer = whole.nodes[node].layer
            if isinstance(layer, Dropout):
                dropout = max(dropout, layer.rate)
            node = whole.nodes[node].inputs[0]
        if node < 0:
            raise StriateValueError(
                f"{name}: there is no layer before its last one with weights, and so no features; "
                "give a deeper network"
            )
        if node not in cuts(whole.nodes):
            raise StriateValueError(
                f"{name}: its last layer {quoted(whole.nodes[last].name)} is not all that reads "
                "what comes before it, so that it cannot be exchanged; give another network"
            )
        return cls(whole, name, node, dropout)

    def features(self) -> Network:
        """The network from images to their features, a vector."""
        return extended(self.network, self.node, to_vector(self.network.nodes[self.node].shape))

    def with_head(self, outputs: int) -> Network:
        """The network with a dense layer "head" of so many outputs, of zero weights, in place of
        its last one.
        """
        layers = to_vector(self.network.nodes[self.node].shape)
        if self.dropout:
            layers.append(Dropout(self.dropout))
        return extended(self.network, self.node, [*layers, Dense(outputs, name="head")])


def _changes_no_feature(network: Network, node: int) -> bool:
    """Whether a node hands on what it reads: dropout, and an image of one pixel made flat."""
    vertex = network.nodes[node]
    if isinstance(vertex.layer, Dropout):
        return True
    shape = network.input_shapes(node)[0]
    return isinstance(vertex.layer, Flatten) and shape[:2] == (1, 1)


def find_backbone(source: str | os.PathLike[str] | Network) -> Backbone:
    """The backbone that a person names.

    Args:
        source: a network; the name of a pretrained one; a model file of striate; or an ONNX file.

    Raises:
        StriateValueError: there is no such thing, it cannot be read, or it is no backbone.
        StriateImportError: a package is missing.
    """
    if isinstance(source, Network):
        return Backbone.of(source)
    name = os.fspath(source)
    if name in PRETRAINED and not os.path.exists(name):
        return Backbone.of(load_pretrained(name), name)
    if name.lower().endswith(".onnx"):
        from striate.importing import from_onnx

        return Backbone.of(from_onnx(name), os.path.basename(name))
    if not os.path.exists(name) and not name.lower().endswith(".safetensors"):
        load_pretrained(name)  # says which names there are
    return Backbone.of(load(name), os.path.basename(name))
