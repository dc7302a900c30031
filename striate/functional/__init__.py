"""Layers as plain functions of arrays: the operations of a network without a network.

Images are ``(n, height, width, channels)``, channels last (NHWC), vectors ``(n, features)``,
filters ``(filter height, filter width, channels // groups, outputs)`` (HWIO), dense weights
``(inputs, outputs)``. Convolution is correlation: filters are not flipped. For each function f of
x, ``f_…_gradient`` takes the gradient of a loss with respect to f's output and returns that with
respect to x or to a parameter. Sizes that do not fit are errors, as in `striate.layers`.

``engine="llvm"`` runs compiled loops for float32 and float64, ``engine="numpy"`` readable NumPy
for any float dtype, float16 or long double too; both give the same result up to rounding. Whole
numbers are computed in float64.
"""

from striate.functional.activations import (
    PReLUGradients,
    clip,
    clip_input_gradient,
    elu,
    elu_input_gradient,
    gelu,
    gelu_input_gradient,
    hard_sigmoid,
    hard_sigmoid_input_gradient,
    hard_swish,
    hard_swish_input_gradient,
    leaky_relu,
    leaky_relu_input_gradient,
    mish,
    mish_input_gradient,
    prelu,
    prelu_gradients,
    relu,
    relu6,
    relu6_input_gradient,
    relu_input_gradient,
    sigmoid,
    sigmoid_input_gradient,
    silu,
    silu_input_gradient,
    tanh,
    tanh_input_gradient,
)
from striate.functional.affine import AffineGradients, affine, affine_gradients
from striate.functional.batchnorm import BatchNormGradients, batch_norm, batch_norm_gradients
from striate.functional.borders import crop2d, zero_pad2d
from striate.functional.channels import (
    channel_shuffle,
    channel_shuffle_input_gradient,
    channel_slice,
    channel_slice_input_gradient,
)
from striate.functional.conv2d import conv2d, conv2d_filter_gradient, conv2d_input_gradient
from striate.functional.conv_transpose import (
    conv_transpose2d,
    conv_transpose2d_filter_gradient,
    conv_transpose2d_input_gradient,
)
from striate.functional.dense import dense, dense_input_gradient, dense_weight_gradient
from striate.functional.grouped import (
    grouped_dense,
    grouped_dense_input_gradient,
    grouped_dense_weight_gradient,
)
from striate.functional.layernorm import LayerNormGradients, layer_norm, layer_norm_gradients
from striate.functional.local import (
    locally_connected2d,
    locally_connected2d_input_gradient,
    locally_connected2d_weight_gradient,
)
from striate.functional.loss import softmax_cross_entropy
from striate.functional.lrn import lrn, lrn_input_gradient
from striate.functional.merge import (
    add,
    concat,
    concat_input_gradients,
    multiply,
    multiply_input_gradients,
)
from striate.functional.pooling import (
    avg_pool2d,
    avg_pool2d_input_gradient,
    global_avg_pool2d,
    global_avg_pool2d_input_gradient,
    global_max_pool2d,
    global_max_pool2d_input_gradient,
    max_pool2d,
    max_pool2d_input_gradient,
    sum_pool2d,
    sum_pool2d_input_gradient,
)

__all__ = [
    "AffineGradients",
    "BatchNormGradients",
    "LayerNormGradients",
    "PReLUGradients",
    "add",
    "affine",
    "affine_gradients",
    "avg_pool2d",
    "avg_pool2d_input_gradient",
    "batch_norm",
    "batch_norm_gradients",
    "channel_shuffle",
    "channel_shuffle_input_gradient",
    "channel_slice",
    "channel_slice_input_gradient",
    "clip",
    "clip_input_gradient",
    "concat",
    "concat_input_gradients",
    "conv2d",
    "conv2d_filter_gradient",
    "conv2d_input_gradient",
    "conv_transpose2d",
    "conv_transpose2d_filter_gradient",
    "conv_transpose2d_input_gradient",
    "crop2d",
    "dense",
    "dense_input_gradient",
    "dense_weight_gradient",
    "elu",
    "elu_input_gradient",
    "gelu",
    "gelu_input_gradient",
    "global_avg_pool2d",
    "global_avg_pool2d_input_gradient",
    "global_max_pool2d",
    "global_max_pool2d_input_gradient",
    "grouped_dense",
    "grouped_dense_input_gradient",
    "grouped_dense_weight_gradient",
    "hard_sigmoid",
    "hard_sigmoid_input_gradient",
    "hard_swish",
    "hard_swish_input_gradient",
    "layer_norm",
    "layer_norm_gradients",
    "leaky_relu",
    "leaky_relu_input_gradient",
    "locally_connected2d",
    "locally_connected2d_input_gradient",
    "locally_connected2d_weight_gradient",
    "lrn",
    "lrn_input_gradient",
    "max_pool2d",
    "max_pool2d_input_gradient",
    "mish",
    "mish_input_gradient",
    "multiply",
    "multiply_input_gradients",
    "prelu",
    "prelu_gradients",
    "relu",
    "relu6",
    "relu6_input_gradient",
    "relu_input_gradient",
    "sigmoid",
    "sigmoid_input_gradient",
    "silu",
    "silu_input_gradient",
    "softmax_cross_entropy",
    "sum_pool2d",
    "sum_pool2d_input_gradient",
    "tanh",
    "tanh_input_gradient",
    "zero_pad2d",
]
