"""What the page of the lab is given, by rooms; each part is made in `striate.lab.room_data`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.lab.room_data.exercise_sets import exercise_sets
from striate.lab.room_data.kernels import convolution_data
from striate.lab.room_data.learning import learning_data
from striate.lab.room_data.photo import photo

if TYPE_CHECKING:
    from striate.data import Dataset
    from striate.network import Network


def lab_data(
    network: Network | None = None,
    dataset: Dataset | None = None,
    *,
    exercises: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """The data of all rooms, JSON-able; arrays as `striate.common.page_parts` encodes them.

    Args:
        network, dataset: of the room of learning, see `learning_data`.
        exercises: sets of exercises, see `exercise_sets`.

    Raises:
        ValueError: a set of exercises cannot be read.
    """
    return {
        "photo": photo(),
        "convolution": convolution_data(),
        "learning": learning_data(network, dataset),
        "exercises": exercise_sets(exercises),
    }
