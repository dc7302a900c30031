"""Properties that are computed once for each object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Result = TypeVar("Result")


class cached_property(Generic[Result]):
    """A property that is computed when it is first read, and then is an attribute.

    `functools.cached_property` without the lock that it has before Python 3.12: all objects of a
    class share that one, so that threads wait for each other, and a forked child for ever. Without
    it two threads may compute the same twice.
    """

    def __init__(self, function: Callable[[Any], Result]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> cached_property[Result]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Result: ...
    def __get__(self, instance: object, owner: type) -> Result | cached_property[Result]:
        if instance is None:
            return self
        # An attribute of that name is found before this is, from now on.
        result = instance.__dict__[self._name] = self._function(instance)
        return result
