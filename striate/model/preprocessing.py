"""The preprocessing of raw pixels, which every model file contains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.arguments import real_number, whole_number
from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, Floats
from striate.common.errors import StriateTypeError, StriateValueError

COLOURS = ("gray", "rgb")
MOST_TIMES = 4
"""How many times higher and wider an image may become of which the centre is cut out."""


def colour_of(channels: int) -> str | None:
    """What images of so many channels are: "gray", "rgb", or None for neither."""
    return {1: "gray", 3: "rgb"}.get(channels)


@dataclass(frozen=True)
class Preprocessing:
    """From raw images to a network's input: ``(raw - mean) / std``, per channel.

    Attributes:
        mean, std: one number per channel in raw pixel units, or () to leave pixels as they are.
        resize: {"height", "width", "mode"} for images read from files, or None; see
            `striate.data.Dataset` for these and more entries.
        colour: "gray" or "rgb" for images read from files, or None to keep the file's own.
    """

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    resize: dict[str, Any] | None = None
    colour: str | None = None

    def __post_init__(self) -> None:
        who = "Preprocessing"
        for what in ("mean", "std"):
            values = getattr(self, what)
            if isinstance(values, str) or not hasattr(values, "__iter__"):
                raise StriateTypeError(f"{who}: {what} must be a tuple of numbers, got {values!r}")
            numbers = tuple(real_number(value, what, who) for value in values)
            object.__setattr__(self, what, numbers)
        if len(self.mean) != len(self.std):
            raise StriateValueError(
                f"{who}: mean has {len(self.mean)} numbers and std {len(self.std)}; "
                "give one of each per channel"
            )
        if any(std <= 0 for std in self.std):
            raise StriateValueError(f"{who}: std must be positive, got {self.std}")
        if self.colour is not None and self.colour not in COLOURS:
            raise StriateValueError(
                f'{who}: colour must be "gray", "rgb" or None, got {self.colour!r}'
            )
        if self.resize is not None:
            if not isinstance(self.resize, Mapping) or not {"height", "width"} <= set(self.resize):
                raise StriateValueError(
                    f'{who}: resize must be {{"height", "width", "mode"}} or None, '
                    f"got {self.resize!r}"
                )
            for side in ("height", "width"):
                whole_number(self.resize[side], f"resize {side}", who)
            if not isinstance(self.resize.get("mode", ""), str):
                raise StriateTypeError(
                    f"{who}: resize mode must be text, got {self.resize['mode']!r}"
                )
            self._check_cut(self.resize)
            object.__setattr__(self, "resize", dict(self.resize))

    @staticmethod
    def _check_cut(resize: Mapping[str, Any]) -> None:
        """The centre of a larger image must be a part of it, and not a tiny one."""
        if resize.get("cut_from") is None:
            return
        who, given = "Preprocessing", resize["cut_from"]
        if not isinstance(given, list | tuple) or len(given) != 2:
            raise StriateTypeError(f"{who}: resize cut_from must be (height, width), got {given!r}")
        for side, whole in zip(("height", "width"), given, strict=True):
            cut = resize[side]
            if not cut <= whole_number(whole, f"cut_from {side}", who) <= MOST_TIMES * cut:
                raise StriateValueError(
                    f"{who}: resize cut_from has a {side} of {whole}, and a {side} of {cut} is cut "
                    f"from it: give {cut} to {MOST_TIMES * cut}"
                )

    @property
    def is_identity(self) -> bool:
        """Whether pixel values reach the network unchanged."""
        return not self.mean

    @unwatched
    def apply(self, images: Array) -> Floats:
        """The network's input, float32, for raw images (n, height, width, channels), any dtype."""
        inputs = np.asarray(images, dtype=np.float32)
        if self.is_identity:
            return inputs
        if inputs.shape[-1] != len(self.mean):
            raise StriateValueError(
                f"the preprocessing has {len(self.mean)} channels, the images "
                f"{inputs.shape[-1]} (shape {inputs.shape})"
            )
        centred = inputs - np.asarray(self.mean, dtype=np.float32)
        centred /= np.asarray(self.std, dtype=np.float32)
        return centred

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description; `from_dict` reads it back."""
        return {
            "mean": list(self.mean),
            "std": list(self.std),
            "resize": self.resize,
            "colour": self.colour,
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> Preprocessing:
        """Read `to_dict`'s description; anything else is a ValueError or TypeError."""
        if not isinstance(description, Mapping):
            raise StriateTypeError(f"Preprocessing: expected a mapping, got {description!r}")
        unknown = set(description) - {"mean", "std", "resize", "colour"}
        if unknown:
            raise StriateValueError(f"Preprocessing: unknown entries {sorted(map(str, unknown))}")
        return cls(**description)
