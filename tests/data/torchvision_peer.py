"""torchvision as a peer of changes to photographs."""

from __future__ import annotations

import importlib
from typing import Any

import pytest


def torchvision(name: str) -> Any:
    """A module of torchvision, where it is installed and fits PyTorch."""
    try:
        return importlib.import_module(f"torchvision.{name}")
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"torchvision cannot be imported: {error}")
