"""Compares what a network says with what is true, as the meaning of its outputs asks."""

from __future__ import annotations

from collections.abc import Callable

from numpy.typing import ArrayLike

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.model.model import Model
from striate.training.evaluation import Evaluation, evaluate
from striate.training.label_evaluation import LabelEvaluation
from striate.training.number_evaluation import NumberEvaluation
from striate.training.targets import as_images

AnyEvaluation = Evaluation | LabelEvaluation | NumberEvaluation


def evaluate_answers(
    model: Model, images: ArrayLike, truth: ArrayLike, outputs_of: Callable[[Array], Array]
) -> AnyEvaluation:
    """Compare a model's outputs for raw images with what is true of them.

    Args:
        model: the network, with its `answers` and names.
        images: raw, (n, height, width, channels), or (n, height, width) if gray.
        truth: class indices or names (n,), labels of 0 and 1 (n, labels), or numbers (n, numbers).
        outputs_of: computes the outputs of images, such as `Network.predict_logits`.

    Raises:
        ValueError: there are no images, they are not the network's, or the truth does not fit.
    """
    if model.answers.kind == "classes":
        return evaluate(model, images, truth, outputs_of)
    if len(model.output_shape) != 1:
        raise StriateValueError(
            f"the network's outputs {model.output_shape} are an image, not "
            f"{model.answers.kind}: end it with Dense to evaluate them"
        )
    outputs = outputs_of(as_images(model, images))
    return evaluation_of(model, outputs, truth)


def evaluation_of(model: Model, outputs: Array, truth: ArrayLike) -> AnyEvaluation:
    """The same of outputs (n, outputs) that are computed already."""
    answers = model.answers
    if answers.kind == "labels":
        return LabelEvaluation.from_outputs(outputs, truth, model.classes, answers)
    if answers.kind == "numbers":
        return NumberEvaluation.from_outputs(outputs, truth, answers.names or None)
    return Evaluation.from_outputs(outputs, truth, model.classes)
