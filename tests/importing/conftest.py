"""What several test modules of this folder use."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from striate import Network


@pytest.fixture(scope="session")
def random_network() -> Callable[[int], Network]:
    """That of `random_networks.py` beside this file, which is in no package."""
    path = Path(__file__).parent / "random_networks.py"
    spec = importlib.util.spec_from_file_location("random_networks", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[int], Network] = module.random_network
    return found
