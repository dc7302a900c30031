"""Small images made on the spot, and a cache of their own for these tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MakeFolder = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's cache out of the tests; return the folder that stands in for it."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("STRIATE_CACHE", str(folder))
    return folder


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Return a function that writes a folder of class folders of random PNG images."""

    def make(
        counts: dict[str, int],
        *,
        size: tuple[int, int] = (6, 9),
        gray: bool = False,
        name: str = "photos",
        seed: int = 0,
    ) -> Path:
        rng = np.random.default_rng(seed)
        shape = size if gray else (*size, 3)
        for kind, count in counts.items():
            (tmp_path / name / kind).mkdir(parents=True, exist_ok=True)
            for index in range(count):
                pixels = rng.integers(0, 256, shape, dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / name / kind / f"{index}.png")
        return tmp_path / name

    return make
