"""The sources that come along and are asked for by name."""

from __future__ import annotations

from typing import Final

from striate.data.dataset import Dataset, LoadOptions

BUNDLED: Final = ("digits", "shapes")
"""The names. A folder that is called so is named by ./digits or ./shapes."""


def load_bundled(name: str, options: LoadOptions) -> Dataset:
    """Return a source of `BUNDLED`, with a test part split off.

    Raises:
        DataError: "digits" is asked for and scikit-learn is not installed.
    """
    if name == "digits":
        from striate.data.digits import load_digits

        return load_digits(options)
    from striate.data.coloured_shapes import load_shapes

    return load_shapes(options)
