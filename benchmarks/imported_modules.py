"""Do networks that were imported from PyTorch predict what they predict there?

    python benchmarks/imported_modules.py [NAME …]

Architectures of torchvision, and of transformers where it is installed, with random weights and
running statistics become networks of striate. Printed is how far their outputs, from both engines,
are from PyTorch's in float64, relative to the largest output; PyTorch's own float32 stands beside
them. Every weight is compared bit by bit after the way back. Ends with 1 if an output is further
off than 1e-5, or a weight differs.
"""

from __future__ import annotations

import copy
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torchvision
from torch import nn

import striate

BAR = 1e-5
TORCHVISION = {
    "alexnet": 224, "vgg11": 224, "resnet18": 64, "resnet50": 64, "densenet121": 64,
    "squeezenet1_1": 96, "googlenet": 96, "inception_v3": 107, "mobilenet_v2": 64,
    "mobilenet_v3_small": 64, "mobilenet_v3_large": 64, "efficientnet_b0": 64,
    "shufflenet_v2_x1_0": 64, "regnet_y_400mf": 64, "convnext_tiny": 64, "mnasnet1_0": 64,
}  # fmt: skip


def modules() -> Iterator[tuple[str, Callable[[], nn.Module], int]]:
    """Names, what makes the module, and the side of the images."""
    for name, side in TORCHVISION.items():
        options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
        make = getattr(torchvision.models, name)
        yield name, lambda make=make, options=options: make(weights=None, **options), side
    if importlib.util.find_spec("transformers") is None:
        return
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers

    small = {"num_labels": 10}
    sizes = {**small, "hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 2, 1]}
    kinds = {
        "ResNet": {**sizes, "embedding_size": 16},
        "RegNet": {**sizes, "embedding_size": 16, "groups_width": 8},
        "ConvNext": sizes,
        "MobileNetV1": {**small, "depth_multiplier": 0.5},
        "MobileNetV2": {**small, "depth_multiplier": 0.5},
        "EfficientNet": {
            **small, "width_coefficient": 0.5, "depth_coefficient": 0.5, "hidden_dim": 640,
        },
    }  # fmt: skip
    for kind, options in kinds.items():
        config = getattr(transformers, f"{kind}Config")(**options)
        made = getattr(transformers, f"{kind}ForImageClassification")
        yield f"transformers {kind}", lambda made=made, config=config: made(config), 64


def randomised(make: Callable[[], nn.Module]) -> nn.Module:
    """The module with random running statistics."""
    torch.manual_seed(0)
    module = make()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.2)  # type: ignore[union-attr]
            part.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return module.eval()


def compared(name: str, make: Callable[[], nn.Module], side: int) -> bool:
    """Print the differences of one architecture; whether they are small enough."""
    module = randomised(make)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what would train otherwise
        try:
            network = striate.from_torch(module, (1, 3, side, side))
        except ValueError as error:
            print(f"{name:26} REFUSED: {error}")
            return False
    images = torch.randn(2, 3, side, side)

    def outputs(module: nn.Module, images: torch.Tensor) -> Any:
        with torch.no_grad():
            found = module(images)
        return (found.logits if hasattr(found, "logits") else found).double().numpy()

    wanted = outputs(copy.deepcopy(module).double(), images.double())
    largest = np.abs(wanted).max()
    rows = images.permute(0, 2, 3, 1).contiguous().numpy()
    far = {"PyTorch": np.abs(outputs(module, images) - wanted).max() / largest}
    for engine in ("numpy", "llvm"):
        found = network.predict_logits(rows, engine=engine)
        far[engine] = np.abs(found - wanted).max() / largest
    other = striate.Network.from_config(network.get_config(), seed=None)
    other.load_torch(network.to_torch())
    same = np.array_equal(other.flat, network.flat)
    same = same and np.array_equal(other.state_flat, network.state_flat)
    given = module.state_dict()
    back = network.to_torch().state_dict()
    same = same and all(
        torch.equal(tensor.reshape(-1), given[key].reshape(-1))
        for key, tensor in back.items()
        if key in given
    )
    good = same and max(far["numpy"], far["llvm"]) <= BAR
    told = ", ".join(f"{key} {value:.1e}" for key, value in far.items())
    print(f"{name:26} {told}; weights {'kept' if same else 'CHANGED'}{'' if good else ': BAD'}")
    sys.stdout.flush()
    return good


def main() -> int:
    chosen = [case for case in modules() if not sys.argv[1:] or case[0] in sys.argv[1:]]
    results = [compared(*case) for case in chosen]
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
