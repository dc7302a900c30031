"""``striate train``."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.cli import class_weights, training_source
from striate.model import files
from striate.network import Network, load
from striate.training import recipes
from striate.training.learning_rate_finder import LearningRateCurve

Run = Callable[..., Any]
Refused = Callable[..., str]

QUICK = ("--engine", "numpy", "--epochs", 1)


def changed(row: recipes.Architecture, **settings: Any) -> recipes.Architecture:
    """A row of the table with other settings of its training."""
    return replace(row, training=replace(row.training, **settings))


def test_digits_from_beginning_to_end(striate: Run, in_tmp: Path) -> None:
    outcome = striate("train", "digits", "--engine", "numpy", "--epochs", 6, "--json")
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == 1
    result = outcome.json
    assert result["train_images"] + result["test_images"] == 1797
    assert result["classes"] == 10
    assert result["epochs"] == 6
    assert 0.9 < result["test_accuracy"] <= 1
    assert result["seconds"] > 0
    assert result["images_per_second"] > 0
    assert result["model"] == "digits.safetensors"
    assert result["interrupted"] is False
    assert result["recipe"]["epochs"] == 6
    network = load(in_tmp / "digits.safetensors")
    assert network.parameter_count == result["parameters"]
    assert network.classes == [str(digit) for digit in range(10)]
    assert network.preprocessing.resize == {
        "height": 8,
        "width": 8,
        "mode": "crop",
        "maximum": 16,
    }
    notes = files.information(in_tmp / "digits.safetensors")
    assert notes["test_accuracy"] == result["test_accuracy"]
    assert "seconds" not in notes
    # The choices are told, on standard error.
    assert "Network (for tiny images): Conv2D" in outcome.err
    assert "Training: 6 epochs, batches of " in outcome.err
    assert "epoch 6/6" in outcome.err
    assert sorted(entry.name for entry in in_tmp.iterdir()) == ["digits.safetensors"]


def test_the_result_for_people(striate: Run, in_tmp: Path, network_file: Path) -> None:
    outcome = striate("train", "digits", *QUICK, "--network", network_file)
    first, second, third = outcome.out.splitlines()
    assert first.startswith("Test accuracy: ")
    assert first.endswith(" % on 359 images; always the most frequent class: 10.31 %")
    assert second.startswith("Trained for 1 epoch on 1,438 images: ")
    assert third == "Saved as digits.safetensors"
    again = striate("train", "digits", *QUICK, "--network", network_file)
    assert again.out.splitlines()[2] == "Saved as digits.safetensors, in place of the earlier one"


def test_the_same_seed_gives_the_same_file(striate: Run, in_tmp: Path, network_file: Path) -> None:
    for name in ("a", "b", "c"):
        seed = 3 if name == "c" else 2
        outcome = striate(
            "train", "digits", *QUICK, "--network", network_file, "--out", name, "--seed", seed
        )
        assert outcome.code == 0
    assert Path("a").read_bytes() == Path("b").read_bytes()
    assert Path("a").read_bytes() != Path("c").read_bytes()


def test_threads_change_no_bit_of_the_default_engine(
    striate: Run, in_tmp: Path, network_file: Path
) -> None:
    pytest.importorskip("llvmlite")
    for threads in (1, 2, 3):
        outcome = striate(
            *("train", "digits", "--epochs", 2, "--network", network_file, "--out", threads),
            *("--threads", threads, "--batch-size", 100, "--json"),
        )
        assert outcome.code == 0
        assert outcome.json["test_accuracy"] > 0.3  # by chance it would be 0.1
    assert Path("1").read_bytes() == Path("2").read_bytes() == Path("3").read_bytes()


def test_the_file_says_what_decided_its_last_bits(
    striate: Run, in_tmp: Path, network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llvmlite")
    from striate.nest.target import as_host, host

    monkeypatch.setenv("STRIATE_CACHE", str(in_tmp / "cache"))
    command = ("train", "digits", "--epochs", 1, "--network", network_file, "--out", "m")
    narrow = replace(host(), vector_bytes=16, registers=16)
    with as_host(narrow):
        striate(*command)
    told = files.information("m")["computed_by"]
    assert told.items() >= {
        "engine": "llvm", "vector_bytes": 16, "tuned_layouts": False, "processor": host().cpu,
    }.items()  # fmt: skip
    striate(*command, "--engine", "numpy")
    told = files.information("m")["computed_by"]
    assert told == {"engine": "numpy", "numpy": np.__version__}


def test_quiet_says_nothing_on_standard_error(
    striate: Run, in_tmp: Path, network_file: Path
) -> None:
    outcome = striate("train", "digits", *QUICK, "--network", network_file, "--quiet")
    assert outcome.err == ""
    assert outcome.out.startswith("Test accuracy")


def test_a_folder_of_images(striate: Run, images: Path, in_tmp: Path) -> None:
    outcome = striate("train", images, "--engine", "numpy", "--epochs", 8, "--json")
    assert outcome.code == 0
    assert outcome.json["class_names"] == ["dark", "light"]
    assert outcome.json["test_accuracy"] == 1
    network = load(outcome.json["model"])
    assert network.input_shape == (8, 10, 3)
    assert network.preprocessing.colour == "rgb"


def test_size_and_colour(striate: Run, images: Path, in_tmp: Path) -> None:
    outcome = striate("train", images, *QUICK, "--size", "12x9", "--colour", "gray", "--out", "m")
    assert outcome.code == 0
    assert load("m").input_shape == (12, 9, 1)


def test_the_name_of_the_model_follows_the_source(
    striate: Run, in_tmp: Path, network_file: Path
) -> None:
    rng = np.random.default_rng(0)
    np.savez("some.data.npz", X=rng.random((40, 6, 6)), y=np.arange(40) % 2)
    outcome = striate("train", "some.data.npz", *QUICK, "--network", network_file, "--json")
    assert outcome.code == 0
    assert outcome.json["model"] == "some.data.safetensors"
    assert Path("some.data.safetensors").is_file()


def recorded(
    striate: Run, monkeypatch: pytest.MonkeyPatch, *arguments: object
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options that `train` gives to `Network.fit`, and its JSON."""
    seen: dict[str, Any] = {}
    fit = Network.fit

    def spy(self: Network, images: Any, labels: Any, **given: Any) -> Any:
        seen.update(given)
        return fit(self, images, labels, **given)

    monkeypatch.setattr(Network, "fit", spy)
    outcome = striate("train", "digits", *QUICK, "--json", *arguments)
    assert outcome.code == 0, outcome.err
    return seen, outcome.json


