"""Operators of PyTorch that treat each number alone, or join several values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from striate.common.arrays import Array
from striate.importing.axis_view import ViewError
from striate.importing.graph_writer import Foreign
from striate.importing.node_collector import layer_of
from striate.importing.torch_reader import Operators, TorchReader
from striate.importing.torch_trace import Known
from striate.importing.torch_values import TorchCall, as_array

_SELU = (1.0507009873554805, 1.6732632423543772)
"""Scale and alpha of SELU (arXiv:1706.02515)."""


def _layer(make: Callable[[TorchCall], tuple[str, dict[str, Any]]]) -> Callable[..., Foreign]:
    """An operator that is one layer."""

    def read(reader: TorchReader, call: TorchCall) -> Foreign:
        kind, arguments = make(call)
        return reader.writer.elementwise(call.value, layer_of(kind, **arguments))

    return read


def _same(reader: TorchReader, call: TorchCall) -> Foreign:
    return call.value


def _clip(low: float | None, high: float | None) -> tuple[str, dict[str, Any]]:
    if (low, high) == (0.0, 6.0):
        return "ReLU6", {}
    if (low, high) == (0.0, None):
        return "ReLU", {}
    return "Clip", {"low": low, "high": high}


def _bound(given: Any) -> float | None:
    if isinstance(given, Known):
        return float(given.tensor)
    return None if given is None else float(given)


def _elu(reader: TorchReader, call: TorchCall) -> Foreign:
    if call["input_scale"] != 1:
        raise ViewError("its input is scaled")
    value = reader.writer.elementwise(call.value, layer_of("ELU", alpha=float(call["alpha"])))
    return _scaled(reader, value, float(call["scale"]))


def _celu(reader: TorchReader, call: TorchCall) -> Foreign:
    if call["alpha"] != 1:
        raise ViewError("its alpha is not 1")
    return reader.writer.elementwise(call.value, layer_of("ELU"))


def _selu(reader: TorchReader, call: TorchCall) -> Foreign:
    value = reader.writer.elementwise(call.value, layer_of("ELU", alpha=_SELU[1]))
    return _scaled(reader, value, _SELU[0])


def _dropout(reader: TorchReader, call: TorchCall) -> Foreign:
    rate = float(call["p"])
    if rate == 0:
        return call.value
    return reader.writer.elementwise(call.value, layer_of("Dropout", rate=rate))


def _whole_dropout(reader: TorchReader, call: TorchCall) -> Foreign:
    """Dropout of whole channels, or another kind: only prediction is the same."""
    if float(call["p"]) > 0:
        reader.told.append("dropout of whole channels, or of another kind, is left out")
    return call.value


def _cast(reader: TorchReader, call: TorchCall) -> Foreign:
    given = call.node.meta["val"].dtype
    if not given.is_floating_point:
        raise ViewError(f"numbers become {given}")
    return call.value


# Arithmetic of two values, of which one may be known.


def _scaled(reader: TorchReader, value: Foreign, factor: float) -> Foreign:
    if factor == 1:
        return value
    return reader.writer.elementwise(value, layer_of("Scale", factor=factor))


def _known(given: Any) -> Known:
    """A number or a known tensor, as a tensor."""
    if isinstance(given, Known):
        return given
    return Known(torch.tensor(float(given), dtype=torch.float64))


def _array(known: Known, change: Callable[[Array], Array] | None = None) -> Array:
    array = as_array(known.tensor)
    return array if change is None else change(array)


def _affine(
    reader: TorchReader,
    value: Foreign,
    known: Known,
    what: str,
    change: Callable[[Array], Array] | None = None,
) -> Foreign:
    """A multiplication with, or addition of, numbers that are learned or not."""
    if change is not None and known.learned:
        reader.told.append(f"{known.names[0]} is learned there, and what is computed from it here")
    array = _array(known, change)
    if array.size == 1 and not known.learned:
        number = float(array.reshape(()))
        if what == "scale" and number != 0:
            return _scaled(reader, value, number)
        if what == "shift" and number == 0:
            return value
    if len(array.shape) > len(value.shape):
        raise ViewError("it is broadcast to more axes")
    array = array.reshape((1,) * (len(value.shape) - array.ndim) + array.shape)
    scale, shift = (array, None) if what == "scale" else (None, array)

    def write(name: str | None) -> Foreign:
        return reader.writer.affine(value, scale, shift, name=name)

    if array.size == 1 and known.learned:  # one number that is learned, for all channels
        reader.told.append(f"{known.names[0]} is one number for all channels there")
        array = array.reshape(1)
    return reader.layer({"weight": known}, write)


def _mul(reader: TorchReader, call: TorchCall) -> Foreign:
    one, other = call["self"], call["other"]
    if isinstance(one, Foreign) and isinstance(other, Foreign):
        return reader.writer.product(*_ranked(one, other))
    value, known = (one, other) if isinstance(one, Foreign) else (other, one)
    return _affine(reader, value, _known(known), "scale")


def _ranked(*values: Foreign) -> tuple[Foreign, ...]:
    rank = max(len(value.shape) for value in values)
    return tuple(Foreign(value.node, value.view.padded_to(rank)) for value in values)


def _div(reader: TorchReader, call: TorchCall) -> Foreign:
    if call.arguments.get("rounding_mode") is not None:
        raise ViewError("its results are rounded")
    if not isinstance(call["self"], Foreign) or isinstance(call["other"], Foreign):
        raise ViewError("it divides by a value that depends on the images")
    return _affine(reader, call["self"], _known(call["other"]), "scale", lambda a: 1 / a)


def _times_alpha(call: TorchCall) -> float:
    return float(call.arguments.get("alpha", 1))


def _add(reader: TorchReader, call: TorchCall, sign: float = 1.0) -> Foreign:
    one, other, factor = call["self"], call["other"], sign * _times_alpha(call)
    if isinstance(one, Foreign) and isinstance(other, Foreign):
        return reader.writer.sum_of([one, _scaled(reader, other, factor)])
    if isinstance(one, Foreign):
        change = None if factor == 1 else lambda array: array * factor
        return _affine(reader, one, _known(other), "shift", change)
    return _affine(reader, _scaled(reader, other, factor), _known(one), "shift")


def _sub(reader: TorchReader, call: TorchCall) -> Foreign:
    return _add(reader, call, -1.0)


def _rsub(reader: TorchReader, call: TorchCall) -> Foreign:
    turned = {"self": call["other"], "other": call["self"], "alpha": call["alpha"]}
    return _sub(reader, TorchCall(call.node, turned))


def _cat(reader: TorchReader, call: TorchCall) -> Foreign:
    values = list(call["tensors"])
    if not all(isinstance(value, Foreign) for value in values):
        raise ViewError("some of what it joins depends on no image")
    return reader.writer.concatenated(values, int(call["dim"]))


ARITHMETIC: Operators = {
    "relu": _layer(lambda call: ("ReLU", {})),
    "relu6": _layer(lambda call: ("ReLU6", {})),
    "hardtanh": _layer(lambda call: _clip(float(call["min_val"]), float(call["max_val"]))),
    "clamp": _layer(lambda call: _clip(_bound(call["min"]), _bound(call["max"]))),
    "clip": _layer(lambda call: _clip(_bound(call["min"]), _bound(call["max"]))),
    "clamp_min": _layer(lambda call: _clip(_bound(call["min"]), None)),
    "clamp_max": _layer(lambda call: _clip(None, _bound(call["max"]))),
    "leaky_relu": _layer(lambda call: ("LeakyReLU", {"slope": float(call["negative_slope"])})),
    "sigmoid": _layer(lambda call: ("Sigmoid", {})),
    "tanh": _layer(lambda call: ("Tanh", {})),
    "hardsigmoid": _layer(lambda call: ("HardSigmoid", {})),
    "hardswish": _layer(lambda call: ("HardSwish", {})),
    "silu": _layer(lambda call: ("SiLU", {})),
    "mish": _layer(lambda call: ("Mish", {})),
    "gelu": _layer(lambda call: ("GELU", {"approximate": str(call["approximate"])})),
    **dict.fromkeys(("neg", "negative"), _layer(lambda call: ("Scale", {"factor": -1.0}))),
    "elu": _elu,
    "celu": _celu,
    "selu": _selu,
    "dropout": _dropout,
    "feature_dropout": _whole_dropout,
    "alpha_dropout": _whole_dropout,
    "feature_alpha_dropout": _whole_dropout,
    **dict.fromkeys(("contiguous", "clone", "detach", "alias", "lift_fresh_copy"), _same),
    **dict.fromkeys(("to", "_to_copy", "type_as"), _cast),
    "add": _add,
    **dict.fromkeys(("mul", "multiply"), _mul),
    **dict.fromkeys(("div", "divide", "true_divide"), _div),
    **dict.fromkeys(("sub", "subtract"), _sub),
    "rsub": _rsub,
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
}
