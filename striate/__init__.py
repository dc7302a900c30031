"""striate: convolutional networks from first principles, at machine speed, in pure Python.

The names below are loaded when they are first used, so that ``import striate`` stays quick
(PEP 562). ``dir(striate)`` lists them all.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from striate import conversions as conversions
    from striate import functional as functional
    from striate import inspect as inspect
    from striate import kernels as kernels
    from striate.chainrule.derivation import gradients as gradients
    from striate.data import DataError as DataError
    from striate.data import Dataset as Dataset
    from striate.data import load as load_data
    from striate.data.augment import Augment as Augment
    from striate.derivation import derive as derive
    from striate.estimator import ConvNetClassifier as ConvNetClassifier
    from striate.estimator import ConvNetRegressor as ConvNetRegressor
    from striate.evaluation import Evaluation as Evaluation
    from striate.files import ModelFileError as ModelFileError
    from striate.files import load as load
    from striate.filtering import filter_image as filter_image
    from striate.layers import Add as Add
    from striate.layers import AvgPool2D as AvgPool2D
    from striate.layers import BatchNorm as BatchNorm
    from striate.layers import Concat as Concat
    from striate.layers import Conv2D as Conv2D
    from striate.layers import Dense as Dense
    from striate.layers import Dropout as Dropout
    from striate.layers import Flatten as Flatten
    from striate.layers import GlobalAvgPool2D as GlobalAvgPool2D
    from striate.layers import GroupedDense as GroupedDense
    from striate.layers import LeakyReLU as LeakyReLU
    from striate.layers import LocallyConnected2D as LocallyConnected2D
    from striate.layers import MaxPool2D as MaxPool2D
    from striate.layers import ReLU as ReLU
    from striate.layers import Scale as Scale
    from striate.layers import Sigmoid as Sigmoid
    from striate.layers import SumPool2D as SumPool2D
    from striate.layers import Tanh as Tanh
    from striate.network import Input as Input
    from striate.network import Network as Network
    from striate.preprocessing import Preprocessing as Preprocessing
    from striate.reports import report as report
    from striate.signal.arrays import convolve as convolve
    from striate.signal.arrays import correlate as correlate
    from striate.signal.arrays import explain_method as explain_method
    from striate.signal.steps import steps as steps
    from striate.sizes import size as size
    from striate.training.losses import MeanSquaredError as MeanSquaredError
    from striate.training.losses import SoftmaxCrossEntropy as SoftmaxCrossEntropy
    from striate.training.optimizers import SGD as SGD
    from striate.training.optimizers import AdamW as AdamW

# Public name -> (module, name in that module; None for the module itself).
_EXPORTS: dict[str, tuple[str, str | None]] = {
    "Add": ("striate.layers", "Add"),
    "AdamW": ("striate.training.optimizers", "AdamW"),
    "Augment": ("striate.data.augment", "Augment"),
    "AvgPool2D": ("striate.layers", "AvgPool2D"),
    "BatchNorm": ("striate.layers", "BatchNorm"),
    "Concat": ("striate.layers", "Concat"),
    "Conv2D": ("striate.layers", "Conv2D"),
    "ConvNetClassifier": ("striate.estimator", "ConvNetClassifier"),
    "ConvNetRegressor": ("striate.estimator", "ConvNetRegressor"),
    "DataError": ("striate.data", "DataError"),
    "Dataset": ("striate.data", "Dataset"),
    "Dense": ("striate.layers", "Dense"),
    "Dropout": ("striate.layers", "Dropout"),
    "Evaluation": ("striate.evaluation", "Evaluation"),
    "Flatten": ("striate.layers", "Flatten"),
    "GlobalAvgPool2D": ("striate.layers", "GlobalAvgPool2D"),
    "GroupedDense": ("striate.layers", "GroupedDense"),
    "Input": ("striate.network", "Input"),
    "LeakyReLU": ("striate.layers", "LeakyReLU"),
    "LocallyConnected2D": ("striate.layers", "LocallyConnected2D"),
    "MaxPool2D": ("striate.layers", "MaxPool2D"),
    "MeanSquaredError": ("striate.training.losses", "MeanSquaredError"),
    "ModelFileError": ("striate.files", "ModelFileError"),
    "Network": ("striate.network", "Network"),
    "Preprocessing": ("striate.preprocessing", "Preprocessing"),
    "ReLU": ("striate.layers", "ReLU"),
    "SGD": ("striate.training.optimizers", "SGD"),
    "Scale": ("striate.layers", "Scale"),
    "Sigmoid": ("striate.layers", "Sigmoid"),
    "SoftmaxCrossEntropy": ("striate.training.losses", "SoftmaxCrossEntropy"),
    "SumPool2D": ("striate.layers", "SumPool2D"),
    "Tanh": ("striate.layers", "Tanh"),
    "conversions": ("striate.conversions", None),
    "convolve": ("striate.signal.arrays", "convolve"),
    "correlate": ("striate.signal.arrays", "correlate"),
    "derive": ("striate.derivation", "derive"),
    "explain_method": ("striate.signal.arrays", "explain_method"),
    "filter_image": ("striate.filtering", "filter_image"),
    "functional": ("striate.functional", None),
    "gradients": ("striate.chainrule.derivation", "gradients"),
    "inspect": ("striate.inspect", None),
    "kernels": ("striate.kernels", None),
    "load": ("striate.files", "load"),
    "load_data": ("striate.data", "load"),
    "report": ("striate.reports", "report"),
    "size": ("striate.sizes", "size"),
    "steps": ("striate.signal.steps", "steps"),
}

__all__ = [
    "SGD",
    "AdamW",
    "Add",
    "Augment",
    "AvgPool2D",
    "BatchNorm",
    "Concat",
    "Conv2D",
    "ConvNetClassifier",
    "ConvNetRegressor",
    "DataError",
    "Dataset",
    "Dense",
    "Dropout",
    "Evaluation",
    "Flatten",
    "GlobalAvgPool2D",
    "GroupedDense",
    "Input",
    "LeakyReLU",
    "LocallyConnected2D",
    "MaxPool2D",
    "MeanSquaredError",
    "ModelFileError",
    "Network",
    "Preprocessing",
    "ReLU",
    "Scale",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "SumPool2D",
    "Tanh",
    "__version__",
    "conversions",
    "convolve",
    "correlate",
    "derive",
    "explain_method",
    "filter_image",
    "functional",
    "gradients",
    "inspect",
    "kernels",
    "load",
    "load_data",
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
