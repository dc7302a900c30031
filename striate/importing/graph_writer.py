"""Writes the graph of a network with the weights of another library's, layer by layer.

What is read is a tensor of the other library: a `Foreign` value, which is a node of striate's graph
and how the tensor's axes lie in it (`striate.importing.axis_view`). The methods take the numbers as
PyTorch and ONNX have them: filters (out, in / groups, height, width), pads (top, left, bottom,
right) along the tensor's own axes. Nodes and weights are collected; `GraphWriter.network` makes the
network at the end, of those that lead to its output.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.arrays import Array, Floats
from striate.common.errors import StriateValueError
from striate.importing.axis_view import CHANNELS, HEIGHT, WIDTH, AxisView, ViewError
from striate.layers import LAYERS, Input, Layer, Node
from striate.layers.layer import MOST_IN_NAME
from striate.network import Network
from striate.ops.shapes import extent

Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Foreign:
    """A tensor of another library that depends on the images.

    Attributes:
        node: the value in striate's graph.
        view: how the tensor's axes lie in it.
    """

    node: Node
    view: AxisView

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        return self.view.shape


@dataclass(frozen=True)
class SlidingWindow:
    """The window of a convolution or pooling, along the tensor's own one or two axes.

    Attributes:
        size, stride, dilation: one number for each axis.
        before, after: the padding at the begin and the end of each axis.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    def room(self, axis: int, pixels: int) -> int:
        """By how many pixels the window can move along an axis; negative if it does not fit."""
        reach = extent(self.size[axis], self.dilation[axis])
        return pixels + self.before[axis] + self.after[axis] - reach

    def stored(self, letters: str) -> dict[str, Any]:
        """The arguments of a window layer, in striate's order of axes.

        Args:
            letters: what the axes of the tensor are, see `AxisView.image_letters`.
        """
        order = spatial(letters)

        def pair(values: Sequence[int], default: int) -> tuple[int, int]:
            placed = dict(zip(order, values, strict=True))
            return placed.get("H", default), placed.get("W", default)

        (top, left), (bottom, right) = pair(self.before, 0), pair(self.after, 0)
        return {
            "size": pair(self.size, 1),
            "stride": pair(self.stride, 1),
            "dilation": pair(self.dilation, 1),
            "padding": (top, bottom, left, right),
        }


def spatial(letters: str) -> str:
    """The letters of the axes that are height and width, in the tensor's order."""
    return "".join(letter for letter in letters if letter in "HW")


def layer_of(kind: str, **arguments: Any) -> Layer:
    """The layer of a class in `striate.layers.LAYERS`."""
    return LAYERS[kind](**arguments)


def as_float32(array: Array, who: str) -> Floats:
    """Weights of any real type as float32.

    Raises:
        StriateValueError: numbers that are not finite, or too large for float32.
    """
    with np.errstate(all="ignore"):
        weights = np.asarray(array).astype(np.float32)
    if not np.isfinite(weights).all():
        raise StriateValueError(
            f"{who}: holds numbers that are not finite as float32; a network with them computes "
            "nothing"
        )
    return weights


