"""A network: layers in a graph, and all their numbers in one buffer."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from striate import graph
from striate.graph import Vertex
from striate.layers import Input, Layer, Node, Parameter
from striate.preprocessing import Preprocessing
from striate.shapes import Array, Shape, whole_number

if TYPE_CHECKING:
    from pathlib import Path

    from striate.engines.base import Engine
    from striate.evaluation import Evaluation
    from striate.plan.explanation import Explanation
    from striate.plan.inference import CompiledNetwork
    from striate.plan.tuning import Tuning
    from striate.summary import Summary
    from striate.training.history import History

__all__ = ["Input", "Network", "Node", "Slot", "Vertex"]

FloatArray = npt.NDArray[np.float32]

ALIGNMENT = 64
"""Bytes: each parameter starts on a cache line and a full vector register."""
# Numbers drawn at once.
_DRAWN = 1 << 16


@dataclass(frozen=True)
class Slot:
    """Where a parameter lies in the flat buffer: ``flat[start:stop]``."""

    node: int
    parameter: Parameter
    start: int
    stop: int


class Network:
    """A convolutional network.

    A chain is a list of layers and the shape of its input; a graph is written with nodes:

        Network([Conv2D(8, 3), ReLU(), Flatten(), Dense(10)], input_shape=(28, 28, 1))

        x = image = Input((28, 28, 1))
        x = Add()(Conv2D(1, 3, padding="same")(x), x)
        Network(inputs=image, output=Dense(10)(Flatten()(x)))

    All sizes are checked here, before any data is touched. The layer objects are copied and
    named; they hold no numbers, so they may be used again in another network.

    Args:
        layers: the layers of a chain, each reading the one before.
        input_shape: (height, width, channels) or (features,), without the batch axis.
        inputs, output: the first and last node of a graph instead.
        seed: of the first parameters; None leaves them zero, to be loaded.

    Attributes:
        nodes: the vertices, inputs before readers; the last one is the output.
        flat, slots, parameters: all trained parameters as one float32 buffer, where each lies,
            and views by name ("conv2d_1/filters"). Change them in place.
        state_flat, state_slots, state: the same for batch normalisation's running statistics.
        preprocessing: how raw images become inputs.
        classes: class names in the order of the outputs, or None.
    """

    def __init__(
        self,
        layers: Sequence[Layer] | None = None,
        input_shape: tuple[int, ...] | None = None,
        *,
        inputs: Node | None = None,
        output: Node | None = None,
        seed: int | None = 0,
    ) -> None:
        if output is None:
            if layers is None or input_shape is None:
                raise TypeError("Network: give layers and input_shape, or the output of a graph")
            output = graph.chain(layers, input_shape)
        elif layers is not None or input_shape is not None:
            raise TypeError("Network: give either layers and input_shape, or a graph's output")
        self.input_shape, self.nodes = graph.vertices(output, inputs)
        self.output_shape = self.nodes[-1].shape
        self.classes: list[str] | None = None
        self._preprocessing = Preprocessing()
        self._allocate()
        if seed is not None:
            self.initialise(seed)

    # Parameters.

    def _allocate(self) -> None:
        """Lay out the parameters and make the buffers, all zero, and their views."""
        self.slots = self._lay_out("parameters")
        self.state_slots = self._lay_out("state")
        self.flat = _aligned_zeros(self.slots)
        self.state_flat = _aligned_zeros(self.state_slots)
        self._make_views()

    def _make_views(self) -> None:
        self.parameters = MappingProxyType(self._views(self.slots, self.flat))
        self.state = MappingProxyType(self._views(self.state_slots, self.state_flat))
        self._lock = threading.RLock()
        self._engines: dict[tuple[str, int | None, int, bool, bool], Engine] = {}

    def _lay_out(self, kind: str) -> tuple[Slot, ...]:
        slots: list[Slot] = []
        end = 0
        for index, vertex in enumerate(self.nodes):
            for parameter in getattr(vertex.layer, kind)(*self.input_shapes(index)):
                start = _round_up(end)
                end = start + math.prod(parameter.shape)
                slots.append(Slot(index, parameter, start, end))
        return tuple(slots)

    def _views(self, slots: tuple[Slot, ...], flat: FloatArray) -> dict[str, FloatArray]:
        return {
            f"{self.nodes[slot.node].name}/{slot.parameter.name}": flat[
                slot.start : slot.stop
            ].reshape(slot.parameter.shape)
            for slot in slots
        }

    def input_shapes(self, node: int) -> tuple[Shape, ...]:
        """Shapes of a node's inputs."""
        return tuple(
            self.input_shape if source < 0 else self.nodes[source].shape
            for source in self.nodes[node].inputs
        )

    def parameters_of(self, node: int) -> dict[str, FloatArray]:
        """Views of one node's parameters, by their short names."""
        return self._of(node, self.parameters)

    def state_of(self, node: int) -> dict[str, FloatArray]:
        """Views of one node's running statistics, by their short names."""
        return self._of(node, self.state)

    def _of(self, node: int, views: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        slots = self.slots if views is self.parameters else self.state_slots
        name = self.nodes[node].name
        return {
            slot.parameter.name: views[f"{name}/{slot.parameter.name}"]
            for slot in slots
            if slot.node == node
        }

    @property
    def parameter_count(self) -> int:
        """How many numbers training learns."""
        return sum(slot.stop - slot.start for slot in self.slots)

    @property
    def decay_mask(self) -> FloatArray:
        """float32, like `flat`: 1 where weight decay applies, 0 at biases and padding."""
        mask = np.zeros(self.flat.size, np.float32)
        for slot in self.slots:
            mask[slot.start : slot.stop] = slot.parameter.decay
        return mask

    def initialise(self, seed: int = 0) -> None:
        """Draw new parameters: He normal for weights (arXiv:1502.01852), zeros for biases.

        Each parameter has a generator of its own, so it does not depend on the others.
        """
        for slots, flat in ((self.slots, self.flat), (self.state_slots, self.state_flat)):
            for index, slot in enumerate(slots):
                part = flat[slot.start : slot.stop]
                _draw(slot.parameter, seed, index, part)
                if slot.parameter.initial == "identity":
                    _hand_on(slot.parameter, part.reshape(slot.parameter.shape))

    # Running.

    @property
    def preprocessing(self) -> Preprocessing:
        """How raw images become inputs."""
        return self._preprocessing

    @preprocessing.setter
    def preprocessing(self, value: Preprocessing) -> None:
        if not isinstance(value, Preprocessing):
            raise TypeError(f"Network: preprocessing must be a Preprocessing, got {value!r}")
        channels = self.input_shape[-1]
        if not value.is_identity and len(value.mean) != channels:
            raise ValueError(
                f"Network: the preprocessing has {len(value.mean)} channels, the network reads "
                f"{channels}"
            )
        with self._lock:
            self._preprocessing = value
            for engine in self._engines.values():  # they may have built in the old numbers
                engine.close()
            self._engines.clear()

    def predict_logits(
        self,
        images: Array,
        *,
        engine: str = "llvm",
        threads: int | None = None,
        batch_size: int = 256,
        exact: bool = False,
        bfloat16: bool = False,
        views: str = "plain",
    ) -> FloatArray:
        """Outputs (n, *output_shape) for raw images (n, *input_shape).

        `exact` computes sums as they are written, without Winograd's algorithm; `bfloat16` lets
        convolutions multiply in bfloat16 where that is faster.  `views` averages the outputs of
        several views of each image, which takes as many times as long: "mirrored" of it and its
        mirror image, "moved" of six (see striate.views).  Safe to call from several threads at
        once; the calls then follow each other.
        """
        from striate.engines import make_engine
        from striate.engines.base import check_images
        from striate.views import check_views, views_of

        check_views(views, self.input_shape)
        images = check_images(images, self.input_shape)
        batch_size = whole_number(batch_size, "batch_size", "Network")
        outputs = np.zeros((len(images), *self.output_shape), np.float32)
        with self._lock:
            key = (engine, threads, batch_size, exact, bfloat16)
            runner = self._engines.get(key)
            if runner is None:
                runner = make_engine(
                    self,
                    engine,
                    batch_size=batch_size,
                    threads=threads,
                    exact=exact,
                    bfloat16=bfloat16,
                )
                self._engines[key] = runner
            for start in range(0, len(images), batch_size):
                stop = start + batch_size
                for weight, view in views_of(images[start:stop], views):
                    outputs[start:stop] += weight * runner.forward(view)
        return outputs

    def compile(
        self,
        *,
        batch_size: int = 1,
        threads: int | None = None,
        exact: bool = False,
        bfloat16: bool = False,
    ) -> CompiledNetwork:
        """A function from up to `batch_size` images to outputs, with as little time as can be
        between the two: see striate.plan.inference.CompiledNetwork.

        It keeps the weights of now.  Results differ from `predict_logits` by rounding only.
        """
        from striate.plan.inference import CompiledNetwork

        return CompiledNetwork(
            self, batch_size=batch_size, threads=threads, exact=exact, bfloat16=bfloat16
        )

    def predict_proba(self, images: Array, **options: Any) -> FloatArray:
        """Class probabilities (n, classes): the softmax of `predict_logits`, same options."""
        if len(self.output_shape) != 1:
            raise ValueError(
                f"Network: the output {self.output_shape} is an image, not one number per class; "
                "end the network with Dense, or use predict_logits"
            )
        logits = self.predict_logits(images, **options)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)

    def predict(self, images: Array, **options: Any) -> npt.NDArray[Any]:
        """The likeliest class of each image: its name if `classes` is set, else its index."""
        winners: npt.NDArray[Any] = self.predict_proba(images, **options).argmax(axis=1)
        return winners if self.classes is None else np.asarray(self.classes)[winners]

    def evaluate(self, images: Array, labels: Array, **options: Any) -> Evaluation:
        """Accuracy, loss, confusion matrix, precision and recall: see striate.evaluation."""
        from striate.evaluation import evaluate

        return evaluate(self, images, labels, **options)

    def fit(self, images: Array, labels: Array, **options: Any) -> History:
        """Train: see striate.training.loop.fit for all options."""
        from striate.training.loop import fit

        return fit(self, images, labels, **options)

    def save(self, path: str | Path) -> None:
        """Write weights, architecture, classes and preprocessing to one safetensors file."""
        from striate.files import save

        save(self, path)

    def summary(self) -> Summary:
        """A table of the layers: shapes, parameters, work, memory, receptive fields."""
        from striate.summary import summarise

        return summarise(self)

    def explain(
        self,
        *,
        batch_size: int = 64,
        training: bool = True,
        threads: int | None = None,
        exact: bool = False,
        bfloat16: bool = False,
        measure: bool = False,
    ) -> Explanation:
        """What the compiled engine decides for a training step, or else for `compile`, and why:
        layers, kernels, memory.  With `measure` it is run too, to tell how fast each kernel is.

        ``print()`` it, or see striate.plan.explanation for its parts.  Nothing is changed.
        """
        from striate.plan.trial import trial

        runner = trial(
            self,
            batch_size,
            training=training,
            threads=threads,
            exact=exact,
            bfloat16=bfloat16,
        )
        return runner.plan.explain(measure)

    def tune(self, **options: Any) -> Tuning:
        """Measure candidates for this network's kernels on this machine and keep the best in the
        cache, for all processes: see striate.plan.tune.tune for all options."""
        from striate.plan.tune import tune

        return tune(self, **options)

    def __repr__(self) -> str:
        return (
            f"Network({len(self.nodes)} layers, {self.input_shape} → {self.output_shape}, "
            f"{self.parameter_count:,} parameters)"
        )

    # Copies: engines and locks stay behind, and the views are made anew.

    def __getstate__(self) -> dict[str, Any]:
        dropped = ("_engines", "_lock", "parameters", "state")
        return {key: value for key, value in self.__dict__.items() if key not in dropped}

    def __setstate__(self, state: dict[str, Any]) -> None:
        flat, state_flat = state["flat"], state["state_flat"]
        self.__dict__.update(state)
        self.flat = _aligned_zeros(self.slots)
        self.state_flat = _aligned_zeros(self.state_slots)
        self.flat[:], self.state_flat[:] = flat, state_flat
        self._make_views()

    # Description.

    def get_config(self) -> dict[str, Any]:
        """The architecture as a JSON-able dict; `from_config` builds it again."""
        return {
            "input_shape": list(self.input_shape),
            "nodes": [
                {
                    "type": type(vertex.layer).__name__,
                    "name": vertex.name,
                    "inputs": list(vertex.inputs),
                    "config": vertex.layer.config(),
                }
                for vertex in self.nodes
            ],
            "output": len(self.nodes) - 1,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], *, seed: int | None = 0) -> Network:
        """A network from `get_config`'s description, which may come from a file nobody checked.

        Raises ValueError or TypeError for anything but a valid description. Layers are looked up
        in the fixed table `striate.layers.LAYERS`; nothing is imported by name.
        """
        image, output = graph.rebuild(config)
        return cls(inputs=image, output=output, seed=seed)


