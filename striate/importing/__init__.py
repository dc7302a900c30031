"""Networks of other libraries, as networks of striate.

atoms           the pieces that axes are made of
axis_view       how the axes of a foreign tensor lie in a value of striate
sliding_window  windows along the axes of a tensor
node_collector  collects layers and their weights, and makes the network
weight_writer   layers with weights, from those of another library
graph_writer    all layers

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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.network import Network


def from_onnx(
    path: str | os.PathLike[str],
    *,
    output: str | None = None,
    image: tuple[int, int] | None = None,
) -> Network:
    """Read the network in the ONNX file `path`, as layers of striate, trainable at once.

    Images become NHWC: transposes are cancelled, and the rows of dense layers permuted. Constants
    by which the file normalises its input become the preprocessing; class names are kept where the
    metadata have them. A softmax at the very end is left out, for networks end in logits:
    `Network.predict_proba` has the probabilities.

    It needs the package onnx: ``pip install 'striate[onnx]'``.

    Args:
        path: the file. Weights in files of their own must lie in its folder.
        output: the name of one of the outputs, if there are several. Only what leads to it is
            read.
        image: (height, width), if the file leaves them open.

    Raises:
        OnnxFileError: a ValueError; the file cannot be read, or has operators that no layer of
            striate computes. The message names all of them, with their nodes.
    """
    from striate.importing.onnx_reader import read_onnx

    return read_onnx(path, output=output, image=image).network
