"""The room of learning: a network, its images, and striate's own training step as WebAssembly.

The training of the page is that of

    striate train digits --network NETWORK --validation 0 --no-augment --optimizer adamw
        --lr 0.005 --weight-decay 0.01 --label-smoothing 0 --schedule one-cycle --warmup 0.3
        --epochs 20 --batch-size 64

where NETWORK is a file with the layers of `small_network`: no image is changed at random, so that
the same seed gives the same batches in the same order.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.errors import StriateValueError
from striate.common.page_parts import base64_text, encode_array
from striate.common.text import listed
from striate.layers import AvgPool2D
from striate.layers.reads import Window
from striate.model.parameters import Slot

if TYPE_CHECKING:
    from striate.data import Dataset
    from striate.model.model import Model
    from striate.network import Network

BATCH_SIZE = 64
EPOCHS = 20
RATE = 0.005
PEAK = 0.3
MOST_BYTES = 1_500_000
"""Of the images that go into the page, raw."""
MODULES = ("simd", "plain")
"""Those of the export that web/maths/training/compiled_network.js chooses from."""
_NAME = "network"
_NUMBERS = ("eps", "momentum", "rate", "slope", "alpha")
"""The constants of layers that the page computes itself."""


def small_network(input_shape: tuple[int, ...], classes: int) -> Network:
    """The layers of the article 003: two convolutions with ReLU, pooling, a dense layer."""
    from striate.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU
    from striate.network import Network

    layers = [
        Conv2D(8, 3, padding="same"),
        ReLU(),
        MaxPool2D(2, uncovered="drop"),
        Conv2D(16, 3, padding="same"),
        ReLU(),
        Flatten(),
        Dense(classes),
    ]
    return Network(layers, input_shape=input_shape)


def learning_data(network: Network | None = None, dataset: Dataset | None = None) -> dict[str, Any]:
    """What the room shows, JSON-able.

    Args:
        network: a classifier of images, from whose weights training in the page goes on; None for
            a small one that knows nothing yet.
        dataset: its images; None for the digits of 8×8 pixels that come along.

    Raises:
        ValueError: the network has a layer that cannot go on learning in WebAssembly, or another
            number of outputs than there are classes.
    """
    from striate.data import load
    from striate.freestanding.training_code.learning import learning_of
    from striate.freestanding.training_code.training_wasm import training_wasm

    dataset = load("digits") if dataset is None else dataset
    train, train_labels, test, test_labels = _kept(dataset)
    if network is None:
        network = small_network(train.shape[1:], len(dataset.classes))
    if network.output_shape != (len(dataset.classes),):
        raise StriateValueError(
            f"lab: the network has outputs of shape {network.output_shape}, and the images have "
            f"{len(dataset.classes)} classes; give the images that it was trained on"
        )
    if tuple(network.input_shape) != train.shape[1:]:
        raise StriateValueError(
            f"lab: the network reads images of {network.input_shape}, and these are "
            f"{train.shape[1:]}; give the images that it was trained on"
        )
    learner = _standardising(network, train)
    learning = learning_of(learner)
    made, code = training_wasm(learning, _NAME, BATCH_SIZE)
    program = made.program
    optimizer = learning.optimizer
    return {
        "name": dataset.name,
        "classes": list(dataset.classes),
        "white": int((dataset.resize or {}).get("maximum", 255)),
        "images": {"train": encode_array(train), "test": encode_array(test)},
        "labels": {
            "train": encode_array(train_labels.astype(np.uint16)),
            "test": encode_array(test_labels.astype(np.uint16)),
        },
        "network": described(learner),
        "recipe": {
            "epochs": EPOCHS,
            "batch": BATCH_SIZE,
            "rate": RATE,
            "peak": PEAK,
            "start": 25.0,
            "final": 1e4,
            "optimizer": {"kind": optimizer.kind, **optimizer.hyperparameters()},
        },
        "code": {
            "modules": {
                kind: base64_text(zlib.compress(code.modules[kind], 9)) for kind in MODULES
            },
            "weights": base64_text(zlib.compress(code.weights, 9)),
            "places": dict(code.memory.places),
            "takes": {one.name: [name for _, name in one.parameters] for one in made.signatures},
            "state": program.state_bytes,
            "buffers": program.optimizer_state // 4,
            "outputs": int(learner.output_shape[0]),
        },
    }


def described(network: Model) -> dict[str, Any]:
    """A network's layers, and where their numbers lie in the state, in numbers of float32.

    The state has all weights, then all running statistics: see
    `striate.freestanding.training_code.training_program`. The types that the page computes itself
    are those of web/maths/network/layers; of others it shows no values.
    """
    known = network.preprocessing
    layers = []
    for index, node in enumerate(network.nodes):
        layers.append(
            {
                "name": node.name,
                "type": type(node.layer).__name__,
                "inputs": list(node.inputs),
                "shape": list(node.shape),
                "options": _options(network, index),
                "weights": _places(network.slots, index),
                "statistics": _places(network.state_slots, index, network.flat.size),
                "arguments": node.layer.config(),
            }
        )
    return {
        "input": list(network.input_shape),
        "mean": list(known.mean),
        "std": list(known.std),
        "size": int(network.flat.size),
        "statistics": int(network.state_flat.size),
        "layers": layers,
    }


def _places(slots: Iterable[Slot], node: int, first: int = 0) -> dict[str, Any]:
    """Where the arrays of a node lie, by their names."""
    return {
        slot.parameter.name: {"start": first + slot.start, "shape": list(slot.parameter.shape)}
        for slot in slots
        if slot.node == node
    }


def _options(network: Model, index: int) -> dict[str, Any]:
    """What the arithmetic of a layer needs besides its weights.

    Of a layer with a window size, stride, dilation and padding (top, bottom, left, right), and of
    an average the part of the padding that counts.
    """
    layer = network.nodes[index].layer
    shapes = network.input_shapes(index)
    options = {name: getattr(layer, name) for name in _NUMBERS if hasattr(layer, name)}
    reads = layer.reads(*shapes)
    if not isinstance(reads, Window):
        return options
    options |= {
        "size": list(reads.size),
        "stride": list(reads.stride),
        "dilation": list(reads.dilation),
        "pads": list(reads.pads),
        "groups": int(getattr(layer, "groups", 1)),
    }
    if isinstance(layer, AvgPool2D):
        options["counted"] = list(layer.counted_pads(shapes[0]))
    return options


def _kept(dataset: Dataset) -> tuple[Any, Any, Any, Any]:
    """The first images of each part, as many as a page can hold."""
    if dataset.task != "classes":
        raise StriateValueError(f"lab: {dataset.name} has {dataset.task}; give images with classes")
    if dataset.train_images.dtype != np.uint8:
        raise StriateValueError(
            f"lab: {dataset.name} has images that are no whole numbers of 0…255"
        )
    one = int(np.prod(dataset.train_images.shape[1:]))
    most = MOST_BYTES // one
    if most < BATCH_SIZE:
        size = listed([str(side) for side in dataset.train_images.shape[1:]])
        raise StriateValueError(
            f"lab: images of {size} are too large for a page; give --size 32x32, for example"
        )
    train = slice(0, max(1, most * 4 // 5))
    test = slice(0, max(1, most // 5))
    return (
        np.asarray(dataset.train_images[train]),
        np.asarray(dataset.train_labels[train]),
        np.asarray(dataset.test_images[test]),
        np.asarray(dataset.test_labels[test]),
    )


def _standardising(network: Network, images: Any) -> Network:
    """The network with the statistics of the images, as `fit` sets them where there are none."""
    from striate.training.statistics import channel_statistics

    if network.preprocessing.is_identity:
        mean, std = channel_statistics(images)
        network.preprocessing = replace(network.preprocessing, mean=mean, std=std)
    return network
