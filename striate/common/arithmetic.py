"""Arithmetic whose overflow and underflow is part of the formula, or checked afterwards.

A softmax underflows for every class that is far from likely, a training that diverges overflows and
is told so by its loss.  NumPy warns of such things, or raises, as the user has set it with
`numpy.seterr` for his own arithmetic: striate's own must not depend on that, nor change it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


def unwatched(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function so that NumPy neither warns nor raises in it, whatever the user has set.

    Not for functions that call a user's own.
    """

    @functools.wraps(function)
    def quiet(*args: P.args, **kwargs: P.kwargs) -> R:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return quiet
