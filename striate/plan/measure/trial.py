"""Trial plans, to be explained and measured: on copies of a network's numbers, with noise as
images.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from striate.common.arguments import whole_number
from striate.common.budget import MOST_BATCH, at_most, need
from striate.common.errors import StriateValueError
from striate.common.memory import aligned_copy
from striate.common.threads import checked_threads
from striate.nest.target import compiler_error, host, require_bfloat16
from striate.plan.analysis.batchnorm_folding import folded
from striate.plan.inference import worth_threads
from striate.plan.inputs import rounded_batch
from striate.plan.runner import Runner

if TYPE_CHECKING:
    from striate.model.model import Model


def trial(
    network: Model,
    batch_size: int,
    *,
    training: bool,
    threads: int | None = None,
    exact: bool = False,
    bfloat16: bool = False,
    portable: bool = False,
    lanes: int | None = None,
    who: str = "Network.explain",
) -> Runner:
    """The plan of a training step, or of `Network.compile`, with a batch of noise in its memory.

    Nothing that it computes changes the network.
    """
    reason = compiler_error()
    if reason is not None:
        raise StriateValueError(
            f"{who}: there is nothing compiled to look at without llvmlite, which {reason}; "
            "install it with: pip install llvmlite"
        )
    target = host(portable=portable)
    if bfloat16:
        require_bfloat16(target)
    batch_size = whole_number(batch_size, "batch_size", who)
    at_most(batch_size, MOST_BATCH, "images of a batch", who, "try fewer")
    numbers = math.prod(network.input_shape)
    numbers += sum(math.prod(vertex.shape) for vertex in network.nodes) * (2 if training else 1)
    need(4 * batch_size * numbers, f"{who}: a batch of {batch_size:,} images", "try fewer images")
    threads = checked_threads(threads, who)
    shape, random = network.input_shape, np.random.default_rng(0)
    images = random.standard_normal((batch_size, *shape), np.float32)
    if not training:
        own = folded(network)
        runner = Runner(
            own,
            batch_size=rounded_batch(batch_size),
            threads=worth_threads(own, batch_size, threads),
            exact=exact,
            bfloat16=bfloat16,
            lanes=lanes,
            frozen=True,
            target=target,
        )
        runner.infer(images)
        return runner
    classes = len(network.output_shape) == 1
    runner = Runner(
        network,
        batch_size=batch_size,
        threads=threads,
        training=True,
        loss="softmax_cross_entropy" if classes else "mean_squared_error",
        parameters=aligned_copy(network.flat),
        statistics=aligned_copy(network.state_flat),
        exact=exact,
        bfloat16=bfloat16,
        lanes=lanes,
        target=target,
    )
    targets = np.zeros((batch_size, *network.output_shape), np.float32)
    targets[..., 0] = 1
    weights = np.full(batch_size, 1 / batch_size, np.float32)
    keys = random.integers(0, 1 << 32, batch_size, dtype=np.uint32)
    runner.run(images, targets, weights, keys)
    return runner
