"""striate: convolutional networks from first principles, at machine speed, in pure Python.

The names below are loaded when they are first used, so that ``import striate`` stays quick
(PEP 562). ``dir(striate)`` lists them all.
"""

from __future__ import annotations

from importlib import import_module

# As in `typing`, whose import takes longer than all else here: so long Ctrl-C shows Python's trace.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from striate import architectures as architectures
    from striate import compat as compat
    from striate import data as data
    from striate import functional as functional
    from striate import inspect as inspect
    from striate import kernels as kernels
    from striate import layers as layers
    from striate import ranks as ranks
    from striate.common.version import __version__ as __version__
    from striate.data import DataError as DataError
    from striate.data import Dataset as Dataset
    from striate.data import load as load_data
    from striate.data.augment import Augment as Augment
    from striate.estimators import ConvNetClassifier as ConvNetClassifier
    from striate.estimators import ConvNetRegressor as ConvNetRegressor
    from striate.importing import from_onnx as from_onnx
    from striate.importing.torch_import import from_torch as from_torch
    from striate.layers import ELU as ELU
    from striate.layers import GELU as GELU
    from striate.layers import LRN as LRN
    from striate.layers import Add as Add
    from striate.layers import Affine as Affine
    from striate.layers import AvgPool1D as AvgPool1D
    from striate.layers import AvgPool2D as AvgPool2D
    from striate.layers import BatchNorm as BatchNorm
    from striate.layers import ChannelShuffle as ChannelShuffle
    from striate.layers import ChannelSlice as ChannelSlice
    from striate.layers import Clip as Clip
    from striate.layers import Concat as Concat
    from striate.layers import Conv1D as Conv1D
    from striate.layers import Conv2D as Conv2D
    from striate.layers import ConvTranspose2D as ConvTranspose2D
    from striate.layers import Crop2D as Crop2D
    from striate.layers import Dense as Dense
    from striate.layers import Dropout as Dropout
    from striate.layers import Flatten as Flatten
    from striate.layers import GlobalAvgPool1D as GlobalAvgPool1D
    from striate.layers import GlobalAvgPool2D as GlobalAvgPool2D
    from striate.layers import GlobalMaxPool1D as GlobalMaxPool1D
    from striate.layers import GlobalMaxPool2D as GlobalMaxPool2D
    from striate.layers import GroupedDense as GroupedDense
    from striate.layers import HardSigmoid as HardSigmoid
    from striate.layers import HardSwish as HardSwish
    from striate.layers import LayerNorm as LayerNorm
    from striate.layers import LeakyReLU as LeakyReLU
    from striate.layers import LocallyConnected2D as LocallyConnected2D
    from striate.layers import MaxPool1D as MaxPool1D
    from striate.layers import MaxPool2D as MaxPool2D
    from striate.layers import Mish as Mish
    from striate.layers import Multiply as Multiply
    from striate.layers import PReLU as PReLU
    from striate.layers import ReLU as ReLU
    from striate.layers import ReLU6 as ReLU6
    from striate.layers import Scale as Scale
    from striate.layers import Sigmoid as Sigmoid
    from striate.layers import SiLU as SiLU
    from striate.layers import SumPool2D as SumPool2D
    from striate.layers import Tanh as Tanh
    from striate.layers import ZeroPad2D as ZeroPad2D
    from striate.model.files import ModelFileError as ModelFileError
    from striate.model.preprocessing import Preprocessing as Preprocessing
    from striate.network import Input as Input
    from striate.network import Network as Network
    from striate.network import load as load
    from striate.optim.layerwise import LAMB as LAMB
    from striate.optim.layerwise import LARS as LARS
    from striate.optim.losses import MeanSquaredError as MeanSquaredError
    from striate.optim.losses import SigmoidCrossEntropy as SigmoidCrossEntropy
    from striate.optim.losses import SoftmaxCrossEntropy as SoftmaxCrossEntropy
    from striate.optim.optimizers import SGD as SGD
    from striate.optim.optimizers import AdamW as AdamW
    from striate.reports import report as report
    from striate.signal.convolution import convolve as convolve
    from striate.signal.convolution import correlate as correlate
    from striate.signal.convolution import explain_method as explain_method
    from striate.signal.filter_image import filter_image as filter_image
    from striate.signal.steps import steps as steps
    from striate.teaching import conversions as conversions
    from striate.teaching.chainrule.gradients import gradients as gradients
    from striate.teaching.derivation import derive as derive
    from striate.teaching.size_calculator import size as size
    from striate.training.evaluation import Evaluation as Evaluation

