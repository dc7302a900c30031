"""What other libraries call what striate calls otherwise: for errors that name the word, and for
the table of the documentation.

`WORDS` has what is an argument here, by the class or function that has it; `LEFT_OUT` what is no
argument, and what to do instead; the others are values of arguments.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from striate.common.errors import StriateTypeError
from striate.common.text import choices, cut, did_you_mean, plural, quoted

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Word:
    """One argument in four libraries; () where a library has none.

    Attributes:
        striate: what it is called here.
        of: what it is an argument of.
        keras, pytorch, scikit_learn: what it is called there.
        note: what else is different.
    """

    striate: str
    of: str
    keras: tuple[str, ...] = ()
    pytorch: tuple[str, ...] = ()
    scikit_learn: tuple[str, ...] = ()
    note: str = ""

    @property
    def others(self) -> set[str]:
        """What it is called elsewhere, and not here."""
        return {*self.keras, *self.pytorch, *self.scikit_learn} - {self.striate}


WORDS = (
    Word("filters", "Conv2D", ("filters",), ("out_channels",)),
    Word("size", "Conv2D", ("kernel_size",), ("kernel_size",)),
    Word("size", "MaxPool2D", ("pool_size",), ("kernel_size",)),
    Word("stride", "Conv2D", ("strides",), ("stride",)),
    Word("dilation", "Conv2D", ("dilation_rate",), ("dilation",)),
    Word("bias", "Conv2D", ("use_bias",), ("bias",)),
    Word("initial", "Conv2D", ("kernel_initializer",)),
    Word("count_padding", "AvgPool2D", (), ("count_include_pad",)),
    Word("units", "Dense", ("units",), ("out_features",), ("hidden_layer_sizes",)),
    Word("rate", "Dropout", ("rate",), ("p",)),
    Word("slope", "LeakyReLU", ("negative_slope", "alpha"), ("negative_slope",)),
    Word("eps", "BatchNorm", ("epsilon",), ("eps",)),
    Word(
        "momentum", "BatchNorm", ("momentum",), ("momentum",),
        note="the share that is kept, as in Keras; PyTorch's 0.1 is 0.9 here",
    ),
    Word("low", "Clip", ("min_value", "x_min"), ("min", "min_val")),
    Word("high", "Clip", ("max_value", "x_max"), ("max", "max_val")),
    Word("bias", "LRN", (), ("k",)),
    Word("factor", "Scale", ("scale",)),
    Word("beta1", "AdamW", ("beta_1",), ("betas",), ("beta_1",)),
    Word("beta2", "AdamW", ("beta_2",), ("betas",), ("beta_2",)),
    Word("eps", "AdamW", ("epsilon",), ("eps",), ("epsilon",)),
    Word("nesterov", "SGD", ("nesterov",), ("nesterov",), ("nesterovs_momentum",)),
    Word("weight_decay", "AdamW", ("weight_decay",), ("weight_decay",), ("alpha",)),
    Word("images", "fit", ("x",), ("input",), ("X",)),
    Word("labels", "fit", ("y",), ("target",), ("y",)),
    Word("epochs", "fit", ("epochs", "nb_epoch", "n_epochs"), (), ("max_iter",)),
    Word("learning_rate", "fit", ("learning_rate",), ("lr",), ("learning_rate_init", "eta0")),
    Word("optimizer", "fit", ("optimizer",), ("optim",), ("solver",)),
    Word("schedule", "fit", ("learning_rate_schedule",), ("lr_scheduler",)),
    Word("loss", "fit", ("loss",), ("criterion",), ("loss",)),
    Word("validation_fraction", "fit", ("validation_split",), (), ("validation_fraction",)),
    Word("early_stopping", "fit", ("patience",), (), ("n_iter_no_change",)),
    Word("progress", "fit", ("verbose",), (), ("verbose",)),
    Word("on_epoch", "fit", ("callbacks",)),
    Word("seed", "fit", ("seed",), ("manual_seed",), ("random_state",)),
    Word("threads", "fit", (), ("num_threads", "num_workers"), ("n_jobs",)),
    Word("class_weight", "fit", ("class_weight",), (), ("class_weight",)),
    Word("sample_weight", "fit", ("sample_weight",), (), ("sample_weight",)),
)  # fmt: skip
"""The arguments that have another name, or another meaning, elsewhere."""

_FOLLOWS = "leave it out: it follows from the layer before, or from the input"
_LAST = "leave it out: channels always come last, (height, width, channels)"
_AFTER = "put the activation behind the layer, such as Conv2D(8, 3), ReLU()"
_IN_FIT = "the learning rate is an argument of fit: fit(…, learning_rate=0.01)"
LEFT_OUT: Mapping[str, str] = {
    "in_channels": _FOLLOWS,
    "in_features": _FOLLOWS,
    "num_features": _FOLLOWS,
    "input_dim": _FOLLOWS,
    "axis": _LAST,
    "data_format": _LAST,
    "activation": _AFTER,
    "input_shape": "the shape of the images is an argument of Network: Network(…, (28, 28, 1))",
    "bias_initializer": "leave it out: biases begin at 0",
    "padding_mode": "leave it out: what lies beyond the edge is 0",
    "inplace": "leave it out",
    "ceil_mode": 'uncovered="overhang" of a pooling layer is ceil_mode=True',
    "learning_rate": _IN_FIT,
    "lr": _IN_FIT,
    "metrics": "leave it out: the accuracy is in the history that fit returns",
    "shuffle": "leave it out: each epoch is shuffled anew",
    "betas": "give beta1 and beta2",
}
"""What other libraries' arguments are not here, and what to do instead."""