def test_all_options_reach_the_training(
    striate: Run, in_tmp: Path, network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = """--epochs 2 --seed 5 --threads 1 --lr 0.01 --batch-size 50 --optimizer sgd
        --weight-decay 0.001 --schedule cosine --warmup 0.1 --label-smoothing 0.2 --shift 2 --flip
        --crop 1 --cutout 2 --brightness 0.3 --contrast 0.4 --saturation 0 --rotate 15 --zoom 0.2
        --class-weight 3=2.5 --class-weight 0=0 --validation 0.25 --patience 7 --out m --quiet"""
    seen, result = recorded(striate, monkeypatch, "--network", network_file, *options.split())
    assert seen["epochs"] == 2
    assert seen["seed"] == 5
    assert seen["threads"] == 1
    assert seen["learning_rate"] == 0.01
    assert seen["batch_size"] == 50
    assert seen["optimizer"] == "sgd"
    assert seen["weight_decay"] == 0.001
    assert seen["schedule"] == "cosine"
    assert seen["warmup"] == 0.1
    assert seen["loss"].label_smoothing == 0.2
    assert seen["validation_fraction"] == 0.25
    assert seen["early_stopping"] == 7
    assert seen["progress"] is False
    assert seen["engine"] == "numpy"
    augment = seen["augment"]
    assert (augment.shift, augment.flip, augment.crop) == (2, True, 1)
    assert (augment.cutout, augment.brightness) == (2, 0.3)
    assert (augment.contrast, augment.saturation) == (0.4, 0)
    assert (augment.rotate, augment.zoom) == (15, 0.2)
    assert seen["class_weight"] == {3: 2.5, 0: 0}
    assert result["recipe"]["class_weight"] == ["3=2.5", "0=0"]
    assert result["recipe"]["augment"]["rotate"] == 15
    assert result["recipe"]["learning_rate"] == 0.01
    assert result["recipe"]["augment"]["cutout"] == 2
    assert result["best_epoch"] in (1, 2)


def test_a_learning_rate_that_is_found(
    striate: Run, in_tmp: Path, network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--network", network_file, "--seed", "3", "--class-weight", "balanced"]
    seen, result = recorded(striate, monkeypatch, *options, "--lr", "auto")
    rate = seen["learning_rate"]
    assert 1e-4 < rate < 1 and rate == float(f"{rate:.3g}")
    assert result["recipe"]["learning_rate"] == rate
    # It is that of the same training: found again, and typed in.
    again, _ = recorded(striate, monkeypatch, *options, "--lr", "AUTO")
    assert again["learning_rate"] == rate
    models = []
    for given in ("auto", str(rate)):
        outcome = striate("train", "digits", *QUICK, *options, "--lr", given, "--out", "one")
        assert outcome.code == 0, outcome.err
        assert ("Found a learning rate" in outcome.err) == (given == "auto")
        models.append(load("one").flat.tobytes())
    assert models[0] == models[1]


def test_large_batches(striate: Run, in_tmp: Path) -> None:
    """Told before, kept in the file, and trained again to the same bits."""
    options = (
        "--batch-size", 400, "--groups", 4, "--base-batch-size", 100, "--optimizer", "sgd",
        "--lr", 0.05, "--schedule", "cosine", "--warmup-epochs", 1, "--epochs", 2,
    )  # fmt: skip
    outcome = striate("train", "digits", "--engine", "numpy", *options, "--json")
    assert outcome.code == 0
    assert (
        "Training: 2 epochs, batches of 400 in 4 groups, sgd at 0.2, that is 0.05 for batches of "
        "100 (cosine, warm-up over 1 epoch)"
    ) in " ".join(outcome.err.split())
    recipe = outcome.json["recipe"]
    assert (recipe["learning_rate"], recipe["base_batch_size"]) == (0.05, 100)
    assert (recipe["batch_size"], recipe["groups"], recipe["warmup_epochs"]) == (400, 4, 1)
    again = striate("verify", "digits.safetensors", "digits")
    assert (again.code, "Same bits" in again.out) == (0, True)


def test_a_batch_of_all_images_is_told(striate: Run, in_tmp: Path) -> None:
    outcome = striate(
        "train", "digits", *QUICK, "--batch-size", 5000, "--base-batch-size", 719,
        "--optimizer", "lars", "--lr", 3, "--validation", 0,
    )  # fmt: skip
    assert "batches of 1438, lars at 6, that is 3 for batches of 719 (one-cycle)" in " ".join(
        outcome.err.split()
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--lr", "auto", "--base-batch-size", 64), "--lr auto finds the rate for batches of --b"),
        (("--warmup-epochs", 2), "warmup_epochs must lie in 0 … 1, the epochs of the training"),
        (("--warmup-epochs", 1, "--warmup", 0.1), "say the same in other units: give one of them"),
        (("--warmup-epochs", -1), "--warmup-epochs"),
        (("--base-batch-size", 0), "--base-batch-size"),
    ],
)
def test_what_does_not_go_with_large_batches(
    refused: Refused, in_tmp: Path, options: tuple[Any, ...], said: str
) -> None:
    assert said in " ".join(refused("train", "digits", *QUICK, *options).split())


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "automatic", ""])
def test_wrong_learning_rates(refused: Refused, in_tmp: Path, rate: str) -> None:
    assert "is not a number above 0" in refused("train", "digits", "--lr", rate)


