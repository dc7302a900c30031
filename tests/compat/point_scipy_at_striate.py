"""A pytest plugin that puts striate's functions into SciPy, so that SciPy's own tests test them.

    python -m pytest -p point_scipy_at_striate --pyargs scipy.ndimage.tests.test_filters

with this folder on PYTHONPATH. SciPy's public namespaces are changed, and every SciPy module that
has imported one of the functions (savgol_filter's, for one), before the tests are imported.
"""

import os
import sys
from types import ModuleType

from striate.compat import ndimage, signal

REPLACED = {
    "scipy.ndimage": (
        "convolve",
        "convolve1d",
        "correlate",
        "correlate1d",
        "gaussian_filter",
        "gaussian_filter1d",
        "gaussian_gradient_magnitude",
        "gaussian_laplace",
        "generic_gradient_magnitude",
        "generic_laplace",
        "laplace",
        "prewitt",
        "sobel",
        "uniform_filter",
        "uniform_filter1d",
    ),
    "scipy.signal": ("convolve", "convolve2d", "correlate", "correlate2d"),
}
STAND_INS = {"scipy.ndimage": ndimage, "scipy.signal": signal}


def replace() -> None:
    """Put striate's functions wherever SciPy has bound its own.

    With STRIATE_REPLACE=public only into scipy.ndimage and scipy.signal.
    """
    import scipy.ndimage
    import scipy.signal  # noqa: F401

    public_only = os.environ.get("STRIATE_REPLACE") == "public"
    for name, functions in REPLACED.items():
        for function in functions:
            original = getattr(sys.modules[name], function)
            ours = getattr(STAND_INS[name], function)
            assert ours is not original, f"striate.compat has no {function} of its own"
            for module in [sys.modules[name]] if public_only else _scipy_modules():
                for attribute, value in list(vars(module).items()):
                    if value is original:
                        setattr(module, attribute, ours)


def _scipy_modules() -> list[ModuleType]:
    return [m for n, m in list(sys.modules.items()) if n.split(".")[0] == "scipy" and m]


replace()
