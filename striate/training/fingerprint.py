"""What the bits of a training depend on, by which a checkpoint is told from one of another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.common.digests import digest_of
from striate.common.text import cut, listed, sizes
from striate.data.image_digests import digests
from striate.data.shard_streams import ShardStreams

if TYPE_CHECKING:
    from striate.model.model import Model
    from striate.training.prepare import PreparedData

Facts = dict[str, Any]
"""Plain values by what they are called in messages."""

# Of these a message says only that they are others.
START = "initial weights"
_DIGESTS = (
    "images", "labels", "shards", "validation images", "standardisation", "rates of layers", START
)  # fmt: skip
NETWORK = "network"
"""The one fact without which nothing can be resumed."""


def facts_of_data(data: PreparedData) -> Facts:
    """Of the images, their labels and weights, and of those held back for validation."""
    training, validation = data.training, data.validation
    facts = {
        "number of images": len(training.images),
        "size of the images": sizes(training.images.shape[1:]),
        "images": content_of(training.images),
        "labels": digest_of(
            training.targets.values,
            *([] if training.targets.labels is None else [training.targets.labels]),
            training.weights,
            training.rows,
        ),
    }
    if validation is None:
        return {**facts, "validation images": None}
    own = [] if validation.images is training.images else [content_of(validation.images)]
    targets = validation.targets
    held = digest_of(
        *own,
        targets.values,
        *([] if targets.labels is None else [targets.labels]),
        validation.weights,
        validation.rows,
    )
    return {**facts, "validation images": held}


def content_of(images: Array) -> str:
    """A digest of an array: of images of bytes by a digest of each, which is known of those that
    are read on demand, so that held and read ones are the same.
    """
    if images.dtype == np.uint8 and images.ndim == 4:
        return digest_of(list(images.shape), digests(images))
    return digest_of(images)


def facts_of_streams(streams: ShardStreams | None) -> Facts:
    """Of the order of the images, where it is that of shards."""
    if streams is None:
        return {}
    _, shards = np.unique(streams.shards, return_inverse=True)
    return {
        "window of the streams": streams.window,
        "shards": digest_of(shards, np.argsort(streams.offsets, kind="stable")),
    }


def facts_of_start(network: Model) -> Facts:
    """Of this version of striate, and of the weights before training."""
    from striate.common.version import __version__

    return {
        "striate": __version__,
        START: digest_of(network.flat, network.state_flat),
    }


def facts_of_network(network: Model) -> Facts:
    """Of what the network is, apart from its weights, and what of it is trained."""
    chosen = {"frozen layers": network.frozen, "kept statistics": network.kept_statistics}
    rates = {"rates of layers": digest_of(dict(network.rates))} if network.rates else {}
    return {
        **{name: listed(sorted(layers)) for name, layers in chosen.items() if layers},
        **rates,
        NETWORK: digest_of(network.get_config()),
        "standardisation": digest_of([*map(list, (network.preprocessing.mean,
                                                  network.preprocessing.std))]),
    }  # fmt: skip


def described(value: Any) -> str:
    """An optimiser, a schedule, an augmentation or a loss, the same in every process.

    Of functions it is their names: what they do cannot be told.
    """
    if value is None:
        return "none"
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    kind: Any = type(value)
    shown = repr(value)
    if kind.__repr__ is object.__repr__:  # it says nothing of itself
        inside = {
            name: described(part) for name, part in sorted(getattr(value, "__dict__", {}).items())
        }
        shown = f"{kind.__module__}.{kind.__qualname__} {inside}"
    # Where in memory it happens to lie.
    return re.sub(r" at 0x[0-9a-fA-F]+", "", shown)


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What differs between two trainings, in words."""
    found = []
    for name in {**here, **there}:
        old, new = there.get(name), here.get(name)
        if old == new:
            continue
        shown = cut(str(old), 36), cut(str(new), 36)
        if name in _DIGESTS or name == NETWORK or shown[0] == shown[1]:
            found.append(f"other {name}")
        else:
            found.append(f"{name} {shown[0]} there, {shown[1]} here")
    return found


def told(found: list[str]) -> str:
    """Differences as a part of a sentence."""
    return listed(found, 3)
