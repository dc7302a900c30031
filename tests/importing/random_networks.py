"""Networks of random layers, sides and branches, drawn from a seed: what anybody might build."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from striate import Input, Network, Preprocessing
from striate.layers import LAYERS, Layer, Node

ALONE: dict[str, list[dict[str, Any]]] = {
    "ReLU": [{}], "Sigmoid": [{}], "Tanh": [{}], "LeakyReLU": [{"slope": 0.125}, {}],
    "ELU": [{}, {"alpha": 0.5}], "Scale": [{"factor": -0.5}, {"factor": 1.0}], "ReLU6": [{}],
    "Dropout": [{"rate": 0.25}], "Clip": [{"low": -0.5}, {"low": 0.0, "high": 3.0}],
    "HardSigmoid": [{}, {"slope": 0.2}], "HardSwish": [{}], "SiLU": [{}], "Mish": [{}],
    "GELU": [{}, {"approximate": "tanh"}], "PReLU": [{}, {"shared": True}], "BatchNorm": [{}],
    "Affine": [{}, {"scale": False}, {"shift": False}], "LayerNorm": [{}],
    "LRN": [{"size": 3}, {"size": 2, "beta": 0.5}],
}  # fmt: skip
ANYWHERE = [*ALONE, "ChannelSlice", "ChannelShuffle", "Merge", "Again"]
OF_IMAGES = [
    "Conv2D", "LocallyConnected2D", "ConvTranspose2D", "MaxPool2D", "AvgPool2D", "SumPool2D",
    "GlobalAvgPool2D", "GlobalMaxPool2D", "ZeroPad2D", "Crop2D", "Flatten", "Gate",
]  # fmt: skip
OF_VECTORS = ["Dense", "GroupedDense", "Flatten"]


class _Builder:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.shared: list[tuple[Layer, tuple[int, ...]]] = []

    def one_of(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def divisor(self, number: int) -> int:
        return self.one_of(*[d for d in range(1, number + 1) if number % d == 0])

    def layer(self, name: str, **arguments: Any) -> Layer:
        return LAYERS[name](**arguments)

    def window(self, shape: tuple[int, ...], *, pooling: bool = False) -> dict[str, Any]:
        """A window that fits the image."""
        size = tuple(self.random.randint(1, min(3, side)) for side in shape[:2])
        reach = [
            self.one_of(1, 2) if 2 * (taps - 1) < side else 1
            for taps, side in zip(size, shape, strict=False)
        ]
        padding = tuple(self.random.randint(0, taps) for taps in size for _ in range(2))
        found = {
            "size": size,
            "stride": (self.one_of(1, 1, 2), self.one_of(1, 1, 2)),
            "padding": padding if self.one_of(True, False) else 0,
            "dilation": tuple(reach),
            "uncovered": "drop",
        }
        if pooling:
            found["padding"] = 0 if self.one_of(True, False) else tuple(
                self.random.randint(0, (taps - 1) // 2) for taps in size for _ in range(2)
            )  # fmt: skip
            if self.one_of(True, False, False):
                found["uncovered"] = "overhang"
        return found

    def step(self, x: Node) -> Node:
        image = len(x.shape) == 3
        name = self.one_of(*ANYWHERE, *(OF_IMAGES * 2 if image else OF_VECTORS * 3))
        channels = x.shape[-1]
        match name:
            case "ChannelSlice":
                start = self.random.randrange(channels)
                stop = self.random.randint(start + 1, channels)
                step = self.one_of(1, 1, 2)
                return self.layer(name, start=start, stop=stop, step=step)(x)
            case "ChannelShuffle":
                return self.layer(name, groups=self.divisor(channels))(x)
            case "Merge":
                kind = self.one_of("Add", "Concat", "Multiply")
                parts = [self.same_shape(x) for _ in range(self.one_of(1, 1, 2))]
                return self.layer(kind)(x, *parts)
            case "Gate":
                pool = self.layer("GlobalAvgPool2D", keepdims=self.one_of(True, False))(x)
                inner = self.same_shape(pool)
                return self.layer("Multiply")(x, self.layer("HardSigmoid")(inner))
            case "Again":
                fitting = [layer for layer, shape in self.shared if shape == x.shape]
                if not fitting:
                    layer = self.same_layer(x)
                    self.shared.append((layer, x.shape))
                    return layer(self.layer("ReLU")(layer(x)))
                return self.one_of(*fitting)(x)
            case "Conv2D" | "LocallyConnected2D":
                groups = self.one_of(1, self.divisor(channels))
                filters = groups * self.random.randint(1, 3)
                arguments = self.window(x.shape)
                return self.layer(name, filters=filters, groups=groups,
                                  bias=self.one_of(True, False), **arguments)(x)  # fmt: skip
            case "ConvTranspose2D":
                groups = self.one_of(1, self.divisor(channels))
                size = (self.random.randint(1, 3), self.random.randint(1, 3))
                stride = (self.random.randint(1, 2), self.random.randint(1, 2))
                extra = tuple(self.random.randint(0, step - 1) for step in stride)
                return self.layer(name, filters=groups * self.random.randint(1, 3), groups=groups,
                                  size=size, stride=stride, output_padding=extra)(x)  # fmt: skip
            case "MaxPool2D" | "AvgPool2D" | "SumPool2D":
                arguments = self.window(x.shape, pooling=True)
                if name == "AvgPool2D" and self.one_of(True, False):
                    arguments["count_padding"] = True
                if name == "SumPool2D" and arguments["uncovered"] == "overhang":
                    arguments["uncovered"] = "drop"
                return self.layer(name, **arguments)(x)
            case "GlobalAvgPool2D" | "GlobalMaxPool2D":
                return self.layer(name, keepdims=self.one_of(True, False))(x)
            case "ZeroPad2D":
                sides = tuple(self.random.randint(0, 2) for _ in range(4))
                return self.layer(name, padding=sides)(x)
            case "Crop2D":
                rows, columns = x.shape[:2]
                sides = (self.random.randrange(rows), 0, 0, self.random.randrange(columns))
                return self.layer(name, cropping=sides)(x)
            case "Dense":
                return self.layer(name, units=self.random.randint(1, 9),
                                  bias=self.one_of(True, False))(x)  # fmt: skip
            case "GroupedDense":
                group = self.random.randint(1, 3)
                return self.layer(name, units=group * self.random.randint(1, 4), group=group)(x)
            case "Flatten":
                return self.layer(name)(x)
        return self.layer(name, **self.one_of(*ALONE[name]))(x)

    def same_layer(self, x: Node) -> Layer:
        """A layer with weights whose output has the shape of its input."""
        channels = x.shape[-1]
        if len(x.shape) == 1:
            return self.layer("Dense", units=channels)
        return self.layer("Conv2D", filters=channels, size=self.one_of(1, 3), padding="same")

    def same_shape(self, x: Node) -> Node:
        kind = self.one_of("weights", "alone", "itself")
        if kind == "weights":
            return self.same_layer(x)(x)
        name = self.one_of(*ALONE)
        return x if kind == "itself" else self.layer(name, **self.one_of(*ALONE[name]))(x)

    def network(self) -> Network:
        side = (1, 1, 2, 3, 5, 6, 7)
        shape = self.one_of(
            (self.one_of(*side), self.one_of(*side), self.one_of(1, 2, 3, 4, 6)),
            (self.one_of(*side), self.one_of(*side), self.one_of(1, 2, 3, 4, 6)),
            (1, 1, self.one_of(1, 3, 4)),
            (self.random.randint(1, 9),),
        )
        image = Input(shape)
        x, seen = image, [image]
        for _ in range(self.random.randint(1, 7)):
            try:
                x = self.step(x)
            except ValueError:  # a window that does not fit
                continue
            seen.append(x)
        if x is image:
            x = self.layer("ReLU")(x)
        if len(x.shape) == 3 and self.one_of(True, True, False):
            x = self.layer("Dense", units=3)(self.layer("Flatten")(x))
        heads = None
        seen = [node for node in seen[:-1] if node is not x]
        if seen and len(x.shape) == 1 and self.one_of(True, False, False):
            head = self.one_of(*seen)
            head = self.layer("Flatten")(head) if len(head.shape) == 3 else head
            heads = {"aux": (self.layer("Dense", units=x.shape[-1])(head), 0.3)}
        return Network(inputs=image, output=x, heads=heads, seed=None)


def random_network(seed: int) -> Network:
    """A network of this number, with random weights and perhaps a preprocessing."""
    builder = _Builder(seed)
    network = builder.network()
    rng = np.random.default_rng(seed)
    for values in network.parameters.values():
        values[...] = rng.uniform(-0.6, 0.7, values.shape)
    for values in network.state.values():
        values[...] = rng.uniform(0.3, 1.2, values.shape)
    if builder.one_of(True, False):
        channels = network.input_shape[-1]
        network.preprocessing = Preprocessing(
            tuple(rng.uniform(0, 9, channels)), tuple(rng.uniform(0.5, 5, channels))
        )
    return network
