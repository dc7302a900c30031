"""Reads the layers of `striate gradients --then`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from striate.cli import options
from striate.cli.cures import in_options, in_words
from striate.cli.size import padding_quantity, quantity
from striate.cli.typed_planes import read_filters, read_planes

if TYPE_CHECKING:
    from striate.teaching.chainrule.chain_arguments import Then

FILTER_WORDS = ("stride", "padding", "dilation", "filters", "weights", "bias")
POOL_WORDS = ("pool", "stride", "padding")
FIRST = "conv2d_1"
"""What errors call the filter of --filter."""
_WORD = re.compile(r"(?<!\S)([a-z]+)=")


def chained_layers(typed: tuple[str, ...]) -> list[Then]:
    """The layers that the options name, in order.

    Raises:
        click.BadParameter: one of them is none; the message says what it may be.
    """
    return [_layer(text.strip()) for text in typed]


def in_then(message: str) -> str:
    """An error of a chain with its cures as they are typed: options of the first filter, words
    inside --then for those behind it.
    """
    return in_options(message) if f'"{FIRST}"' in message else in_words(message)


def _layer(text: str) -> Then:
    from striate.layers import MaxPool2D, ReLU

    # "3x3 stride=2 weights=1 0; 0 1" → "3x3", stride, "2", weights, "1 0; 0 1"
    first, *rest = _WORD.split(text)
    words = dict(zip(rest[::2], map(str.strip, rest[1::2]), strict=True))
    first = first.strip().lower()
    if first == "relu" and not words:
        return ReLU()
    if not first and "pool" in words:
        _check(text, words, POOL_WORDS)
        given = {name: _read(text, name, words[name]) for name in words if name != "pool"}
        return MaxPool2D(_size(text, words["pool"]), **given)
    if not first:
        raise _unknown(text)
    _check(text, words, FILTER_WORDS)
    return _convolution(text, _size(text, first), words)


def _convolution(text: str, size: tuple[int, int], words: Mapping[str, str]) -> Then:
    from striate.layers import Conv2D

    window = ("stride", "padding", "dilation")
    given = {name: _read(text, name, words[name]) for name in words if name in window}
    f = read_filters(words.get("weights"), f"--then {text!r}: weights", None)
    b = read_planes(words.get("bias"), f"--then {text!r}: bias")
    if "filters" in words:
        count = _read(text, "filters", words["filters"])
    else:
        count = f.shape[3] if f is not None else b.size if b is not None else 1
    layer = Conv2D(count, size, bias=b is not None, **given)
    return layer if f is None and b is None else (layer, f) if b is None else (layer, f, b)


def _size(text: str, typed: str) -> tuple[int, int]:
    try:
        return options.image_size(typed)
    except click.BadParameter:
        raise _unknown(text) from None


def _read(text: str, name: str, typed: str) -> Any:
    """A number, or a pair of them, of a word such as stride."""
    try:
        value = (padding_quantity if name == "padding" else quantity)(typed)
    except click.BadParameter as error:
        raise click.BadParameter(f"--then {text!r}: {name}: {error.message}") from None
    if value == "any":
        raise click.BadParameter(f'--then {text!r}: {name} must be a number here, not "any"')
    if name == "filters" and not isinstance(value, int):
        raise click.BadParameter(f"--then {text!r}: filters must be one number, got {typed}")
    return value


def _check(text: str, words: Mapping[str, str], known: tuple[str, ...]) -> None:
    for word in words:
        if word not in known:
            raise click.BadParameter(
                f"--then {text!r}: {word} is not known; there are {', '.join(known)}"
            )


def _unknown(text: str) -> click.BadParameter:
    return click.BadParameter(
        f"--then {text!r}: must be a filter such as 3x3, relu, or pool=2x2; a filter may be "
        'followed by words such as in "3x3 stride=2 padding=1 filters=2"'
    )
