"""Networks of other libraries, as networks of striate.

atoms           the pieces that axes are made of
axis_view       how the axes of a foreign tensor lie in a value of striate
sliding_window  windows along the axes of a tensor
node_collector  collects layers and their weights, and makes the network
weight_writer   layers with weights, from those of another library
graph_writer    all layers

image_preparation    how photographs become its images
onnx_reader          an ONNX file as a network; the modules beside it do the steps

torch_import         networks from modules of PyTorch
torch_trace          a module as a graph of operators
torch_reader         reads the operators, and says which are no layers
torch_values         what they read and give
torch_arithmetic, torch_axes, torch_weighted
                     each operator
torch_patterns       operators that only together are a layer
torch_preprocessing  what is done to the images first

`from_onnx` and `torch_import.from_torch` are the doors.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.network import Network


def from_onnx(
    path: str | os.PathLike[str],
    *,
    output: str | None = None,
    image: tuple[int, int] | None = None,
    size: int | tuple[int, int] | None = None,
    fit: str | None = None,
    colour: str | None = None,
    mean: float | Sequence[float] | None = None,
    deviation: float | Sequence[float] | None = None,
    classes: Sequence[str] | str | os.PathLike[str] | None = None,
) -> Network:
    """Read the network in the ONNX file `path`, as layers of striate, trainable at once.

    Images become NHWC: transposes are cancelled, and the rows of dense layers permuted. Constants
    by which the file normalises its input become the preprocessing; class names are kept where the
    metadata have them. A softmax at the very end is left out, for networks end in logits:
    `Network.predict_proba` has the probabilities.

    Photographs are read as the file says, if striate has written it, or as `size`, `fit`, `colour`,
    `mean` and `deviation` say; otherwise they are scaled until they cover the network's size, whose
    centre is cut out, and their pixels of 0…255 enter as they are.

    It needs the package onnx: ``pip install 'striate[onnx]'``.

    Args:
        path: the file. Weights in files of their own must lie in its folder.
        output: the name of one of the outputs, if there are several. Only what leads to it is
            read.
        image: (height, width), if the file leaves them open.
        size: the side, or (height, width), to which photographs are resized before the network's
            size is cut out of their centre: 256 where a network of 224×224 was trained so. One
            number is the shorter side. By default the network's size.
        fit: how those of another aspect become that size: "crop", "pad" or "stretch".
        colour: "gray", "rgb", or "bgr" if the network reads blue first; its filters are exchanged
            then, so that it reads red first.
        mean, deviation: by which raw pixels of 0…255 are normalised, one number or one for each
            channel, before what the file does itself: (123.675, 116.28, 103.53) and (58.395, 57.12,
            57.375) are those of most networks from PyTorch.
        classes: the class names in the order of the outputs, or a file that has one in each line,
            or a list in JSON.

    Raises:
        OnnxFileError: a ValueError; the file cannot be read, or has operators that no layer of
            striate computes. The message names all of them, with their nodes.
        StriateValueError, StriateTypeError: another argument does not fit the network.
    """
    from striate.importing.image_preparation import ImagePreparation
    from striate.importing.onnx_reader import read_onnx

    preparation = ImagePreparation(size, fit, colour, mean, deviation, classes)
    return read_onnx(path, output=output, image=image, preparation=preparation).network
