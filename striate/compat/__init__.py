"""SciPy's convolutions with SciPy's signatures, computed by striate.

`striate.compat.signal` stands in for ``scipy.signal`` and `striate.compat.ndimage` for
``scipy.ndimage``::

    from striate.compat import ndimage, signal  # instead of: from scipy import ndimage, signal

The functions that convolve are striate's; every other name, submodules such as
``signal.windows`` included, is SciPy's own.  Results have SciPy's values, shapes, dtypes and
errors.  Both modules import their SciPy counterpart, so nothing else in striate imports them.
"""

from importlib import import_module
from types import ModuleType

__all__ = ["ndimage", "signal"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
