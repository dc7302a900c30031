"""How photographs become the images of a network that was imported: size, colour, scale, classes.

A file of another library says little of that, so a person may; what nobody says is as
`striate train` does it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from striate.common.arguments import real_number, whole_number
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.input_files import read_text
from striate.common.text import choices, listed, quoted, sizes
from striate.data.dataset import MODES
from striate.importing.onnx_metadata import class_names
from striate.layers import Conv2D
from striate.model.preprocessing import MOST_TIMES, Preprocessing, colour_of
from striate.network import Network

COLOURS = ("gray", "rgb", "bgr")
Numbers: TypeAlias = float | Sequence[float]


@dataclass(frozen=True)
class ImagePreparation:
    """What a person says of the images of a network; None and () where nothing is said.

    Attributes:
        size: the side, or (height, width), to which images are resized before the network's size is
            cut out of their centre. One number is the shorter side.
        fit: how images of another aspect become that size: "crop", "pad" or "stretch".
        colour: "gray", "rgb", or "bgr" if the network reads blue first.
        mean, deviation: of raw pixels, 0…255, one number or one for each channel: the network reads
            (pixel - mean) / deviation.
        classes: the class names in the order of the outputs, or a file with them.
    """

    size: int | tuple[int, int] | None = None
    fit: str | None = None
    colour: str | None = None
    mean: Numbers | None = None
    deviation: Numbers | None = None
    classes: Sequence[str] | str | os.PathLike[str] | None = None


def prepare(network: Network, wanted: ImagePreparation, *, usual: bool) -> list[str]:
    """Give a network the preprocessing and class names that are wanted.

    Args:
        network: changed in place.
        wanted: what a person says.
        usual: whether what neither a person nor the file says is filled in as usual.

    Returns:
        What was done, for people.

    Raises:
        ValueError, TypeError: something does not fit the network; its weights are as they were.
    """
    known, notes = network.preprocessing, list[str]()
    resize = _resize(network, wanted, usual)
    colour = _colour(network, wanted, usual)
    scaled = _scaled(network, wanted)
    names = _classes(network, wanted)
    if wanted.colour == "bgr":
        scaled = _blue_last(network, scaled)
        notes.append("its first filters were exchanged, so that it reads red, green, blue")
    if resize is not None:
        kept = {**(known.resize or {}), **resize}
        resize = {name: value for name, value in kept.items() if value is not None}
    network.preprocessing = replace(
        scaled, resize=resize or known.resize, colour=colour or known.colour
    )
    if names is not None:
        network.classes = names
        notes.append(f"{len(names):,} class names were given")
    if network.preprocessing.resize is not None and len(network.input_shape) == 3:
        notes.append(_told(network.preprocessing))
    return notes


def _images(network: Network, what: str) -> tuple[int, int, int]:
    if len(network.input_shape) != 3:
        raise StriateValueError(
            f"{what} is said of images, and the network reads {sizes(network.input_shape)} "
            "features; leave it out"
        )
    height, width, channels = network.input_shape
    return height, width, channels


def _resize(network: Network, wanted: ImagePreparation, usual: bool) -> dict[str, Any] | None:
    """The entries of `Preprocessing.resize`; None to leave it as it is."""
    asked = wanted.size is not None or wanted.fit is not None
    if not asked:
        photographs = len(network.input_shape) == 3 and network.input_shape[2] in (1, 3)
        if not (usual and photographs) or network.preprocessing.resize is not None:
            return None
    height, width, _ = _images(network, "size")
    mode = wanted.fit or (network.preprocessing.resize or {}).get("mode", "crop")
    if mode not in MODES:
        raise StriateValueError(
            f"fit must be {choices([quoted(known) for known in MODES])}, got {wanted.fit!r}"
        )
    found: dict[str, Any] = {"height": height, "width": width, "mode": mode}
    if wanted.size is None:
        return found
    if isinstance(wanted.size, tuple | list):
        if len(wanted.size) != 2:
            raise StriateValueError(f"size must be a side or (height, width), got {wanted.size!r}")
        whole = [whole_number(side, "size", "import") for side in wanted.size]
    else:
        side = whole_number(wanted.size, "size", "import")
        whole = [round(side * own / min(height, width)) for own in (height, width)]
    if whole[0] < height or whole[1] < width:
        raise StriateValueError(
            f"size: the network reads images {height}×{width}, which cannot be cut out of "
            f"{whole[0]}×{whole[1]}; give that or a larger size"
        )
    if whole[0] > MOST_TIMES * height or whole[1] > MOST_TIMES * width:
        raise StriateValueError(
            f"size: the network reads images {height}×{width}, of {whole[0]}×{whole[1]} a tiny "
            f"part; give at most {MOST_TIMES} times the network's size"
        )
    return {**found, "cut_from": None if whole == [height, width] else whole}


def _colour(network: Network, wanted: ImagePreparation, usual: bool) -> str | None:
    channels = network.input_shape[-1]
    if wanted.colour is None:
        photographs = usual and len(network.input_shape) == 3
        return colour_of(channels) if photographs else None
    if wanted.colour not in COLOURS:
        raise StriateValueError(
            f"colour must be {choices([quoted(known) for known in COLOURS])}, got {wanted.colour!r}"
        )
    _images(network, "colour")
    if channels != (1 if wanted.colour == "gray" else 3):
        raise StriateValueError(
            f'colour: the network reads images of {channels} channels, which are not "'
            f'{wanted.colour}"'
        )
    return "rgb" if wanted.colour == "bgr" else wanted.colour


def _scaled(network: Network, wanted: ImagePreparation) -> Preprocessing:
    """The wanted mean and deviation, and then those that the file has itself."""
    known = network.preprocessing
    if wanted.mean is None and wanted.deviation is None:
        return known
    channels = network.input_shape[-1]
    mean = _numbers(wanted.mean, "mean", 0.0, channels)
    deviation = _numbers(wanted.deviation, "deviation", 1.0, channels)
    if (deviation <= 0).any():
        raise StriateValueError("deviation must be positive: pixels are divided by it")
    if not known.is_identity:
        mean, deviation = mean + deviation * known.mean, deviation * known.std
    return Preprocessing(tuple(map(float, mean)), tuple(map(float, deviation)))


def _numbers(given: Numbers | None, what: str, usual: float, channels: int) -> Any:
    values = [usual if given is None else given] if np.ndim(given or 0.0) == 0 else given
    numbers = [real_number(value, what, "import") for value in values]  # type: ignore[union-attr]
    if len(numbers) not in (1, channels):
        raise StriateValueError(
            f"{what} has {len(numbers)} numbers, and the network reads {channels} channels: give "
            "one for each, or one for all"
        )
    return np.resize(np.asarray(numbers, np.float64), channels)


def _blue_last(network: Network, known: Preprocessing) -> Preprocessing:
    """Let a network that reads blue, green, red read red, green, blue; its normalisation then."""
    readers = [i for i, node in enumerate(network.nodes) if -1 in node.inputs]
    for index in readers:
        layer = network.nodes[index].layer
        if not isinstance(layer, Conv2D) or layer.groups != 1 or network.owner(index) != index:
            raise StriateValueError(
                f"colour: {layer.who} reads the image, and only the filters of a convolution can "
                'be exchanged to read "rgb"; give the images in the order of the network'
            )
    for index in readers:
        filters = network.parameters_of(index)["filters"]
        filters[...] = filters[:, :, ::-1].copy()
    return Preprocessing(known.mean[::-1], known.std[::-1])


def _classes(network: Network, wanted: ImagePreparation) -> list[str] | None:
    given = wanted.classes
    if given is None:
        return None
    if isinstance(given, str | os.PathLike):
        path = os.fspath(given)
        names = class_names(read_text(path, "file of class names"), distinct=False)
        who = f"{path}: "
        if names is None:
            raise StriateValueError(
                f"{path}: has no class names: put one into each line, or a list in JSON"
            )
    else:
        names, who = list(given), ""
        if not all(isinstance(name, str) and name for name in names):
            raise StriateTypeError(f"classes must be texts or a file, got {given!r:.80}")
    if network.output_shape != (len(names),):
        raise StriateValueError(
            f"{who}classes: {len(names):,} names were given, and the network's output is "
            f"{sizes(network.output_shape)}; give one for each output"
        )
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise StriateValueError(
            f"{who}classes: {listed([quoted(name) for name in twice], 5)} name several classes; "
            "give each its own name"
        )
    return names


def _told(known: Preprocessing) -> str:
    """How a photograph becomes an image of the network."""
    resize = known.resize or {}
    cut = (resize["height"], resize["width"])
    whole = tuple(resize.get("cut_from") or cut)
    mode = resize.get("mode", "crop")
    how = {
        "crop": "scaled to cover {}",
        "pad": "scaled to fit into {}, with black around it",
        "stretch": "stretched to {}",
    }[mode].format(sizes(whole))
    steps = [how]
    if mode == "crop" or whole != cut:
        steps.append(
            f"the centre {sizes(cut)} is cut out" if whole != cut else "the centre is cut out"
        )
    steps += [{"gray": "gray", "rgb": "RGB"}[known.colour]] if known.colour else []
    if known.is_identity:
        steps.append("pixels of 0…255 enter as they are")
    return f"photographs: {', '.join(steps)}"
