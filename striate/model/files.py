"""Model files: a whole network in one safetensors file.

The tensors are the network's parameters and running statistics under their public names
("conv2d_1/filters", "batch_norm_1/mean"), so that any reader of safetensors finds them. The
metadata, all of it text, describe the rest:

    format            "striate"
    format_version    "1"; "2" if layers share weights or there are heads; "3" if there are answers;
                      newer ones are refused
    striate_version   the version that wrote the file, for people
    architecture      JSON, `Network.get_config()`
    classes           JSON, the class names in the order of the outputs, or null
    preprocessing     JSON, `Preprocessing.to_dict()`
    answers           JSON, `Answers.to_dict()`; absent for classes of plain softmax. The arrays of
                      a rejection are tensors, too: "answers/distances", "answers/means", …
    training          JSON, the writer's notes about the training
    frozen            JSON, the names of the layers that are not trained further; absent if none
    kept_statistics   JSON, the names of the batch normalisations that are trained on their running
                      statistics; absent if none
    rates             JSON, what the learning rate is multiplied by, by the names of layers; absent
                      if none
    checksum          SHA-256 of the tensors and of the metadata that say what is computed

Files of older versions have no checksum. One that does not match is refused: some bit is not what
was saved. A file that another program saved again, its tensors in any order, is read if it still
has its architecture, classes and preprocessing.

Reading a file never runs or imports anything that it names, and nothing is allocated before the
sizes that it claims are compared with the sizes that it has.

The format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from striate.common import json_text
from striate.common.arrays import Floats
from striate.common.atomic import write_atomically
from striate.common.text import listed, reason
from striate.common.warn import warn_user
from striate.layers import LAYERS
from striate.model.answers import Answers
from striate.model.container import (
    Container,
    ModelFileError,
    chunks,
    damaged,
    looks_like_a_model,
)
from striate.model.model import Model
from striate.model.preprocessing import Preprocessing
from striate.model.rejection import ARRAY_NAMES

__all__ = ["FORMAT_VERSION", "ModelFileError", "information", "load", "looks_like_a_model", "save"]

FORMAT_VERSION = 3
# What says which numbers are computed, in contrast to notes for people.
_SEALED = ("architecture", "classes", "preprocessing")
# Sealed, too, but not in every file.
_SEALED_WHERE_THERE = ("answers",)
_OF_ANSWERS = "answers/"


Kind = TypeVar("Kind", bound=Model)


class _Blueprint(Model):
    """A network without buffers, to compare the parameters that it needs with the file."""

    def _allocate(self) -> None:
        self._lay_out()


# Writing


def save(network: Model, path: str | Path, extra_metadata: Mapping[str, Any] | None = None) -> None:
    """Write `network` to the model file `path`, which is replaced in one step if it exists.

    The same network gives the same bytes.

    Args:
        network: the network, saved with its parameters, state, classes and preprocessing.
        path: the file; its folder must exist.
        extra_metadata: JSON-able notes about the training, which `information` reads back.

    Raises:
        ModelFileError: the file cannot be written (it is then as it was before), or a
            parameter is not finite.
        TypeError: `extra_metadata` is not JSON-able.
    """
    tensors = {**network.parameters, **network.state}
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise ModelFileError(
                f"{path}: not saved, because {name} holds numbers that are not finite; "
                "training has diverged, so use a lower learning rate"
            )
    for problem in (
        _problem_of_layers(network),
        _problem_of_classes(network.classes, network),
        _problem_of_preprocessing(network.preprocessing, network),
        network.answers.problem(network.output_shape, network.feature_count),
    ):
        if problem:
            raise ModelFileError(f"{path}: not saved, because the model is not valid: {problem}")
    metadata = {
        "format": "striate",
        "format_version": _format_version(network),
        "striate_version": _version(),
        "architecture": _to_json(network.get_config()),
        "classes": _to_json(network.classes),
        "preprocessing": _to_json(network.preprocessing.to_dict()),
        "training": _to_json(dict(extra_metadata or {})),
    }
    if network.answers != Answers():
        metadata["answers"] = _to_json(network.answers.to_dict())
        tensors |= {_OF_ANSWERS + name: a for name, a in network.answers.tensors().items()}
    for key, names in (("frozen", network.frozen), ("kept_statistics", network.kept_statistics)):
        if names:
            metadata[key] = _to_json(sorted(names))
    if network.rates:
        metadata["rates"] = _to_json(dict(sorted(network.rates.items())))
    metadata["checksum"] = checksum(tensors, metadata)
    try:
        write_atomically(path, chunks(tensors, metadata))
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be written: {reason(error)}") from error


# Reading


def load(path: str | Path, kind: type[Kind]) -> Kind:
    """Return the network in the model file `path`, as a model of the class `kind`.

    Raises:
        ModelFileError: there is no such file, it is not one of striate's, it is damaged, or it
            needs a newer striate. The message names the file.
    """
    container = _open(path)
    metadata, tensors = container.metadata, container.tensors()
    whole, extra = tensors, _of_answers(tensors)
    tensors = {name: tensor for name, tensor in whole.items() if name not in extra}
    network = _build(path, metadata, tensors, kind)
    for name, target in {**network.parameters, **network.state}.items():
        target[...] = tensors[name]
    network.classes = _classes(path, metadata, network)
    network.preprocessing = _preprocessing(path, metadata, network)
    network.answers = _answers(path, metadata, network, extra)
    _choose_layers(path, metadata, network)
    _verify(path, whole, metadata)
    _tell_of_another_program(path, metadata)
    return network


def information(path: str | Path) -> dict[str, Any]:
    """Return the notes about the training in the model file `path`, with "striate_version".

    Raises:
        ModelFileError: as `load`.
    """
    metadata = _open(path).metadata
    notes = _from_json(path, metadata, "training") if "training" in metadata else {}
    if not isinstance(notes, dict):
        damaged(path, "its notes about the training are not a JSON object")
    return {**notes, "striate_version": metadata.get("striate_version", "unknown")}


def checksum(tensors: Mapping[str, Floats], metadata: Mapping[str, str]) -> str:
    """Return what the metadata "checksum" of a model file should be, in whatever order the file has
    its tensors.
    """
    total = hashlib.sha256()
    for key in (*_SEALED, *(key for key in _SEALED_WHERE_THERE if key in metadata)):
        total.update(f"{key}\0{len(metadata.get(key, ''))}\0{metadata.get(key, '')}".encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"{name}\0{tensor.shape}\0".encode())
        total.update(np.ascontiguousarray(tensor, dtype="<f4").data)
    return f"sha256:{total.hexdigest()}"


def _verify(path: str | Path, tensors: Mapping[str, Floats], metadata: Mapping[str, str]) -> None:
    """Raise if the file has a checksum and it is not that of what is in it."""
    kept = metadata.get("checksum")
    if kept is None or kept == checksum(tensors, metadata):
        return
    damaged(
        path,
        "its checksum does not match, so that a weight, a class name or the architecture is not "
        "what was saved; take another copy, or, if a program changed it on purpose, remove the "
        "checksum from the metadata",
    )


def _tell_of_another_program(path: str | Path, metadata: Mapping[str, str]) -> None:
    """Warn of a file that was saved again by a program that has not kept the checksum."""
    if metadata.get("format") != "striate" and "checksum" not in metadata:
        warn_user(
            f"{path}: was saved again by another program: it is complete, but has no checksum to "
            "tell whether its weights are those that striate saved"
        )


def _build(
    path: str | Path,
    metadata: Mapping[str, str],
    tensors: Mapping[str, Floats],
    kind: type[Kind],
) -> Kind:
    """Return the network of the architecture in `metadata`, which must fit `tensors` exactly."""
    config = _from_json(path, metadata, "architecture")
    try:
        expected = parameter_shapes(config)
    # A file can hold anything: huge numbers, text in place of numbers, …
    except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
        damaged(path, f"its architecture cannot be built: {error}", error)
    _fit(path, expected, tensors)
    return kind.from_config(config, seed=None)


def parameter_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shapes of all parameters and running statistics of an architecture, which may be any
    data, by name; no memory is taken for them.

    Raises:
        ValueError, TypeError, ArithmeticError, LookupError, AttributeError: it is no architecture.
    """
    blueprint = _Blueprint.from_config(config, seed=None)
    return {
        f"{blueprint.nodes[slot.node].name}/{slot.parameter.name}": slot.parameter.shape
        for slot in (*blueprint.slots, *blueprint.state_slots)
    }


