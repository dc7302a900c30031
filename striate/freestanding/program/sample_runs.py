"""Images and what a network says of them, by which exported code can be tried where it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from striate.common.arrays import Array
from striate.plan.inference import CompiledNetwork

if TYPE_CHECKING:
    from striate.model.model import Model

RUNS = 3
"""How many runs there are."""


@dataclass(frozen=True)
class SampleRuns:
    """The test vectors.

    Attributes:
        images: raw images, (runs, batch, height, width, channels).
        outputs: those of ``compile(batch_size, exact=True, portable=True)``, (runs, batch, *output
            shape): the batch size is part of the order in which sums are added.
    """

    images: Array
    outputs: Array


def sample_runs(network: Model, batch_size: int) -> SampleRuns:
    """Runs on noise on the scale of what the network was trained on: always the same images."""
    random = np.random.default_rng(0)
    noise = random.standard_normal((RUNS, batch_size, *network.input_shape))
    given = network.preprocessing
    if not given.is_identity:
        noise = noise * np.asarray(given.std) + np.asarray(given.mean)
    images: Array = noise.astype(np.float32)
    run = CompiledNetwork(
        network.branch(), batch_size=batch_size, threads=1, exact=True, portable=True
    )
    return SampleRuns(images, np.stack([run(batch) for batch in images]))
