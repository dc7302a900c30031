from __future__ import annotations

from pathlib import Path

import pytest

from striate.lab.lab_data import lab_data
from striate.lab.lab_page import write_lab


@pytest.fixture(scope="session")
def lab_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page that `striate lab` writes without a model."""
    path = tmp_path_factory.mktemp("lab") / "lab.html"
    write_lab(path, lab_data())
    return path
