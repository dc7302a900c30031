"""Writes one layer as another that computes the same function: a convolution as a locally connected
layer or as one large matrix, and back where the weights allow it.

    Conv2D → LocallyConnected2D → Dense         GroupedDense → Dense
    Dense → LocallyConnected2D → Conv2D         Dense → GroupedDense

In the direction of the first line, shared weights are copied and missing connections become zeros:
the outputs are the same sums of the same products, up to the order in which they are added. In the
other direction weights that the new layer shares must be equal, and those that it lacks must be
zero; else a ValueError says which are not, and by how much. `tolerance` lets them differ.

Vectors are flattened images, as `Flatten` makes them: pixel (row, column, channel) is number
``(row * width + column) * channels + channel``, of the outputs too. A 1-D convolution is a `Conv2D`
over images of height 1; a `GroupedDense` whose neurons each read a patch is a `Conv2D` itself.

Reading order: `trained` (a layer with its parameters), `wiring` (which pixel each weight is
multiplied with), `tolerance` (whether weights allow a conversion), `between_layers` (the
conversions), `networks` (a converted layer put into its network).
"""

from striate.teaching.conversions.between_layers import (
    MOST_BYTES,
    to_conv2d,
    to_dense,
    to_grouped_dense,
    to_locally_connected,
)
from striate.teaching.conversions.networks import replaced
from striate.teaching.conversions.trained import TrainedLayer

__all__ = [
    "MOST_BYTES",
    "TrainedLayer",
    "replaced",
    "to_conv2d",
    "to_dense",
    "to_grouped_dense",
    "to_locally_connected",
]
