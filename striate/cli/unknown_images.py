"""Images of no class, on which `striate evaluate` tests whether they are called unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from striate.cli.output import note, one_line
from striate.common.text import counted, percent
from striate.confidence.coverage import auroc, binomial_interval

if TYPE_CHECKING:
    from striate.confidence.answering import Distances
    from striate.network import Network


@dataclass(frozen=True)
class UnknownImages:
    """How many images of no class are called unknown.

    Attributes:
        images, rejected: how many there are, and how many of them are called unknown.
        auroc: how often one of them is farther than a known image.
    """

    images: int
    rejected: int
    auroc: float

    @classmethod
    def read(
        cls,
        named: Sequence[str],
        network: Network,
        known: Distances | None,
        *,
        skip_bad: bool,
        max_pixels: int | None,
        **how: Any,
    ) -> UnknownImages:
        """Test a network on files.

        Args:
            named: files, folders and patterns.
            network: the network.
            known: the distances of known images; None if the network cannot tell unknown ones.
            skip_bad, max_pixels: as for `striate predict`.
            how: options of `Network.predict_logits`.

        Raises:
            ClickException: the network has no rejection, or no image can be read.
        """
        from striate import data
        from striate.data.dataset import MAX_PIXELS
        from striate.data.network_images import read_for_network

        if known is None:
            raise click.ClickException(
                "--unknown: the model cannot tell unknown images; train it with --reject 0.02, say"
            )
        paths = data.find_images(named)
        distances, unknown = [], 0
        skipped: list[str] = []

        def on_bad(index: int, sentence: str) -> None:
            skipped.append(sentence)

        for start in range(0, len(paths), 1024):
            batch = read_for_network(
                paths[start : start + 1024],
                network.preprocessing,
                network.input_shape,
                on_bad=on_bad if skip_bad else None,
                on_note=lambda sentence: None,
                max_pixels=max_pixels or MAX_PIXELS,
            )
            if len(batch):
                found = network.distances(batch, **how)
                distances.append(found.values)
                unknown += int(found.unknown.sum())
        for reason in skipped:
            note(f"skipped {one_line(reason)}")
        if not distances:
            raise click.ClickException("--unknown: none of the images can be read")
        values = np.concatenate(distances)
        return cls(len(values), unknown, auroc(known.values, values))

    def sentence(self) -> str:
        """What was found, in words."""
        low, high = binomial_interval(self.rejected, self.images)
        share = percent(self.rejected / self.images)
        return (
            f'Of {counted(self.images, "image")} of no class {share} are called "unknown" '
            f"(95 % interval {percent(low)} to {percent(high)}); AUROC {self.auroc:.4f}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON-able values."""
        share = self.rejected / self.images
        interval = list(binomial_interval(self.rejected, self.images))
        return {**vars(self), "share": share, "interval": interval}
