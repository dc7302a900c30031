"""The layers of a network, each with its shapes, parameters, forward and backward pass.

layer          the base classes; `Input` and the nodes of a graph
reads          which inputs each output of a layer reads
filter_layer   the base of convolutions and locally connected layers
all others     the layers, whose formulas are in `striate.ops`
"""

from striate.layers.activations import (
    ELU,
    GELU,
    Clip,
    HardSigmoid,
    HardSwish,
    LeakyReLU,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Scale,
    Sigmoid,
    SiLU,
    Tanh,
)
from striate.layers.affine import Affine
from striate.layers.batchnorm import BatchNorm
from striate.layers.borders import Crop2D, ZeroPad2D
from striate.layers.channels import ChannelShuffle, ChannelSlice
from striate.layers.conv2d import Conv2D
from striate.layers.conv_transpose import ConvTranspose2D
from striate.layers.dense import Dense
from striate.layers.dropout import Dropout
from striate.layers.flatten import Flatten
from striate.layers.grouped import GroupedDense
from striate.layers.layer import Input, Layer, Node, Parameter, PassContext
from striate.layers.layernorm import LayerNorm
from striate.layers.local import LocallyConnected2D
from striate.layers.lrn import LRN
from striate.layers.merge import Add, Concat, Multiply
from striate.layers.one_dimensional import (
    AvgPool1D,
    Conv1D,
    GlobalAvgPool1D,
    GlobalMaxPool1D,
    MaxPool1D,
)
from striate.layers.pooling import (
    AvgPool2D,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    MaxPool2D,
    SumPool2D,
)

# The layers that model files and network files may name; nothing else is ever built from a file.
LAYERS: dict[str, type[Layer]] = {
    layer.__name__: layer
    for layer in (
        Conv2D,
        ConvTranspose2D,
        LocallyConnected2D,
        MaxPool2D,
        AvgPool2D,
        SumPool2D,
        GlobalAvgPool2D,
        GlobalMaxPool2D,
        ZeroPad2D,
        Crop2D,
        Dense,
        GroupedDense,
        Flatten,
        ReLU,
        LeakyReLU,
        Sigmoid,
        Tanh,
        ReLU6,
        Clip,
        HardSigmoid,
        HardSwish,
        ELU,
        SiLU,
        Mish,
        GELU,
        PReLU,
        Scale,
        Affine,
        Dropout,
        BatchNorm,
        LayerNorm,
        LRN,
        Add,
        Multiply,
        Concat,
        ChannelShuffle,
        ChannelSlice,
    )
}

__all__ = [
    "ELU",
    "GELU",
    "LAYERS",
    "LRN",
    "Add",
    "Affine",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNorm",
    "ChannelShuffle",
    "ChannelSlice",
    "Clip",
    "Concat",
    "Conv1D",
    "Conv2D",
    "ConvTranspose2D",
    "Crop2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GroupedDense",
    "HardSigmoid",
    "HardSwish",
    "Input",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LocallyConnected2D",
    "MaxPool1D",
    "MaxPool2D",
    "Mish",
    "Multiply",
    "Node",
    "PReLU",
    "Parameter",
    "PassContext",
    "ReLU",
    "ReLU6",
    "Scale",
    "SiLU",
    "Sigmoid",
    "SumPool2D",
    "Tanh",
    "ZeroPad2D",
]
