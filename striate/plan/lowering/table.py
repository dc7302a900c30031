"""How each layer becomes nests: one module per kind of layer, forward beside backward."""

from __future__ import annotations

from striate.layers import (
    Add,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    GroupedDense,
    Layer,
    LocallyConnected2D,
    MaxPool2D,
    SumPool2D,
)
from striate.plan.analysis.activations import ACTIVATIONS
from striate.plan.lowering import (
    batchnorm,
    dense,
    elementwise,
    grouped_dense,
    locally_connected,
    pooling,
)
from striate.plan.lowering.convolution import choice as convolution
from striate.plan.lowering.protocol import Lowering

LOWERINGS: dict[type[Layer], Lowering] = {
    Conv2D: Lowering(
        convolution.forward,
        convolution.backward,
        convolution.input_halo,
        convolution.gradient_halo,
        rereads=True,
    ),
    MaxPool2D: Lowering(
        pooling.max_forward, pooling.max_backward, gradient_halo=pooling.gradient_halo
    ),
    AvgPool2D: Lowering(
        pooling.sum_forward, pooling.sum_backward, pooling.input_halo, pooling.gradient_halo
    ),
    SumPool2D: Lowering(
        pooling.sum_forward, pooling.sum_backward, pooling.input_halo, pooling.gradient_halo
    ),
    GlobalAvgPool2D: Lowering(pooling.global_forward, pooling.global_backward),
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
    **{
        kind: Lowering(
            elementwise.activation_forward, elementwise.activation_backward, rereads=True
        )
        for kind in ACTIVATIONS
    },
}
