"""Reads network files: networks written down as a list of layers in TOML or JSON.

The short form, here in TOML:

    input_shape = [28, 28, 1]  # may be left out: then the data decide

    [[layers]]
    layer = "Conv2D"  # the name of a layer, then its arguments
    filters = 32
    size = 3

    [[layers]]
    layer = "Flatten"

    [[layers]]
    layer = "Dense"
    units = "classes"  # as many as the data have classes

A layer reads the output of the one before it. For a graph, give a layer a `name`, and
``inputs = ["that_name", "another"]`` to the layer that reads it; "input" is the image. The output
of the last layer is the network's.

Instead of layers, a file may name one of `striate.architectures`, and a command the architecture
itself instead of a file:

    architecture = "resnet18"

The JSON form has the same content, as an object or as the list of layers alone. An object that
`Network.get_config()` made is read too. Nothing in a file is run or imported: layers come from
the fixed table `striate.layers.LAYERS`.
"""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.cli.cures import in_toml
from striate.common import json_text
from striate.common.budget import check_graph
from striate.common.errors import StriateValueError
from striate.common.input_files import read_text
from striate.common.text import cut, did_you_mean, listed, reason, sizes
from striate.ops.shapes import Shape

if TYPE_CHECKING:
    from striate.layers import Layer
    from striate.network import Network
    from striate.training.recipes import Recipe

INPUT = "input"
_MOST_BYTES = 2**24  # of a file: of the largest network, with all arguments of all its layers


class NetworkFileError(StriateValueError):
    """A network file that cannot be read or built; the message names the file and says why."""


@dataclass(frozen=True)
class NetworkFile:
    """A network file that has been read but not built: the data may set its input and classes.

    Attributes:
        path: of the file.
        content: its object.
    """

    path: Path
    content: Mapping[str, Any]

    @property
    def is_config(self) -> bool:
        """Whether the file was made by `Network.get_config()`."""
        return "nodes" in self.content

    @property
    def architecture(self) -> str | None:
        """The name of an architecture that stands instead of layers; None if none does."""
        name = self.content.get("architecture")
        if name is not None and not isinstance(name, str):
            raise self.error(f"architecture must be a name in quotes, not {cut(repr(name), 80)}")
        return name

    @property
    def input_shape(self) -> Shape | None:
        """The input shape in the file; None if there is none."""
        shape = self.content.get("input_shape")
        if shape is None:
            return None
        whole = isinstance(shape, list) and all(type(side) is int and side > 0 for side in shape)
        if not whole or len(shape) not in (1, 3):
            raise self.error(
                f"input_shape must be [height, width, channels] or [features], not {shape!r}"
            )
        return tuple(shape)

    def build(
        self,
        input_shape: Shape | None = None,
        classes: int | None = None,
        *,
        seed: int | None = 0,
    ) -> Network:
        """Build the network.

        Args:
            input_shape: the shape of the data, which must be that in the file if there is one.
            classes: the number that "classes" stands for in the file, and that an architecture
                ends with; None for that of the architecture's paper.
            seed: of the initial parameters; None leaves them zero, which takes no time.

        Raises:
            NetworkFileError: the file describes no network, or not one for this shape.
        """
        from striate.network import Network

        own = self.input_shape
        if own is not None and input_shape is not None and own != tuple(input_shape):
            raise self.error(f"is made for images {sizes(own)}, not {sizes(input_shape)}")
        shape = own if own is not None else input_shape
        try:
            if self.is_config:
                return Network.from_config(dict(self.content), seed=seed)
            if self.architecture is not None:
                return self._published(self.architecture, shape, classes, seed)
            if shape is None:
                raise self.error(
                    "has no input_shape; add one, such as input_shape = [28, 28, 1], or say "
                    "--input-shape 28x28x1"
                )
            return self._graph(tuple(shape), classes, seed)
        except NetworkFileError:
            raise
        except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
            raise self.error(f"is not a valid network: {in_toml(str(error))}") from error

    def _published(
        self, name: str, shape: Shape | None, classes: int | None, seed: int | None
    ) -> Network:
        """Return the network of an architecture."""
        from striate import architectures

        others = set(self.content) - {"architecture", "input_shape"}
        if others:
            raise self.error(
                f"has an architecture and {cut(listed(sorted(others)), 80)}; beside an "
                "architecture only input_shape may stand"
            )
        try:
            return architectures.build(name, classes, shape, seed)
        except StriateValueError as error:
            # A name that was given instead of a file begins the message already.
            if name == str(self.path):
                raise NetworkFileError(str(error)) from error
            raise self.error(str(error)) from error

    def _graph(self, shape: Shape, classes: int | None, seed: int | None) -> Network:
        """Return the network of the list of layers."""
        from striate.layers import Input
        from striate.network import Network

        entries = self.content.get("layers")
        if not isinstance(entries, list) or not entries:
            raise self.error("layers must be a list with at least one layer")
        edges = sum(
            len(entry["inputs"])
            for entry in entries
            if isinstance(entry, dict) and isinstance(entry.get("inputs"), list)
        )
        check_graph(len(entries), edges, str(self.path), error=NetworkFileError)
        first = last = Input(shape)
        named = {INPUT: first}
        for number, entry in enumerate(entries, 1):
            layer, inputs = self._layer(number, entry, classes)
            try:
                sources = [last] if inputs is None else [named[name] for name in inputs]
            except KeyError as error:
                raise self.error(
                    f"layer {number}: there is no layer named {error} before it"
                ) from None
            try:
                last = layer(*sources)
            except ValueError as error:
                raise self.error(f"layer {number}: {error}") from error
            if layer.name is not None:
                if layer.name in named:
                    raise self.error(f"layer {number}: the name {layer.name!r} is taken")
                named[layer.name] = last
        network = Network(inputs=first, output=last, seed=seed)
        if len(network.nodes) != len(entries):
            raise self.error("has layers from which no path leads to the last one")
        return network

    def _layer(
        self, number: int, entry: object, classes: int | None
    ) -> tuple[Layer, list[str] | None]:
        """Return one layer of the list, and the names of its inputs if they are given."""
        from striate.layers import LAYERS

        where = f"layer {number}"
        if not isinstance(entry, dict) or not isinstance(entry.get("layer"), str):
            raise self.error(f'{where}: must be a table such as {{"layer": "ReLU"}}')
        arguments = dict(entry)
        kind = arguments.pop("layer")
        if kind not in LAYERS:
            raise self.error(f"{where}: there is no layer {kind!r}{_nearest(kind, LAYERS)}")
        inputs = arguments.pop("inputs", None)
        if isinstance(inputs, str):
            inputs = [inputs]
        if inputs is not None and (
            not isinstance(inputs, list) or not all(isinstance(name, str) for name in inputs)
        ):
            raise self.error(f"{where}: inputs must be a list of layer names")
        known = inspect.signature(LAYERS[kind]).parameters
        for name in arguments:
            if name not in known:
                raise self.error(f"{where}: {kind} has no argument {name!r}{_nearest(name, known)}")
        for name, value in arguments.items():
            if value == "classes":
                if classes is None:
                    raise self.error(
                        f'{where}: {name} = "classes" needs the number of classes; say --classes N'
                    )
                arguments[name] = classes
            elif isinstance(value, list):
                arguments[name] = tuple(value)
        try:
            return LAYERS[kind](**arguments), inputs
        except (ValueError, TypeError) as error:
            raise self.error(f"{where}: {error}") from error

    def error(self, why: str) -> NetworkFileError:
        """The error with the name of the file."""
        return NetworkFileError(f"{self.path}: {why}")