def _round_up(count: int) -> int:
    step = ALIGNMENT // 4
    return -(-count // step) * step


def _aligned_zeros(slots: tuple[Slot, ...]) -> FloatArray:
    count = _round_up(slots[-1].stop) if slots else 0
    try:
        raw = np.zeros(count * 4 + ALIGNMENT, np.uint8)
    except (MemoryError, OverflowError, ValueError):
        raise ValueError(
            f"Network: {count:,} parameters ({count * 4 / 2**30:,.1f} GiB) do not fit in memory"
        ) from None
    offset = -raw.ctypes.data % ALIGNMENT
    return raw[offset : offset + count * 4].view(np.float32)


def _draw(parameter: Parameter, seed: int, index: int, into: FloatArray) -> None:
    """Initial numbers, some at a time: each is a float64 before it becomes a float32."""
    random = np.random.default_rng([seed, index])
    for start in range(0, into.size, _DRAWN):
        part = into[start : start + _DRAWN]
        part[:] = _initial(parameter, random, part.size)


def _initial(parameter: Parameter, random: np.random.Generator, count: int) -> Array | float:
    if parameter.initial in ("he_normal", "identity"):
        return random.standard_normal(count) * math.sqrt(2 / parameter.fan_in)
    if parameter.initial == "glorot_uniform":
        limit = math.sqrt(6 / (parameter.fan_in + parameter.fan_out))
        return random.uniform(-limit, limit, count)
    return {"zeros": 0.0, "ones": 1.0}[parameter.initial]


def _hand_on(parameter: Parameter, filters: Array) -> None:
    """Let filter i of each group copy channel i, as far as there are both; in place."""
    height, width, channels, count = filters.shape
    share = parameter.fan_out // (height * width)
    for first in range(0, count, share):
        same = np.arange(min(channels, share))
        filters[..., first + same] = 0.0
        filters[(height - 1) // 2, (width - 1) // 2, same, first + same] = 1.0
