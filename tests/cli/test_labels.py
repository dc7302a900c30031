"""`striate train`, `evaluate` and `predict` with tables of labels: classes, labels, numbers."""

from __future__ import annotations

import csv
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics

from striate.network import load

CORNERS = ("left", "right", "below")


def scenes(folder: Path, count: int, seed: int = 0) -> list[list[str]]:
    """Images of 10×10 in which any of three corners may be bright; returns which are."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        has = rng.random(3) < (0.5, 0.4, 0.3)
        pixels = rng.integers(0, 90, (10, 10), dtype=np.uint8)
        for flag, (y, x) in zip(has, ((0, 0), (0, 7), (7, 0)), strict=True):
            if flag:
                pixels[y : y + 3, x : x + 3] += 140
        Image.fromarray(pixels).save(folder / f"{number}.png")
        found.append([name for name, flag in zip(CORNERS, has, strict=True) if flag])
    return found


def gauges(folder: Path, count: int, seed: int = 0) -> np.ndarray:
    """Images of 10×10 with a bright bar; returns its height in millimetres, and its brightness."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    heights, lights = rng.integers(1, 10, count), rng.integers(100, 200, count)
    for number in range(count):
        pixels = rng.integers(0, 30, (10, 10), dtype=np.uint8)
        pixels[: heights[number], 4:7] += lights[number].astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return np.stack([heights * 2.5 + 1000, lights.astype(float)], axis=1)


def table(path: Path, head, rows) -> Path:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def corners(tmp_path_factory):
    """A folder of scenes, its table, and what each image has."""
    where = tmp_path_factory.mktemp("corners")
    tags = scenes(where / "images", 300)
    rows = [(f"images/{i}.png", ";".join(some)) for i, some in enumerate(tags)]
    return where / "images", table(where / "tags.csv", ("file", "tags"), rows), tags


@pytest.fixture(scope="module")
def bars(tmp_path_factory):
    """A folder of gauges, its table, and their numbers."""
    where = tmp_path_factory.mktemp("bars")
    values = gauges(where / "images", 240)
    rows = [(f"{i}.png", *row) for i, row in enumerate(values)]
    return where / "images", table(where / "n.csv", ("id", "height mm", "light"), rows), values


TRAIN = ("--epochs", 8, "--batch-size", 32, "--lr", 0.01, "--optimizer", "adamw")


def test_labels_from_training_to_predictions(striate, corners, in_tmp):
    folder, labels, tags = corners
    outcome = striate("train", folder, "--labels", labels, "--out", "m", *TRAIN, "--json")
    assert outcome.code == 0, outcome.err
    told = outcome.json
    assert told["task"] == "labels" and told["labels"] == 3 and told["class_names"] == [
        "below", "left", "right",
    ]  # fmt: skip
    assert told["test_mean_average_precision"] > 0.95
    assert told["test_images"] == 60 and told["recipe"]["validation"] == 0.1
    assert "Thresholds of the labels chosen by 24 images that were not trained on" in outcome.err
    network = load(in_tmp / "m")
    assert network.answers.kind == "labels" and len(network.answers.thresholds) == 3
    assert network.classes == ["below", "left", "right"]

    # `evaluate` finds the test images again, and says what `train` said, and scikit-learn.
    outcome = striate("evaluate", "m", folder, "--labels", labels, "--mistakes", "w.csv", "--json")
    assert outcome.code == 0, outcome.err
    found = outcome.json
    assert found["images"] == 60 and found["part"] == "test"
    assert found["mean_average_precision"] == told["test_mean_average_precision"]
    every = striate("evaluate", "m", folder, "--labels", labels, "--part", "all", "--json").json
    said = striate("predict", "m", folder, "--json", "--csv", "p.csv").json["predictions"]
    assert len(said) == 300
    order = {name: index for index, name in enumerate(network.classes)}
    truth, given, chances = np.zeros((300, 3), int), np.zeros((300, 3), int), np.zeros((300, 3))
    for entry in said:
        row = int(Path(entry["path"]).stem)
        truth[row, [order[name] for name in tags[row]]] = 1
        given[row, [order[name] for name in entry["labels"]]] = 1
        chances[row] = [entry["probabilities"][name] for name in network.classes]
    np.testing.assert_array_equal(given, chances >= np.array(network.answers.thresholds))
    assert every["subset_accuracy"] == pytest.approx(metrics.accuracy_score(truth, given))
    assert every["hamming_loss"] == pytest.approx(metrics.hamming_loss(truth, given))
    assert every["mean_average_precision"] == pytest.approx(
        metrics.average_precision_score(truth, chances, average="macro")
    )
    f1 = metrics.f1_score(truth, given, average=None)
    assert [each["f1"] for each in every["labels"]] == pytest.approx(f1.tolist())

    # Mistakes are those images of the test part that have a wrong label.
    wrong = rows_of(in_tmp / "w.csv")
    assert len(wrong) == round((1 - found["subset_accuracy"]) * 60)
    for row in wrong:
        assert set(filter(None, row["labels"].split(";"))) == set(tags[int(Path(row["path"]).stem)])
        assert row["missing"] or row["wrong"]
    # The table of predictions is one that can be trained on.
    assert rows_of(in_tmp / "p.csv")[0].keys() >= {"path", "labels", "probability of left"}

    outcome = striate("evaluate", "m", folder, "--labels", labels)
    assert "threshold" in outcome.out and "mean average precision" in outcome.out
    outcome = striate("predict", "m", folder / "0.png", "--top", 2)
    assert outcome.out.count("%") == 2


