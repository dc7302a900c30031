"""What the page of the lab is given, by rooms; each part is made in `striate.lab.room_data`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from striate.lab.room_data.convolution_data import convolution_data
from striate.lab.room_data.digit_images import digit_images
from striate.lab.room_data.exercise_sets import exercise_sets
from striate.lab.room_data.photo import photo
from striate.lab.room_data.training_room import learning_data
from striate.lab.room_data.view_code import view_code

if TYPE_CHECKING:
    from striate.data import Dataset
    from striate.network import Network


def lab_data(
    network: Network | None = None,
    dataset: Dataset | None = None,
    *,
    exercises: Sequence[Mapping[str, Any]] | None = None,
    seed: int = 1,
) -> dict[str, Any]:
    """The data of all rooms, JSON-able; arrays as `striate.common.page_parts` encodes them.

    Args:
        network: a classifier of images; None for a small one.
        dataset: its images: those of the training, and those that are shown; None for the digits.
        exercises: what `exercise_sets` has read; None for those that come along.
        seed: with which numbers exercises begin.

    Raises:
        ValueError: the network cannot go on learning in the page, or the images are not its own.
    """
    return {
        "seed": seed,
        "photo": photo(),
        "convolution": convolution_data(),
        "learning": learning_data(network, dataset),
        "exercises": exercise_sets() if exercises is None else list(exercises),
        "code": view_code(),
        "digits": digit_images(),
    }
