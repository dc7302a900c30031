"""The plan of a network: memory, order, what is fused, and how a batch is shared among threads.

A run is one native call per thread.  In it every block of images is packed into the lanes, goes
forward, through the loss and backward; then come the steps that need the whole batch: gradients
of dense weights, and the sum of what the shards found for the filters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.layers import Conv2D
from striate.nest.algebra import Nest, Store, Tensor, strides_of
from striate.nest.target import Target
from striate.ops.shapes import Pads
from striate.plan.analysis.operations import INPUT, Graph, Operation, analyse
from striate.plan.build.assembly import build, sources
from striate.plan.build.axis_split import split, users_of
from striate.plan.build.depth_first import depth_first
from striate.plan.layout import EVERY_PIXEL, Buffer, Image, Location, pixels
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.concat_views import concat_views
from striate.plan.lowering.convolution.choice import products, winograd_passes
from striate.plan.lowering.input_stage import InputStage
from striate.plan.lowering.loss import LossLowering
from striate.plan.lowering.pooling import NEVER_WINS, maxima_alone
from striate.plan.lowering.protocol import NO_HALO, Lowering, larger
from striate.plan.lowering.table import LOWERINGS
from striate.plan.memory.halo import write_halos
from striate.plan.memory.non_temporal import copy_out
from striate.plan.memory.placement import Memory
from striate.plan.memory.task_size import tasks_of
from striate.plan.settings import Settings
from striate.plan.stage import Stage

if TYPE_CHECKING:
    from striate.model.model import Model


class Plan:
    """A network lowered to one program.

    Attributes:
        program: what `threads` threads run.
        backward: what they run afterwards, once the output's gradient is in `targets`; None but for
            the loss "called".
        input_stage: how images come in.
        out, targets, weights, losses: the buffers of the outputs, of what they should be, of the
            images' weights and of their losses; there is only `out` without a loss.
        heads: for the loss "called", of each auxiliary head the buffer of its outputs, and that
            where the gradient of its loss enters.
        gradient: the gradient of all parameters, laid out like the network's `flat`.
        input_gradient: that of the images, (blocks, lanes, *shape), where it is wanted.
    """

    def __init__(
        self,
        network: Model,
        settings: Settings,
        threads: int,
        parameters: Array,
        statistics: Array,
        *,
        smallest: bool = False,
    ) -> None:
        graph = analyse(network, settings.training, settings.loss is not None)
        self.settings = settings
        self.builder = builder = Builder(network, graph, settings)
        self._memory(graph)
        self._record(network, graph)
        self.recording = recording = builder.recorder
        if settings.frozen and settings.blocks == 1 < threads:
            users = users_of(recording.stages)
            recording.stages = [
                part
                for stage in recording.stages
                for part in split(stage, threads, settings, users)
            ]
        if settings.loss is None and settings.blocks > 1:
            recording.stages = [
                part for stage in recording.stages for part in depth_first(stage, settings)
            ]
        copy_out(recording.stages, settings)
        write_halos(recording, settings, everywhere=smallest)
        given = {builder.weights: parameters, builder.statistics: statistics}
        self.memory = Memory(recording, settings.element, settings.target, threads, given)
        for buffer, table in builder.tables.items():
            if buffer in self.memory.arrays:
                self.memory.arrays[buffer][: table.size] = table.ravel()
        self._views(network)
        self.threads = threads
        self._stages = recording.stages if settings.frozen else recording.all_stages

    def prepare(self, host: Target) -> None:
        """Lay out and transform weights that never change, by the processor that this runs on."""
        self._preparation = build(self.recording.preparation, self.memory, host, threads=1)
        self._preparation.prepare()
        self._preparation.run(0)

    def build(self) -> None:
        """Make the program; weights that never change are laid out and transformed now."""
        target = self.settings.target
        if self.settings.frozen:
            self.prepare(target)
        stages, later = self._stages, list[Stage]()
        if self.settings.loss == "called":
            places = [stage is self._last_forward for stage in stages]
            split_at = places.index(True) + 1
            stages, later = stages[:split_at], stages[split_at:]
        self.program = build(stages, self.memory, target, self.threads)
        self.backward = build(later, self.memory, target, self.threads) if later else None

    def sources(self) -> list[tuple[str, str]]:
        """(label, LLVM IR) of every nest, for the target, which need not be this machine."""
        stages = self.recording.all_stages if self.settings.frozen else self._stages
        return sources(stages, self.memory, self.settings.target)

    @property
    def stages(self) -> list[Stage]:
        """What `program` runs, job by job."""
        return self._stages

    @property
    def uses_winograd(self) -> bool:
        """Whether any layer is computed by Winograd's algorithm."""
        operations = self.builder.graph.operations
        return any(
            isinstance(o.layer, Conv2D) and winograd_passes(self.settings, o) for o in operations
        )

    # --- values and their halos --------------------------------------------------------------

    def _memory(self, graph: Graph) -> None:
        """Images for all values, and for the gradients that are needed."""
        builder, settings = self.builder, self.settings
        halos: dict[int, Pads] = {}
        for operation in graph.operations:
            for value in operation.inputs:
                needed = _lowering(operation).input_halo(settings, operation)
                halos[value] = larger(halos.get(value, NO_HALO), needed)
        network = builder.network
        values = {INPUT: network.input_shape, **{o.node: o.shape for o in graph.operations}}
        views = concat_views(graph, settings)
        for value, view in reversed(views.items()):
            halos[view.value] = larger(halos.get(view.value, NO_HALO), halos.get(value, NO_HALO))
        pooled = {} if settings.bfloat16 else maxima_alone(graph)
        for value, shape in values.items():
            if value in views:
                continue
            if value in pooled:
                halo, fill = pooled[value], NEVER_WINS
            else:
                halo, fill = halos.get(value, NO_HALO), 0.0
            builder.values[value] = builder.image(f"value {value}", shape, halo, fill)
        for value, view in views.items():  # joined images come before what they join
            builder.values[value] = builder.values[view.value].view(view.first, values[value][-1])
        if settings.loss is None:
            return
        learning = {INPUT} if settings.input_gradient else set()
        if settings.input_gradient:
            builder.gradients[INPUT] = builder.image("gradient of input", network.input_shape)
        for operation in graph.operations:
            own = operation.layer.parameters(*operation.shapes) and builder.learns(operation)
            if not own and not learning & set(operation.inputs):
                continue
            learning.add(operation.node)
            halo = _lowering(operation).gradient_halo(settings, operation)
            builder.gradients[operation.node] = builder.image(
                f"gradient {operation.node}", operation.shape, halo
            )

    # --- the steps ---------------------------------------------------------------------------

    def _record(self, network: Model, graph: Graph) -> None:
        builder, settings, recorder = self.builder, self.settings, self.builder.recorder
        convolutions = [o for o in graph.operations if isinstance(o.layer, Conv2D)]
        builder.recomputation.step = 3 * sum(products(settings, o) for o in convolutions)
        for operation in graph.operations:
            recorder.label = f"{builder.name(operation.node)} prepare"
            _lowering(operation).prepare(builder, operation)
        recorder.label = "input pack"
        self.input_stage = InputStage(builder, builder.values[INPUT], settings.loading)
        self.input_stage.record()
        for operation in graph.operations:
            recorder.label = f"{builder.name(operation.node)} forward"
            builder.recomputation.refresh(operation.inputs)
            _lowering(operation).forward(builder, operation)
        recorder.label = "output unpack"
        output = builder.values[graph.output]
        self.out = self._unpack(output, "outputs")
        if settings.loss is None:
            return
        lanes = builder.lanes
        size = lanes * output.features
        self.targets = Buffer("targets", size, "real", "block")
        self.weights = Buffer("image weights", lanes, "real", "block")
        self.losses = Buffer("losses", lanes, "real", "block")
        places = {
            "targets": Location(self.targets),
            "weights": Location(self.weights),
            "losses": Location(self.losses),
        }
        self.heads: list[tuple[Buffer, Buffer]] = []
        losses = [LossLowering(builder, places, graph.output)]
        for number, (value, share) in enumerate(graph.heads, 1):
            builder.recomputation.refresh([value])
            if settings.loss == "called":  # Python reads each head, and gives its gradient
                found = self._unpack(builder.values[value], f"outputs of head {number}")
                own = Buffer(f"targets of head {number}", size, "real", "block")
                self.heads.append((found, own))
                places = {**places, "targets": Location(own)}
            losses.append(LossLowering(builder, places, value, share))
        if settings.loss == "called":
            recorder.close()
            self._last_forward = recorder.stages[-1]
        recorder.label = "loss"
        for loss in losses:
            loss.record(settings.loss)
        builder.recomputation.is_backward = True
        for operation in reversed(graph.operations):
            recorder.label = f"{builder.name(operation.node)} backward"
            if builder.needs_gradient(operation.node):
                rereads = _lowering(operation).rereads
                read = [v for v in operation.inputs if rereads or v in builder.activations]
                builder.recomputation.refresh(read)
                _lowering(operation).backward(builder, operation)
                recorder.label = "sum of shards"
                builder.shards.add_finished()
        if settings.input_gradient:
            recorder.label = "input gradient"
            self._input_gradient = self._unpack(builder.gradients[INPUT], "input gradient")
        for record in builder.deferred:
            record()
        recorder.label = "sum of shards"
        builder.shards.add_all()
        recorder.label = "sum of places"
        builder.places.add_all(recorder)

    def _unpack(self, image: Image, name: str) -> Buffer:
        """Lanes become images side by side."""
        builder = self.builder
        target = Buffer(name, builder.lanes * image.features, "real", "block")
        builder.recorder.blockwise(
            Nest(
                pixels(image, builder.lanes),
                stores=(
                    Store(Tensor("out", _image_by_image(image)), image.tensor("x", EVERY_PIXEL)),
                ),
            ),
            {"x": Location(image.buffer), "out": Location(target)},
        )
        return target

    @property
    def of_batch(self) -> dict[str, Buffer]:
        """The buffers through which a batch to learn from enters, and what is found leaves, by
        their names.
        """
        builder = self.builder
        return {
            "addresses": self.input_stage.addresses,
            "mask": builder.mask,
            "keys": builder.keys,
            "shares": builder.shares,
            "images": builder.images,
            "targets": self.targets,
            "weights": self.weights,
            "losses": self.losses,
            "gradient": builder.gradient,
        }

    def resize_blocks(self, blocks: int) -> None:
        """Run only the first blocks of images, or a few more: whole tasks."""
        stages = enumerate(self._stages)
        self.program.resize({i: tasks_of(blocks, s.grain) for i, s in stages if s.by_block})

    # --- the memory --------------------------------------------------------------------------

    def _views(self, network: Model) -> None:
        self.input_stage.bind(self.memory.arrays)
        if self.settings.loss is None:
            return
        self.gradient = self.memory.array(self.builder.gradient)[: network.flat.size]
        if self.settings.input_gradient:
            found = self._input_gradient
            self.input_gradient = by_image(
                self.memory.array(found), found, self.settings, network.input_shape
            )


def by_image(array: Array, buffer: Buffer, settings: Settings, shape: tuple[int, ...]) -> Array:
    """A buffer's memory for each block as (blocks, lanes, *shape)."""
    blocks, lanes = settings.blocks, settings.lanes
    numbers = array.reshape(blocks, buffer.span)[:, : buffer.size]
    return numbers.reshape(blocks, lanes, *shape)  # to part an axis copies nothing


def _lowering(operation: Operation) -> Lowering:
    try:
        return LOWERINGS[type(operation.layer)]
    except KeyError:
        raise StriateValueError(
            f"{operation.layer.who}: the compiled engine has no loop nests for this kind of "
            'layer (see striate/plan/lowering); use engine="numpy"'
        ) from None


def _image_by_image(image: Image) -> tuple[tuple[str, int], ...]:
    """The strides of images stored one after the other, (height, width, channels) each."""
    row = image.width * image.channels
    return strides_of({"v": image.features, "y": row, "x": image.channels, "c": 1})