class GraphWriter:
    """Collects the nodes of a graph and their weights.

    Attributes:
        image: the input, once `image_input` or `vector_input` has made it.
    """

    def __init__(self) -> None:
        self.image: Foreign | None = None
        self._weights: dict[int, tuple[Arrays, Arrays]] = {}
        self._names: set[str] = set()

    # The input, and the network.

    def image_input(self, batch: int, shape: Sequence[int], letters: str) -> Foreign:
        """The input (height, width, channels) of the network, as a tensor with these axes."""
        view = AxisView.image(batch, shape, letters)
        self.image = Foreign(Input(tuple(shape)), view)
        return self.image

    def vector_input(self, batch: int, features: int) -> Foreign:
        """The input (features,) of the network."""
        self.image = Foreign(Input((features,)), AxisView.vector(batch, features))
        return self.image

    def network(self, output: Foreign) -> Network:
        """The network that ends in `output`, with its weights.

        Raises:
            StriateValueError: the output does not depend on the images; too many parameters.
        """
        network = Network(output=output.node, seed=None)
        placed = _placed(output.node)
        names: dict[int, str] = {}
        for node, vertex in zip(placed, network.nodes, strict=True):
            parameters, state = self._weights.get(node.serial, ({}, {}))
            name = names.setdefault(id(node.layer), vertex.name)  # shared by several places
            for arrays, into in ((parameters, network.parameters), (state, network.state)):
                for short, array in arrays.items():
                    into[f"{name}/{short}"][...] = array
        return network

    def add(
        self,
        layer: Layer,
        *nodes: Node,
        parameters: Arrays | None = None,
        state: Arrays | None = None,
    ) -> Node:
        """A node of the graph, with its weights as striate's layers have them."""
        node = layer(*nodes)
        shapes = [source.shape for source in nodes]
        wanted = {p.name: p.shape for p in (*layer.parameters(*shapes), *layer.state(*shapes))}
        given = {**(parameters or {}), **(state or {})}
        for short, array in given.items():
            if short not in wanted or array.shape != wanted[short]:
                raise StriateValueError(
                    f"{layer.who}: its {short} must be {wanted.get(short)}, and are {array.shape}"
                )
        if parameters or state:
            self._weights[node.serial] = (
                {k: as_float32(v, f"{layer.who}: {k}") for k, v in (parameters or {}).items()},
                {k: as_float32(v, f"{layer.who}: {k}") for k, v in (state or {}).items()},
            )
        return node

    def name(self, wanted: str | None) -> str | None:
        """A name for a layer that no other has, as near to the wanted one as can be."""
        if wanted is None:
            return None
        clean = "".join(c if c.isprintable() else "?" for c in wanted).replace("/", ".").strip(". ")
        clean = clean[: MOST_IN_NAME - 8]
        if not clean:
            return None
        name, count = clean, 1
        while name in self._names:
            count += 1
            name = f"{clean}_{count}"
        self._names.add(name)
        return name

    # Values as layers need them.

    def elementwise(self, value: Foreign, layer: Layer) -> Foreign:
        """A layer that computes each number from the one in its place, or drops some."""
        return Foreign(self.add(layer, value.node), value.view)

    def in_order(self, value: Foreign) -> Foreign:
        """With the channels stored in the tensor's order: perhaps a channel shuffle."""
        shuffle = value.view.shuffle()
        if shuffle is None:
            return value
        groups, view = shuffle
        return Foreign(self.add(layer_of("ChannelShuffle", groups=groups), value.node), view)

    def as_image(self, value: Foreign, channels: int = 1) -> tuple[Foreign, str]:
        """The value with its channels in order, and what its axes are, for layers with windows."""
        value = self.in_order(value)
        return value, value.view.image_letters(value.view.position(channels))

    def as_vector(self, value: Foreign) -> Foreign:
        """An image as the vector that Flatten makes of it."""
        if not value.view.is_image:
            return value
        node = value.node
        if node.layer is not None and node.layer.kind.startswith("global_"):
            pool = layer_of(type(node.layer).__name__)  # without keepdims there is nothing to do
            return Foreign(self.add(pool, *node.inputs), value.view.as_vector())
        return Foreign(self.add(layer_of("Flatten"), node), value.view.as_vector())

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
        if not value.view.is_image:
            return self._convolution_of_vector(value, filters, bias, window, groups, name)
        value, letters = self.as_image(value)
        pixels = value.shape[2:]
        layer = layer_of(
            "Conv2D",
            filters=filters.shape[0],
            **window.stored(letters),
            groups=groups,
            bias=bias is not None,
            uncovered=_uncovered(window, pixels),
            name=self.name(name),
        )
        parameters = {"filters": _hwio(filters, letters)}
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
        groups: int,
        name: str | None,
    ) -> Foreign:
        """One pixel, seen through the only tap that lies on it: a dense layer."""
        view = value.view
        moves = range(len(window.size))
        one = view.is_part(1, 0) and all(extent == 1 for extent in view.shape[2:])
        if not one or any(not 0 <= window.room(i, 1) < window.stride[i] for i in moves):
            raise ViewError("a vector is used as an image")
        if groups != 1:
            raise ViewError("a vector is convolved in groups")
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
        parameters = {"filters": _hwio(filters, letters)}
        if bias is not None:
            parameters["bias"] = bias
        node = self.add(layer, value.node, parameters=parameters)
        return Foreign(node, AxisView.image(value.view.batch, node.shape, letters))

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
        if not value.view.holds(axis, value.view.last):
            inside = {a for a in value.view.axes[axis] if a}
            if inside == set(range(1, len(value.view.extents))):
                value = self.as_vector(value)
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
        factors = None if scale is None else self._per_channel(value, scale)
        terms = None if shift is None else self._per_channel(value, shift)
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
        slopes = slope.reshape(1) if slope.size == 1 else self._per_channel(value, slope)
        layer = layer_of("PReLU", shared=slope.size == 1, name=self.name(name))
        return Foreign(self.add(layer, value.node, parameters={"slope": slopes}), value.view)

    def _per_channel(self, value: Foreign, constant: Array) -> Array:
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

    # Pooling.

    def pool(
        self,
        value: Foreign,
        kind: str,
        window: SlidingWindow,
        *,
        ceil: bool = False,
        count_padding: bool = False,
    ) -> Foreign:
        """Pooling of windows over the channels in axis 1.

        Args:
            value: an image (n, c, h, w) or signal (n, c, l).
            kind: "MaxPool2D", "AvgPool2D" or "SumPool2D".
            window: the window.
            ceil: keep a last window that starts inside and hangs over the end.
            count_padding: of AvgPool2D.
        """
        value, letters = self.as_image(value)
        arguments = window.stored(letters)
        if arguments["dilation"] == (1, 1):
            del arguments["dilation"]
        if count_padding:
            arguments["count_padding"] = True
        pixels = value.shape[2:]
        exact = _uncovered(window, pixels)
        layer = layer_of(
            kind, **arguments, uncovered="overhang" if ceil and exact == "drop" else exact
        )
        node = self.add(layer, value.node)
        return Foreign(node, AxisView.image(value.view.batch, node.shape, letters))

    def reduction(self, value: Foreign, kind: str, axes: Sequence[int], keep: bool) -> Foreign:
        """The mean, sum or maximum over the height, the width, or both.

        Args:
            value: the tensor.
            kind: "Avg", "Sum" or "Max".
            axes: over which it is taken.
            keep: whether they stay, with one element.
        """
        places = [value.view.position(axis) for axis in axes]
        covered = value.view.covered(places)
        view = value.view.reduced(places, keep)
        if not covered:
            return Foreign(value.node, view)
        if not value.view.is_image or CHANNELS in covered:
            raise ViewError("it is taken over the channels")
        if kind != "Sum" and all(
            part in covered or value.node.shape[part] == 1 for part in (HEIGHT, WIDTH)
        ):
            pool = layer_of(f"Global{kind}Pool2D", keepdims=True)
            return Foreign(self.add(pool, value.node), view)
        size = tuple(value.node.shape[part] if part in covered else 1 for part in (HEIGHT, WIDTH))
        return Foreign(self.add(layer_of(f"{kind}Pool2D", size=size), value.node), view)

    def lrn(self, value: Foreign, *, size: int, alpha: float, beta: float, bias: float) -> Foreign:
        """Local response normalisation over the channels in axis 1."""
        value = self.in_order(value)
        if not value.view.is_part(value.view.position(1), value.view.last):
            raise ViewError("axis 1 does not hold the channels")
        return self.elementwise(
            value, layer_of("LRN", size=size, alpha=alpha, beta=beta, bias=bias)
        )

    # Several values.

    def sum_of(self, values: Sequence[Foreign]) -> Foreign:
        """The sum of values of equal shapes."""
        alike = self._alike(values)
        if len(alike) == 1:
            return alike[0]
        node = self.add(layer_of("Add"), *(value.node for value in alike))
        return Foreign(node, alike[0].view)

    def product(self, one: Foreign, other: Foreign) -> Foreign:
        """The product of two values, one of which may be broadcast over pixels or channels."""
        for whole, factor in ((one, other), (other, one)):
            how = whole.view.broadcasts(factor.view)
            if how is None:
                whole, factor = self.in_order(whole), self.in_order(factor)
                how = whole.view.broadcasts(factor.view)
            if how is not None:
                node = self.add(layer_of("Multiply"), whole.node, factor.node)
                return Foreign(node, whole.view)
        raise ViewError(f"{list(one.shape)} is multiplied with {list(other.shape)}")

    def concatenated(self, values: Sequence[Foreign], axis: int) -> Foreign:
        """Values side by side along the channels (or features)."""
        values = [self.in_order(value) for value in values]
        if any(not value.view.is_image for value in values):
            values = [self.as_vector(value) for value in values]
        first = values[0].view
        axis = first.position(axis)
        for value in values:
            if not value.view.is_part(axis, value.view.last):
                raise ViewError("it joins tensors along another axis than the channels")
        if len({value.view.with_part(value.view.last, 2, axis) for value in values}) > 1:
            raise ViewError(
                "it joins tensors of different axes: "
                + ", ".join(str(list(value.shape)) for value in values[:4])
            )
        if len(values) == 1:
            return values[0]
        node = self.add(layer_of("Concat"), *(value.node for value in values))
        return Foreign(node, first.with_part(first.last, node.shape[-1], axis))

    def _alike(self, values: Sequence[Foreign]) -> list[Foreign]:
        """Values with equal views."""
        found = list(values)
        rank = max(len(value.shape) for value in found)
        found = [Foreign(v.node, v.view.padded_to(rank)) for v in found]
        if len({value.view for value in found}) > 1:
            found = [self.in_order(value) for value in found]
        if len({value.view for value in found}) > 1:
            shapes = ", ".join(str(list(value.shape)) for value in found[:4])
            raise ViewError(f"tensors of different shapes or orders of axes are added: {shapes}")
        return found

    # Parts of a value.

    def picked(self, value: Foreign, axis: int, indices: Sequence[int]) -> Foreign:
        """Some elements of an axis: a slice of channels, or an image with its border cut away."""
        axis = value.view.position(axis)
        if list(indices) == list(range(value.shape[axis])):
            return value
        if not indices:
            raise ViewError("nothing is left of an axis")
        part, places, view = value.view.picked(axis, indices)
        whole = value.node.shape[part]
        step = places[1] - places[0] if len(places) > 1 else 1
        if step < 1 or places != list(range(places[0], places[-1] + 1, step)):
            raise ViewError("the elements that it takes are not evenly spaced, in order")
        if part == view.last:
            layer = layer_of("ChannelSlice", start=places[0], stop=places[-1] + 1, step=step)
        elif step == 1:
            ends = (places[0], whole - 1 - places[-1])
            layer = layer_of("Crop2D", cropping=(*ends, 0, 0) if part == HEIGHT else (0, 0, *ends))
        elif places[0] < step and places[-1] + step >= whole:
            # Every step-th row or column: pooling windows of one pixel.
            stride = (step, 1) if part == HEIGHT else (1, step)
            start = self.picked(value, axis, range(indices[0], value.shape[axis]))
            pool = layer_of("MaxPool2D", size=1, stride=stride, uncovered="drop")
            return Foreign(self.add(pool, start.node), view)
        else:
            raise ViewError("it takes every few rows or columns of a part of the image")
        return Foreign(self.add(layer, value.node), view)

    def padded(self, value: Foreign, before: Sequence[int], after: Sequence[int]) -> Foreign:
        """Zeros around an image, or less of it where a number is negative.

        Args:
            value: the tensor.
            before, after: for each of its axes.
        """
        if not any((*before, *after)):
            return value
        if not value.view.is_image:
            raise ViewError("a vector is padded")
        sides = {HEIGHT: (0, 0), WIDTH: (0, 0)}
        places: dict[int, int] = {}
        free = [i for i, atoms in enumerate(value.view.axes) if not atoms]
        for axis, ends in enumerate(zip(before, after, strict=True)):
            if ends == (0, 0):
                continue
            part = next(
                (p for p in sides if value.view.atoms(p) and value.view.is_part(axis, p)), None
            )
            if part is None and axis in free:  # a side of one pixel
                part = next((p for p in sides if not value.view.atoms(p) and p not in places), None)
            if part is None:
                raise ViewError("another axis than the height and width is padded")
            places[part] = axis
            sides[part] = ends
        numbers = (*sides[HEIGHT], *sides[WIDTH])
        node = value.node
        if any(number < 0 for number in numbers):
            cut = tuple(max(-number, 0) for number in numbers)
            node = self.add(layer_of("Crop2D", cropping=cut), node)
        if any(number > 0 for number in numbers):
            more = tuple(max(number, 0) for number in numbers)
            node = self.add(layer_of("ZeroPad2D", padding=more), node)
        view = value.view
        for part, axis in places.items():
            view = view.with_part(part, node.shape[part], axis)
        return Foreign(node, view)