def _fit(
    path: str | Path, expected: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Floats]
) -> None:
    """Raise unless `tensors` are exactly those that the architecture needs."""
    missing = [name for name in expected if name not in tensors]
    if missing:
        damaged(path, f"it lacks {listed(missing, 3)}, which its architecture needs")
    unexpected = [name for name in tensors if name not in expected]
    if unexpected:
        damaged(path, f"it holds {listed(unexpected, 3)}, which its architecture does not have")
    for name, shape in expected.items():
        tensor = tensors[name]
        if tensor.shape != shape:
            damaged(
                path, f"{name} has the shape {tensor.shape}, but its architecture needs {shape}"
            )
        if not np.isfinite(tensor).all():
            damaged(path, f"{name} holds numbers that are not finite")
        if name.endswith("/variance") and (tensor < 0).any():
            damaged(path, f"{name} holds negative variances")


def _classes(path: str | Path, metadata: Mapping[str, str], network: Model) -> list[str] | None:
    classes = _from_json(path, metadata, "classes")
    if problem := _problem_of_classes(classes, network):
        damaged(path, problem)
    return None if classes is None else list(classes)


def _choose_layers(path: str | Path, metadata: Mapping[str, str], network: Model) -> None:
    """Freeze the layers that the file calls frozen, and keep the statistics that it says are."""
    for key, what, slots, choose in (
        ("frozen", "calls frozen", network.slots, network.freeze),
        (
            "kept_statistics",
            "keeps the statistics of",
            network.state_slots,
            network.keep_statistics,
        ),
    ):
        if key not in metadata:  # no layer is
            continue
        names = _from_json(path, metadata, key)
        known = {network.nodes[slot.node].name for slot in slots}
        if (
            not isinstance(names, list)
            or not names
            or not all(isinstance(name, str) and name in known for name in names)
        ):
            damaged(path, f"the layers that it {what} are none of its own")
        choose(*names)
    if "rates" in metadata:
        _choose_rates(path, _from_json(path, metadata, "rates"), network)


