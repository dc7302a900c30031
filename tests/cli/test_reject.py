"""``--calibrate`` and ``--reject``: probabilities that are right, and models that say "unknown"."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate import data
from striate.cli.app import run
from striate.cli.held_out import ENOUGH, MANY, hold_out
from striate.data.dataset import Dataset
from striate.data.record import ImageRecord
from striate.model import files
from striate.model.answers import FEWEST
from striate.network import load

Run = Callable[..., Any]
Refused = Callable[..., str]
NUMPY = ("--engine", "numpy")
QUICK = (*NUMPY, "--epochs", "4", "--no-augment")


@pytest.fixture(scope="session")
def rejecting(tmp_path_factory: pytest.TempPathFactory, network_file: Path) -> Path:
    """A model of the digits that may say "unknown"."""
    path = tmp_path_factory.mktemp("rejecting") / "digits.safetensors"
    arguments = ["train", "digits", "--quiet", *QUICK, "--network", str(network_file)]
    assert run([*arguments, "--reject", "0.02", "--out", str(path)]) == 0
    return path


@pytest.fixture
def scans(in_tmp: Path) -> Path:
    """Digits and noise as files."""
    rng = np.random.default_rng(0)
    digits = np.rint(data.load("digits").test_images[:40, ..., 0] * (255 / 16)).astype(np.uint8)
    noise = rng.integers(0, 256, (40, 8, 8), dtype=np.uint8)
    for name, images in (("known", digits), ("noise", noise)):
        (in_tmp / name).mkdir()
        for number, pixels in enumerate(images):
            Image.fromarray(pixels).save(in_tmp / name / f"{number}.png")
    return in_tmp


def test_what_train_tells(striate: Run, in_tmp: Path, network_file: Path) -> None:
    command = ("train", "digits", *QUICK, "--network", network_file, "--reject", 0.02)
    outcome = striate(*command)
    assert outcome.code == 0, outcome.err
    aside, kept = 144, 1438 - 144
    assert f"{aside} of 1,438 training images (10.0 %) are set aside to calibrate" in outcome.err
    assert f"Trained for 4 epochs on {kept:,} images" in outcome.out
    assert f"Calibrated on {aside} images not trained on: temperature " in outcome.out
    assert 'Says "unknown" where the ' in outcome.out
    notes = files.information("digits.safetensors")
    found = notes["calibration"]
    network = load("digits.safetensors")
    assert found["images"] == aside
    assert found["temperature"] == network.answers.temperature
    assert network.answers.rejection is not None
    assert found["rejection"]["score"] == network.answers.rejection.score
    assert found["rejection"]["threshold"] == network.answers.rejection.threshold
    record = ImageRecord.from_notes(notes["images"])
    assert record is not None
    counts = {name: len(part.labels) for name, part in record.parts.items()}
    assert counts == {"train": kept, "test": 359, "validation": aside}
    # The same training is the same file; and what was set aside is not tested on.
    first = Path("digits.safetensors").read_bytes()
    assert striate(*command, "--json").json["calibration"] == found
    assert Path("digits.safetensors").read_bytes() == first
    assert (
        striate("evaluate", "digits.safetensors", "digits", *NUMPY, "--json").json["images"] == 359
    )


def test_little_is_set_aside_by_default(striate: Run, in_tmp: Path, network_file: Path) -> None:
    outcome = striate("train", "digits", *QUICK, "--network", network_file)
    assert "Probabilities are not calibrated" in outcome.err
    assert "--calibrate 0.1 sets some aside" in outcome.err
    assert "Calibrated" not in outcome.out
    assert load("digits.safetensors").answers == load("digits.safetensors").answers.__class__()
    outcome = striate("train", "digits", *QUICK, "--network", network_file, "--calibrate", 0)
    assert "alibrated" not in outcome.err + outcome.out


def test_images_to_validate_on_calibrate(striate: Run, in_tmp: Path, network_file: Path) -> None:
    """And they are those that the training has not seen."""
    command = ("train", "digits", *QUICK, "--network", network_file, "--validation", 0.1)
    outcome = striate(*command)
    assert "Probabilities are calibrated on the 144 images to validate on" in outcome.err
    assert "Trained for 4 epochs on 1,438 images" in outcome.out
    network = load("digits.safetensors")
    source = data.load("digits")
    from striate.training.split import stratified_split

    held = stratified_split(source.train_labels, 0.1, 0)[1]
    found = network.calibrate(source.train_images[held], source.train_labels[held], engine="numpy")
    assert (
        found.temperature == files.information("digits.safetensors")["calibration"]["temperature"]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--reject", 0.001), "--reject 0.001 needs at least 999 images that are not trained on"),
        (("--reject", 0.02, "--calibrate", 0), "but there are 0 of 1,438"),
        (("--calibrate", 0.005), "--calibrate 0.005 of 1,438 training images sets 7 aside"),
        (("--calibrate", 0.999), "leaves none of some class to train on"),
        (("--reject", 0), "'0' is not a number above 0"),
        (("--reject", 1), "'1' is not a number above 0 and below 1"),
        (("--calibrate", "nan"), "is not a number at least 0"),
    ],
)
def test_what_cannot_be_set_aside(
    refused: Refused, in_tmp: Path, options: tuple[Any, ...], message: str
) -> None:
    assert message in refused("train", "digits", *QUICK, *options)
    assert not list(in_tmp.iterdir())


def test_a_class_called_unknown(refused: Refused, in_tmp: Path) -> None:
    X, y = np.zeros((200, 4, 4), np.uint8), np.repeat(["unknown", "b"], 100)
    np.savez("some.npz", X=X, y=y)
    message = refused("train", "some.npz", *QUICK, "--reject", 0.1)
    assert 'a class is called "unknown"' in message and "another name" in message


def make_dataset(count: int, validation: int = 0) -> Dataset:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count + validation, 2, 2, 1), dtype=np.uint8)
    labels = np.arange(count + validation) % 4
    more: dict[str, Any] = {}
    if validation:
        more = {"validation_images": images[count:], "validation_labels": labels[count:]}
    return Dataset(
        images[:count], labels[:count], images[:0], labels[:0], list("abcd"), "some", **more
    )


NOTHING: dict[str, Any] = {
    "calibrate": None,
    "reject": None,
    "validation": 0.0,
    "weightless": np.array([], np.int64),
    "seed": 0,
}


@pytest.mark.parametrize(
    ("count", "options", "held", "trained"),
    [
        (MANY, {}, ENOUGH, MANY - ENOUGH),
        (MANY - 1, {}, 0, MANY - 1),
        (5 * MANY, {}, ENOUGH, 5 * MANY - ENOUGH),
        (5 * MANY, {"reject": 0.01}, 5000, 45_000),
        (600, {"reject": 0.1, "calibrate": 0.5}, 300, 300),
        (600, {"validation": 0.2}, 120, 600),  # the training sets them aside itself
        (600, {"validation": 0.2, "weightless": np.array([1])}, 90, 600),
        (600, {"validation": 0.01}, 0, 600),  # too few
        (600, {"calibrate": 0.0, "validation": 0.2}, 0, 600),
    ],
)
def test_how_many_are_set_aside(
    count: int, options: dict[str, Any], held: int, trained: int
) -> None:
    before = make_dataset(count)
    whole = before.train_images.copy()
    made, found = hold_out(before, **{**NOTHING, **options})
    assert len(made.train_images) == len(made.train_labels) == trained
    assert (0 if found.part is None else len(found.part.labels)) == held
    if found.part is None:
        return
    counts = np.bincount(found.part.labels, minlength=4)
    assert counts[counts > 0].max() - counts[counts > 0].min() <= 1
    rows = np.concatenate([made.train_images, found.part.images] if found.rows is None else [whole])
    order = np.lexsort(rows.reshape(len(rows), -1).T)
    expected = np.lexsort(whole.reshape(count, -1).T)
    np.testing.assert_array_equal(rows[order], whole[expected])
    recorded = found.recorded(made).parts
    assert ("validation" in recorded) == (found.rows is None)


def test_a_folder_for_validation_calibrates() -> None:
    made, found = hold_out(make_dataset(300, 50), **NOTHING)
    assert len(made.train_labels) == 300 and found.part is not None
    assert len(found.part.labels) == 50
    assert len(found.recorded(made).parts["validation"].labels) == 50
    made, found = hold_out(make_dataset(300, 50), **{**NOTHING, "calibrate": 0.2})
    assert len(made.train_labels) == 240 and found.part is not None
    assert len(found.part.labels) == 60
    assert len(found.recorded(made).parts["validation"].labels) == 110
    made, found = hold_out(make_dataset(300, FEWEST - 1), **NOTHING)
    assert found.part is None


# Predicting


def test_predict_says_unknown(striate: Run, rejecting: Path, scans: Path) -> None:
    outcome = striate("predict", rejecting, "noise", "known", *NUMPY, "--csv", "t.csv", "--top", 2)
    lines = outcome.out.splitlines()
    assert len(lines) == 80
    network = load(rejecting)
    rejection = network.answers.rejection
    assert rejection is not None
    found = striate("predict", rejecting, "noise", "known", *NUMPY, "--top", 2, "--json").json
    told = found["predictions"]
    paths = data.find_images(["noise", "known"])
    pixels = data.load_images(paths, network.preprocessing)
    distances = network.distances(pixels, engine="numpy")
    probabilities = network.predict_proba(pixels, engine="numpy")
    rows = list(csv.DictReader(Path("t.csv").read_text().splitlines()))
    assert 40 <= distances.unknown.sum() < 80
    for place, (entry, line, row) in enumerate(zip(told, lines, rows, strict=True)):
        assert entry["path"] == row["path"] == str(paths[place])
        assert entry["unknown"] == bool(int(row["unknown"])) == distances.unknown[place]
        assert entry["distance"] == pytest.approx(distances.values[place], rel=1e-5)
        assert float(row["distance"]) == pytest.approx(entry["distance"], rel=1e-4)
        assert entry["threshold"] == rejection.threshold
        assert entry["top"][0]["probability"] == pytest.approx(probabilities[place].max(), rel=1e-4)
        if entry["unknown"]:
            assert (entry["class"], entry["probability"]) == ("unknown", None)
            assert (row["class"], row["probability"], row["class_2"]) == ("unknown", "", "")
            assert ": unknown, farther than " in line and " of known images: distance " in line
        else:
            assert entry["class"] == row["class"] == str(probabilities[place].argmax())
            assert float(row["probability"]) == pytest.approx(probabilities[place].max(), abs=1e-5)
            assert "unknown" not in line
    plain = striate("predict", rejecting, "noise", *NUMPY, "--no-reject", "--csv", "t.csv")
    assert "unknown" not in plain.out
    assert Path("t.csv").read_text().splitlines()[0] == "path,class,probability"


def test_a_model_that_cannot_tell(refused: Refused, model: Path, scans: Path) -> None:
    message = refused("predict", model, "noise", *NUMPY, "--reject")
    assert "cannot tell unknown images; train it with --reject" in message
    message = refused("evaluate", model, "digits", *NUMPY, "--unknown", "noise")
    assert "the model cannot tell unknown images; train it with --reject" in message


# Evaluating


def test_evaluate_tells_how_far_to_trust(striate: Run, rejecting: Path, scans: Path) -> None:
    command = ("evaluate", rejecting, "digits", *NUMPY, "--unknown", "noise")
    told = striate(*command, "--json").json
    network, source = load(rejecting), data.load("digits")
    right = network.predict(source.test_images, engine="numpy", reject=False)
    right = right == source.test_labels.astype(str)
    unknown = network.predict(source.test_images, engine="numpy") == "unknown"
    sure = network.predict_proba(source.test_images, engine="numpy").max(axis=1)
    assert sum(each["images"] for each in told["reliability"]) == len(right) == told["images"]
    error = sum(
        each["images"] * abs(each["accuracy"] - each["confidence"]) / len(right)
        for each in told["reliability"]
        if each["images"]
    )
    assert told["calibration_error"] == pytest.approx(error)
    assert told["confidence"] == pytest.approx(sure.mean(), rel=1e-4)
    assert told["coverage"][0]["accuracy"] == pytest.approx(told["accuracy"])
    half = np.argsort(-sure, kind="stable")[: round(len(sure) / 2)]
    assert told["coverage"][-1]["accuracy"] == pytest.approx(right[half].mean(), abs=0.01)
    assert told["rejected"]["count"] == unknown.sum()
    assert told["rejected"]["accuracy"] == pytest.approx(right[~unknown].mean())
    low, high = told["rejected"]["interval"]
    assert low < unknown.mean() < high
    assert told["unknown"]["images"] == 40
    assert told["unknown"]["rejected"] >= 36 and told["unknown"]["auroc"] > 0.9
    outcome = striate(*command)
    assert f"Calibration error: {100 * error:.2f} % (expected, 15 bins" in outcome.out
    assert f'Called "unknown": {unknown.sum()} of {len(right)} images, ' in outcome.out
    assert "Of 40 images of no class " in outcome.out
    assert "surest" in outcome.out and "least probability" in outcome.out


def test_evaluate_without_a_rejection(striate: Run, model: Path) -> None:
    outcome = striate("evaluate", model, "digits", *NUMPY)
    assert "Calibration error: " in outcome.out and "unknown" not in outcome.out
    told = striate("evaluate", model, "digits", *NUMPY, "--json").json
    assert (told["rejected"], told["unknown"]) == (None, None)
