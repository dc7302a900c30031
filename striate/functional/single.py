"""One layer run on arrays, without a network: what all functions of `striate.functional` call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, as_real_array
from striate.common.errors import StriateValueError
from striate.engines import check_engine
from striate.layers import Conv2D, Layer, LocallyConnected2D, PassContext
from striate.ops.shapes import IntOrPair, Padding, Shape

Windowed = TypeVar("Windowed", Conv2D, LocallyConnected2D)
Named = Mapping[str, npt.ArrayLike]
"""Arrays by the name of their parameter."""


class LayerGradients(NamedTuple):
    """∂L/∂input of each input, and ∂L/∂parameter by name."""

    inputs: tuple[Array, ...]
    parameters: dict[str, Array]


@unwatched
def run(
    layer: Layer,
    inputs: Sequence[npt.ArrayLike],
    parameters: Named,
    engine: str,
    state: Named | None = None,
) -> Array:
    """The layer's output.

    Args:
        layer: the layer.
        inputs: its inputs, with the batch axis.
        parameters: what it has learned, by name.
        engine: "llvm" or "numpy".
        state: running statistics, by name; without them a layer that has some normalises by the
            batch.
    """
    call = _LayerCall(layer, inputs, parameters, engine, state or {})
    if call.compiled:
        from striate.engines.llvm_layer import run_layer

        output: Array = run_layer(layer, *call.arrays, not state)
        return output
    return layer.forward(*call.arrays, PassContext(training=not state))[0]


@unwatched
def run_backward(
    layer: Layer,
    inputs: Sequence[npt.ArrayLike],
    parameters: Named,
    gradient: npt.ArrayLike,
    engine: str,
) -> LayerGradients:
    """All gradients of a loss.

    Args:
        layer, inputs, parameters, engine: as for `run`.
        gradient: of the loss with respect to the layer's output.
    """
    call = _LayerCall(layer, inputs, parameters, engine, {}, floats(gradient, "gradient"))
    arriving = call.gradient
    expected = (len(call.arrays[0][0]), *call.output_shape)
    if arriving.shape != expected:
        raise StriateValueError(
            f"{layer.who}: the gradient must have the shape of the output, {expected}, "
            f"got {arriving.shape}"
        )
    if call.compiled:
        from striate.engines.llvm_layer import run_layer_backward

        return LayerGradients(*run_layer_backward(layer, *call.arrays, arriving))
    _, saved = layer.forward(*call.arrays, PassContext(training=True))
    return LayerGradients(*layer.backward(arriving, saved, call.arrays[1]))


def window_layer(
    kind: type[Windowed],
    filters: int,
    size: IntOrPair,
    bias: bool,
    stride: IntOrPair,
    padding: Padding,
    dilation: IntOrPair,
    groups: int,
    uncovered: str,
) -> Windowed:
    """The layer of a kind for the arguments of its function, in their order there."""
    return kind(
        filters,
        size,
        bias=bias,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        uncovered=uncovered,
    )


def linear_input_gradient(
    layer: Layer, parameters: Named, gradient: npt.ArrayLike, input_shape: Shape, engine: str
) -> Array:
    """∂L/∂x (n, *input_shape) of a layer that is linear in x: it is the same for any x.

    Args:
        layer, parameters, engine: as for `run`.
        gradient: ∂L/∂output.
        input_shape: without the batch axis.
    """
    arriving = floats(gradient, "gradient")
    x = np.zeros((len(arriving), *input_shape), arriving.dtype)
    return run_backward(layer, (x,), parameters, arriving, engine).inputs[0]


def linear_parameter_gradient(
    layer: Layer, x: Array, gradient: npt.ArrayLike, engine: str
) -> Array:
    """∂L/∂parameter of a layer that is linear in its only one: it is the same for any numbers.

    Args:
        layer, engine: as for `run`.
        x: the input, with the batch axis.
        gradient: ∂L/∂output.
    """
    (only,) = layer.parameters(x.shape[1:])
    parameters = {only.name: np.zeros(only.shape, x.dtype)}
    return run_backward(layer, (x,), parameters, gradient, engine).parameters[only.name]


class _LayerCall:
    """The arrays of one call, checked against the layer and in one common dtype.

    Attributes:
        arrays: inputs, parameters and state, as a layer's `forward` takes them.
        gradient: with respect to the output; empty for a forward pass.
        output_shape: without the batch axis.
        compiled: whether the compiled engine runs it.
    """

    @unwatched
    def __init__(
        self,
        layer: Layer,
        inputs: Sequence[npt.ArrayLike],
        parameters: Named,
        engine: str,
        state: Named,
        gradient: Array | None = None,
    ) -> None:
        xs = [floats(x, "the input") for x in inputs]
        given = {name: floats(value, name) for name, value in {**parameters, **state}.items()}
        shapes = image_shapes(layer, xs)
        self.output_shape = layer.output_shape(*shapes)
        wanted = (*layer.parameters(*shapes), *layer.state(*shapes))
        for parameter in wanted:
            value = given.get(parameter.name)
            if value is not None and value.shape != parameter.shape:
                raise StriateValueError(
                    f"{layer.who}: {parameter.name} must have shape {parameter.shape} for inputs "
                    f"of shape {', '.join(str(x.shape) for x in xs)}, got {value.shape}"
                )
        self.gradient = np.zeros(0, xs[0].dtype) if gradient is None else gradient
        dtype = np.result_type(*xs, *given.values(), self.gradient)
        self.gradient = self.gradient.astype(dtype, copy=False)
        made = {
            parameter.name: given[parameter.name].astype(dtype, copy=False)
            if parameter.name in given
            else np.zeros(parameter.shape, dtype)  # running statistics that are not used
            for parameter in wanted
        }
        learned = {name: value for name, value in made.items() if name in parameters}
        running = {name: value for name, value in made.items() if name not in parameters}
        self.arrays = (tuple(x.astype(dtype, copy=False) for x in xs), learned, running)
        self.compiled = check_engine(engine) == "llvm" and dtype in (np.float32, np.float64)


def image_shapes(layer: Layer, inputs: Sequence[Array]) -> tuple[Shape, ...]:
    """Shapes without the batch axis, which all inputs must have and share."""
    for x in inputs:
        if x.ndim not in (2, 4):
            raise StriateValueError(
                f"{layer.who}: inputs must be images (n, height, width, channels) or vectors "
                f"(n, features), got shape {x.shape}; for a single one add the batch axis: x[None]"
            )
    if len(inputs) < layer.arity[0]:
        raise StriateValueError(f"{layer.who}: needs at least {layer.arity[0]} inputs")
    if len({len(x) for x in inputs}) > 1:
        raise StriateValueError(
            f"{layer.who}: inputs must have the same number of images, got "
            f"{', '.join(str(len(x)) for x in inputs)}"
        )
    return tuple(x.shape[1:] for x in inputs)


def floats(value: npt.ArrayLike, what: str, axes: str = "") -> Array:
    """`value` as an array of floats; integers become float64.

    Args:
        value: real numbers.
        what: its name, for messages.
        axes: the axes that it must have, such as "(n, features)"; "" for any.

    Raises:
        TypeError: it holds something else than real numbers.
        ValueError: it has other axes.
    """
    array = as_real_array(value, what)
    if axes and array.ndim != axes.count(",") + 1:
        single = array.ndim == axes.count(",") and axes.startswith("(n,")
        raise StriateValueError(
            f"{what} must be {axes}, got shape {array.shape}"
            + f"; for a single one add the batch axis: {what}[None]" * single
        )
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def given_arrays(**arrays: npt.ArrayLike | None) -> dict[str, npt.ArrayLike]:
    """The arrays that are given, by their names: without None."""
    return {name: value for name, value in arrays.items() if value is not None}
