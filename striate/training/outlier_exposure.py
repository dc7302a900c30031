"""A small network that learns what is of no class, from images that were made up to be of none.

On the features of a trained network: a dense layer, a ReLU and a dense layer with one output more
than there are classes. It is trained on the classes of images of the training, and on surrogates,
which are of the class more (outlier exposure: Hendrycks et al., arXiv:1812.04606). That the classes
stay apart matters: what is only told to be known or not is told worse.
"""

from __future__ import annotations

import numpy as np

from striate.common.arrays import Array, Floats
from striate.layers import Dense, Dropout, ReLU
from striate.model.model import Model
from striate.model.preprocessing import Preprocessing
from striate.training.loop import fit

UNITS = 128
"""Of the hidden layer."""
EPOCHS, BATCH_SIZE, LEARNING_RATE, WEIGHT_DECAY, DROPOUT = 6, 128, 1e-3, 0.01, 0.3
FEWEST_STEPS = 400
"""Of few images more epochs are made, until these are as many steps."""
# Of features that hardly vary the standard deviation counts as that much of the usual one.
_LEAST = 0.05


def learn_exposure(
    features: Array,
    labels: Array,
    strange: Array,
    classes: int,
    *,
    seed: int = 0,
    engine: str = "llvm",
    threads: int | None = None,
) -> dict[str, Floats]:
    """The arrays of the score "exposure": see `striate.model.rejection.Rejection`.

    Args:
        features: of images of the training, (n, features).
        labels: their class indices, (n,).
        strange: features of surrogates, (m, features).
        classes: how many there are.
        seed, engine, threads: as for `Network.fit`.
    """
    both = np.concatenate([features, strange]).astype(np.float64)
    mean, spread = both.mean(axis=0), both.std(axis=0)
    spread += _LEAST * float(both.std()) + 1e-30
    count = both.shape[1]
    small = Model(
        [Dense(UNITS, name="hidden"), ReLU(), Dropout(DROPOUT), Dense(classes + 1, name="decided")],
        input_shape=(count,),
        seed=seed,
    )
    # They are standardised here.
    small.preprocessing = Preprocessing((0.0,) * count, (1.0,) * count)
    steps = -(-len(both) // BATCH_SIZE)
    fit(
        small,
        ((both - mean) / spread).astype(np.float32),
        np.concatenate([np.asarray(labels, np.intp), np.full(len(strange), classes, np.intp)]),
        epochs=max(EPOCHS, -(-FEWEST_STEPS // steps)),
        batch_size=BATCH_SIZE,
        optimizer="adamw",
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        seed=seed,
        engine=engine,
        threads=threads,
        progress=False,
    )
    hidden, decided = (
        np.vstack([small.parameters[f"{name}/weights"], small.parameters[f"{name}/bias"][None]])
        for name in ("hidden", "decided")
    )
    # Standardising is linear too: it becomes part of the first layer.
    weights = hidden[:-1].astype(np.float64) / spread[:, None]
    bias = hidden[-1] - mean @ weights
    return {
        "hidden": np.vstack([weights, bias[None]]).astype(np.float32),
        "decided": np.asarray(decided, np.float32),
    }