def _placed(output: Node) -> list[Node]:
    """The nodes with a layer that lead to `output`, in the order of a network's vertices."""
    found: dict[int, Node] = {}
    waiting: list[Node] = [output]
    while waiting:
        node = waiting.pop()
        if node.serial not in found:
            found[node.serial] = node
            waiting.extend(node.inputs)
    return [found[serial] for serial in sorted(found) if found[serial].layer is not None]


def _is_signal(view: AxisView) -> bool:
    """Whether all axes but the channels have one element, and there are several of them."""
    return len(view.axes) > 2 and math.prod(view.stored_shape) == view.stored_shape[-1]


def _flat(taps: Sequence[int], size: Sequence[int]) -> int:
    """The number of a tap, row by row."""
    return int(np.ravel_multi_index(tuple(taps), tuple(size)))


def _hwio(filters: Array, letters: str) -> Array:
    """Filters (out, in, *window) as (height, width, in, out), `letters` being the image's axes."""
    order = spatial(letters)
    if len(order) == 1:
        filters = filters[:, :, None] if order == "W" else filters[..., None]
        order = "HW"
    axes = [2 + order.index("H"), 2 + order.index("W"), 1, 0]
    return filters.transpose(axes)


def _uncovered(window: SlidingWindow, pixels: Iterable[int]) -> str:
    """ "error" where the windows read every pixel, else "drop"."""
    rooms = [window.room(axis, count) for axis, count in enumerate(pixels)]
    fits = all(room % step == 0 for room, step in zip(rooms, window.stride, strict=True))
    return "error" if fits else "drop"