def is_named(path: str) -> bool:
    """Whether a name is that of an architecture, or its ending that of a network file; other files
    are model files.
    """
    return Path(path).suffix.lower() in (".json", ".toml") or is_architecture(path)


def read(path: str | Path) -> NetworkFile:
    """Read the network file `path`, or take the architecture of that name: a file that is called
    like one is named by "./resnet18".

    Raises:
        NetworkFileError: there is no such file, or it is neither TOML nor JSON.
    """
    if isinstance(path, str) and is_architecture(path):
        return NetworkFile(Path(path), {"architecture": path})
    if near := near_architecture(path):
        raise NetworkFileError(f"{path}: there is no such file{near}")
    path = Path(path)
    text = read_text(path, "network file", most=_MOST_BYTES, error=NetworkFileError)
    is_toml = path.suffix.lower() == ".toml"
    try:
        content = tomllib.loads(text) if is_toml else json_text.parse(text)
    except (ValueError, RecursionError) as error:
        kind = "TOML" if is_toml else "JSON (TOML files end in .toml)"
        raise NetworkFileError(f"{path}: is not valid {kind}: {reason(error)}") from error
    if isinstance(content, list):
        content = {"layers": content}
    if not isinstance(content, dict):
        raise NetworkFileError(f"{path}: must hold a list of layers")
    return NetworkFile(path, content)


def near_architecture(path: str | Path) -> str:
    """For a file that does not exist, the architecture that may be meant, to stand behind a
    message; "" if none is near.
    """
    from striate.architectures import NAMES

    try:
        missing = not Path(path).exists()
    except (OSError, ValueError):  # a name that no file can have
        return ""
    return did_you_mean(str(path), NAMES, cutoff=0.75) if missing else ""


def untrained(
    described: NetworkFile | None, recipe: Recipe, input_shape: Shape, outputs: int
) -> Network:
    """The untrained network: that of the user's file, or else of the recipe.

    Raises:
        NetworkFileError: the file describes no network, or not one for this shape.
    """
    from striate.network import Network

    return recipe.build(Network) if described is None else described.build(input_shape, outputs)


def is_architecture(name: str) -> bool:
    """Whether this is the name of an architecture, and so not of a file."""
    from striate.architectures import NAMES

    return name in NAMES


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    return did_you_mean(name, known) or f"; known are {', '.join(known)}"
