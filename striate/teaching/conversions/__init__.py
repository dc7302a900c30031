"""The same function as another layer: a convolution as a locally connected layer or as one large
matrix, and back where the weights allow it.

    Conv2D → LocallyConnected2D → Dense         GroupedDense → Dense
    Dense → LocallyConnected2D → Conv2D         Dense → GroupedDense

To the right of the first line numbers are repeated and zeros are written out, nothing is computed:
outputs are the same sums of the same products, up to the order in which they are added. On the way
back numbers that a layer shares must be equal, and those that it lacks must be zero; else a
ValueError says which are not, and by how much. `tolerance` lets them differ.

Vectors are flattened images, as `Flatten` makes them: pixel (row, column, channel) is number
``(row * width + column) * channels + channel``, of the outputs too. A 1-D convolution is a `Conv2D`
over images of height 1; a layer with groups that looks at patches is a `Conv2D` itself.
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