def test_no_learning_rate_that_helps(
    refused: Refused, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = LearningRateCurve(*np.ones((3, 10)), None, False)
    monkeypatch.setattr(Network, "find_learning_rate", lambda *given, **options: nothing)
    message = refused("train", "digits", "--lr", "auto")
    assert message == (
        "--lr auto: no learning rate made the loss fall in 10 steps from 1 to 1: more steps may "
        "tell; give a number"
    )


@pytest.mark.parametrize(("given", "wanted"), [([], None), (["balanced"], "balanced")])
def test_class_weights(
    striate: Run, in_tmp: Path, network_file: Path, monkeypatch: pytest.MonkeyPatch,
    given: list[str], wanted: str | None,
) -> None:  # fmt: skip
    options = [part for text in given for part in ("--class-weight", text)]
    seen, result = recorded(striate, monkeypatch, "--network", network_file, *options)
    assert seen["class_weight"] == wanted
    assert result["recipe"].get("class_weight", []) == given


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["even"], "--class-weight even: say balanced, or CLASS=X such as 0=2"),
        (["7=-1"], "'-1' is not a number at least 0"),
        (["7=nan"], "'nan' is not a number at least 0"),
        (["cat=2"], "--class-weight cat=2: there is no class 'cat'; there are 0, 1, 2"),
        (["=2"], "there is no class ''"),
        (["7=1", "7=2"], "class '7' has two weights"),
        (["7=1", "balanced"], "balanced gives all weights: leave out the others"),
    ],
)
def test_wrong_class_weights(
    refused: Refused, in_tmp: Path, given: list[str], message: str
) -> None:
    options = [part for text in given for part in ("--class-weight", text)]
    assert message in refused("train", "digits", *options)


