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
    LeakyReLU,
    LocallyConnected2D,
    MaxPool2D,
    ReLU,
    Scale,
    Sigmoid,
    SumPool2D,
    Tanh,
)
from striate.plan.lower import conv, dense, elementwise, grouped, local, norm, pool
from striate.plan.lower._lowering import Lowering

LOWERINGS: dict[type[Layer], Lowering] = {
    Conv2D: Lowering(
        conv.forward, conv.backward, conv.input_halo, conv.gradient_halo, rereads=True
    ),
    MaxPool2D: Lowering(pool.max_forward, pool.max_backward, gradient_halo=pool.gradient_halo),
    AvgPool2D: Lowering(pool.sum_forward, pool.sum_backward, pool.input_halo, pool.gradient_halo),
    SumPool2D: Lowering(pool.sum_forward, pool.sum_backward, pool.input_halo, pool.gradient_halo),
    GlobalAvgPool2D: Lowering(pool.global_forward, pool.global_backward),
    Dense: Lowering(dense.forward, dense.backward, rereads=True),
    GroupedDense: Lowering(grouped.forward, grouped.backward, rereads=True),
    LocallyConnected2D: Lowering(local.forward, local.backward, local.input_halo, rereads=True),
    BatchNorm: Lowering(norm.forward, norm.backward, rereads=True, prepare=norm.prepare),
    Dropout: Lowering(elementwise.dropout_forward, elementwise.dropout_backward),
    Flatten: Lowering(elementwise.flatten_forward, elementwise.flatten_backward),
    Add: Lowering(elementwise.add_forward, elementwise.add_backward),
    Concat: Lowering(elementwise.concat_forward, elementwise.concat_backward),
    **{
        kind: Lowering(
            elementwise.activation_forward, elementwise.activation_backward, rereads=True
        )
        for kind in (ReLU, LeakyReLU, Sigmoid, Tanh, Scale)
    },
}
