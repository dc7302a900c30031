"""What becomes of a network that `striate train` has trained: it is saved, tested and told."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from striate.cli.calibration_words import sentences
from striate.cli.output import json_line, note, one_line
from striate.common.errors import StriateValueError
from striate.common.stop_signals import name_of_signal
from striate.common.text import counted
from striate.model import files

if TYPE_CHECKING:
    from striate.cli.held_out import HeldOut
    from striate.common.arrays import Array
    from striate.data import Dataset
    from striate.network import Network
    from striate.training.answers_evaluation import AnyEvaluation


@dataclass
class TrainedModel:
    """A trained network.

    Attributes:
        network: the network.
        out: the model file.
        result: what there is to tell, and to keep in the file.
        notes: what is kept in the file only.
        tested: what a test has found; None before it.
    """

    network: Network
    out: str
    result: dict[str, Any]
    notes: dict[str, Any]
    tested: AnyEvaluation | None = None

    def save(self, path: str | None = None) -> None:
        """Save the model as `out`, or as another file."""
        # Times are not saved, so that the same training gives the same file.
        files.save(self.network, path or self.out, {**self.result, **self.notes})

    def save_somewhere(self) -> None:
        """Save the model; if that fails, in the folder for temporary files, for what was learnt is
        not to be lost.
        """
        try:
            self.save()
        except files.ModelFileError as error:
            if not isinstance(error.__cause__, OSError):
                raise
            handle, instead = tempfile.mkstemp(".safetensors", "striate-")
            os.close(handle)
            self.save(instead)
            raise click.ClickException(f"{error}; the model is saved as {instead}") from error

    def calibrate(
        self, held: HeldOut, dataset: Dataset, *, reject: float | None, **options: Any
    ) -> None:
        """Calibrate the network by images that it was not trained on, if there are some."""
        try:
            found = held.calibrate(self.network, dataset, reject=reject, **options)
        except StriateValueError as error:  # the model can be used all the same
            note(f"The model is not calibrated: {one_line(str(error))}")
            return
        if found is not None:
            self.result["calibration"] = found.to_dict()

    def test(self, images: Array, labels: Array, *, engine: str, threads: int | None) -> None:
        """Test the network, and add what is found to the result."""
        from striate.cli import test_figures

        self.tested = self.network.evaluate(images, labels, engine=engine, threads=threads)
        self.result.update(test_figures.figures(self.tested))

    def conclude(
        self,
        number: int | None,
        checkpoint: Path | None,
        improve: Callable[[], None],
        dataset: Dataset,
        **computing: Any,
    ) -> None:
        """Do what can be done without, as the model is safe: calibrate and test it, save it again.

        Args:
            number: of the signal that has come; None if none has.
            checkpoint: from which training can go on; None if there never is one.
            improve: makes of held-out images what is to be made of them.
            dataset: with the test images.
            computing: the engine and threads.
        """
        if number is not None:
            self.tell_of_stop(number, checkpoint)
        if number in (None, signal.SIGINT):
            try:
                improve()
                self.test(dataset.test_images, dataset.test_labels, **computing)
                self.save()
            except BaseException:
                note(f"The model is saved as {one_line(self.out)}, but is not tested")
                raise

    def weaknesses(self, train_labels: Array, class_weight: Sequence[str]) -> list[str]:
        """Return sentences about what the test has found to be poor, and what may help."""
        if self.tested is None:
            return []
        from striate.cli import test_figures

        return test_figures.rare_and_poor(self.tested, train_labels, class_weight)

    def tell_of_stop(self, number: int, checkpoint: Path | None) -> None:
        """Say what is saved when a signal has come, and how to go on."""
        saved = f"saved as {one_line(self.out)}"
        if not self.result["interrupted"]:  # it came after the last step
            note(f"{name_of_signal(number)}: the model is {saved}")
        elif checkpoint is not None and checkpoint.exists():
            note(
                f"What was learnt until then is {saved}; to go on, give the same command with "
                "--resume"
            )
        else:
            note(f"What was learnt until then is {saved}; there is no checkpoint to go on from")

    def report(self, speed: float, seconds: float, replaces: bool, *, as_json: bool) -> None:
        """Print the result: `speed` is images a second; `replaces`, whether there was a model."""
        result, images = self.result, self.result["train_images"]
        if as_json:
            answers = self.network.answers
            names = {"model": self.out, "class_names": self.network.classes or list(answers.names)}
            json_line({**names, **result, "images_per_second": speed, "seconds": seconds})
            return
        for sentence in sentences(result["calibration"]):
            click.echo(sentence)
        if self.tested is not None:
            from striate.cli import test_figures

            for sentence in test_figures.sentences(self.tested):
                click.echo(sentence)
        epochs = f"for {counted(result['epochs'], 'epoch')} " if result["epochs"] else ""
        click.echo(
            f"Trained {epochs}on {counted(images, 'image')}: "
            f"{seconds:.1f} s in all, {speed:,.0f} images/s"
            + (", stopped before the end" if result["interrupted"] else "")
        )
        where = one_line(self.out)
        click.echo(f"Saved as {where}" + (", in place of the earlier one" if replaces else ""))