# Public name -> (module, name in that module; None for the module itself).
_EXPORTS: dict[str, tuple[str, str | None]] = {
    "AdamW": ("striate.optim.optimizers", "AdamW"),
    "Add": ("striate.layers", "Add"),
    "Affine": ("striate.layers", "Affine"),
    "Augment": ("striate.data.augment", "Augment"),
    "AvgPool1D": ("striate.layers", "AvgPool1D"),
    "AvgPool2D": ("striate.layers", "AvgPool2D"),
    "BatchNorm": ("striate.layers", "BatchNorm"),
    "ChannelShuffle": ("striate.layers", "ChannelShuffle"),
    "ChannelSlice": ("striate.layers", "ChannelSlice"),
    "Clip": ("striate.layers", "Clip"),
    "Concat": ("striate.layers", "Concat"),
    "Conv1D": ("striate.layers", "Conv1D"),
    "Conv2D": ("striate.layers", "Conv2D"),
    "ConvNetClassifier": ("striate.estimators", "ConvNetClassifier"),
    "ConvNetRegressor": ("striate.estimators", "ConvNetRegressor"),
    "ConvTranspose2D": ("striate.layers", "ConvTranspose2D"),
    "Crop2D": ("striate.layers", "Crop2D"),
    "DataError": ("striate.data", "DataError"),
    "Dataset": ("striate.data", "Dataset"),
    "Dense": ("striate.layers", "Dense"),
    "Dropout": ("striate.layers", "Dropout"),
    "ELU": ("striate.layers", "ELU"),
    "Evaluation": ("striate.training.evaluation", "Evaluation"),
    "Flatten": ("striate.layers", "Flatten"),
    "GELU": ("striate.layers", "GELU"),
    "GlobalAvgPool1D": ("striate.layers", "GlobalAvgPool1D"),
    "GlobalAvgPool2D": ("striate.layers", "GlobalAvgPool2D"),
    "GlobalMaxPool1D": ("striate.layers", "GlobalMaxPool1D"),
    "GlobalMaxPool2D": ("striate.layers", "GlobalMaxPool2D"),
    "GroupedDense": ("striate.layers", "GroupedDense"),
    "HardSigmoid": ("striate.layers", "HardSigmoid"),
    "HardSwish": ("striate.layers", "HardSwish"),
    "Input": ("striate.network", "Input"),
    "LAMB": ("striate.optim.layerwise", "LAMB"),
    "LARS": ("striate.optim.layerwise", "LARS"),
    "LRN": ("striate.layers", "LRN"),
    "LayerNorm": ("striate.layers", "LayerNorm"),
    "LeakyReLU": ("striate.layers", "LeakyReLU"),
    "LocallyConnected2D": ("striate.layers", "LocallyConnected2D"),
    "MaxPool1D": ("striate.layers", "MaxPool1D"),
    "MaxPool2D": ("striate.layers", "MaxPool2D"),
    "MeanSquaredError": ("striate.optim.losses", "MeanSquaredError"),
    "Mish": ("striate.layers", "Mish"),
    "ModelFileError": ("striate.model.files", "ModelFileError"),
    "Multiply": ("striate.layers", "Multiply"),
    "Network": ("striate.network", "Network"),
    "PReLU": ("striate.layers", "PReLU"),
    "Preprocessing": ("striate.model.preprocessing", "Preprocessing"),
    "ReLU": ("striate.layers", "ReLU"),
    "ReLU6": ("striate.layers", "ReLU6"),
    "SGD": ("striate.optim.optimizers", "SGD"),
    "Scale": ("striate.layers", "Scale"),
    "SiLU": ("striate.layers", "SiLU"),
    "Sigmoid": ("striate.layers", "Sigmoid"),
    "SigmoidCrossEntropy": ("striate.optim.losses", "SigmoidCrossEntropy"),
    "SoftmaxCrossEntropy": ("striate.optim.losses", "SoftmaxCrossEntropy"),
    "SumPool2D": ("striate.layers", "SumPool2D"),
    "Tanh": ("striate.layers", "Tanh"),
    "ZeroPad2D": ("striate.layers", "ZeroPad2D"),
    "__version__": ("striate.common.version", "__version__"),
    "architectures": ("striate.architectures", None),
    "compat": ("striate.compat", None),
    "conversions": ("striate.teaching.conversions", None),
    "convolve": ("striate.signal.convolution", "convolve"),
    "correlate": ("striate.signal.convolution", "correlate"),
    "data": ("striate.data", None),
    "derive": ("striate.teaching.derivation", "derive"),
    "explain_method": ("striate.signal.convolution", "explain_method"),
    "filter_image": ("striate.signal.filter_image", "filter_image"),
    "from_onnx": ("striate.importing", "from_onnx"),
    "from_torch": ("striate.importing.torch_import", "from_torch"),
    "functional": ("striate.functional", None),
    "gradients": ("striate.teaching.chainrule.gradients", "gradients"),
    "inspect": ("striate.inspect", None),
    "kernels": ("striate.kernels", None),
    "layers": ("striate.layers", None),
    "load": ("striate.network", "load"),
    "load_data": ("striate.data", "load"),
    "ranks": ("striate.ranks", None),
    "report": ("striate.reports", "report"),
    "size": ("striate.teaching.size_calculator", "size"),
    "steps": ("striate.signal.steps", "steps"),
}

