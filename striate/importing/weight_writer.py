"""Layers with weights, from those of another library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.importing.axis_view import CHANNELS, AxisView, ViewError
from striate.importing.node_collector import Foreign, NodeCollector, as_float32, layer_of
from striate.importing.sliding_window import SlidingWindow, hwio, spatial, uncovered_pixels
from striate.layers import Layer


class WeightWriter(NodeCollector):
    """Writes convolutions, dense layers, normalisations and constants."""

    # Layers with weights.

    def convolution(
        self,
        value: Foreign,
        filters: Array,
        bias: Array | None,
        window: SlidingWindow,
        *,
        groups: int = 1,
        name: str | None = None,
    ) -> Foreign:
        """A convolution over the channels in axis 1.

        Args:
            value: an image (n, c, h, w) or signal (n, c, l).
            filters: (out, in / groups, *window.size).
            bias: (out,), or None.
            window: its size is that of the filters.
            groups: of channels.
            name: of the layer.
        """
        if not value.view.is_image and groups == 1:
            return self._convolution_of_vector(value, filters, bias, window, name)
        value, letters = self.as_image(value)
        pixels = value.shape[2:]
        layer = layer_of(
            "Conv2D",
            filters=filters.shape[0],
            **window.stored(letters),
            groups=groups,
            bias=bias is not None,
            uncovered=uncovered_pixels(window, pixels),
            name=self.name(name),
        )
        return self._with_filters(layer, value, filters, bias, letters)

    def _with_filters(
        self, layer: Layer, value: Foreign, filters: Array, bias: Array | None, letters: str
    ) -> Foreign:
        """The output of a layer with filters, for an image whose axes are called by `letters`."""
        parameters = {"filters": hwio(filters, letters)}
        if bias is not None:
            parameters["bias"] = bias
        node = self.add(layer, value.node, parameters=parameters)
        return Foreign(node, AxisView.image(value.view.batch, node.shape, letters))

    def _convolution_of_vector(
        self,
        value: Foreign,
        filters: Array,
        bias: Array | None,
        window: SlidingWindow,
        name: str | None,
    ) -> Foreign:
        """One pixel, seen through the only tap that lies on it: a dense layer."""
        view = value.view
        moves = range(len(window.size))
        one = view.is_part(1, 0) and all(extent == 1 for extent in view.shape[2:])
        if not one or any(not 0 <= window.room(i, 1) < window.stride[i] for i in moves):
            raise ViewError("a vector is used as an image")
        taps = tuple(window.before[i] // window.dilation[i] for i in moves)
        if any(window.before[i] % window.dilation[i] for i in moves):
            raise ViewError("a vector is convolved by filters that miss it")
        weights = filters.reshape(*filters.shape[:2], -1)[..., _flat(taps, window.size)].T
        return self.dense(value, weights, bias, axis=1, name=name)

    def transposed_convolution(
        self,
        value: Foreign,
        filters: Array,
        bias: Array | None,
        window: SlidingWindow,
        *,
        output_padding: Sequence[int],
        groups: int = 1,
        name: str | None = None,
    ) -> Foreign:
        """A transposed convolution over the channels in axis 1.

        Args:
            value: an image or signal, as for `convolution`.
            filters: (in, out / groups, *window.size).
            bias: (out,), or None.
            window: of the convolution whose input gradient this is.
            output_padding: rows and columns more at the end of each axis.
            groups: of channels.
            name: of the layer.
        """
        value, letters = self.as_image(value)
        arguments = window.stored(letters)
        extra = dict(zip(spatial(letters), output_padding, strict=True))
        layer = layer_of(
            "ConvTranspose2D",
            filters=filters.shape[1] * groups,
            **arguments,
            output_padding=(extra.get("H", 0), extra.get("W", 0)),
            groups=groups,
            bias=bias is not None,
            name=self.name(name),
        )
        # Of that convolution, the inputs are this layer's outputs: (in, out / groups) is its OI.
        return self._with_filters(layer, value, filters, bias, letters)

    def dense(
        self,
        value: Foreign,
        weights: Array,
        bias: Array | None,
        *,
        axis: int = -1,
        name: str | None = None,
    ) -> Foreign:
        """A matrix product over one axis: a dense layer, or a 1×1 convolution of an image.

        Args:
            value: the tensor.
            weights: (elements of the axis, outputs).
            bias: (outputs,), or None.
            axis: over which the products are summed; it has the outputs then.
            name: of the layer.
        """
        axis = value.view.position(axis)
        view = value.view
        if weights.shape[0] != value.shape[axis]:
            raise ViewError(
                f"a matrix of {weights.shape[0]} rows is multiplied with {value.shape[axis]} values"
            )
        parameters = {"bias": bias} if bias is not None else {}
        rest = [a for i, atoms in enumerate(view.axes) if i != axis for a in atoms if a]
        if view.is_image and (rest or _is_signal(view)):
            if not view.holds(axis, CHANNELS):
                raise ViewError("a matrix is multiplied along an axis that is not the channels")
            parameters["filters"] = weights[view.index(axis)][None, None]
            layer = layer_of(
                "Conv2D",
                filters=weights.shape[1],
                size=1,
                bias=bias is not None,
                name=self.name(name),
            )
            node = self.add(layer, value.node, parameters=parameters)
            return Foreign(node, view.with_part(CHANNELS, weights.shape[1], axis))
        if rest:
            raise ViewError("a matrix is multiplied with a piece of a vector")
        parameters["weights"] = weights[view.index(axis)]
        layer = layer_of(
            "Dense", units=weights.shape[1], bias=bias is not None, name=self.name(name)
        )
        node = self.add(layer, self.as_vector(value).node, parameters=parameters)
        return Foreign(node, view.contracted(axis, weights.shape[1]))

    def batch_norm(
        self,
        value: Foreign,
        arrays: Mapping[str, Array],
        *,
        eps: float,
        momentum: float,
        axis: int = 1,
        name: str | None = None,
    ) -> Foreign:
        """Batch normalisation of the channels in an axis.

        Args:
            value: the tensor.
            arrays: "scale", "shift", "mean" and "variance" (elements of the axis,).
            eps, momentum: as `BatchNorm` has them.
            axis: with the channels.
            name: of the layer.
        """
        value, order = self._channels(value, axis)
        layer = layer_of("BatchNorm", eps=eps, momentum=momentum, name=self.name(name))
        placed = {short: array[order] for short, array in arrays.items()}
        if (placed["variance"] < 0).any():
            raise StriateValueError(f"{layer.who}: its variances must not be negative")
        state = {short: placed.pop(short) for short in ("mean", "variance")}
        return Foreign(self.add(layer, value.node, parameters=placed, state=state), value.view)

    def layer_norm(
        self,
        value: Foreign,
        scale: Array | None,
        shift: Array | None,
        *,
        eps: float,
        axis: int = -1,
        name: str | None = None,
    ) -> Foreign:
        """Layer normalisation over the channels of each pixel, which lie in `axis`."""
        value, order = self._channels(value, axis)
        count = len(order)
        ones, zeros = np.ones(count, np.float32), np.zeros(count, np.float32)
        parameters = {
            "scale": ones if scale is None else scale[order],
            "shift": zeros if shift is None else shift[order],
        }
        layer = layer_of("LayerNorm", eps=eps, name=self.name(name))
        return Foreign(self.add(layer, value.node, parameters=parameters), value.view)

    def _channels(self, value: Foreign, axis: int) -> tuple[Foreign, list[int]]:
        """The value with its channels (or features) in `axis`, and their order there."""
        axis = value.view.position(axis)
        value = self.features_in(value, axis)
        if not value.view.holds(axis, value.view.last):
            raise ViewError(f"axis {axis} does not hold the channels")
        return value, value.view.index(axis)

    def affine(
        self,
        value: Foreign,
        scale: Array | None,
        shift: Array | None,
        *,
        name: str | None = None,
    ) -> Foreign:
        """Multiplication with constants, then addition of constants, one for each channel.

        Args:
            value: the tensor.
            scale, shift: broadcast to the tensor, or None.
            name: of the layer.

        Raises:
            ViewError: the constants differ from pixel to pixel.
        """
        value = self._spread(value, scale, shift)
        factors = None if scale is None else self.per_channel(value, scale)
        terms = None if shift is None else self.per_channel(value, shift)
        if terms is None and factors is not None and scale is not None and scale.size == 1:
            if factors[0] == 1:
                return value
            if factors[0] != 0:
                factor = float(as_float32(factors[:1], "a factor")[0])
                return self.elementwise(value, layer_of("Scale", factor=factor))
        if factors is None and terms is not None and not terms.any():
            return value
        parameters = {}
        if factors is not None:
            parameters["scale"] = factors
        if terms is not None:
            parameters["shift"] = terms
        layer = layer_of(
            "Affine", scale=factors is not None, shift=terms is not None, name=self.name(name)
        )
        return Foreign(self.add(layer, value.node, parameters=parameters), value.view)

    def prelu(self, value: Foreign, slope: Array, *, name: str | None = None) -> Foreign:
        """PReLU with one slope, or one for each channel."""
        value = self._spread(value, slope)
        slopes = slope.reshape(1) if slope.size == 1 else self.per_channel(value, slope)
        layer = layer_of("PReLU", shared=slope.size == 1, name=self.name(name))
        return Foreign(self.add(layer, value.node, parameters={"slope": slopes}), value.view)

    def _spread(self, value: Foreign, *constants: Array | None) -> Foreign:
        """An image whose numbers all lie in the last axis as a vector, if the constants for them
        differ.
        """
        if all(constant is None or constant.size == 1 for constant in constants):
            return value
        return self.features_in(value, len(value.shape) - 1)

    def per_channel(self, value: Foreign, constant: Array) -> Array:
        """A constant as one number for each channel (or feature), in their stored order."""
        aligned = value.view.aligned(constant)
        for part in range(value.view.last):
            if aligned.shape[part] > 1:
                first = aligned.take([0], axis=part)
                if (aligned != first).any():
                    raise ViewError("a constant differs from pixel to pixel")
                aligned = first
        channels = value.view.stored_shape[-1]
        return np.broadcast_to(aligned.reshape(aligned.shape[-1]), (channels,))


def _is_signal(view: AxisView) -> bool:
    """Whether all axes but the channels have one element, and there are several of them."""
    return len(view.axes) > 2 and math.prod(view.stored_shape) == view.stored_shape[-1]


def _flat(taps: Sequence[int], size: Sequence[int]) -> int:
    """The number of a tap, row by row."""
    return int(np.ravel_multi_index(tuple(taps), tuple(size)))
