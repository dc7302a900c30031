"""The derivation of a convolution from a fully connected layer, as running code.

`derive` follows the article *Derivation of Convolutional Neural Network from Fully Connected
Network Step-By-Step* (A. Gad) for any image and layer: neurons in groups share their weights, then
each reads only a patch of the image, and the layer is a convolution. Reading order, each module
using only those before it:

    windows               chooses windows and groups that fit
    stages                the stages, and their weights and connections in closed form
    input_picture         the image on which the stages are computed
    stage_outputs         the outputs of all stages, compared with each other
    measure               time and memory of each stage
    derivation_data       the record of all these results
    as_text               the results as text
    figure_connections    which inputs, neurons and weights each figure shows, as data
    neighbour_correlation how alike near and far pixels are, measured
    drawing_colours       colours of groups, weights and numbers
    network_drawing, value_panels, plane_drawing, correlation_drawing
                          networks, grids of numbers, volumes, and figure 9
    drawing               every figure by its name
    page, files           an HTML page, and the content of files
    derivation            `striate.derive`, and the record with its methods
"""

from striate.teaching.derivation.derivation import Derivation, derive
from striate.teaching.derivation.stages import DerivationStage
from striate.teaching.derivation.windows import Windows

__all__ = ["Derivation", "DerivationStage", "Windows", "derive"]
