"""What networks say of images that they were not trained on: outputs by cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from striate.checking.checked_images import CheckedImages
from striate.common.arrays import Floats, Images
from striate.common.stratified import stratified_folds
from striate.common.text import counted
from striate.data.dataset import OnProgress
from striate.data.images import refit
from striate.data.part import Labels
from striate.layers import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    MaxPool2D,
    Node,
    ReLU,
)
from striate.network import Network
from striate.training import recipes
from striate.training.training_settings import TrainingSettings

Folds = npt.NDArray[np.int64]
OutOfFold = Callable[[CheckedImages, Folds], Floats]
"""A way to get the outputs (n, classes) of each image from what was trained on other folds."""

LARGEST_SIDE = 32
"""To which larger images are shrunk: labels are told apart in small ones, and many times faster."""
WORK = 250_000
"""Images that each network is shown in training, all epochs together, at least."""
EPOCHS = (4, 30)
"""The fewest and the most epochs."""
FEW = 20_000
"""Up to so many images there are more folds, and wider layers."""


def make_folds(
    labels: Labels, groups: Iterable[list[int]], *, folds: int | None = None, seed: int = 0
) -> Folds:
    """Deal images out to folds, each class in equal shares; what shows the same stays together.

    Args:
        labels: (n,).
        groups: rows of images that show the same: if one of them were learnt, the others would be
            known.
        folds: how many; by default 3, or 5 of few images, where each counts.
        seed: of the order.

    Returns:
        The fold of each image, (n,).
    """
    count = folds or (5 if len(labels) <= FEW else 3)
    found = stratified_folds(labels, count, np.random.default_rng(seed)).astype(np.int64)
    for group in groups:
        found[group] = found[group[0]]
    return found


@dataclass(frozen=True)
class SmallNetworks:
    """Trains a small network for each fold, on all others.

    Attributes:
        seed: of the training.
        engine, threads: of `Network.fit`.
        progress: called with (done, total, text).
    """

    seed: int = 0
    engine: str = "llvm"
    threads: int | None = None
    progress: OnProgress | None = None

    def __call__(self, checked: CheckedImages, folds: Folds) -> Floats:
        """Return the outputs of each image, (n, classes) float32, before the softmax.

        Args:
            checked: the images.
            folds: of each image, (n,), 0, 1, ...
        """
        images, labels = _shrunk(checked), checked.labels
        classes = len(checked.classes)
        outputs = np.zeros((len(images), classes), np.float32)
        count = int(folds.max()) + 1
        settings = _settings(images.shape[1:], classes, len(images))
        for fold in range(count):
            if self.progress is not None:
                self.progress(fold, count, f"training networks of {counted(count, 'fold')}")
            held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
            network = _network(images.shape[1:], classes, len(images))
            network.fit(
                images[rest],
                labels[rest],
                **settings.arguments(),
                seed=self.seed + fold,
                threads=self.threads,
                engine=self.engine,
                progress=False,
            )
            outputs[held] = network.predict_logits(
                images[held], engine=self.engine, threads=self.threads
            )
        if self.progress is not None:
            self.progress(count, count, f"training networks of {counted(count, 'fold')}")
        return outputs


def _shrunk(checked: CheckedImages) -> Images:
    """All images, no larger than `LARGEST_SIDE`."""
    height, width, _ = checked.shape
    scale = LARGEST_SIDE / max(height, width)
    if scale >= 1:
        parts = [part.images[:] for part in checked.parts.values()]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
    size = max(round(height * scale), 1), max(round(width * scale), 1)
    return np.concatenate([refit(images, size, None, "stretch") for _, images in checked.chunks()])


def _settings(shape: tuple[int, ...], classes: int, count: int) -> TrainingSettings:
    """The recipe's training, made short."""
    settings = recipes.choose(shape, classes, count).training
    return replace(
        settings,
        epochs=min(max(WORK // count, EPOCHS[0]), EPOCHS[1]),
        # One way for all sizes and colours; label smoothing keeps a network from learning wrong
        # labels by heart.
        optimizer="adamw",
        learning_rate=0.003,
        weight_decay=0.01,
        warmup=None,
        label_smoothing=0.1,
    )


def _network(shape: tuple[int, ...], classes: int, count: int) -> Network:
    """Three convolutions with pooling, as far as the images are large enough for it."""
    x: Node
    x = image = Input(shape)
    wide = count <= FEW or shape[2] == 1
    for filters in (32, 64, 64) if wide else (16, 32, 64):
        x = Conv2D(filters, 3, padding="same", bias=False)(x)
        pool = min(2, x.shape[0]), min(2, x.shape[1])
        if pool != (1, 1):
            x = MaxPool2D(pool, uncovered="drop")(x)
        x = ReLU()(BatchNorm()(x))
    x = Dropout(0.3)(Flatten()(x))
    return Network(inputs=image, output=Dense(classes)(x))