def test_the_column_of_predictions_is_read_as_labels(striate, corners, in_tmp):
    folder, labels, _ = corners
    assert striate("train", folder, "--labels", labels, "--out", "m", "-q", *TRAIN).code == 0
    assert striate("predict", "m", folder, "--csv", "p.csv", "-q").code == 0
    outcome = striate("train", folder, "--labels", "p.csv", "--out", "n", *TRAIN, "--json")
    assert outcome.code == 0 and outcome.json["task"] == "labels", outcome.err


def test_numbers_from_training_to_predictions(striate, bars, in_tmp):
    folder, numbers, values = bars
    outcome = striate(
        "train", folder, "--labels", numbers, "--out", "m", "--epochs", 25, "--batch-size", 32,
        "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    told = outcome.json
    assert told["task"] == "numbers" and told["class_names"] == ["height mm", "light"]
    assert told["recipe"]["augment"] == {}
    assert told["test_r2"] > 0.8
    network = load(in_tmp / "m")
    assert network.answers.names == ("height mm", "light") and network.classes is None

    outcome = striate(
        "evaluate",
        "m",
        folder,
        "--labels",
        numbers,
        "--part",
        "all",
        "--mistakes",
        "e.csv",
        "--json",
    )
    assert outcome.code == 0, outcome.err
    found = outcome.json
    said = striate("predict", "m", folder, "--json", "--csv", "p.csv").json["predictions"]
    guesses = np.zeros((240, 2))
    for entry in said:
        guesses[int(Path(entry["path"]).stem)] = list(entry["numbers"].values())
    assert found["r2"] == pytest.approx(metrics.r2_score(values, guesses), abs=1e-5)
    for index, each in enumerate(found["numbers"]):
        pair = values[:, index], guesses[:, index]
        assert each["mean_absolute_error"] == pytest.approx(
            metrics.mean_absolute_error(*pair), rel=1e-4
        )
        assert each["root_mean_squared_error"] == pytest.approx(
            metrics.root_mean_squared_error(*pair), rel=1e-4
        )
    errors = rows_of(in_tmp / "e.csv")
    assert len(errors) == 240
    worst = [
        max(abs(float(row["height mm error"])) / values[:, 0].std(),
            abs(float(row["light error"])) / values[:, 1].std())
        for row in errors
    ]  # fmt: skip
    assert worst == sorted(worst, reverse=True)
    row = errors[0]
    assert float(row["height mm predicted"]) - float(row["height mm"]) == pytest.approx(
        float(row["height mm error"]), abs=1e-3
    )
    assert float(rows_of(in_tmp / "p.csv")[0]["light"]) > 50
    outcome = striate("predict", "m", folder / "0.png")
    assert "height mm 1" in outcome.out and "light" in outcome.out
    outcome = striate("evaluate", "m", folder, "--labels", numbers)
    assert "mean error" in outcome.out and "R²" in outcome.out


def test_training_on_numbers_may_be_interrupted_and_resumed(striate, bars, in_tmp):
    """The folded network is saved; the checkpoint goes on from the one that is not."""
    folder, numbers, _ = bars
    arguments = (folder, "--labels", numbers, "--batch-size", 64, "-q", "--checkpoint-every", 1)
    assert striate("train", *arguments, "--epochs", 4, "--out", "whole").code == 0
    from striate.training.training_run import TrainingRun

    before = TrainingRun.step

    def stopping(self, batch):
        if batch.epoch == 2 and batch.index == 1:
            signal.raise_signal(signal.SIGINT)
        before(self, batch)

    try:
        TrainingRun.step = stopping
        outcome = striate("train", *arguments, "--epochs", 4, "--out", "part")
    finally:
        TrainingRun.step = before
    assert outcome.code == 130
    part = load(in_tmp / "part")
    assert striate("train", *arguments, "--epochs", 4, "--out", "part", "--resume").code == 0
    whole, resumed = load(in_tmp / "whole"), load(in_tmp / "part")
    np.testing.assert_array_equal(whole.flat, resumed.flat)
    assert not np.array_equal(part.flat, resumed.flat)


def test_a_network_that_cannot_be_folded_learns_the_numbers_as_they_are(striate, bars, in_tmp):
    folder, numbers, _ = bars
    (in_tmp / "net.toml").write_text(
        '[[layers]]\nlayer = "Flatten"\n\n[[layers]]\nlayer = "Dense"\nunits = "classes"\n'
        "bias = false\n"
    )
    outcome = striate(
        "train", folder, "--labels", numbers, "--out", "m", "--network", "net.toml", "--epochs", 2
    )
    assert outcome.code == 0
    assert "the numbers are trained on as they are" in outcome.err


def test_classes_by_a_table_are_those_of_folders(striate, images, in_tmp):
    """The same images give the same network, whoever says their classes."""
    names = sorted(path.relative_to(images) for path in images.rglob("*.png"))
    table(in_tmp / "t.csv", ("file", "class"), [(name, name.parts[0]) for name in names])
    arguments = ("--epochs", 2, "--json", "-q", "--engine", "numpy")
    one = striate("train", images, "--labels", "t.csv", "--out", "a", *arguments)
    assert one.code == 0 and one.json["task"] == "classes"
    outcome = striate("evaluate", "a", images, "--labels", "t.csv", "--json")
    assert outcome.json["accuracy"] == one.json["test_accuracy"]
    # The class folders say the same.
    assert striate("evaluate", "a", images, "--json").json["accuracy"] == one.json["test_accuracy"]


def test_rare_labels_that_are_poorly_found_are_told(striate, tmp_path, in_tmp):
    tags = scenes(tmp_path / "images", 160)
    rng = np.random.default_rng(5)
    # A fourth label that nothing in the image tells.
    rows = [
        (f"{i}.png", ";".join([*some, *(["luck"] if rng.random() < 0.12 else [])]))
        for i, some in enumerate(tags)
    ]
    labels = table(tmp_path / "t.csv", ("file", "tags"), rows)
    outcome = striate(
        "train", tmp_path / "images", "--labels", labels, "--out", "m", *TRAIN, "--validation", 0
    )
    assert outcome.code == 0, outcome.err
    assert "'luck' is rare" in outcome.err and "--class-weight balanced" in outcome.err
    outcome = striate(
        "train", tmp_path / "images", "--labels", labels, "--out", "m", *TRAIN,
        "--class-weight", "balanced", "--class-weight", "luck=2",
    )  # fmt: skip
    assert outcome.code == 2 and "leave out the others" in outcome.err
    outcome = striate(
        "train", tmp_path / "images", "--labels", labels, "--out", "m", *TRAIN,
        "--class-weight", "luck=6", "--json",
    )  # fmt: skip
    assert outcome.code == 0 and outcome.json["recipe"]["class_weight"] == ["luck=6"]


def test_rare_classes_that_are_poorly_found_are_told(striate, tmp_path, in_tmp):
    rng = np.random.default_rng(0)
    for name, count in (("dark", 80), ("light", 80), ("odd", 15)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(count):
            low = 150 if name == "light" else 0
            pixels = rng.integers(low, low + 90, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{i}.png")
    outcome = striate("train", tmp_path / "images", "--out", "m", "--epochs", 4)
    assert outcome.code == 0
    assert "'odd' is rare, 12 of 140 training images, and poorly found: 0 % of its 3" in outcome.err
    assert "'dark' is rare" not in outcome.err
    outcome = striate(
        "train", tmp_path / "images", "--out", "m", "--epochs", 4, "--class-weight", "balanced"
    )
    assert "--class-weight balanced lets" not in outcome.err


def test_arrays_of_labels_and_of_numbers(striate, tmp_path, in_tmp):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 255, (60, 8, 8), dtype=np.uint8)
    np.savez("l.npz", X=X, y=(rng.random((60, 3)) < 0.5).astype(np.uint8))
    np.savez("n.npz", X=X, y=X.mean(axis=(1, 2)) / 10)
    options = ("--epochs", 2, "--json", "-q", "--engine", "numpy")
    outcome = striate("train", "l.npz", "--out", "a", *options)
    assert outcome.code == 0 and outcome.json["task"] == "labels", outcome
    outcome = striate("evaluate", "a", "l.npz", "--json")
    assert outcome.code == 0 and len(outcome.json["labels"]) == 3, outcome
    outcome = striate("train", "n.npz", "--out", "b", *options)
    assert outcome.code == 2 and "--task numbers" in outcome.err
    outcome = striate("train", "n.npz", "--task", "numbers", "--out", "b", *options)
    assert outcome.code == 0 and outcome.json["task"] == "numbers"
    outcome = striate("evaluate", "b", "n.npz", "--json")
    assert outcome.code == 0 and outcome.json["images"] == 12, outcome


def test_what_does_not_fit_is_one_sentence(refused, striate, corners, bars, model, in_tmp):
    folder, labels, _ = corners
    gauge, numbers, _ = bars
    quick = ("--epochs", 1, "-q", "--engine", "numpy")
    assert striate("train", folder, "--labels", labels, "--out", "l", *quick).code == 0
    assert striate("train", gauge, "--labels", numbers, "--out", "n", *quick).code == 0
    assert "name the table that has those of" in refused("evaluate", "l", folder)
    assert "cannot be tested with --task numbers" in refused(
        "evaluate", "l", folder, "--labels", labels, "--task", "numbers"
    )
    assert "is no classifier, it says labels" in refused("report", "l", folder)
    assert "--class-weight is for classes and labels" in refused(
        "train", gauge, "--labels", numbers, "--out", "x", "--class-weight", "balanced"
    )
    assert "--label-smoothing is for classes and labels" in refused(
        "train", gauge, "--labels", numbers, "--out", "x", "--label-smoothing", "0.1"
    )
    assert "there is no class 'up'" in refused(
        "train", folder, "--labels", labels, "--out", "x", "--class-weight", "up=2"
    )
    assert "name a table that has their numbers" in refused("train", "digits", "--task", "numbers")
    table(in_tmp / "other.csv", ("file", "tags"), [("0.png", "left;up"), ("1.png", "below")])
    assert "has the label 'up', which the model does not know" in refused(
        "evaluate", "l", folder, "--labels", "other.csv"
    )
    table(in_tmp / "one.csv", ("id", "mass"), [("0.png", 1.5), ("1.png", 2.5)])
    assert "the model gives 2 numbers" in refused("evaluate", "n", gauge, "--labels", "one.csv")


def test_evaluate_finds_the_columns_of_the_training(striate, bars, in_tmp):
    """Columns that had to be named once need not be named again."""
    folder, _, values = bars
    rows = [(f"{i}.png", f"mask/{i}.png", *row) for i, row in enumerate(values)]
    table(in_tmp / "t.csv", ("photo", "mask", "a", "b"), rows)
    named = ("--path-column", "photo", "--label-column", "b")
    assert striate(
        "train", folder, "--labels", "t.csv", "--out", "m", *named, "--epochs", 1, "-q"
    ).code == 0  # fmt: skip
    outcome = striate("evaluate", "m", folder, "--labels", "t.csv", "--json")
    assert outcome.code == 0 and [each["name"] for each in outcome.json["numbers"]] == ["b"]


def test_an_export_with_probabilities_of_labels(striate, corners, in_tmp):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    folder, labels, _ = corners
    assert striate("train", folder, "--labels", labels, "--out", "m", "--epochs", 1, "-q").code == 0
    network = load(in_tmp / "m")
    network.to_onnx("m.onnx", probabilities=True)
    images = np.random.default_rng(0).integers(0, 255, (5, 1, 10, 10)).astype(np.float32)
    (chances,) = runtime.InferenceSession("m.onnx").run(None, {"images": images})
    np.testing.assert_allclose(
        chances, network.predict_proba(images.transpose(0, 2, 3, 1)), rtol=1e-4, atol=1e-6
    )
