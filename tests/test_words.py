"""Words of other libraries: the errors name striate's, and the table names nothing that is not."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import striate
from striate.common import words
from striate.common.errors import StriateTypeError, StriateValueError
from striate.layers import LAYERS, Conv2D, Dense, Flatten, Layer
from striate.network import Network
from striate.optim.losses import SoftmaxCrossEntropy
from striate.optim.optimizers import KINDS
from striate.optim.schedules import SCHEDULES
from striate.signal.geometry import BORDERS
from striate.training.loop import fit


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Conv2D(8, kernel_size=3),
            "Conv2D: unexpected keyword argument 'kernel_size' .*called size",
        ),
        (lambda: Conv2D(8, 3, strides=2), "it is called stride here"),
        (lambda: Conv2D(8, 3, dilation_rate=2), "called dilation here"),
        (lambda: Conv2D(8, 3, activation="relu"), r"behind the layer, such as .* ReLU\(\)"),
        (lambda: Conv2D(in_channels=3, out_channels=8, kernel_size=3), "called filters here"),
        (lambda: Conv2D(3, 32, 3), "takes only filters and size without a name, got 3 values"),
        (lambda: Conv2D(8), "Conv2D: missing 1 required positional argument: 'size'"),
        (lambda: Conv2D(8, 3, data_format="channels_first"), "channels always come last"),
        (lambda: Dense(out_features=10), "called units here"),
        (lambda: Dense(10, use_bias=False), "called bias here"),
        (lambda: striate.MaxPool2D(pool_size=2), "called size here"),
        (lambda: striate.AvgPool2D(2, count_include_pad=True), "called count_padding here"),
        (lambda: striate.Dropout(p=0.5), "called rate here"),
        (lambda: striate.BatchNorm(epsilon=1e-3), "called eps here"),
        (lambda: striate.BatchNorm(64), "takes nothing without a name, got 1 values"),
        (lambda: striate.LeakyReLU(alpha=0.1), "called slope here"),
        (lambda: striate.Clip(min=0), "called low here"),
        (lambda: striate.Clip(max_val=6), "called high here"),
        (lambda: striate.LRN(5, k=2.0), "called bias here"),
        (lambda: striate.ReLU(inplace=True), "ReLU: .* 'inplace' .leave it out"),
        (lambda: Conv2D(8, 3, strid=2), "did you mean stride"),
        (lambda: Conv2D(8, 3, foo=2), "known are filters, size, stride"),
        (lambda: striate.SGD(lr=0.1), "argument of fit"),
        (lambda: striate.AdamW(learning_rate=0.1), "argument of fit"),
        (lambda: striate.AdamW(beta_1=0.9), "called beta1 here"),
        (lambda: SoftmaxCrossEntropy(smoothing=0.1), "did you mean label_smoothing"),
        (lambda: striate.Network([Dense(2)], (3,)).fit(), "fit: missing 2 required positional"),
        (lambda: fit(None, None, None, lr=1), "called learning_rate here"),
        (lambda: fit(None, None, None, validation_split=0.1), "called validation_fraction here"),
        (lambda: fit(None, None, None, verbose=0), "called progress here"),
        (
            lambda: fit(None, None, None, max_iter=3, n_jobs=2),
            r"'max_iter' and 'n_jobs' .*epochs here; 'n_jobs': .* threads",
        ),
    ],
)
def test_arguments_of_other_libraries(call: Any, message: str) -> None:
    with pytest.raises(StriateTypeError, match=message) as caught:
        call()
    assert len(str(caught.value)) <= 500


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optimizer": "adam"}, '"adamw" here'),
        ({"optimizer": "RMSprop"}, '"adamw" here'),
        ({"loss": "mse"}, '"mean_squared_error" here'),
        ({"loss": "sparse_categorical_crossentropy"}, '"softmax_cross_entropy" here'),
        ({"schedule": "OneCycleLR"}, '"one-cycle" here'),
        ({"schedule": "cosin"}, 'did you mean "cosine"'),
    ],
)
def test_values_of_other_libraries(given: Any, message: str) -> None:
    network = Network([Flatten(), Dense(2)], (4, 4, 1))
    with pytest.raises(StriateValueError, match=message):
        network.fit(np.ones((4, 4, 4, 1)), [0, 1, 0, 1], progress=False, **given)


@pytest.mark.parametrize("other", words.BORDERS)
def test_borders_of_other_libraries(other: str) -> None:
    expected = f'"{words.BORDERS[other]}" here'
    with pytest.raises(StriateValueError, match=expected):
        striate.convolve([1.0, 2.0], [1.0], border=other)
    with pytest.raises(StriateValueError, match=expected):
        striate.filter_image(np.ones((4, 4)), "mean", border=(other.upper(), "wrap"))


def test_the_table_is_true() -> None:
    places: dict[str, Any] = {**LAYERS, "SGD": striate.SGD, "AdamW": striate.AdamW, "fit": fit}
    for word in words.WORDS:
        assert word.striate in inspect.signature(places[word.of]).parameters, word
    for table, known in (
        (words.OPTIMIZERS, KINDS),
        (words.LOSSES, ("softmax_cross_entropy", "sigmoid_cross_entropy", "mean_squared_error")),
        (words.SCHEDULES, SCHEDULES),
        (words.BORDERS, BORDERS),
    ):
        assert set(table.values()) <= set(known)
        assert not set(table) & set(known)
        assert all(name == name.lower() for name in table)


def test_signatures_stay() -> None:
    assert list(inspect.signature(Conv2D).parameters)[:3] == ["filters", "size", "stride"]
    assert "epochs" in inspect.signature(Network.fit).parameters


def test_another_type_error_stays_what_it_is() -> None:
    class Own(Layer):
        kind = "own"

        def __init__(self, size: int) -> None:
            super().__init__()
            raise TypeError("of its own")

    with pytest.raises(TypeError, match=r"^of its own$"):
        Own(3)
    with pytest.raises(StriateTypeError, match=r"Own: .*'kernel_size' .*called size"):
        Own(kernel_size=3)
