"""Packages that striate works without, and that some of its functions need."""

from __future__ import annotations

from importlib.util import find_spec

from striate.common.errors import StriateImportError


def require(package: str, extra: str, who: str) -> None:
    """Raise unless a package is installed.

    Args:
        package: as it is imported.
        extra: the extra of striate that brings it, as in ``pip install 'striate[onnx]'``.
        who: what needs it.

    Raises:
        ImportError: it is not installed; the message says how to install it.
    """
    if find_spec(package) is None:
        raise StriateImportError(
            f"{who} needs the package {package}: pip install 'striate[{extra}]'"
        )
