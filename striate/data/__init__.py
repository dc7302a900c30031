"""Images with labels: `load` reads them, `Augment` varies them while a network trains."""

from striate.data.augment import Augment
from striate.data.dataset import DataError, Dataset
from striate.data.images import load_images
from striate.data.paths import find_images
from striate.data.shard_streams import ShardStreams
from striate.data.sources import load

__all__ = [
    "Augment",
    "DataError",
    "Dataset",
    "ShardStreams",
    "find_images",
    "load",
    "load_images",
]