# What ``from striate import *`` gives: not the modules whose names users, or Python, have for other
# things, such as `inspect` and `data`.
__all__ = [
    "ELU",
    "GELU",
    "LAMB",
    "LARS",
    "LRN",
    "SGD",
    "AdamW",
    "Add",
    "Affine",
    "Augment",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNorm",
    "ChannelShuffle",
    "ChannelSlice",
    "Clip",
    "Concat",
    "Conv1D",
    "Conv2D",
    "ConvNetClassifier",
    "ConvNetRegressor",
    "ConvTranspose2D",
    "Crop2D",
    "DataError",
    "Dataset",
    "Dense",
    "Dropout",
    "Evaluation",
    "Flatten",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GroupedDense",
    "HardSigmoid",
    "HardSwish",
    "Input",
    "LayerNorm",
    "LeakyReLU",
    "LocallyConnected2D",
    "MaxPool1D",
    "MaxPool2D",
    "MeanSquaredError",
    "Mish",
    "ModelFileError",
    "Multiply",
    "Network",
    "PReLU",
    "Preprocessing",
    "ReLU",
    "ReLU6",
    "Scale",
    "SiLU",
    "Sigmoid",
    "SigmoidCrossEntropy",
    "SoftmaxCrossEntropy",
    "SumPool2D",
    "Tanh",
    "ZeroPad2D",
    "__version__",
    "architectures",
    "conversions",
    "convolve",
    "correlate",
    "derive",
    "explain_method",
    "filter_image",
    "from_onnx",
    "from_torch",
    "functional",
    "gradients",
    "kernels",
    "load",
    "load_data",
    "ranks",
    "report",
    "size",
    "steps",
]


def __getattr__(name: str) -> Any:
    try:
        module, attribute = _EXPORTS[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    loaded = import_module(module)
    value = loaded if attribute is None else getattr(loaded, attribute)
    globals()[name] = value  # so that the next use does not come here
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_EXPORTS))
