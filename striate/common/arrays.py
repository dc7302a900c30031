"""Kinds of arrays, for type hints."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""Of any dtype."""
Floats = npt.NDArray[np.float32]
"""What networks compute with."""
Images = npt.NDArray[Any]
"""uint8 or float32, (n, height, width, channels)."""
