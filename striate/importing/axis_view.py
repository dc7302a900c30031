"""How the axes of a foreign tensor lie in a value of striate: layout, solved once.

A value of striate is an image, stored (height, width, channels), or a vector (features,). Another
library sees it as a tensor with axes of its own, such as (images, channels, height, width). An
`AxisView` says which numbers of the one are which of the other: each axis of either is a row of
*atoms*, the pieces into which no operation so far has divided them any further. Transposing
permutes the axes of the tensor, reshaping merges or divides them; neither moves a number, so
neither is a layer. Only an operation that needs a value asks where the atoms lie.

    NCHW                        axes (n), (c), (h), (w)     stored (h), (w), (c)
    flattened                   axes (n), (c, h, w)         stored (h), (w), (c)
    channels in groups          axes (n), (g), (k), (h), (w)    stored (h), (w), (g, k)
    and shuffled                axes (n), (k, g), (h), (w)  stored (h), (w), (g, k)

Atoms of one element are left out, but for the batch, so that (n, c, 1, 1) and (n, c) differ by
empty axes only. Atoms that lie side by side in both are merged, so that equal views compare equal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from striate.common.arrays import Array
from striate.importing.atoms import Atoms, Label, ViewError, canonical, divided

HEIGHT, WIDTH, CHANNELS = 0, 1, 2
"""The parts of an image, as it is stored; a vector has the one part 0."""
LETTERS = "HWC"

__all__ = ["CHANNELS", "HEIGHT", "LETTERS", "WIDTH", "AxisView", "ViewError"]


@dataclass(frozen=True)
class AxisView:
    """A foreign tensor as a view of an image or vector; see the head of this module.

    Attributes:
        extents: of the atoms: first that of the batch, then in the order in which they are stored.
        parts: how many atoms each stored axis has: three for an image, one for a vector.
        axes: the atoms of each axis of the tensor, by their numbers; 0 is the batch.
    """

    extents: tuple[int, ...]
    parts: tuple[int, ...]
    axes: tuple[Atoms, ...]

    # Making.

    @staticmethod
    def image(batch: int, shape: Sequence[int], letters: str) -> AxisView:
        """The view of images (height, width, channels).

        Args:
            batch: the number of images.
            shape: height, width and channels.
            letters: what each axis of the tensor is: "NCHW", "NHWC", "NCW" of a signal; "1" is an
                axis of one element that is nothing.
        """
        extents = {"N": batch, **dict(zip(LETTERS, shape, strict=True))}
        axes = [[] if letter == "1" else [letter] for letter in letters]
        missing = [x for x in LETTERS if x not in letters and extents[x] != 1]
        if missing or "N" not in letters:
            raise ViewError(f"an image of {tuple(shape)} has no axes {letters}")
        return _made("N", [["H"], ["W"], ["C"]], axes, extents)

    @staticmethod
    def vector(batch: int, features: int) -> AxisView:
        """The view (batch, features) of vectors."""
        return _made("N", [["F"]], [["N"], ["F"]], {"N": batch, "F": features})

    # What it is.

    @property
    def batch(self) -> int:
        """The number of images."""
        return self.extents[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        return tuple(self._size(axis) for axis in self.axes)

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Of the value: (height, width, channels) or (features,)."""
        return tuple(self._size(self.atoms(part)) for part in range(len(self.parts)))

    @property
    def is_image(self) -> bool:
        """Whether the value is an image, not a vector."""
        return len(self.parts) == 3

    @property
    def last(self) -> int:
        """The part with the channels of an image, or the features of a vector."""
        return len(self.parts) - 1

    def atoms(self, part: int) -> Atoms:
        """The atoms of a stored axis, in order."""
        first = 1 + sum(self.parts[:part])
        return tuple(range(first, first + self.parts[part]))

    def is_part(self, axis: int, part: int) -> bool:
        """Whether an axis is a stored axis: all of it, in its order."""
        return self.axes[axis] == self.atoms(part)

    def holds(self, axis: int, part: int) -> bool:
        """Whether an axis is a stored axis: all of it, in any order."""
        return sorted(self.axes[axis]) == list(self.atoms(part))

    def position(self, axis: int) -> int:
        """An axis that may be counted from the end, as 0…rank-1.

        Raises:
            ViewError: there is no such axis.
        """
        rank = len(self.axes)
        if not -rank <= axis < rank:
            raise ViewError(f"axis {axis} is none of the {rank} axes")
        return axis % rank

    def image_letters(self, channels: int = 1) -> str:
        """What each axis is: "NCHW", or "NCWH", "NHWC", "NCW", …

        Args:
            channels: the axis that an operation takes for the channels.

        Raises:
            ViewError: the axes are not those of an image, or the channels lie elsewhere.
        """
        if not self.is_image:
            raise ViewError("a vector is used as an image")
        if not 3 <= len(self.axes) <= 4:
            raise ViewError(f"an image is used as a tensor of {len(self.axes)} axes")
        if self.axes[0] != (0,):
            raise ViewError("its first axis is not that of the images")
        if not self.is_part(channels, CHANNELS):
            raise ViewError(
                "the channels are in another order than they are stored"
                if self.holds(channels, CHANNELS)
                else f"axis {channels} does not hold the channels"
            )
        letters = [""] * len(self.axes)
        letters[0], letters[channels] = "N", "C"
        free = [axis for axis, letter in enumerate(letters) if not letter]
        for part in (HEIGHT, WIDTH):
            if atoms := self.atoms(part):
                place = next((axis for axis in free if self.axes[axis] == atoms), None)
                if place is None:
                    raise ViewError(f"the image's {('height', 'width')[part]} is no axis of it")
                letters[place] = LETTERS[part]
        rest = [letter for letter in "HW" if letter not in letters]
        if len(free) == 1 and len(rest) == 2:
            rest = ["W"]  # a signal of one sample
        for axis in free:
            if not letters[axis]:
                letters[axis] = rest.pop(0)
        return "".join(letters)

    # Moving axes.

    def transposed(self, order: Sequence[int]) -> AxisView:
        """With the axes in another order: axis i of the result is axis `order[i]` of this."""
        if sorted(order) != list(range(len(self.axes))):
            raise ViewError(f"{list(order)} is no order of {len(self.axes)} axes")
        return self._with_axes([self.axes[axis] for axis in order])

    def reshaped(self, shape: Sequence[int]) -> AxisView:
        """With the axes merged and divided into axes of these extents.

        Raises:
            ViewError: the numbers do not fit, or images would be mixed with each other.
        """
        if math.prod(shape) != math.prod(self.shape):
            raise ViewError(f"{list(self.shape)} cannot be reshaped to {list(shape)}")
        extents: dict[Label, int] = dict(enumerate(self.extents))
        # Atoms still to be placed, the next one last, and what divided ones have become.
        waiting: list[Label] = [atom for axis in self.axes for atom in axis][::-1]
        pieces: dict[Label, list[Label]] = {}
        axes: list[list[Label]] = []
        for number, target in enumerate(shape):
            axis: list[Label] = []
            if target == 1 and waiting and waiting[-1] == 0 and self.batch == 1:
                axis.append(waiting.pop())
            need = target
            while need > 1:
                atom = waiting.pop()
                extent = extents[atom]
                if need % extent == 0:
                    axis.append(atom)
                    need //= extent
                elif extent % need == 0 and atom != 0:
                    first, rest = (atom, number, 0), (atom, number, 1)
                    extents[first], extents[rest] = need, extent // need
                    pieces[atom] = [first, rest]
                    axis.append(first)
                    waiting.append(rest)
                    need = 1
                else:
                    raise ViewError(
                        f"{list(self.shape)} reshaped to {list(shape)} divides no axis evenly, or "
                        "mixes the images of a batch"
                    )
            axes.append(axis)
        if waiting and axes:  # the batch of one image
            axes[-1] += waiting
        stored = [divided(self.atoms(part), pieces) for part in range(len(self.parts))]
        return _made(0, stored, axes, extents)

    def squeezed(self, axes: Iterable[int]) -> AxisView:
        """Without axes of one element.

        Raises:
            ViewError: an axis has more, or is that of the images.
        """
        dropped = {self.position(axis) for axis in axes}
        for axis in dropped:
            if self.axes[axis]:
                raise ViewError(f"axis {axis} of {list(self.shape)} cannot be squeezed")
        return self._with_axes([a for i, a in enumerate(self.axes) if i not in dropped])

    def unsqueezed(self, axes: Iterable[int]) -> AxisView:
        """With new axes of one element, at these places of the result."""
        given = list(axes)
        rank = len(self.axes) + len(given)
        places = {axis % rank for axis in given if -rank <= axis < rank}
        if len(places) != len(given):
            raise ViewError(f"{given} are no places of new axes among {rank}")
        rest = iter(self.axes)
        return self._with_axes([() if i in places else next(rest) for i in range(rank)])

    def padded_to(self, rank: int) -> AxisView:
        """With axes of one element before its own, up to `rank`: how tensors are broadcast."""
        return self._with_axes([()] * (rank - len(self.axes)) + list(self.axes))

    # Parts replaced by others.

    def with_part(self, part: int, extent: int, axis: int) -> AxisView:
        """With another stored axis, which is all of an axis of the tensor.

        Args:
            part: which stored axis is replaced.
            extent: how many numbers it has then.
            axis: where it lies in the tensor.
        """
        gone = set(self.atoms(part))
        axes: list[list[Label]] = [[a for a in atoms if a not in gone] for atoms in self.axes]
        axes[axis] = ["new"]
        stored: list[list[Label]] = [list(self.atoms(p)) for p in range(len(self.parts))]
        stored[part] = ["new"]
        extents: dict[Label, int] = {**dict(enumerate(self.extents)), "new": extent}
        return _made(0, stored, axes, extents)

    def as_vector(self) -> AxisView:
        """Of the vector that Flatten makes of an image, with all axes where they are."""
        return _made(
            0,
            [list(range(1, len(self.extents)))],
            [list(axis) for axis in self.axes],
            dict(enumerate(self.extents)),
        )

    def contracted(self, axis: int, features: int) -> AxisView:
        """Of the vector that a dense layer makes of all numbers, its features in `axis`."""
        axes: list[list[Label]] = [[0] if 0 in atoms else [] for atoms in self.axes]
        axes[axis] = ["new"]
        return _made(0, [["new"]], axes, {0: self.batch, "new": features})

    def covered(self, axes: Iterable[int]) -> frozenset[int]:
        """The stored axes that these axes consist of.

        Raises:
            ViewError: they hold the images of the batch, or only a piece of a stored axis.
        """
        atoms = {atom for axis in axes for atom in self.axes[axis]}
        found = set()
        for part in range(len(self.parts)):
            own = set(self.atoms(part))
            if own and own <= atoms:
                found.add(part)
                atoms -= own
        if atoms:
            raise ViewError(
                "it is taken over the images of a batch"
                if 0 in atoms
                else "it is taken over a piece of the height, width or channels"
            )
        return frozenset(found)

    def reduced(self, axes: Iterable[int], keep: bool) -> AxisView:
        """With these axes reduced to one element, or left out: see `covered`."""
        chosen = set(axes)
        gone = {atom for axis in chosen for atom in self.axes[axis]}
        stored: list[list[Label]] = [
            [a for a in self.atoms(p) if a not in gone] for p in range(len(self.parts))
        ]
        rest: list[list[Label]] = [
            [] if i in chosen else list(atoms)
            for i, atoms in enumerate(self.axes)
            if keep or i not in chosen
        ]
        return _made(0, stored, rest, dict(enumerate(self.extents)))

    def picked(self, axis: int, indices: Sequence[int]) -> tuple[int, list[int], AxisView]:
        """Some elements of an axis: the stored axis, which of its numbers stay, and the view.

        Raises:
            ViewError: the axis is no stored axis, nor one piece of one.
        """
        atoms = self.axes[axis]
        part = next((p for p in range(len(self.parts)) if set(atoms) <= set(self.atoms(p))), None)
        if part is None or not atoms:
            raise ViewError("it takes some of the images, or cuts across height, width or channels")
        own = self.atoms(part)
        places = np.arange(self._size(own))
        if atoms == own:
            view = self.with_part(part, len(indices), axis)
            return part, places[list(indices)].tolist(), view
        if len(atoms) > 1:
            raise ViewError("it cuts channels that are in another order than they are stored")
        whole = places.reshape([self.extents[atom] for atom in own])
        kept = whole.take(list(indices), axis=own.index(atoms[0]))
        extents: dict[Label, int] = dict(enumerate(self.extents))
        extents[atoms[0]] = len(indices)
        stored: list[list[Label]] = [list(self.atoms(p)) for p in range(len(self.parts))]
        return part, kept.ravel().tolist(), _made(0, stored, [list(a) for a in self.axes], extents)

    # Orders of channels.

    def shuffle(self) -> tuple[int, AxisView] | None:
        """The groups of the channel shuffle that stores the channels as the tensor has them.

        Returns:
            The groups, and the view of what the shuffle makes; None if nothing need be done.

        Raises:
            ViewError: no channel shuffle does that.
        """
        own = self.atoms(self.last)
        seen = [atom for axis in self.axes for atom in axis if atom in own]
        if seen == list(own):
            return None
        turn = seen.index(own[0])
        if seen[turn:] + seen[:turn] != list(own):
            raise ViewError("the channels are in an order that no channel shuffle makes")
        stored: list[list[Label]] = [list(self.atoms(p)) for p in range(len(self.parts))]
        stored[self.last] = list(seen)
        view = _made(0, stored, [list(a) for a in self.axes], dict(enumerate(self.extents)))
        return self._size(tuple(seen[turn:])), view

    def index(self, axis: int) -> list[int]:
        """For the numbers of an axis in the order in which they are stored: their places in it.

        ``weights[view.index(axis)]`` are the rows of a matrix in the order of the stored numbers.
        """
        atoms = self.axes[axis]
        places = np.arange(self._size(atoms)).reshape([self.extents[atom] for atom in atoms])
        flat: list[int] = places.transpose(np.argsort(atoms)).ravel().tolist()
        return flat

    def broadcasts(self, other: AxisView) -> str | None:
        """How `other` is broadcast to this view, axis by axis.

        Returns:
            "same"; "channels" if it has a number per channel only, "pixels" if a number per pixel;
            None if it is none of these.
        """
        if len(other.axes) > len(self.axes):
            return None
        other = other.padded_to(len(self.axes))
        if other == self:
            return "same"
        lonely = all(not other.atoms(part) for part in range(other.last))
        if lonely and other._is_within(self, {other.last: self.last}):
            return "channels"
        images = self.is_image and other.is_image and not other.atoms(CHANNELS)
        if images and other._is_within(self, {HEIGHT: HEIGHT, WIDTH: WIDTH}):
            return "pixels"
        return None

    def _is_within(self, whole: AxisView, parts: Mapping[int, int]) -> bool:
        """Whether each axis has the atoms that the corresponding parts have in `whole`."""
        here = [atom for part in parts for atom in self.atoms(part)]
        there = [atom for part in parts.values() for atom in whole.atoms(part)]
        if [self.extents[a] for a in here] != [whole.extents[a] for a in there]:
            return False
        number = dict(zip(here, there, strict=True)) | {0: 0}
        return self.batch == whole.batch and all(
            tuple(number[a] for a in mine) == tuple(a for a in theirs if a == 0 or a in there)
            for mine, theirs in zip(self.axes, whole.axes, strict=True)
        )

    # Arrays.

    def aligned(self, array: Array) -> Array:
        """A constant that is broadcast to the tensor, as it is broadcast to the stored value.

        Args:
            array: of at most as many axes as the tensor, each of one element or as many as it.

        Returns:
            An array of one axis for each stored one, each of one element or as many as that.

        Raises:
            ViewError: it is not broadcast to the tensor, or differs from image to image.
        """
        shape = (1,) * (len(self.axes) - array.ndim) + array.shape
        if len(shape) > len(self.axes) or any(
            mine not in (1, whole) for mine, whole in zip(shape, self.shape, strict=True)
        ):
            raise ViewError(
                f"a constant of {list(array.shape)} is not broadcast to {list(self.shape)}"
            )
        dims: list[int] = []
        order: list[int] = []
        for extent, whole, atoms in zip(shape, self.shape, self.axes, strict=True):
            order += atoms
            dims += [1 if extent == 1 != whole else self.extents[atom] for atom in atoms]
        spread = array.reshape(dims).transpose(np.argsort(order))
        if len(spread) > 1 and (spread[1:] != spread[:1]).any():
            raise ViewError("a constant differs from image to image")
        spread = spread[0]
        for part in range(len(self.parts)):
            count = self.parts[part]
            own = spread.shape[part : part + count]
            if math.prod(own) > 1:
                full = tuple(self.extents[atom] for atom in self.atoms(part))
                target = spread.shape[:part] + full + spread.shape[part + count :]
                spread = np.broadcast_to(spread, target)
            merged = math.prod(spread.shape[part : part + count])
            spread = spread.reshape(*spread.shape[:part], merged, *spread.shape[part + count :])
        return spread

    def to_stored(self, tensor: Array) -> Array:
        """The value (images, height, width, channels) or (images, features) of a tensor."""
        order = [atom for axis in self.axes for atom in axis]
        spread = tensor.reshape([self.extents[atom] for atom in order]).transpose(np.argsort(order))
        return spread.reshape(self.batch, *self.stored_shape)

    def from_stored(self, value: Array) -> Array:
        """The tensor of a value; the opposite of `to_stored`."""
        order = [atom for axis in self.axes for atom in axis]
        return value.reshape(self.extents).transpose(order).reshape(self.shape)

    def _size(self, atoms: Atoms) -> int:
        return math.prod(self.extents[atom] for atom in atoms)

    def _with_axes(self, axes: Iterable[Atoms]) -> AxisView:
        return _made(
            0,
            [list(self.atoms(part)) for part in range(len(self.parts))],
            [list(axis) for axis in axes],
            dict(enumerate(self.extents)),
        )


def _made(
    batch: Label,
    stored: Sequence[Sequence[Label]],
    axes: Sequence[Sequence[Label]],
    extents: Mapping[Label, int],
) -> AxisView:
    """The view of atoms with any labels."""
    return AxisView(*canonical(batch, stored, axes, extents))
