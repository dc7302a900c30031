"""Wrong labels are found among drawn clothes, and none where all are right."""

from __future__ import annotations

import numpy as np

from striate.checking import check
from striate.checking.checked_images import CheckedImages
from striate.checking.label_check import check_labels, label_reason
from striate.checking.out_of_fold import SmallNetworks, make_folds
from tests.checking.made_sets import as_dataset, images_and_labels


def flipped(labels: np.ndarray, share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(labels))[: round(share * len(labels))])
    wrong = labels.copy()
    wrong[rows] = (wrong[rows] + rng.integers(1, 5, len(rows))) % 5
    return wrong, rows


def test_flipped_labels_of_clothes() -> None:
    images, labels = images_and_labels(80, seed=5, colour=True)
    wrong, rows = flipped(labels, 0.05)
    found = check(as_dataset(images, wrong, 100), kinds=["label"])
    (outcome,) = found.outcomes
    assert outcome.made
    hits = {finding.images[0] for finding in outcome.findings}
    # Few images, and networks that differ a little by the width of vectors: MNIST has bars.
    assert len(hits & set(rows.tolist())) >= 0.85 * len(rows)
    assert len(hits - set(rows.tolist())) <= 0.25 * len(hits)
    # Of those that are wrong, nearly all are said to be what they are.
    right = [f.suggested == labels[f.images[0]] for f in outcome.findings if f.images[0] in rows]
    assert sum(right) >= 0.85 * len(right)


def test_right_labels_of_clothes() -> None:
    images, labels = images_and_labels(80, seed=6)
    (outcome,) = check(as_dataset(images, labels), kinds=["label"]).outcomes
    assert outcome.made and not outcome.findings
    assert outcome.sentence.startswith("None of 400 labels; networks that have not seen an image")


def test_what_nobody_can_learn_is_not_judged() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (150, 12, 12, 1), dtype=np.uint8)
    (outcome,) = check(as_dataset(images, rng.integers(0, 5, 150)), kinds=["label"]).outcomes
    assert not outcome.made and not outcome.findings
    assert "could not be judged" in outcome.sentence


def test_too_few_images_of_a_class() -> None:
    images, labels = images_and_labels(9)
    checked = CheckedImages.of(as_dataset(images, labels))
    assert "a class has 9 images" in label_reason(checked)
    (outcome,) = check(as_dataset(images, labels), kinds=["label"]).outcomes
    assert not outcome.made
    one = CheckedImages.of(as_dataset(images, np.zeros(45, np.int64)))
    assert "one class only" in label_reason(one)


def test_folds_keep_classes_and_groups_together() -> None:
    labels = np.repeat(np.arange(4), [60, 30, 12, 45])
    folds = make_folds(labels, [[0, 70, 100], [5, 6]], folds=3)
    assert folds[0] == folds[70] == folds[100] and folds[5] == folds[6]
    for label in range(4):
        counts = np.bincount(folds[labels == label], minlength=3)
        assert counts.max() - counts.min() <= 5
    again = make_folds(labels, [], folds=3)
    for label in range(4):
        counts = np.bincount(again[labels == label], minlength=3)
        assert counts.max() - counts.min() <= 1
    assert (make_folds(labels, [], seed=1, folds=3) != again).any()


def test_outputs_come_from_other_images_and_are_the_same_again() -> None:
    images, labels = images_and_labels(20, seed=8)
    checked = CheckedImages.of(as_dataset(images, labels, 30))
    folds = make_folds(labels, [], folds=2)
    outputs = SmallNetworks(engine="llvm", threads=1)(checked, folds)
    np.testing.assert_array_equal(outputs, SmallNetworks(engine="llvm", threads=2)(checked, folds))
    # Another image, or another label, changes the outputs of the other folds only.
    changed_labels = labels.copy()
    changed_labels[folds == 0] = (labels[folds == 0] + 1) % 5
    other = SmallNetworks()(CheckedImages.of(as_dataset(images, changed_labels, 30)), folds)
    np.testing.assert_array_equal(other[folds == 0], outputs[folds == 0])
    assert (other[folds == 1] != outputs[folds == 1]).any()


def test_another_way_to_get_outputs() -> None:
    """Any function of the images and the folds does."""
    images, labels = images_and_labels(20, seed=8)
    asked = []

    def outputs_of(checked: CheckedImages, folds: np.ndarray) -> np.ndarray:
        asked.append(folds)
        outputs = np.zeros((len(checked), 5), np.float32)
        outputs[np.arange(len(checked)), labels] = 9
        return outputs

    wrong, rows = flipped(labels, 0.1)
    found = check(as_dataset(images, wrong), kinds=["label"], outputs_of=outputs_of)
    assert len(asked) == 1
    assert sorted(finding.images[0] for finding in found.findings) == rows.tolist()
    outcome = check_labels(found.images, outputs_of(found.images, asked[0]))
    assert outcome.findings == found.outcomes[0].findings
