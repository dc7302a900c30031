"""Public functions and methods say what they take: no `**options` hides an argument."""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import striate
from striate.network import Network


def public() -> Iterator[tuple[str, Any]]:
    """Every function, class and method that users see, by its name."""
    for name in striate.__all__:
        value = getattr(striate, name)
        if inspect.ismodule(value):
            members = {key: getattr(value, key) for key in value.__all__}
        else:
            members = {"": value}
            if isinstance(value, type):
                members |= {
                    key: getattr(value, key) for key in dir(value) if not key.startswith("_")
                }
        for key, member in members.items():
            if callable(member):
                yield f"{name}.{key}".rstrip("."), member


# scikit-learn's own: any parameter of the estimator, or of what is in it.
OF_OTHERS = {"ConvNetClassifier.set_params", "ConvNetRegressor.set_params"}


def test_no_argument_is_hidden() -> None:
    hidden = []
    for name, member in public():
        try:
            arguments = inspect.signature(member).parameters.values()
        except ValueError:  # a builtin, such as an exception
            continue
        if any(a.kind is a.VAR_KEYWORD for a in arguments):
            hidden.append(name)
    assert set(hidden) == OF_OTHERS


OPTIONS = list(inspect.signature(Network.predict_logits).parameters.values())[2:]


@pytest.mark.parametrize("method", ["predict_proba", "predict", "evaluate"])
def test_what_predicts_takes_the_options_of_predict_logits(method: str) -> None:
    arguments = inspect.signature(getattr(Network, method)).parameters.values()
    own = {"reject"} if method == "predict" else set()
    options = [a for a in arguments if a.kind is a.KEYWORD_ONLY and a.name not in own]
    assert options == OPTIONS
    assert {"engine", "threads", "batch_size", "views"} <= {a.name for a in OPTIONS}


@pytest.mark.parametrize(
    ("gradient", "forward"),
    [
        ("conv2d_input_gradient", "conv2d"),
        ("conv2d_filter_gradient", "conv2d"),
        ("locally_connected2d", "conv2d"),
        ("locally_connected2d_input_gradient", "conv2d"),
        ("locally_connected2d_weight_gradient", "conv2d"),
        ("max_pool2d_input_gradient", "max_pool2d"),
        ("avg_pool2d_input_gradient", "avg_pool2d"),
        ("sum_pool2d_input_gradient", "sum_pool2d"),
    ],
)
def test_gradients_take_the_options_of_their_function(gradient: str, forward: str) -> None:
    def options(name: str) -> dict[str, Any]:
        arguments = inspect.signature(getattr(striate.functional, name)).parameters.values()
        return {a.name: a.default for a in arguments if a.kind is a.KEYWORD_ONLY}

    assert options(gradient) == options(forward)