def _choose_rates(path: str | Path, rates: Any, network: Model) -> None:
    """Set the rates of layers that the file names."""
    if not isinstance(rates, dict) or not rates:
        damaged(path, "its rates of layers are none")
    for name, factor in rates.items():
        try:
            network.set_rate(factor, name)
        except (ValueError, TypeError, OverflowError) as error:
            damaged(path, f"its rates of layers are not valid: {error}", error)


def _preprocessing(path: str | Path, metadata: Mapping[str, str], network: Model) -> Preprocessing:
    description = _from_json(path, metadata, "preprocessing")
    try:
        preprocessing = Preprocessing.from_dict(description)
    except (ValueError, TypeError, OverflowError) as error:
        damaged(path, f"its preprocessing is not valid: {error}", error)
    if problem := _problem_of_preprocessing(preprocessing, network):
        damaged(path, problem)
    return preprocessing


def _of_answers(tensors: Mapping[str, Floats]) -> dict[str, Floats]:
    """Those that belong to the answers; a layer may have that name, but no such parameter."""
    named = {_OF_ANSWERS + name for name in ARRAY_NAMES}
    return {name: tensor for name, tensor in tensors.items() if name in named}


def _answers(
    path: str | Path, metadata: Mapping[str, str], network: Model, tensors: Mapping[str, Floats]
) -> Answers:
    """The answers that the metadata describe, which must need exactly these tensors."""
    description = _from_json(path, metadata, "answers") if "answers" in metadata else {}
    arrays = {name.removeprefix(_OF_ANSWERS): tensor for name, tensor in tensors.items()}
    try:
        answers = Answers.from_dict(description, arrays)
    except (ValueError, TypeError, OverflowError) as error:
        damaged(path, f"what it says of answers is not valid: {error}", error)
    if problem := answers.problem(network.output_shape, network.feature_count):
        damaged(path, problem)
    return answers