OPTIMIZERS: Mapping[str, str] = {
    "adam": "adamw", "nadam": "adamw", "radam": "adamw", "adamax": "adamw",
    "rmsprop": "adamw", "adagrad": "adamw", "momentum": "sgd", "nesterov": "sgd",
}  # fmt: skip
LOSSES: Mapping[str, str] = {
    "categorical_crossentropy": "softmax_cross_entropy",
    "sparse_categorical_crossentropy": "softmax_cross_entropy",
    "crossentropy": "softmax_cross_entropy",
    "cross_entropy": "softmax_cross_entropy",
    "crossentropyloss": "softmax_cross_entropy",
    "log_loss": "softmax_cross_entropy",
    "nll": "softmax_cross_entropy",
    "binary_crossentropy": "sigmoid_cross_entropy",
    "binary_cross_entropy": "sigmoid_cross_entropy",
    "bce": "sigmoid_cross_entropy",
    "bceloss": "sigmoid_cross_entropy",
    "bcewithlogitsloss": "sigmoid_cross_entropy",
    "multilabelsoftmarginloss": "sigmoid_cross_entropy",
    "mse": "mean_squared_error",
    "l2": "mean_squared_error",
    "mseloss": "mean_squared_error",
    "squared_error": "mean_squared_error",
}
SCHEDULES: Mapping[str, str] = {
    "onecycle": "one-cycle", "one_cycle": "one-cycle", "onecyclelr": "one-cycle",
    "cosineannealinglr": "cosine", "cosine_decay": "cosine", "cosine_annealing": "cosine",
    "steplr": "step", "multisteplr": "step", "invscaling": "step",
}  # fmt: skip
BORDERS: Mapping[str, str] = {
    "replicate": "nearest", "edge": "nearest", "clamp": "nearest", "border_replicate": "nearest",
    "repeat": "nearest", "extend": "nearest", "duplicate": "nearest",
    "constant": "fill", "zero": "fill", "zeros": "fill", "grid-constant": "fill",
    "border_constant": "fill", "pad": "fill",
    "symmetric": "reflect", "symm": "reflect", "grid-mirror": "reflect",
    "border_reflect": "reflect", "half-sample": "reflect",
    "reflect101": "mirror", "reflect_101": "mirror", "border_reflect_101": "mirror",
    "border_reflect101": "mirror", "border_default": "mirror", "whole-sample": "mirror",
    "circular": "wrap", "periodic": "wrap", "cyclic": "wrap", "grid-wrap": "wrap",
    "tile": "wrap", "border_wrap": "wrap",
}  # fmt: skip
"""Values of arguments, in small letters, as others call them."""


def known_as(given: object, known: Iterable[str], others: Mapping[str, str]) -> str:
    """ "; it is called 'nearest' here", or else what `did_you_mean` says, or ""."""
    word = others.get(str(given).lower()) if isinstance(given, str) else None
    if word is not None:
        return f"; that is called {quoted(word)} here"
    return did_you_mean(cut(str(given), 80), known, write=quoted)


def explained_call(
    who: str, function: Callable[..., Any], args: Any, kwargs: Any, said: str
) -> str | None:
    """Why a call does not fit a signature, in striate's words; None if it does.

    Args:
        who: what is called, for the message.
        function: the function or class.
        args, kwargs: what it was called with.
        said: what Python said.
    """
    signature = inspect.signature(function)
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        names = [name for name, p in signature.parameters.items() if p.kind is not p.VAR_KEYWORD]
        unknown = [name for name in kwargs if name not in names]
        if unknown:
            shown = [repr(cut(name, 40)) for name in unknown[:3]]
            advice = [_advice(name, who, names) for name in unknown[:3]]
            if len(unknown) > 1:
                advice = [f"{name}: {text}" for name, text in zip(shown, advice, strict=False)]
            what = plural(len(unknown), "argument")
            return (
                f"{who}: unexpected keyword {what} {choices(shown, 'and')} "
                f"({cut('; '.join(advice), 300)})"
            )
        positional = [
            name
            for name, p in signature.parameters.items()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        if len(args) > len(positional):
            takes = f"only {choices(positional, 'and')}" if positional else "nothing"
            return (
                f"{who}: takes {takes} without a name, got {len(args)} values; name the others, "
                "and leave out the number of input channels, which follows from the layer before"
            )
        # Python's own words, without the name of the function.
        return f"{who}: {cut(said.split('() ', 1)[-1], 300)}"
    return None


def _advice(name: str, who: str, names: list[str]) -> str:
    found = [word for word in WORDS if name in word.others and word.striate in names]
    if found:
        same = next((word for word in found if word.of == who), found[0])
        return f"it is called {same.striate} here" + (f", {same.note}" if same.note else "")
    if name in LEFT_OUT:
        return LEFT_OUT[name]
    near = did_you_mean(name, names, write=str)
    return near.removeprefix("; ") or f"known are {cut(', '.join(names), 150)}"


def explains_its_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function so that a call that does not fit is told in striate's words.

    Raises:
        TypeError: the arguments do not fit the signature.
    """

    @functools.wraps(function)
    def explaining(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            told = explained_call(function.__name__, function, args, kwargs, str(error))
            if told is None:
                raise
        raise StriateTypeError(told)

    return explaining


class ExplainsItsArguments:
    """The base of classes whose constructors tell in striate's words what does not fit.

    The constructors of all subclasses are decorated; their signatures stay.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = _explaining(cls.__init__)  # type: ignore[method-assign]


def _explaining(constructor: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(constructor)
    def explaining(self: object, *args: Any, **kwargs: Any) -> None:
        try:
            return constructor(self, *args, **kwargs)
        except TypeError as error:
            function = functools.partial(constructor, self)
            told = explained_call(type(self).__name__, function, args, kwargs, str(error))
            if told is None:
                raise
        raise StriateTypeError(told)

    return explaining
