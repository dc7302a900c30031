"""What the page of a network tells of it, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from striate.common.text import counted, sizes

if TYPE_CHECKING:
    from striate.model.model import Model

KINDS_OF_IMAGES = {1: "gray", 3: "coloured"}
"""What images of so many channels are."""
BARS = {
    "classes": "The most probable classes",
    "labels": "The most probable labels",
    "numbers": "The numbers",
}
"""What the list of bars is called, by the kind of answers."""


def lead(network: Model) -> str:
    """What the network does, in a sentence."""
    count = network.output_shape[0]
    told = {
        "classes": f"tells {counted(count, 'class')} apart",
        "labels": f"gives pictures any of {counted(count, 'label')}",
        "numbers": f"estimates {counted(count, 'number')}",
    }[network.answers.kind]
    return f"A network that {told}."


def explained(network: Model) -> Iterator[str]:
    """How an answer comes about, in sentences."""
    resize, answers = network.preprocessing.resize or {}, network.answers
    height, width, channels = network.input_shape
    larger = resize.get("cut_from")
    first = sizes(larger or (height, width))
    become = {
        "crop": f"the middle, as large as it goes, is brought to {first}",
        "pad": f"all is brought to {first}, with black beside it",
        "stretch": f"all is stretched to {first}",
    }[resize.get("mode", "crop")] + ", of which the centre is cut out" * bool(larger)
    yield (
        f"The network reads {KINDS_OF_IMAGES[channels]} pictures of {height}×{width} pixels. Of a "
        f"picture of another size {become}. PNG becomes the very numbers that striate predict "
        "reads; other kinds are decoded by the browser, which may differ by a little."
    )
    if not resize:
        yield (
            "The model's file does not say how pictures are brought to that size, and striate "
            "predict takes none of another: how it is done is this page's choice."
        )
    if answers.rejection is not None:
        yield (
            "Where a picture is too unlike those of the training, the answer is “unknown”: about "
            f"{100 * answers.rejection.rate:.3g} % of the known kind are called so, too."
        )
    elif answers.kind == "classes":
        yield (
            "It never says “unknown”: of a picture of something else it names the class that is "
            "nearest. Networks trained with --reject can."
        )
    if answers.kind == "classes":
        calibrated = answers.temperature != 1
        yield (
            "The probabilities are calibrated: of answers with 80 % about 80 % are right, for "
            "pictures like those of the training."
            if calibrated
            else "The probabilities are not calibrated: they may be too sure."
        )
    yield (
        "What tells most is found by trying: a patch of a quarter of the height and the width, in "
        "the picture's mean colour, covers one part after the other, and the network is asked "
        "again each time. Another bar, when it is chosen, shows the same for that answer."
    )
