"""Convolution and its gradients: each pass by the algorithm that costs least.

Whoever chooses must choose by shapes and by the target, never by the number of threads, or bits
would depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping

from striate.layers import MaxPool2D
from striate.nest.algebra import Accumulator, Nest, Store
from striate.ops.shapes import Pads
from striate.plan.analysis.operations import Operation
from striate.plan.layout import EVERY_PIXEL, Location, vector
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.convolution.algorithm import PASSES, Algorithm, Pass
from striate.plan.lowering.convolution.bfloat16 import Bfloat16
from striate.plan.lowering.convolution.conv_geometry import ConvGeometry
from striate.plan.lowering.convolution.direct import Direct
from striate.plan.lowering.convolution.winograd import Winograd
from striate.plan.lowering.convolution.winograd_rows import WinogradRows
from striate.plan.lowering.protocol import NO_HALO, larger
from striate.plan.settings import Settings

# Of two that cost the same the first is taken.
ALGORITHMS: tuple[Algorithm, ...] = (Winograd(), WinogradRows(), Bfloat16(), Direct())
Chosen = Mapping[Pass, Algorithm]


def costs(settings: Settings, operation: Operation) -> dict[str, Mapping[Pass, float]]:
    """What each algorithm would cost, by its name, for the passes that it can compute."""
    offers = {one.name: one.costs(settings, operation) for one in ALGORITHMS}
    return {name: offer for name, offer in offers.items() if offer}


def algorithms_for(settings: Settings, operation: Operation) -> Chosen:
    """The cheapest algorithm for each pass."""
    offers = [(one, one.costs(settings, operation)) for one in ALGORITHMS]
    return {
        name: min(
            ((cost[name], place, one) for place, (one, cost) in enumerate(offers) if name in cost),
            key=lambda offer: offer[:2],
        )[2]
        for name in PASSES
    }


def winograd_passes(settings: Settings, operation: Operation) -> frozenset[Pass]:
    """The passes that are computed by Winograd's algorithm, over tiles or along rows."""
    chosen = algorithms_for(settings, operation)
    return frozenset(name for name in PASSES if chosen[name].is_winograd)


def products(settings: Settings, operation: Operation) -> float:
    """Multiply-adds of one pass over an image, by the algorithm that computes O."""
    return algorithms_for(settings, operation)["forward"].products(settings, operation)


def input_halo(settings: Settings, operation: Operation) -> Pads:
    """What the passes read around the input."""
    halo = NO_HALO
    for algorithm in set(algorithms_for(settings, operation).values()):
        halo = larger(halo, algorithm.input_halo(settings, operation))
    return halo


def gradient_halo(settings: Settings, operation: Operation) -> Pads:
    """What the passes read around the gradient of the output."""
    halo = NO_HALO
    for name, algorithm in algorithms_for(settings, operation).items():
        halo = larger(halo, algorithm.gradient_halo(settings, operation, name))
    return halo


def forward(builder: Builder, operation: Operation) -> None:
    """O, with the bias as first addend and the activation applied as it is stored."""
    algorithm = algorithms_for(builder.settings, operation)["forward"]
    algorithm.forward(builder, operation)

    def again() -> None:
        builder.recomputation.refresh(operation.inputs)
        algorithm.forward(builder, operation)

    work = algorithm.products(builder.settings, operation)
    builder.recomputation.convolution(operation, work, again)


def backward(builder: Builder, operation: Operation) -> None:
    """dX, where anything before the convolution learns; dF and the bias's gradient."""
    chosen = algorithms_for(builder.settings, operation)
    of_input, of_filters = chosen["input_gradient"], chosen["filter_gradient"]
    if not builder.learns(operation):  # then something before it does
        of_input.input_gradient(builder, operation)
        return
    if not builder.needs_gradient(operation.inputs[0]):
        of_filters.filter_gradient(builder, operation)
    elif of_input is of_filters:
        of_input.gradients(builder, operation)
    else:
        of_input.input_gradient(builder, operation)
        of_filters.filter_gradient(builder, operation)
    if ConvGeometry(operation).bias:
        bias_gradient(builder, operation)


def bias_gradient(builder: Builder, operation: Operation) -> None:
    """The sum of the gradient over all pixels."""
    gradient = builder.gradients[operation.node]
    readers = builder.graph.readers_of.get(operation.node, ())
    pooled = [type(reader.layer) for reader in readers] == [MaxPool2D]
    if pooled and not operation.activation and operation.node not in builder.graph.outputs:
        # Each window has handed its gradient to one output: there are fewer windows to add up.
        gradient = builder.gradients[readers[0].node]
    target = vector("sum", c=1)
    builder.clear_shard(operation, "bias")
    builder.recorder.blockwise(
        Nest(
            axes=(
                ("c", gradient.channels),
                ("y", gradient.height),
                ("x", gradient.width),
                ("v", builder.lanes),
            ),
            stores=(Store(target, Accumulator()),),
            terms=(gradient.tensor("gradient", EVERY_PIXEL),),
            reduce=("y", "x", "v"),
            reduction="sum",
            initial=(target,),
        ),
        {"gradient": Location(gradient.buffer), "sum": builder.shard_gradient(operation, "bias")},
    )
