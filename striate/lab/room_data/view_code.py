"""The sums of the lab's views as striate computes them: nest, schedule and C.

The textbook loop and NumPy, which stand beside them, are written in the page with the view's own
numbers (striate/lab/web/maths/code); these three are those of `striate explain --show`, for the
shapes that the articles use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from striate.common.text import sizes
from striate.layers import Conv1D, Conv2D, Dense, Flatten, MaxPool2D
from striate.network import Network

if TYPE_CHECKING:
    from striate.inspect.kernel_views import KernelView

FORMS = ("nest", "schedule", "c")


def view_code() -> dict[str, dict[str, str]]:
    """Each sum in the forms that the compiler makes of it, for the processor of this machine.

    Returns:
        For "signal", "output", "filterGradient", "inputGradient", "layer", "dense" and "pool" the
        texts of `FORMS`, and as "shape" the sizes of what it reads and writes; empty where llvmlite
        is not installed.
    """
    if find_spec("llvmlite") is None:
        return {}
    found = {}
    for make, training, wanted in _NETWORKS:
        network = make()
        views = _views(network, training)
        for sum_, (label, tensors) in wanted.items():
            view = _one(views, label, tensors)
            found[sum_] = {
                **{form: _written(view, form) for form in FORMS},
                "shape": _shape(network, label.split()[0]),
            }
    return found


def _views(network: Network, training: bool) -> list[KernelView]:
    from striate.inspect.kernel_views import kernel_views

    # One image on one thread: loops over images would only hide the sum.
    return kernel_views(network, batch_size=1, training=training, threads=1, portable=True)


def _one(views: Iterable[KernelView], label: str, tensors: set[str]) -> KernelView:
    """The kernel of a label that reads and writes certain buffers."""
    (found,) = (
        view
        for view in views
        if view.label == label and {tensor.buffer for tensor in view.nest.tensors()} >= tensors
    )
    return found


def _written(view: KernelView, form: str) -> str:
    """A kernel in a form; in a nest the input is X, as x is an axis, too."""
    text = view.text(form)
    return re.sub(r"\bx\[", "X[", text) if form == "nest" else text


def _shape(network: Network, layer: str) -> str:
    """ "7×7×3 → 3×3×2" of a layer; sides of 1 are left out."""
    shapes = {node.name: node.shape for node in network.nodes}
    names = [*shapes]
    before = names[names.index(layer) - 1] if names.index(layer) else None
    inputs = network.input_shape if before is None else shapes[before]
    return " → ".join(
        sizes(side for side in shape if side > 1) for shape in (inputs, shapes[layer])
    )


# --- the networks: the articles' shapes --------------------------------------------------------


def _signal() -> Network:
    layers = [Conv1D(1, 3, bias=False, name="signal")]
    return Network(layers, input_shape=(10, 1), seed=0)


def _small() -> Network:
    """The article 003's 3×3 input and 2×2 filter; a layer before it, so that ∂L/∂X is computed."""
    before, layer = Conv2D(1, 1, bias=False, name="before"), Conv2D(1, 2, bias=False, name="layer")
    return Network([before, layer], input_shape=(3, 3, 1), seed=0)


def _volume() -> Network:
    """The article 002's figure 3."""
    return Network([Conv2D(2, 3, stride=2, name="layer")], input_shape=(7, 7, 3), seed=0)


def _dense() -> Network:
    """The article 000's 3×3 image and 16 neurons."""
    return Network([Flatten(), Dense(16, bias=False, name="dense")], input_shape=(3, 3, 1), seed=0)


def _pool() -> Network:
    """The article 003's figure."""
    return Network([MaxPool2D(2, name="pool")], input_shape=(4, 4, 1), seed=0)


_NETWORKS: tuple[tuple[Callable[[], Any], bool, dict[str, tuple[str, set[str]]]], ...] = (
    (_signal, False, {"signal": ("signal forward", {"filters"})}),
    (
        _small,
        True,
        {
            "output": ("layer forward", {"x", "filters", "out"}),
            "filterGradient": ("layer backward", {"x", "gradient", "sum"}),
            "inputGradient": ("layer backward", {"gradient", "filters", "out"}),
        },
    ),
    (_volume, False, {"layer": ("layer forward", {"x", "filters", "out"})}),
    (_dense, False, {"dense": ("dense forward", {"x", "weights", "out"})}),
    (_pool, False, {"pool": ("pool forward", {"x", "out"})}),
)
"""What makes a network, whether its gradients are wanted, and the kernels: label and buffers."""
