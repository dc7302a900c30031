"""Activation functions and `Scale`, applied to each number alone.

`PReLU` learns what its functions are.

The formulas are in `striate.ops.activation`.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from striate.common.arguments import real_number, true_or_false
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.layers.layer import Arrays, Gradients, Inputs, Layer, Parameter, PassContext
from striate.ops import activation
from striate.ops.shapes import Shape


class _Elementwise(Layer):
    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]


class _FromOutput(_Elementwise):
    """An activation function whose gradient is computed from its output alone."""

    formula: ClassVar[staticmethod[[Array], Array]]
    formula_gradient: ClassVar[staticmethod[[Array, Array], Array]]
    """From ∂L/∂output and the output to ∂L/∂input."""

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        output = self.formula(inputs[0])
        return output, output

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (self.formula_gradient(gradient, saved),), {}


class _FromInput(_Elementwise):
    """An activation function whose gradient is computed from its input."""

    def value(self, x: Array) -> Array:
        """The function of each number."""
        raise NotImplementedError

    def input_gradient(self, gradient: Array, x: Array) -> Array:
        """∂L/∂input from ∂L/∂output and the input."""
        raise NotImplementedError

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        return self.value(inputs[0]), inputs[0]

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (self.input_gradient(gradient, saved),), {}


class ReLU(_FromOutput):
    """The rectified linear unit: max(x, 0)."""

    kind = "relu"
    formula = staticmethod(activation.relu)
    formula_gradient = staticmethod(activation.relu_input_gradient)


class LeakyReLU(_Elementwise):
    """The leaky rectified linear unit: x where positive, slope·x elsewhere.

    Args:
        slope: usually between 0 and 1.
    """

    kind = "leaky_relu"

    def __init__(self, slope: float = 0.01, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.slope = real_number(slope, "slope", self.who)

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        return activation.leaky_relu(inputs[0], self.slope), inputs[0]

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (activation.leaky_relu_input_gradient(gradient, saved, self.slope),), {}


class Sigmoid(_FromOutput):
    """The logistic function 1 / (1 + exp(-x)), between 0 and 1."""

    kind = "sigmoid"
    formula = staticmethod(activation.sigmoid)
    formula_gradient = staticmethod(activation.sigmoid_input_gradient)


class Tanh(_FromOutput):
    """The hyperbolic tangent, between -1 and 1."""

    kind = "tanh"
    formula = staticmethod(activation.tanh)
    formula_gradient = staticmethod(activation.tanh_input_gradient)


class Scale(_Elementwise):
    """Multiplication by a constant factor, which is not trained.

    Before a softmax it scales the logits, and with them how fast the layer before it learns: of
    logits multiplied by f, a gradient step changes f² times as much.

    Args:
        factor: finite, not 0.
    """

    kind = "scale"

    def __init__(self, factor: float, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.factor = real_number(factor, "factor", self.who)
        if self.factor == 0:
            raise StriateValueError(
                f"{self.who}: factor must not be 0, or nothing is left of its input"
            )

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        return inputs[0] * inputs[0].dtype.type(self.factor), None

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (gradient * gradient.dtype.type(self.factor),), {}


class ReLU6(_FromOutput):
    """The rectified linear unit up to 6: min(max(x, 0), 6) (MobileNet, arXiv:1704.04861)."""

    kind = "relu6"
    formula = staticmethod(activation.relu6)
    formula_gradient = staticmethod(activation.relu6_input_gradient)


class Clip(_FromInput):
    """Every number moved into a range: min(max(x, low), high).

    Its gradient is that of the output where low ≤ x ≤ high, and 0 elsewhere.

    Args:
        low, high: the ends of the range; None for no such end.
    """

    kind = "clip"

    def __init__(
        self, low: float | None = None, high: float | None = None, *, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        self.low = None if low is None else real_number(low, "low", self.who)
        self.high = None if high is None else real_number(high, "high", self.who)
        if self.low is None and self.high is None:
            raise StriateValueError(
                f"{self.who}: with neither low nor high nothing is clipped; give one of them"
            )
        if self.low is not None and self.high is not None and self.low > self.high:
            raise StriateValueError(
                f"{self.who}: low must not be larger than high, got {self.low} and {self.high}"
            )

    def value(self, x: Array) -> Array:
        return activation.clip(x, self.low, self.high)

    def input_gradient(self, gradient: Array, x: Array) -> Array:
        return activation.clip_input_gradient(gradient, x, self.low, self.high)


class HardSigmoid(_Elementwise):
    """A sigmoid of three straight lines: min(max(slope·x + offset, 0), 1).

    Args:
        slope: 1/6 in PyTorch and Keras 3, 0.2 in ONNX (by default) and older networks of Keras.
        offset: what 0 becomes.
    """

    kind = "hard_sigmoid"

    def __init__(
        self, slope: float = 1 / 6, offset: float = 0.5, *, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        self.slope = real_number(slope, "slope", self.who)
        self.offset = real_number(offset, "offset", self.who)

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        output = activation.hard_sigmoid(inputs[0], self.slope, self.offset)
        return output, output

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (activation.hard_sigmoid_input_gradient(gradient, saved, self.slope),), {}


class HardSwish(_FromInput):
    """x · min(max(x/6 + 1/2, 0), 1) (MobileNetV3, arXiv:1905.02244)."""

    kind = "hard_swish"

    def value(self, x: Array) -> Array:
        return activation.hard_swish(x)

    def input_gradient(self, gradient: Array, x: Array) -> Array:
        return activation.hard_swish_input_gradient(gradient, x)


class ELU(_FromInput):
    """The exponential linear unit: x where positive, alpha·(exp(x) - 1) elsewhere.

    Args:
        alpha: the output far below 0 is -alpha.
    """

    kind = "elu"

    def __init__(self, alpha: float = 1.0, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.alpha = real_number(alpha, "alpha", self.who)

    def value(self, x: Array) -> Array:
        return activation.elu(x, self.alpha)

    def input_gradient(self, gradient: Array, x: Array) -> Array:
        return activation.elu_input_gradient(gradient, x, self.alpha)


class SiLU(_FromInput):
    """x · sigmoid(x), also called swish (arXiv:1702.03118, arXiv:1710.05941)."""

    kind = "silu"

    def value(self, x: Array) -> Array:
        return activation.silu(x)

    def input_gradient(self, gradient: Array, x: Array) -> Array:
        return activation.silu_input_gradient(gradient, x)


class Mish(_FromInput):
    """x · tanh(log(1 + exp(x))) (arXiv:1908.08681)."""

    kind = "mish"

    def value(self, x: Array) -> Array:
        return activation.mish(x)

    def input_gradient(self, gradient: Array, x: Array) -> Array:
        return activation.mish_input_gradient(gradient, x)


class GELU(_FromInput):
    """The Gaussian error linear unit: x · (1 + erf(x/√2)) / 2 (arXiv:1606.08415).

    Args:
        approximate: "none" for this formula, "tanh" for
            x · (1 + tanh(√(2/π)·(x + 0.044715·x³))) / 2.
    """

    kind = "gelu"

    def __init__(self, approximate: str = "none", *, name: str | None = None) -> None:
        super().__init__(name=name)
        if approximate not in ("none", "tanh"):
            raise StriateValueError(
                f'{self.who}: approximate must be "none" or "tanh", got {approximate!r}'
            )
        self.approximate = approximate

    def value(self, x: Array) -> Array:
        return activation.gelu(x) if self.approximate == "none" else activation.gelu_tanh(x)

    def input_gradient(self, gradient: Array, x: Array) -> Array:
        if self.approximate == "none":
            return activation.gelu_input_gradient(gradient, x)
        return activation.gelu_tanh_input_gradient(gradient, x)


class PReLU(_Elementwise):
    """The parametric rectified linear unit: x where positive, slope·x elsewhere (arXiv:1502.01852).

    Its parameter is slope (channels,), or (1,) if it is shared; it starts at 1/4 and may become
    negative. Weight decay leaves it alone.

    Args:
        shared: one slope for all channels.
    """

    kind = "prelu"

    def __init__(self, shared: bool = False, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.shared = true_or_false(shared, "shared", self.who)

    def parameters(self, *inputs: Shape) -> tuple[Parameter, ...]:
        shape = (1,) if self.shared else inputs[0][-1:]
        return (Parameter("slope", shape, "quarters", decay=False),)

    def multiply_adds(self, *inputs: Shape) -> int:
        return math.prod(inputs[0])

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        return activation.prelu(inputs[0], parameters["slope"]), inputs[0]

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        to_x, to_slope = activation.prelu_gradients(gradient, saved, parameters["slope"])
        return (to_x,), {"slope": to_slope}
