"""The layers of a network. `LAYERS` is the fixed table that model files may name."""

from striate.layers.activations import LeakyReLU, ReLU, Scale, Sigmoid, Tanh
from striate.layers.batchnorm import BatchNorm
from striate.layers.conv2d import Conv2D
from striate.layers.dense import Dense
from striate.layers.dropout import Dropout
from striate.layers.flatten import Flatten
from striate.layers.grouped import GroupedDense
from striate.layers.layer import Input, Layer, Node, Parameter, PassContext
from striate.layers.local import LocallyConnected2D
from striate.layers.merge import Add, Concat
from striate.layers.pooling import AvgPool2D, GlobalAvgPool2D, MaxPool2D, SumPool2D

LAYERS: dict[str, type[Layer]] = {
    layer.__name__: layer
    for layer in (
        Conv2D,
        LocallyConnected2D,
        MaxPool2D,
        AvgPool2D,
        SumPool2D,
        GlobalAvgPool2D,
        Dense,
        GroupedDense,
        Flatten,
        ReLU,
        LeakyReLU,
        Sigmoid,
        Tanh,
        Scale,
        Dropout,
        BatchNorm,
        Add,
        Concat,
    )
}

__all__ = [
    "LAYERS",
    "Add",
    "AvgPool2D",
    "BatchNorm",
    "Concat",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2D",
    "GroupedDense",
    "Input",
    "Layer",
    "LeakyReLU",
    "LocallyConnected2D",
    "MaxPool2D",
    "Node",
    "Parameter",
    "PassContext",
    "ReLU",
    "Scale",
    "Sigmoid",
    "SumPool2D",
    "Tanh",
]
