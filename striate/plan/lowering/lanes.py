"""The vector layout of a network: channels in the lanes of a vector, or images.

Channels need no other layout than the images have anyway, and one image is as cheap as it can be;
but a layer of 6 channels leaves 10 of 16 lanes idle.  With 16 images in the lanes no channel count
leaves any, at the price of a layout of its own and of whole blocks of images.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from striate.layers import Conv2D, ConvTranspose2D, Dense, GroupedDense, LocallyConnected2D
from striate.model.model import Model
from striate.nest import tuned
from striate.nest.compiler import machine
from striate.plan.analysis.operations import INPUT, Operation, analyse
from striate.plan.layout import vectors
from striate.plan.lowering.convolution import row_strips
from striate.plan.lowering.convolution.bfloat16 import SHARE, fits, is_faster
from striate.plan.lowering.convolution.winograd import tiling
from striate.plan.settings import Settings

# Blocks' worth of time lost to threads that have nothing to do.
_LOST = 1.0


def lanes_for(network: Model, settings: Settings) -> int:
    """Images of a block: as many as a vector has lanes, or 1 where channels fill the lanes.

    What was measured and kept for this network and batch size comes before the estimate.
    `settings.lanes` is not read.
    """
    compiler = machine(settings.target)
    if settings.target.portable:  # what was measured here would not be what others find
        return estimate(network, settings).lanes
    if tuned.has_layouts(compiler):
        kept = tuned.layout_for(layout_key(network, settings), compiler)
        if kept is not None:
            return kept
    return estimate(network, settings).lanes


@dataclass(frozen=True)
class Estimate:
    """Vector operations of a batch in a pass, with images in the lanes and with channels."""

    vector: int
    images: float
    channels: float

    @property
    def lanes(self) -> int:
        """Images of a block in the cheaper way."""
        return self.vector if self.images < self.channels else 1


def estimate(network: Model, settings: Settings) -> Estimate:
    """What either way costs; `settings.lanes` is not read."""
    training, vector, batch_size = settings.loss is not None, settings.vector, settings.batch_size
    exact, bfloat16 = settings.exact, settings.bfloat16
    operations = analyse(network, training).operations
    blocks = -(-batch_size // vector)
    # Blocks are what threads share, and few cannot be shared evenly; nor do large ones stay near.
    images = (blocks + _LOST) * sum(
        _by_images(operation, training, exact, bfloat16) for operation in operations
    )
    channels = batch_size * sum(
        _by_channels(operation, vector, batch_size, training, exact, bfloat16)
        for operation in operations
    )
    return Estimate(vector, images, channels)


def layout_key(network: Model, settings: Settings) -> str:
    """The name under which a choice is kept.

    The number of threads is no part of it: it must never change a result.
    """
    shape = json.dumps(network.get_config(), sort_keys=True)
    made_for = (settings.batch_size, settings.vector, settings.loss is not None, settings.exact)
    return f"{shape}\n{' '.join(map(str, made_for))}" + " bfloat16" * settings.bfloat16


def _products(operation: Operation, bfloat16: bool) -> float:
    products = operation.multiply_adds
    pairs = bfloat16 and isinstance(operation.layer, Conv2D) and fits(operation)
    return SHARE * products if pairs else products


def _by_images(operation: Operation, training: bool, exact: bool, bfloat16: bool) -> float:
    """Vector operations for a block of images, averaged over the passes."""
    products = _products(operation, bfloat16)
    if exact or not isinstance(operation.layer, Conv2D):
        return products
    choice = row_strips.best(operation, training, False, bfloat16)
    return products * choice.share if choice else products


def _by_channels(
    operation: Operation, vector: int, images: int, training: bool, exact: bool, bfloat16: bool
) -> float:
    """Vector operations for one image, averaged over the passes."""
    layer = operation.layer
    kinds = Conv2D | ConvTranspose2D | Dense | GroupedDense | LocallyConnected2D
    if not isinstance(layer, kinds):
        return 0.0
    inputs, outputs = operation.shapes[0][-1], operation.shape[-1]
    if isinstance(layer, GroupedDense):
        outputs = layer.groups
    first = INPUT in operation.inputs  # nobody asks for the gradient of the images
    if isinstance(layer, Conv2D):
        tiles = tiling(operation, vector, images) if not exact else None
        if tiles and not (bfloat16 and is_faster(operation, vector, tiles.cost)):
            return tiles.cost
    if isinstance(layer, Conv2D | ConvTranspose2D) and layer.groups > 1:
        # Of one channel each, groups lie side by side in the lanes.
        share = 1 if layer.groups == inputs else layer.groups
        inputs, outputs = inputs // share, outputs // share
    if isinstance(layer, LocallyConnected2D):
        inputs, outputs = inputs // layer.groups, outputs // layer.groups
    shares = [vectors(outputs, vector) / outputs]
    if training:
        shares = [*shares, *shares, *([] if first else [vectors(inputs, vector) / inputs])]
    return _products(operation, bfloat16) * sum(shares) / len(shares)
