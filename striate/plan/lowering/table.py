"""How each layer becomes nests: one module per kind of layer, forward beside backward."""

from __future__ import annotations

from striate.layers import (
    LRN,
    Add,
    Affine,
    AvgPool2D,
    BatchNorm,
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Conv2D,
    ConvTranspose2D,
    Crop2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GroupedDense,
    Layer,
    LayerNorm,
    LocallyConnected2D,
    MaxPool2D,
    Multiply,
    PReLU,
    SumPool2D,
    ZeroPad2D,
)
from striate.plan.analysis.activations import ACTIVATIONS
from striate.plan.lowering import (
    affine,
    batchnorm,
    borders,
    channels,
    dense,
    elementwise,
    grouped_dense,
    layernorm,
    locally_connected,
    lrn,
    multiply,
    pooling,
)
from striate.plan.lowering.convolution import choice as convolution
from striate.plan.lowering.convolution import transposed
from striate.plan.lowering.protocol import Lowering

LOWERINGS: dict[type[Layer], Lowering] = {
    Conv2D: Lowering(
        convolution.forward,
        convolution.backward,
        convolution.input_halo,
        convolution.gradient_halo,
        rereads=True,
    ),
    ConvTranspose2D: Lowering(
        transposed.forward,
        transposed.backward,
        transposed.input_halo,
        transposed.gradient_halo,
        rereads=True,
    ),
    ZeroPad2D: Lowering(borders.pad_forward, borders.pad_backward),
    Crop2D: Lowering(borders.crop_forward, borders.crop_backward),
    MaxPool2D: Lowering(
        pooling.max_forward, pooling.max_backward, gradient_halo=pooling.gradient_halo
    ),
    AvgPool2D: Lowering(
        pooling.sum_forward, pooling.sum_backward, pooling.input_halo, pooling.gradient_halo
    ),
    SumPool2D: Lowering(
        pooling.sum_forward, pooling.sum_backward, pooling.input_halo, pooling.gradient_halo
    ),
    GlobalAvgPool2D: Lowering(pooling.global_average_forward, pooling.global_average_backward),
    GlobalMaxPool2D: Lowering(pooling.global_max_forward, pooling.global_max_backward),
    Dense: Lowering(dense.forward, dense.backward, rereads=True),
    GroupedDense: Lowering(grouped_dense.forward, grouped_dense.backward, rereads=True),
    LocallyConnected2D: Lowering(
        locally_connected.forward,
        locally_connected.backward,
        locally_connected.input_halo,
        rereads=True,
    ),
    BatchNorm: Lowering(
        batchnorm.forward, batchnorm.backward, rereads=True, prepare=batchnorm.prepare
    ),
    Dropout: Lowering(elementwise.dropout_forward, elementwise.dropout_backward),
    Flatten: Lowering(elementwise.flatten_forward, elementwise.flatten_backward),
    Add: Lowering(elementwise.add_forward, elementwise.add_backward),
    Concat: Lowering(elementwise.concat_forward, elementwise.concat_backward),
    Multiply: Lowering(multiply.forward, multiply.backward, rereads=True),
    Affine: Lowering(affine.affine_forward, affine.affine_backward, rereads=True),
    PReLU: Lowering(affine.prelu_forward, affine.prelu_backward, rereads=True),
    LayerNorm: Lowering(layernorm.forward, layernorm.backward, rereads=True),
    LRN: Lowering(lrn.forward, lrn.backward, rereads=True),
    ChannelShuffle: Lowering(channels.shuffle_forward, channels.shuffle_backward),
    ChannelSlice: Lowering(channels.slice_forward, channels.slice_backward),
    **{
        kind: Lowering(
            elementwise.activation_forward, elementwise.activation_backward, rereads=True
        )
        for kind in ACTIVATIONS
    },
}
