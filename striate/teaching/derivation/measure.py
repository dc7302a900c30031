"""Time and memory of each stage, measured: are fewer weights also faster and smaller?"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from striate.common.text import in_bytes
from striate.layers import Dense, Flatten, GroupedDense, Layer
from striate.ops.shapes import Shape
from striate.teaching.derivation.stages import FollowingDense, layer_of
from striate.teaching.derivation.windows import Windows

Run = Callable[[], float]

# Each stage is run so often, in turn with the others, but in all for no longer than these seconds.
_ROUNDS, _SECONDS = 21, 6.0
# The memory that a stage needs, roughly, in copies of its weights and of a batch's pixels and
# outputs: of the weights the network's, the measured plan's, the gradient, and some in the layout
# that the kernels want.
_COPIES = 5


@dataclass(frozen=True)
class Measurement:
    """Time and memory of a stage in float32.

    Attributes:
        name: of the stage.
        forward_ms: the median time of a forward pass of a batch, in milliseconds.
        step_ms: that of a training step: forward, loss, and the gradients of all weights.
        weight_bytes, gradient_bytes: memory of the weights and of their gradient.
        step_bytes: all memory that a training step uses, these included.
        why: the reason if the stage was not measured; then all other figures are 0.
    """

    name: str
    forward_ms: float = 0.0
    step_ms: float = 0.0
    weight_bytes: int = 0
    gradient_bytes: int = 0
    step_bytes: int = 0
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """All attributes as JSON-able values."""
        return asdict(self)


def measurements_of(
    image: Shape,
    neurons: int,
    group: int | None,
    windows: Windows | None,
    further: tuple[FollowingDense, ...],
    *,
    batch_size: int,
    threads: int | None,
) -> tuple[Measurement, ...]:
    """Build each stage that fits into memory and time it, in turn with the others.

    Args:
        image: (height, width, channels).
        neurons, group, windows: of the stages, as in `layer_of`.
        further: the dense layers that follow.
        batch_size: images of a batch.
        threads: to measure with; None for all processors.
    """
    names = ["dense"]
    if group is not None:
        names += ["grouped"] + (["unshared", "convolution"] if windows is not None else [])
    found: dict[str, Measurement] = {}
    runs: dict[str, tuple[Run, Run]] = {}
    for name in names:
        layer = layer_of(name, neurons, group, windows)
        size = _COPIES * _weight_bytes(layer, image, further)
        size += 4 * batch_size * _COPIES * (math.prod(image) + neurons)
        if size > _free_bytes():
            why = f"it would need some {in_bytes(size)}, more than this machine has free"
            found[name] = Measurement(name, why=why)
            continue
        found[name], runs[name] = _prepared(name, layer, image, further, batch_size, threads)
    times = _in_turn(runs)
    return tuple(
        replace(found[name], forward_ms=times[name][0], step_ms=times[name][1])
        if name in times
        else found[name]
        for name in names
    )


def _shape_read(layer: Layer, image: Shape) -> Shape:
    """The shape of the layer's input: a vector for dense layers, else the image."""
    vector = isinstance(layer, Dense | GroupedDense)
    return (math.prod(image),) if vector else image


def _weight_bytes(layer: Layer, image: Shape, further: tuple[FollowingDense, ...]) -> int:
    (weights,) = layer.parameters(_shape_read(layer, image))
    return 4 * (math.prod(weights.shape) + sum(behind.weights for behind in further))


def _prepared(
    name: str,
    layer: Layer,
    image: Shape,
    further: tuple[FollowingDense, ...],
    batch_size: int,
    threads: int | None,
) -> tuple[Measurement, tuple[Run, Run]]:
    from striate.network import Network
    from striate.plan.measure.profiling import seconds_of
    from striate.plan.measure.trial import trial

    vector = _shape_read(layer, image) != image
    layers = [Flatten(), layer] if vector else [layer, Flatten()]
    network = Network([*layers, *(Dense(f.neurons, bias=False) for f in further)], image)
    forward = trial(network, batch_size, training=False, threads=threads, who="derive")
    step = trial(network, batch_size, training=True, threads=threads, who="derive")
    weights = 4 * network.parameter_count
    measurement = Measurement(
        name,
        weight_bytes=weights,
        gradient_bytes=weights,
        step_bytes=step.plan.memory.bytes,
    )
    return measurement, (lambda: seconds_of(forward), lambda: seconds_of(step))


def _in_turn(runs: dict[str, tuple[Run, Run]]) -> dict[str, tuple[float, float]]:
    """The median times of both runs of each stage, in milliseconds.

    The stages are run in turn, so that other work of the machine slows all of them alike.
    """
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in runs}
    end = time.monotonic() + _SECONDS
    for number in range(_ROUNDS):
        for name, both in runs.items():
            for run, found in zip(both, times[name], strict=True):
                run()  # an untimed run, which fills the caches
                found.append(run())
        if time.monotonic() > end and number >= 2:
            break
    return {
        name: (1e3 * statistics.median(forward), 1e3 * statistics.median(step))
        for name, (forward, step) in times.items()
    }


def _free_bytes() -> int:
    """Free memory by the system's count; 4 GiB where it does not give one."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 4 << 30
