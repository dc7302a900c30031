"""A "2" of 28×28 pixels, drawn as a pen would: a stroke of it can be changed and drawn anew.

The line of the pen is four cubic Bézier curves: the hook at the upper left, the bow, the diagonal
and the foot. A seed makes it one hand's: it moves their points a little.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from striate.common.arguments import real_number, whole_number

WHO: Final = "drawn_two"
SIDE: Final = 28
_BOX: Final = 18.0  # pixels: the height and width of the digit within them
# (x, y) of the points of each curve: its ends and, between them, those that it bends towards; from
# the upper left corner of the digit's box to the lower right one, each 0 … 1.
_CURVES: Final = np.array(
    [
        [[0.06, 0.36], [0.10, 0.12], [0.28, 0.02], [0.50, 0.02]],
        [[0.50, 0.02], [0.74, 0.02], [0.88, 0.14], [0.88, 0.32]],
        [[0.88, 0.32], [0.88, 0.56], [0.46, 0.72], [0.06, 0.97]],
        [[0.06, 0.97], [0.36, 0.97], [0.66, 0.97], [0.96, 0.97]],
    ]
)
_HOOK: Final = (0, 0), (0, 1)  # the points of the hook's lower end
_TOP: Final = 0.02
_THICKNESS: Final = 1.3  # pixels: half the width of the line
_LEAN: Final = 0.25  # of the height: how far slant 1 moves the top to the right of the foot
_PIECES: Final = 24  # straight ones, of each curve


def drawn_two(seed: int = 0, *, hook: float = 0.0, slant: float = 0.0) -> npt.NDArray[np.uint8]:
    """Draw a "2", bright on dark.

    Args:
        seed: of the hand: each one draws another "2".
        hook: how far the line at the upper left is brought towards level; 1 is level.
        slant: how far the digit leans to the right; 1 moves its top by a quarter of its height
            against its foot.

    Returns:
        uint8 (28, 28). The same seed with another `hook` or `slant` is the same hand.

    Raises:
        ValueError: an argument is not a finite number, or the seed is negative.
    """
    chance = np.random.Generator(np.random.PCG64(whole_number(seed, "seed", WHO, minimum=0)))
    hook, slant = real_number(hook, "hook", WHO), real_number(slant, "slant", WHO)
    curves = _CURVES.copy()
    moved = (chance.random(curves.shape) - 0.5) * 0.06
    moved[1:, 0] = moved[:-1, 3]  # where one curve ends the next begins
    moved[3, :, 1] = moved[3, 0, 1]  # the foot stays level
    curves += moved
    thickness = _THICKNESS + (chance.random() - 0.5) * 0.5
    place = (chance.random(2) - 0.5) * 2.0
    for at in _HOOK:
        curves[(*at, 1)] += hook * (_TOP + moved[0, 3, 1] - curves[(*at, 1)])
    curves[..., 0] += slant * _LEAN * (0.5 - curves[..., 1])
    line = _points(curves) * _BOX + (SIDE - _BOX) / 2 + place
    covered = np.clip(thickness + 0.5 - _distance(line), 0, 1)
    return np.rint(255 * covered).astype(np.uint8)


def _points(curves: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Points along Bézier curves, (points, 2)."""
    t = (np.arange(_PIECES + 1) / _PIECES)[:, None]
    shares = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    return np.concatenate([shares @ curve for curve in curves])


def _distance(line: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How far the middle of each pixel is from a line of straight pieces, (28, 28)."""
    rows, columns = np.indices((SIDE, SIDE))
    pixels = np.stack([columns, rows], -1).reshape(-1, 1, 2) + 0.5
    start, way = line[:-1], np.diff(line, axis=0)
    squared = np.maximum(np.square(way).sum(-1), 1e-12)
    along = np.clip(((pixels - start) * way).sum(-1) / squared, 0, 1)
    nearest = start + along[..., None] * way
    away = np.sqrt(np.square(pixels - nearest).sum(-1))
    return np.asarray(away.min(1).reshape(SIDE, SIDE))
