"""A network as a module of PyTorch, and its weights back from there.

The module reads images channels-first, (n, channels, height, width) in float32, or vectors
(n, features).  Its parts are those of `torch.nn`, named after the layers: the state dict has
"conv2d_1.weight", "conv2d_1.bias", "batch_norm_1.running_mean", and so on, in PyTorch's layouts:

    here                                    in the state dict
    filters (height, width, in, out)        weight (out, in, height, width)
    weights (inputs, units)                 weight (units, inputs)
    scale, shift; mean, variance            weight, bias; running_mean, running_var
    slope                                   weight
    weights of LocallyConnected2D           weight (rows, columns, out, in, height, width)

Where a vector is a flattened image, its features come as (channels, height, width) there, and the
weights that meet them are in that order.  A layer named "block.0.conv" is the module `conv` inside
`0` inside `block`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arguments import true_or_false
from striate.common.arrays import Array
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.optional import require
from striate.common.text import listed, quoted, sizes
from striate.exporting.own_layers import check_layers
from striate.model.model import Model
from striate.model.preprocessing import Preprocessing

if TYPE_CHECKING:
    from torch import nn

    from striate.exporting.torch_weights import TorchWeight

# What wrappers of PyTorch put before the names: of parallel training, and of compiled modules.
_WRAPPERS = ("module.", "_orig_mod.")


def to_torch(network: Model, *, preprocessing: bool = True, heads: bool = False) -> nn.Module:
    """The network as a module of PyTorch with the same outputs, which trains in the same way.

        module = network.to_torch()
        module(torch.from_numpy(images).permute(0, 3, 1, 2).float())

    It has copies of the weights, dropout with the same rates, and batch normalisation with the same
    `eps` and running averages; frozen layers have `requires_grad` False, and batch
    normalisation that is frozen, or keeps its statistics, stays on them in training.  It is in
    evaluation mode; call `train()` before you train it, and `load_torch` to have the weights
    back.

    The module is a `torch.fx.GraphModule`: `print(module.code)` shows what it computes.  It may be
    saved, compiled, exported and scripted, and loaded without striate.

    Args:
        network: the network.
        preprocessing: begin with the network's own, a module `normalise`: the module reads raw
            images, as `predict` does.  False: it reads what comes out of that.
        heads: return a tuple of the output and all auxiliary heads, to train them too: `fit` adds
            the loss of each, times its weight, to that of the output.  False: the output alone.

    Returns:
        A `torch.nn.Module` from (n, channels, height, width) to (n, *outputs), images
        channels-first; on the CPU, in float32.

    Raises:
        ValueError: a layer is of a class of your own.
        ImportError: PyTorch is not installed.
    """
    require("torch", "torch", "to_torch")
    from striate.exporting.torch_network import write_network

    check_layers(network, "to_torch", "PyTorch")
    whether = true_or_false(preprocessing, "preprocessing", "to_torch")
    first = network.preprocessing if whether else Preprocessing()
    with_heads = true_or_false(heads, "heads", "to_torch")
    return write_network(network, first, with_heads).finished("StriateNetwork").eval()


def load_torch(network: Model, module: nn.Module | Mapping[str, Any]) -> None:
    """Take the weights of a module that `to_torch` made, after it was trained.

    Nothing is changed if something does not fit.  The preprocessing stays as it is.

    Args:
        network: the network that the module was made from, or one with the same layers.
        module: the module, wherever its parameters are, or its state dict.

    Raises:
        ValueError: names or shapes are not those of the module; the message has them.
        TypeError: it is no module and no state dict.
        ImportError: PyTorch is not installed.
    """
    require("torch", "torch", "load_torch")
    from torch import nn

    from striate.exporting.torch_network import NORMALISE, write_network

    check_layers(network, "load_torch", "PyTorch")
    tensors = module.state_dict() if isinstance(module, nn.Module) else module
    if not isinstance(tensors, Mapping):
        raise StriateTypeError(
            f"load_torch: give the module that to_torch made, or its state dict, got {module!r}"
        )
    weights = write_network(network, Preprocessing(), heads=True).weights
    known = {weight.key for weight in weights}
    tensors = _unwrapped({str(key): tensor for key, tensor in tensors.items()}, known)
    if network.heads and known - set(tensors):  # of a module without the heads
        weights = write_network(network, Preprocessing()).weights
    lost = [quoted(weight.key) for weight in weights if weight.key not in tensors]
    strange = [
        quoted(key)
        for key in tensors
        if key not in known
        and not key.endswith(".num_batches_tracked")
        and not key.startswith(f"{NORMALISE}.")
    ]
    if lost or strange:
        told = f" lacks {listed(lost, 3)}" * bool(lost) + " and" * bool(lost and strange)
        told += f" has {listed(strange, 3)}, which no layer is named after" * bool(strange)
        raise StriateValueError(
            f"load_torch: the state dict{told}; give that of a module that this network's to_torch "
            "made"
        )
    arrays = [_numbers(weight, tensors[weight.key]) for weight in weights]
    for weight, array in zip(weights, arrays, strict=True):
        weight.array[...] = array


def _unwrapped(tensors: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """The state dict without the names of wrappers around the module."""
    while tensors and known.isdisjoint(tensors):
        around = [name for name in _WRAPPERS if all(key.startswith(name) for key in tensors)]
        if not around:
            break
        tensors = {key.removeprefix(around[0]): tensor for key, tensor in tensors.items()}
    return tensors


def _numbers(weight: TorchWeight, tensor: Any) -> Array:
    """The numbers of a tensor in the layout of the network, float32."""
    import torch

    if not isinstance(tensor, torch.Tensor):
        raise StriateTypeError(
            f"load_torch: {quoted(weight.key)} must be a tensor, got {type(tensor).__name__}"
        )
    if tuple(tensor.shape) != weight.layout.shape:
        raise StriateValueError(
            f"load_torch: {quoted(weight.key)} is {sizes(tensor.shape) or 'one number'}, and the "
            f"layer {quoted(weight.name.partition('/')[0])} needs {sizes(weight.layout.shape)}; "
            "give a module that this network's to_torch made"
        )
    if not tensor.is_floating_point():
        raise StriateTypeError(
            f"load_torch: {quoted(weight.key)} is of {tensor.dtype}; weights are real numbers"
        )
    numbers = tensor.detach().to("cpu", torch.float32).numpy()
    return weight.layout.array(np.asarray(numbers), weight.array.shape)
