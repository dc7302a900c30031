"""Writes the graph of a network with the weights of another library's, layer by layer.

What is read is a tensor of the other library: a `Foreign` value, which is a node of striate's graph
and how the tensor's axes lie in it (`striate.importing.axis_view`). The methods take the numbers as
PyTorch and ONNX have them: filters (out, in / groups, height, width), pads (top, left, bottom,
right) along the tensor's own axes. Nodes and weights are collected; `GraphWriter.network` makes the
network at the end, of those that lead to its output.
"""

from __future__ import annotations

from collections.abc import Sequence

from striate.importing.axis_view import CHANNELS, HEIGHT, WIDTH, AxisView, ViewError
from striate.importing.node_collector import Foreign, layer_of
from striate.importing.sliding_window import SlidingWindow, uncovered_pixels
from striate.importing.weight_writer import WeightWriter

__all__ = ["Foreign", "GraphWriter", "SlidingWindow"]


class GraphWriter(WeightWriter):
    """Writes all layers: see the head of this module."""

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
        pixels = value.shape[2:]
        window = window.without_overhang(pixels) if ceil else window
        if kind != "SumPool2D" and window.covers(pixels):
            return self.reduction(value, kind[:3], range(2, len(value.shape)), True)
        arguments = window.stored(letters)
        if arguments["dilation"] == (1, 1):
            del arguments["dilation"]
        if count_padding:
            arguments["count_padding"] = True
        exact = uncovered_pixels(window, pixels)
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
            # A vector, whether its axes of one element stay or not: what follows is dense.
            node = self.add(layer_of(f"Global{kind}Pool2D"), value.node)
            return Foreign(node, view.as_vector())
        size = tuple(value.node.shape[part] if part in covered else 1 for part in (HEIGHT, WIDTH))
        return Foreign(self.add(layer_of(f"{kind}Pool2D", size=size), value.node), view)

    def lrn(self, value: Foreign, *, size: int, alpha: float, beta: float, bias: float) -> Foreign:
        """Local response normalisation over the channels in axis 1."""
        value = self.in_order(self.features_in(value, value.view.position(1)))
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
        values = [self.features_in(value, value.view.position(axis)) for value in values]
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
        if any(not value.view.is_image for value in found):
            found = [self.as_vector(value) for value in found]
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
        value = self.features_in(value, axis)
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
