"""The network and the training settings that an estimator uses where the user gives none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from striate.common.errors import StriateTypeError, StriateValueError
from striate.layers import Dense, Flatten, Layer, ReLU
from striate.network import Network
from striate.ops.shapes import Shape
from striate.training import training_settings
from striate.training.loading import Augmentation
from striate.training.training_settings import TrainingSettings

NetworkOption = Sequence[Layer] | Callable[[Shape, int], Network] | None

# By default training takes about so many updates, within these numbers of epochs.
UPDATES = 600
FEWEST_EPOCHS, MOST_EPOCHS = 10, 300
SMALLEST_BATCH, LARGEST_BATCH = 32, 128
HIDDEN_UNITS = 64


def has_recipe(network: NetworkOption, input_shape: Shape) -> bool:
    """Whether a recipe says how to train: there is one for images, and for its own network."""
    return network is None and len(input_shape) == 3


def automatic_settings(network: NetworkOption, input_shape: Shape, rows: int) -> TrainingSettings:
    """What suits a network, for everything that the user leaves open.

    Without a recipe the epochs are still to be set: see `automatic_epochs`.
    """
    if has_recipe(network, input_shape):
        from striate.training import recipes

        return recipes.choose(input_shape, 2, rows).training
    return TrainingSettings(
        learning_rate=0.01 if network is None else None, batch_size=automatic_batch_size(rows)
    )


def automatic_batch_size(rows: int) -> int:
    """The batch size by default: all rows if they are few, then about a sixteenth of them."""
    if rows <= LARGEST_BATCH:
        return rows
    return min(max(rows // 256 * 16, SMALLEST_BATCH), LARGEST_BATCH)


def automatic_epochs(rows: int, batch_size: int) -> int:
    """The number of epochs by default: enough for `UPDATES` updates, so more for few rows."""
    steps = math.ceil(rows / batch_size)
    return min(max(math.ceil(UPDATES / steps), FEWEST_EPOCHS), MOST_EPOCHS)


def build(
    network: NetworkOption, input_shape: Shape, outputs: int, rows: int, seed: int
) -> Network:
    """Build the network to train, with new parameters drawn from `seed`.

    Args:
        network: a list of layers, a function that makes the network, or None.
        input_shape: of one sample.
        outputs: how many numbers the network is to give.
        rows: how many samples there are.
        seed: of the parameters.

    Raises:
        TypeError, ValueError: it is none of these, or does not fit the shapes.
    """
    if network is None:
        made = _automatic(input_shape, outputs, rows)
    elif isinstance(network, Network):
        raise StriateTypeError(
            "network must be a list of layers, a function (input_shape, outputs) -> Network, or "
            "None; a Network has parameters already, and an estimator makes its own"
        )
    elif callable(network):
        made = network(input_shape, outputs)
        if not isinstance(made, Network):
            raise StriateTypeError(
                f"the function given as network returned {made!r}, not a Network"
            )
    else:
        made = _from_layers(list(network), input_shape, outputs)
    if made.input_shape != input_shape:
        raise StriateValueError(f"the network reads {made.input_shape}, but X holds {input_shape}")
    if made.output_shape != (outputs,):
        raise StriateValueError(
            f"the network has the output {made.output_shape}, but {outputs} numbers are wanted: "
            f"end it with Dense({outputs})"
        )
    made.initialise(seed)
    return made


def _automatic(input_shape: Shape, outputs: int, rows: int) -> Network:
    if len(input_shape) == 1:
        return Network([Dense(HIDDEN_UNITS), ReLU(), Dense(outputs)], input_shape=input_shape)
    from striate.training import recipes

    return recipes.for_outputs(input_shape, outputs, rows).build(Network)


def _from_layers(layers: list[Any], input_shape: Shape, outputs: int) -> Network:
    """The network of a list of layers; without a last Dense layer it gets one, and Flatten."""
    for layer in layers:
        if not isinstance(layer, Layer):
            raise StriateTypeError(f"network must be a list of layers, but it holds {layer!r}")
    try:
        if layers and isinstance(layers[-1], Dense):
            return Network(layers, input_shape=input_shape)
        body = Network(layers, input_shape=input_shape).output_shape if layers else input_shape
        ending = [Dense(outputs)] if len(body) == 1 else [Flatten(), Dense(outputs)]
        return Network([*layers, *ending], input_shape=input_shape)
    except ValueError as error:
        if len(input_shape) != 1:
            raise
        raise StriateValueError(
            f"{error} (X is flat: if its rows are images, give image_shape=(height, width) or "
            "(height, width, channels))"
        ) from error


def check_augment(augment: Any) -> Mapping[str, Any] | Augmentation | None:
    """The augmentation as a function, or None.

    Args:
        augment: None or False, a mapping of the options of `Augment`, or a function
            (images, rng) -> images.

    Raises:
        TypeError: it is none of these.
    """
    if augment is None or augment is False:
        return None
    training_settings.check_augment(augment, '"auto", ')
    given: Mapping[str, Any] | Augmentation = augment
    return given
