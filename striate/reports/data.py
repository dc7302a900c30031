"""All numbers of a report, computed here and drawn elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from striate.common.arguments import whole_number
from striate.common.arrays import Array, Floats
from striate.common.cached_property import cached_property
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.confidence.answering import outputs_and_distances
from striate.confidence.assessment import Assessment, assess
from striate.confidence.probabilities import calibrated
from striate.data.check_record import CheckRecord
from striate.inspect import Connectivity, Ledger, NetworkReach, connectivity, ledger, reach
from striate.optim.losses import SoftmaxCrossEntropy, softmax
from striate.reports.image_passes import image_passes
from striate.reports.loss_gradients import LossGradients
from striate.reports.occlusion import Occlusion, occlusion
from striate.reports.page_budget import EACH_NUMBER, PageContent, fit_page, with_weight_gradients
from striate.training.evaluation import Evaluation
from striate.training.history import CURVES, History
from striate.training.targets import as_images, label_indices

if TYPE_CHECKING:
    from striate.confidence.answering import Distances
    from striate.inspect.summary import Summary
    from striate.network import Network


EMPTY_PAGE = 1.9e5
"""The size in bytes of a page without numbers and pictures, roughly."""

MISTAKES = 24
"""How many of the most confident mistakes are shown."""
REJECTED = 24
"""How many of the images that are called unknown are shown."""


@dataclass(frozen=True)
class Prediction:
    """The network's prediction for one image.

    Attributes:
        index: the image's row among all that were tested, from 0.
        truth, guess: the true and the predicted class, as indices.
        probability: of the predicted class.
    """

    index: int
    truth: int
    guess: int
    probability: float


@short_repr
@dataclass(frozen=True, eq=False)
class Report:
    """The numbers of a report: a network tested on labelled images, and its values for a few.

    Attributes:
        name: the name of the model in the report.
        network: the network.
        classes: the names of the classes.
        evaluation: accuracy and confusion matrix on all images.
        curves: figures of each epoch by name ("loss", "val_accuracy", ...), or None if unknown.
        mistakes: the most confident ones, the worst first.
        chosen: the images that are shown layer by layer: of each class in turn the first one that
            is recognised, between them the most confident mistakes; or those requested.
        wanted: how many images were to be chosen, before some were left out for their size.
        pictures: raw images by row, of `mistakes`, `chosen` and `rejected`.
        probabilities: of all classes, float32 (len(chosen), classes).
        values: the output of each node, float32 (len(chosen), *shape); -1 is the preprocessed
            input.
        gradients: of the loss of the chosen images, for their true classes.
        label_smoothing: of that loss.
        has_heads: whether the network was trained with auxiliary heads, which are left out here.
        saliency: |∂ score of the predicted class / ∂ input|, float32 (len(chosen), height, width).
        occlusion: the change of the predicted class's probability where the image is covered.
        black, white: the raw pixel values that are shown as black and as white.
        content: which of these numbers go into the page.
        megabytes: the size limit of the page.
        answers: what the network says of all tested images.
        assessment: how far its probabilities can be trusted.
        rejected: the rows of images that it calls unknown, the farthest first: `REJECTED` at most.
        paths: the files of `pictures`, by row; empty where they come from no files.
        distances: of all images; None for a network without a rejection.
        checked: what was looked for before the training; None where nobody knows.
    """

    name: str
    network: Network
    classes: tuple[str, ...]
    evaluation: Evaluation
    curves: Mapping[str, Sequence[float | None]] | None
    mistakes: tuple[Prediction, ...]
    chosen: tuple[Prediction, ...]
    wanted: int
    pictures: Mapping[int, Array]
    probabilities: Floats
    values: Mapping[int, Floats]
    gradients: LossGradients
    label_smoothing: float
    has_heads: bool
    saliency: Floats
    occlusion: Occlusion
    black: float
    white: float
    content: PageContent
    megabytes: float
    answers: tuple[Prediction, ...]
    assessment: Assessment
    rejected: tuple[int, ...]
    paths: Mapping[int, str] = field(default_factory=dict)
    distances: Distances | None = None
    checked: CheckRecord | None = None

    def smaller(self, by: float) -> Report:
        """The report with a content that is smaller by `by` bytes, or by as many as possible."""
        each = _bytes_per_image(self.network, self.pictures[self.chosen[0].index].dtype)
        content = fit_page(self.network, len(self.chosen), self.content.used - by, each)
        n = content.images
        change = replace(self.occlusion, change=self.occlusion.change[:n])
        return replace(
            self,
            chosen=self.chosen[:n],
            probabilities=self.probabilities[:n],
            values={index: values[:n] for index, values in self.values.items()},
            gradients=self.gradients.first(n),
            saliency=self.saliency[:n],
            occlusion=change,
            content=content,
        )

    @cached_property
    def summary(self) -> Summary:
        """Sizes, parameters, work and memory of the layers."""
        return self.network.summary()

    @cached_property
    def reach(self) -> NetworkReach:
        """The receptive fields of all units."""
        return reach(self.network)

    @cached_property
    def ledger(self) -> Ledger:
        """Rows and columns that no output reads, and changes that cure it."""
        return ledger(self.network)

    @cached_property
    def connectivity(self) -> Connectivity:
        """Weights and connections of layers, compared with dense ones."""
        return connectivity(self.network)


def collect(
    network: Network,
    images: ArrayLike,
    labels: ArrayLike,
    *,
    name: str = "network",
    history: History | Mapping[str, Any] | None = None,
    choose: int = 12,
    show: Sequence[int] = (),
    megabytes: float = 20.0,
    paths: Sequence[str] | None = None,
    checked: Mapping[str, Any] | None = None,
    label_smoothing: float = 0.0,
    engine: str = "llvm",
    threads: int | None = None,
) -> Report:
    """Test a network on raw images and collect its values for a few of them.

    The arguments are those of `striate.report`.

    Raises:
        TypeError, ValueError: the network is no classifier of images, there are no images, they
            are of another size or other classes, or an image of `show` is not there.
    """
    _check_network(network)
    loss = SoftmaxCrossEntropy(label_smoothing)
    has_heads = bool(network.heads)
    if has_heads:
        network = network.without_heads()
    tested, truth = as_images(network, images), label_indices(network, labels)
    if len(truth) != len(tested):
        raise StriateValueError(f"report: there are {len(tested)} images but {len(truth)} labels")
    if paths is not None and len(paths) != len(tested):
        raise StriateValueError(f"report: there are {len(tested)} images but {len(paths)} paths")
    if not len(tested):
        raise StriateValueError(
            "report: there are no images to show; give at least one with its label"
        )
    choose = whole_number(choose, "choose", "report")
    if not megabytes > 0:
        raise StriateValueError(f"report: megabytes must be positive, got {megabytes!r}")
    options: dict[str, Any] = {"engine": engine, "threads": threads}
    logits, distances = outputs_and_distances(network, tested, **options)
    if not np.isfinite(logits).all():
        raise StriateValueError(
            "report: the network's outputs are not finite numbers; its weights or the images are "
            "too large"
        )
    assessment = assess(
        network.answers, logits, truth, None if distances is None else distances.unknown
    )
    logits = calibrated(network.answers, logits)
    classes = network.classes or [str(index) for index in range(logits.shape[1])]
    answers = _answers(logits, truth)
    wrong = sorted(
        (answer for answer in answers if answer.guess != answer.truth),
        key=lambda answer: (-answer.probability, answer.index),
    )
    wanted = _requested(show, answers) if show else _choose(answers, wrong, len(classes), choose)
    room = megabytes * 1e6 - EMPTY_PAGE
    content = fit_page(network, len(wanted), room, _bytes_per_image(network, tested.dtype))
    chosen = wanted[: content.images]
    rows = [answer.index for answer in chosen]
    rejected = _farthest(distances)
    shown = [answer.index for answer in (*wrong[:MISTAKES], *chosen)]
    pictured = dict.fromkeys([*shown, *rejected])
    guesses = np.array([answer.guess for answer in chosen])
    raw = tested[rows]
    truths = np.array([answer.truth for answer in chosen])
    weights_of = with_weight_gradients(network, len(rows))
    passes = image_passes(network, raw, truths, guesses, loss, weights_of)
    probabilities = softmax(logits[rows])
    black, white = _range(network, tested)
    return Report(
        name=name,
        network=network,
        classes=tuple(classes),
        evaluation=Evaluation.from_outputs(logits, truth, classes),
        curves=read_curves(history),
        mistakes=tuple(wrong[:MISTAKES]),
        chosen=chosen,
        wanted=len(wanted),
        pictures={row: tested[row] for row in pictured},
        probabilities=probabilities,
        values=passes.values,
        gradients=passes.gradients,
        label_smoothing=loss.label_smoothing,
        has_heads=has_heads,
        saliency=passes.saliency,
        occlusion=occlusion(network, raw, guesses, probabilities, **options),
        black=black,
        white=white,
        content=content,
        megabytes=megabytes,
        answers=tuple(answers),
        assessment=assessment,
        rejected=rejected,
        distances=distances,
        paths={} if paths is None else {row: paths[row] for row in pictured},
        checked=CheckRecord.from_notes(checked),
    )


def read_curves(
    history: History | Mapping[str, Any] | None,
) -> Mapping[str, Sequence[float | None]] | None:
    """The figures of each epoch by name; None if there are none.

    Args:
        history: what `fit` returned, or the "history" of a model file, which may be any data:
            entries that are no lists of numbers and None are left out.

    Returns:
        None also if there is no loss, or the lists differ in length.
    """
    if isinstance(history, History):
        history = history.curves()
    if not isinstance(history, Mapping):
        return None
    curves: dict[str, list[float | None]] = {}
    for name in CURVES:
        values = history.get(name)
        if isinstance(values, list) and all(map(_is_figure, values)):
            curves[name] = values
    lengths = {len(values) for values in curves.values()}
    return curves if "loss" in curves and len(lengths) == 1 and lengths != {0} else None


def _is_figure(value: object) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def _check_network(network: Network) -> None:
    if len(network.input_shape) != 3:
        raise StriateValueError(
            f"report: the network reads {network.input_shape}, which are no images to show; a "
            "report needs a network of images (height, width, channels)"
        )
    if len(network.output_shape) != 1 or network.output_shape[0] < 2:
        raise StriateValueError(
            f"report: the network's outputs of shape {network.output_shape} are no classes; a "
            "report needs a classifier, with one output per class"
        )
    if network.answers.kind != "classes":
        raise StriateValueError(
            f"report: the network says {network.answers.kind} of images; a report needs a "
            "classifier, whose images have one class each"
        )


def _answers(logits: Floats, truth: npt.NDArray[np.intp]) -> list[Prediction]:
    guesses = logits.argmax(axis=1)
    best = softmax(logits)[np.arange(len(logits)), guesses]
    triples = zip(truth.tolist(), guesses.tolist(), best.tolist(), strict=True)
    return [Prediction(index, *triple) for index, triple in enumerate(triples)]


def _farthest(distances: Distances | None) -> tuple[int, ...]:
    """The rows of the images that are called unknown, the farthest first."""
    if distances is None:
        return ()
    rows = np.flatnonzero(distances.unknown)
    order = np.argsort(-np.nan_to_num(distances.values[rows], nan=np.inf), kind="stable")
    return tuple(rows[order][:REJECTED].tolist())


def _requested(show: Sequence[int], answers: Sequence[Prediction]) -> tuple[Prediction, ...]:
    rows = [whole_number(row, "an image to show", "report", minimum=0) for row in show]
    missing = [row for row in rows if row >= len(answers)]
    if missing:
        raise StriateValueError(
            f"report: there is no image {missing[0]}; the {len(answers)} images are numbered from "
            f"0 to {len(answers) - 1}"
        )
    return tuple(answers[row] for row in dict.fromkeys(rows))


def _choose(
    answers: Sequence[Prediction], wrong: Sequence[Prediction], classes: int, count: int
) -> tuple[Prediction, ...]:
    """Two right predictions, of one class after the other, then a mistake, and so on."""
    right: list[list[Prediction]] = [[] for _ in range(classes)]
    for answer in answers:
        if answer.guess == answer.truth and len(right[answer.truth]) < count:
            right[answer.truth].append(answer)
    turns = (members[turn] for turn in range(count) for members in right if turn < len(members))
    mistakes = iter(wrong)
    picked: list[Prediction] = []
    while len(picked) < count:
        source, other = (mistakes, turns) if len(picked) % 3 == 2 else (turns, mistakes)
        found = next(source, None) or next(other, None)
        if found is None:
            break
        picked.append(found)
    return tuple(picked)


def _bytes_per_image(network: Network, dtype: np.dtype[Any]) -> float:
    """The bytes of an image in the page, roughly: its numbers, and three pictures of its size."""
    numbers = EACH_NUMBER / 4 if dtype == np.uint8 else EACH_NUMBER
    return (numbers + 6.0) * math.prod(network.input_shape)


def _range(network: Network, images: Array) -> tuple[float, float]:
    """The raw values that are shown as black and as white."""
    maximum = (network.preprocessing.resize or {}).get("maximum")
    if maximum is not None:
        return 0.0, float(maximum)
    low, high = min(float(images.min()), 0.0), float(images.max())
    if images.dtype == np.uint8 and high > 127:
        high = 255.0  # no less, for the images may well be dark
    return low, high if high > low else low + 1.0