def test_saturation_of_gray_images(refused: Refused, in_tmp: Path) -> None:
    message = refused("train", "digits", "--saturation", "0.5", "--engine", "numpy")
    assert "saturation needs images of 3 channels" in message


def test_names_of_classes_may_have_equals_signs() -> None:
    assert class_weights.read(["a=b=2", "c=1e1"], ["a=b", "c"]) == {0: 2.0, 1: 10.0}


def test_augmentation_can_be_left_out(
    striate: Run, in_tmp: Path, network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tuple(changed(row, augment={"shift": 1}) for row in recipes.TABLE)
    monkeypatch.setattr(recipes, "TABLE", rows)
    seen, _ = recorded(striate, monkeypatch, "--network", network_file)
    assert seen["augment"].shift == 1
    seen, _ = recorded(striate, monkeypatch, "--network", network_file, "--no-augment")
    assert seen["augment"] is None
    seen, _ = recorded(striate, monkeypatch, "--network", network_file, "--no-augment", "--flip")
    assert (seen["augment"].shift, seen["augment"].flip) == (0, True)


def test_alternate_flips(
    striate: Run, in_tmp: Path, network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--network", network_file, "--flip-alternate")
    seen, result = recorded(striate, monkeypatch, *options)
    assert seen["augment"].flip == "alternate"
    assert result["recipe"]["augment"]["flip"] == "alternate"
    outcome = striate("train", "digits", *QUICK, *options, "--no-flip")
    assert outcome.code == 2
    assert "--flip-alternate and --no-flip contradict each other" in outcome.err


def test_patience_alone_sets_images_aside(
    striate: Run, in_tmp: Path, network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, _ = recorded(striate, monkeypatch, "--network", network_file, "--patience", 3)
    assert seen["validation_fraction"] == training_source.VALIDATION


def test_another_optimizer_does_not_inherit_the_learning_rate(
    striate: Run, in_tmp: Path, network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tuple(changed(row, optimizer="adamw") for row in recipes.TABLE)
    monkeypatch.setattr(recipes, "TABLE", rows)
    seen, _ = recorded(striate, monkeypatch, "--network", network_file)
    assert seen["learning_rate"] == rows[0].training.learning_rate
    seen, _ = recorded(striate, monkeypatch, "--network", network_file, "--optimizer", "sgd")
    assert seen["learning_rate"] is None
    assert seen["weight_decay"] is None


# Bad input


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("--epochs", "0"), "--epochs"),
        (("--epochs", "x"), "--epochs"),
        (("--lr", "0"), "--lr"),
        (("--lr", "nan"), "--lr"),
        (("--lr", "inf"), "--lr"),
        (("--label-smoothing", "1"), "--label-smoothing"),
        (("--validation", "1"), "--validation"),
        (("--test-fraction", "0"), "--test-fraction"),
        (("--seed", "-1"), "--seed"),
        (("--threads", "0"), "--threads"),
        (("--size", "0x3"), "--size"),
        (("--size", "big"), "--size"),
        (("--colour", "blue"), "--colour"),
        (("--engine", "cuda"), "--engine"),
        (("--optimizer", "adam"), "--optimizer"),
        (("--nonsense",), "--nonsense"),
    ],
)
def test_bad_options(refused: Refused, in_tmp: Path, arguments: Any, match: str) -> None:
    assert match in refused("train", "digits", *arguments)
    assert not list(in_tmp.iterdir())


def test_no_source(refused: Refused) -> None:
    assert "SOURCE" in refused("train")


def test_no_such_source(refused: Refused, in_tmp: Path) -> None:
    assert "nowhere" in refused("train", "nowhere", *QUICK)


def test_an_empty_folder(refused: Refused, in_tmp: Path) -> None:
    Path("empty").mkdir()
    assert "empty" in refused("train", "empty", *QUICK)


def test_one_class_only(refused: Refused, in_tmp: Path, images: Path) -> None:
    shutil.copytree(images / "dark", "one/dark")
    assert "one class only" in refused("train", "one", *QUICK)


def test_a_truncated_image_is_named(
    striate: Run, refused: Refused, in_tmp: Path, images: Path, network_file: Path
) -> None:
    shutil.copytree(images, "images")
    bad = Path("images/dark/dark3.png")
    bad.write_bytes(bad.read_bytes()[:60])
    quick = ("--network", network_file, *QUICK)
    assert "dark3.png" in refused("train", "images", *quick)
    assert not Path("images.safetensors").exists()
    outcome = striate("train", "images", *quick, "--skip-bad", "--json")
    assert outcome.code == 0
    assert outcome.json["train_images"] + outcome.json["test_images"] == 23
    assert "dark3.png" in outcome.err


@pytest.mark.parametrize(
    ("out", "match"),
    [
        ("nowhere/model", "does not exist"),
        (".", "is a folder"),
        ("picture.png", "exists and is not a model"),
    ],
)
def test_where_the_model_cannot_be_saved_is_told_before_all_else(
    refused: Refused, in_tmp: Path, monkeypatch: pytest.MonkeyPatch, out: str, match: str
) -> None:
    Path("picture.png").write_bytes(b"\x89PNG and so on")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("data were loaded")

    monkeypatch.setattr("striate.data.load", never)
    message = refused("train", "digits", *QUICK, "--out", out)
    assert match in message
    assert message.startswith(f"--out {out}")
    assert Path("picture.png").read_bytes() == b"\x89PNG and so on"


def test_a_folder_that_may_not_be_written(
    refused: Refused, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Asked for and not tried out, because root may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    assert "may not be written to" in refused("train", "digits", *QUICK, "--out", "m")


def test_a_default_name_that_is_taken(refused: Refused, in_tmp: Path) -> None:
    Path("digits.safetensors").write_text("my notes")
    assert "is not a model" in refused("train", "digits", *QUICK)
    assert Path("digits.safetensors").read_text() == "my notes"


def test_an_empty_file_may_be_replaced(striate: Run, in_tmp: Path, network_file: Path) -> None:
    Path("m").touch()
    outcome = striate("train", "digits", *QUICK, "--network", network_file, "--out", "m")
    assert outcome.code == 0
    load("m")


def test_a_network_for_other_images(refused: Refused, in_tmp: Path) -> None:
    layers = [{"layer": "Flatten"}, {"layer": "Dense", "units": "classes"}]
    Path("n.json").write_text(json.dumps({"input_shape": [28, 28, 1], "layers": layers}))
    message = refused("train", "digits", *QUICK, "--network", "n.json")
    assert message == "n.json: is made for images 28×28×1, not 8×8×1"


def test_a_network_with_other_outputs(refused: Refused, in_tmp: Path) -> None:
    Path("n.json").write_text('[{"layer": "Flatten"}, {"layer": "Dense", "units": 3}]')
    message = refused("train", "digits", *QUICK, "--network", "n.json")
    assert message.startswith("n.json: has outputs of shape (3,), but there are 10 classes")
    assert not Path("digits.safetensors").exists()


def test_a_missing_network_file_is_told_first(
    refused: Refused, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("striate.data.load")
    assert "no such network file" in refused("train", "digits", "--network", "none.toml")


def test_divergence_leaves_no_file(refused: Refused, in_tmp: Path, network_file: Path) -> None:
    options = ("--lr", "1e30", "--optimizer", "sgd", "--schedule", "constant")
    with np.errstate(all="ignore"):
        message = refused("train", "digits", *QUICK, "--network", network_file, *options)
    assert "diverged" in message
    assert "lower --lr" in message
    assert not Path("digits.safetensors").exists()


# Ctrl-C


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c_tests_and_saves_what_there_is(in_tmp: Path, network_file: Path) -> None:
    arguments = ["train", "digits", "--engine", "numpy", "--epochs", "100000", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "striate", *arguments, "--network", str(network_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("epoch"):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, "".join(lines) + err
    result = json.loads(out.splitlines()[-1])
    assert result["interrupted"] is True
    assert 1 <= result["epochs"] < 100000
    assert "What was learnt until then is saved as digits.safetensors; to go on, give" in err
    assert "Traceback" not in err
    load(result["model"])


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c_before_training_leaves_nothing(in_tmp: Path) -> None:
    code = (
        "import sys, os, signal, time\n"
        "import striate.data\n"
        "def slow(*a, **k):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(30)\n"
        "striate.data.load = slow\n"
        "from striate.cli.app import run\n"
        "sys.exit(run(['train', 'digits']))\n"
    )
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 130
    assert done.stderr.strip() == "striate: interrupted"
    assert time.monotonic() - start < 25
    assert not list(in_tmp.glob("*.safetensors"))


# Signals, checkpoints, what is saved first

SMALL = ("--engine", "numpy", "--epochs", 4, "--patience", 3, "--seed", 1)
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def signal_at(monkeypatch: pytest.MonkeyPatch, epoch: int, number: int) -> None:
    """Send a signal to this process after an epoch of the next training."""
    from striate.training import reporters

    def describe(row: Any, epochs: int) -> str:
        if row.epoch == epoch:
            os.kill(os.getpid(), number)
        return f"epoch {row.epoch}"

    monkeypatch.setattr(reporters, "describe", describe)


@posix
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_saves_and_resume_ends_with_the_same_model(
    striate: Run,
    in_tmp: Path,
    network_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    code: int,
) -> None:
    command = ("train", "digits", *SMALL, "--network", network_file, "--out", "m")
    assert striate(*command).code == 0
    whole = Path("m").read_bytes()
    Path("m").unlink()
    with monkeypatch.context() as patch:
        signal_at(patch, 2, getattr(signal, name))
        outcome = striate(*command, "--json")
    assert outcome.code == code
    assert sorted(os.listdir()) == ["m", "m.checkpoint"]
    assert outcome.json["interrupted"] and outcome.json["epochs"] == 2
    assert (outcome.json["test_accuracy"] is None) == (name != "SIGINT")
    assert "saved as m; to go on, give the same command with --resume" in outcome.err
    load("m")
    outcome = striate(*command, "--resume")
    assert outcome.code == 0
    assert "resumed from m.checkpoint after 2 epochs" in outcome.err
    assert Path("m").read_bytes() == whole
    assert os.listdir() == ["m"]


@posix
def test_resume_of_another_training(
    striate: Run,
    refused: Refused,
    in_tmp: Path,
    network_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ("train", "digits", *SMALL, "--network", network_file)
    with monkeypatch.context() as patch:
        signal_at(patch, 1, signal.SIGTERM)
        striate(*command)
    model = Path("digits.safetensors").read_bytes()
    message = refused(*command, "--resume", "--batch-size", 17)
    assert message.startswith(
        "digits.safetensors.checkpoint: is the checkpoint of another training"
    )
    assert "batch size 64 there, 17 here" in message
    assert Path("digits.safetensors").read_bytes() == model
    # Wherever it stands, and whatever follows it.
    outcome = striate("train", "--resume", "any", *command[1:], "--batch-size", 17)
    assert outcome.code == 0
    assert os.listdir() == ["digits.safetensors"]


def test_resume_where_there_is_nothing_begins(
    striate: Run, in_tmp: Path, network_file: Path
) -> None:
    outcome = striate("train", "--resume", "digits", *QUICK, "--network", network_file)
    assert outcome.code == 0
    assert "There is no digits.safetensors.checkpoint: training begins anew" in outcome.err


def test_a_word_that_resume_does_not_know(refused: Refused, in_tmp: Path) -> None:
    assert "--resume" in refused("train", "digits", "--resume=all")
    assert "--checkpoint-every" in refused("train", "digits", "--checkpoint-every", "-1")


@posix
def test_without_checkpoints(
    striate: Run, in_tmp: Path, network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal_at(monkeypatch, 1, signal.SIGTERM)
    command = ("train", "digits", *SMALL, "--network", network_file, "--checkpoint-every", 0)
    outcome = striate(*command)
    assert outcome.code == 143
    assert "there is no checkpoint to go on from" in outcome.err
    assert os.listdir() == ["digits.safetensors"]


def test_a_warning_before_a_model_is_replaced(
    striate: Run, in_tmp: Path, network_file: Path
) -> None:
    command = ("train", "digits", *QUICK, "--network", network_file)
    assert "will be replaced" not in striate(*command).err
    err = striate(*command).err
    assert err.index("digits.safetensors will be replaced when training is done") < err.index(
        "epoch 1/1"
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), ValueError("of NumPy")])
def test_what_comes_after_training_cannot_lose_the_model(
    striate: Run,
    in_tmp: Path,
    network_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    from striate.network import Network

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Network, "evaluate", fail)
    outcome = striate("train", "digits", *QUICK, "--network", network_file)
    assert outcome.code in (130, 2, 1)
    assert "The model is saved as digits.safetensors, but is not tested" in outcome.err
    assert load("digits.safetensors").parameter_count
    assert files.information("digits.safetensors")["test_accuracy"] is None


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_while_the_model_is_saved_waits(
    striate: Run,
    in_tmp: Path,
    network_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    real = os.fsync

    def interrupted(handle: int) -> None:
        os.kill(os.getpid(), getattr(signal, name))
        monkeypatch.setattr(os, "fsync", real)
        real(handle)

    monkeypatch.setattr(os, "fsync", interrupted)
    outcome = striate("train", "digits", *QUICK, "--network", network_file)
    assert outcome.code == 128 + getattr(signal, name)
    assert "the model is saved as digits.safetensors" in outcome.err
    load("digits.safetensors")
    assert os.listdir() == ["digits.safetensors"]


def test_a_full_disk_does_not_lose_the_model(
    refused: Refused, in_tmp: Path, network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    elsewhere = in_tmp / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    real = os.replace

    def full(beside: Any, target: Any) -> None:
        if Path(target).parent == in_tmp:
            raise OSError(28, "No space left on device")
        real(beside, target)

    monkeypatch.setattr(os, "replace", full)
    message = refused("train", "digits", *QUICK, "--network", network_file)
    (saved,) = elsewhere.iterdir()
    assert message == (
        "digits.safetensors: cannot be written: No space left on device; "
        f"the model is saved as {saved}"
    )
    load(saved)
    assert os.listdir() == ["elsewhere"]


@posix
def test_a_name_as_long_as_a_name_can_be(
    striate: Run, in_tmp: Path, network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "n" * 255
    command = ("train", "digits", *SMALL, "--network", network_file, "--out", name)
    with monkeypatch.context() as patch:
        signal_at(patch, 1, signal.SIGTERM)
        assert striate(*command).code == 143
    (checkpoint,) = set(os.listdir()) - {name}
    assert checkpoint.endswith(".checkpoint")
    outcome = striate(*command, "--resume")
    assert outcome.code == 0 and "resumed from" in outcome.err
    assert os.listdir() == [name]


def test_training_an_architecture(striate: Run, refused: Refused, in_tmp: Path) -> None:
    """Image size and classes are those of the data; of many layers only some are announced."""
    command = ("train", "digits", "--size", "16", "--epochs", 1, "--out", "m.safetensors")
    outcome = striate(*command, "--network", "resnet18", "--json")
    assert outcome.code == 0
    assert "58 more layers" in outcome.err
    assert outcome.json["recipe"]["name"] == "resnet18"
    network = load("m.safetensors")
    assert (network.input_shape, network.output_shape) == ((16, 16, 1), (10,))
    assert network.nodes[0].name == "stem_conv"
    assert "alexnet: images of 16×16 pixels are too small" in refused(
        *command, "--network", "alexnet"
    )