# Checks that are the same when a model is written and when it is read


def _problem_of_layers(network: Model) -> str | None:
    """A class of the user's own would be read back as none, or as the layer of that name."""
    for node in network.nodes:
        kind = type(node.layer)
        if LAYERS.get(kind.__name__) is not kind:
            return (
                f"the layer {node.name} is of the class {kind.__name__} of {kind.__module__}, and "
                "files have striate's layers only; keep its parameters with np.savez"
            )
    return None


def _problem_of_classes(classes: Any, network: Model) -> str | None:
    if classes is None:
        return None
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        return "its class names are not a list of text"
    if network.output_shape != (len(classes),):
        return f"it names {len(classes)} classes for outputs of shape {network.output_shape}"
    if len(set(classes)) != len(classes):
        return "a class name occurs twice"
    return None


def _problem_of_preprocessing(preprocessing: Preprocessing, network: Model) -> str | None:
    shape = network.input_shape
    if not preprocessing.is_identity and len(preprocessing.mean) != shape[-1]:
        return f"its preprocessing has {len(preprocessing.mean)} channels, its network {shape[-1]}"
    if any(abs(mean) > 1e30 for mean in preprocessing.mean) or any(
        not 1e-30 < std < 1e30 for std in preprocessing.std
    ):
        return "its preprocessing has a mean or a std that float32 cannot hold"
    resize = preprocessing.resize
    if resize is not None:
        if (resize["height"], resize["width"]) != shape[:2]:
            return (
                f"its preprocessing makes images {resize['height']}×{resize['width']}, its "
                f"network reads {shape}"
            )
        maximum = resize.get("maximum", 255)
        real = isinstance(maximum, int | float) and not isinstance(maximum, bool)
        if not real or not 0 < maximum < 1e9:
            return f"its preprocessing has white at {maximum!r}, which is no positive number"
    channels = {"gray": 1, "rgb": 3}.get(preprocessing.colour or "")
    if channels not in (None, shape[-1]):
        return f"its preprocessing makes {preprocessing.colour} images, its network reads {shape}"
    return None


def _open(path: str | Path) -> Container:
    """Return the container in the file `path`, which must be striate's and of a known version."""
    container = Container(path)
    metadata = container.metadata
    missing = [key for key in _SEALED if key not in metadata]
    if metadata.get("format") != "striate" and missing:
        raise ModelFileError(
            f"{path}: is a safetensors file, but not one that striate wrote: its metadata lack "
            f"{listed(missing)}; a program that saves a model again must keep the metadata"
        )
    version = metadata.get("format_version", "1")
    if not (version.isascii() and version.isdigit()):
        damaged(path, "its format version is not a number")
    if len(version) > 9 or int(version) > FORMAT_VERSION:
        raise ModelFileError(
            f"{path}: has model format {version[:9]}, and striate {_version()} reads up to "
            f"{FORMAT_VERSION}; update striate"
        )
    if int(version) < 1:
        damaged(path, f"there is no model format {version}")
    return container


def _format_version(network: Model) -> str:
    """The oldest version whose readers understand the file."""
    if network.answers != Answers():
        return "3"
    shares = any(node.shares is not None for node in network.nodes)
    return "2" if shares or network.heads else "1"


def _to_json(value: Any) -> str:
    # ASCII, because names of class folders may contain bytes that are not valid in any encoding.
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _from_json(path: str | Path, metadata: Mapping[str, str], key: str) -> Any:
    if key not in metadata:
        damaged(path, f"its metadata lacks {key!r}")
    try:
        return json_text.parse(metadata[key])
    except ValueError as error:
        damaged(path, f"its metadata {key!r} is not valid JSON ({reason(error)})", error)


def _version() -> str:
    from striate.common.version import __version__

    return __version__
