"""The benchmarks' own code: tables that hide no loss, and networks that are the same everywhere."""

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


def load(name: str, patch: pytest.MonkeyPatch) -> ModuleType:
    """A module of the benchmarks, which are scripts and no package."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    patch.setitem(sys.modules, name, module)  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("report", monkeypatch)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("machine", monkeypatch)


def results(report: ModuleType):
    """A run with a win, a loss, a missed bar, a failure and a row without peers."""
    row = report.Row("training", "", "won", values={"striate": 2.0, "A": 9.0, "B": 8.0}, bar=4.0)
    return report.Results(
        "2026-01-02",
        "a processor",
        2,
        480.0,
        90.0,
        {"striate": "0.1"},
        "kept",
        [
            replace(row, spread={"striate": (1.9, 2.1)}, gflops=120.0, of_peak=0.25),
            replace(row, name="missed", values={"striate": 2.0, "A": 7.0}),
            replace(row, name="broken", values={}, failed="differs by 1"),
            report.Row(
                *("layers", "forward", "lost"),
                values={"striate": 2.0, "A": 1.0},
                bar=1.0,
                winograd=True,
            ),
            report.Row("layers", "forward", "ahead", values={"striate": 1.0, "A": 8.0}, bar=1.0),
            report.Row("scaling", "", "alone", "MB", {"striate": 12.0}, notes=("a note",)),
        ],
    )


def test_ratios_are_to_the_fastest_peer(report: ModuleType) -> None:
    found = results(report)
    assert [row.fastest for row in found.rows] == ["B", "A", None, "A", "A", None]
    assert [row.ratio for row in found.rows] == [4.0, 3.5, None, 0.5, 8.0, None]
    assert [row.missed for row in found.rows] == [False, True, True, True, False, False]
    assert [row.lost for row in found.rows] == [False, False, False, True, False, False]


def test_the_geometric_mean(report: ModuleType) -> None:
    found = results(report)
    assert report.geometric_mean(found.rows[3:5]) == pytest.approx(2.0)
    assert report.geometric_mean(found.rows[2:3]) is None


def test_a_mean_below_its_bar_is_missed(report: ModuleType) -> None:
    found = results(report)
    assert len(found.missed()) == 3
    slow = replace(found, rows=found.rows[3:4])
    assert slow.missed() == ["layers: forward lost", "layers: forward, geometric mean"]


def test_json_round_trip(report: ModuleType) -> None:
    found = results(report)
    assert report.Results.from_json(found.to_json()) == found
    content = json.loads(found.to_json())
    assert content["geometric_means"] == {"layers": {"forward": pytest.approx(2.0)}}
    assert content["rows"][0]["ratio"] == 4.0


def test_tables_mark_what_was_lost(report: ModuleType) -> None:
    text = report.markdown(results(report))
    assert text.startswith("2026-01-02, a processor, 2 threads; multiply-add peak 480 GFLOP/s")
    assert "Freed memory is kept" in text
    assert "3 of 6 rows and means miss their bars" in text
    for line in (
        "| won | 2.00 (1.90–2.10) | 8.00 B | 4.00 × | 4 | 120 | 25% |",
        "| missed | 2.00 | 7.00 A | **3.50 ×, missed** | 4 |  |  |",
        "| broken | **failed**: differs by 1 | | | | | |",
        "| lost | 2.00 Winograd | 1.00 A | **0.50 ×, lost, missed** | 1 |",
        "| geometric mean | | | 2.00 × | 1.3 |",
        "| alone | 12.0 |  |  |  |",
        "- alone: a note",
    ):
        assert line in text.splitlines(), line


def test_every_line_of_a_table_has_as_many_cells(report: ModuleType) -> None:
    for groups in results(report).sections().values():
        for rows in groups.values():
            assert len({line.count("|") for line in report.table(rows, 1.0)}) == 1


def test_a_row_in_the_terminal(report: ModuleType) -> None:
    won, missed, broken, lost, *_ = results(report).rows
    assert list(report.lines(won))[-1].endswith("(bar 4: met); 120 GFLOP/s, 25% of the peak")
    assert "(bar 4: MISSED)" in list(report.lines(missed))[-1]
    assert list(report.lines(broken)) == ["broken: FAILED: differs by 1"]
    assert any("striate, Winograd" in line for line in report.lines(lost))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01234, "0.0123"), (1.0, "1.00"), (99.96, "100.0"), (1234.5, "1,234"), (0.0, "0")],
)
def test_numbers_have_three_digits(report: ModuleType, value: float, text: str) -> None:
    assert report.number(value) == text


def test_results_are_written(
    report: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    load("picture", monkeypatch)
    report.write(results(report), tmp_path / "new")
    files = {path.name: path.stat().st_size for path in (tmp_path / "new").iterdir()}
    assert set(files) == {"results.json", "results.md", "results.png"}
    assert min(files.values()) > 100


def test_the_page_says_what_the_results_say(
    report: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = load("speed_page", monkeypatch)
    found = report.Results.from_json((FOLDER / "results.json").read_text(encoding="utf-8"))
    text = (FOLDER.parent / "docs" / "speed.md").read_text(encoding="utf-8")
    assert page.rewritten(text, found) == text
    # Networks for images of 224×224 are measured apart.
    assert {row.section for row in found.rows} | {"imagenet"} == set(report.TITLES)
    # A line of every network, the date and the machine, and each loss.
    section = text
    for row in found.rows:
        if row.section in ("training", "inference"):
            assert report.batch_of(row)[0] in section
        if row.lost and row.section in ("training", "inference", "layers", "memory"):
            assert row.name in " ".join(section.split())
    assert found.date in section and found.processor in " ".join(section.split())


def test_the_pages_picture_is_of_these_results(
    report: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = load("card", monkeypatch)
    image = pytest.importorskip("PIL.Image")
    found = report.Results.from_json((FOLDER / "results.json").read_text(encoding="utf-8"))
    with image.open(FOLDER.parent / "docs" / "pictures" / "speed.png") as picture:
        assert picture.text["Source"] == card.digest(found)


MARKED = """Before.
<!-- speed: training -->
old
<!-- speed: end -->
Between <!-- speed: losses --> stays.
<!-- speed: losses -->
<!-- speed: end -->
After.
"""


def test_blocks_of_the_page(report: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    page = load("speed_page", monkeypatch)
    found = results(report)
    text = page.rewritten(MARKED, found)
    assert "old" not in text
    assert "| won |  | 2.00 | 8.00 B | 4.0 × |" in text.splitlines()
    assert "| broken" not in text  # in the training table; below it is named
    plain = " ".join(text.split())
    assert "A peer is ahead in 1 of 5 rows" in plain
    assert "lost: forward 0.50 ×." in plain and "Not measured: broken (differs by 1)." in plain
    assert text.startswith("Before.\n") and text.endswith("-->\nAfter.\n")
    assert "Between <!-- speed: losses --> stays." in text
    assert page.rewritten(text, found) == text
    with pytest.raises(ValueError, match="no speed block"):
        page.rewritten(MARKED.replace("training", "trainings"), found)
    with pytest.raises(ValueError, match="page has no"):
        page.rewritten("nothing", found)


def test_costs_that_grow_are_one_line(report: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    page = load("speed_page", monkeypatch)
    rows = [
        report.Row("scaling", "time", name, "s", {"striate": ours, "allowed": 2.0}, bar=1.0)
        for name, ours in (("10", 1.5), ("20", 2.5))
    ]
    alone = report.Row("compile", "", "cold", "s", {"striate": 3.0, "allowed": 5.0}, bar=1.0)
    found = replace(results(report), rows=[*rows, alone])
    assert page.growth(found).splitlines()[2:] == [
        "| time | 10: 1.50 s, 20: 2.50 s **missed** | 2.00 s |",
        "| cold | 3.00 s | 5.00 s |",
    ]


def test_no_losses_are_said_to_be_none(report: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    page = load("speed_page", monkeypatch)
    found = results(report)
    won = replace(found, rows=[row for row in found.rows if not row.lost and not row.failed])
    assert page.losses(won) == "No row is lost."


def test_results_of_several_runs(report: ModuleType) -> None:
    first = results(report)
    row = replace(first.rows[0], values={"striate": 1.0, "A": 2.0})
    second = replace(first, date="2026-01-03", rows=[row])
    both = report.merged([first, second])
    assert both.date == "2026-01-02 to 2026-01-03"
    assert [r.name for r in both.rows] == [r.name for r in first.rows]
    assert both.rows[0] == row and both.rows[1:] == first.rows[1:]
    with pytest.raises(ValueError, match="runs differ in threads: 1 and 2"):
        report.merged([replace(first, threads=1), second])


def test_published_results_are_short(report: ModuleType) -> None:
    found = results(report)
    long = replace(found, rows=[replace(found.rows[0], values={"striate": 1 / 3, "A": 2e5 / 3})])
    assert long.rounded().rows[0].values == {"striate": 0.3333, "A": 66670.0}
    assert long.rounded().rounded() == long.rounded()


def test_all_contenders_take_turns(machine: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "SETTLE", 0.0)
    calls: list[str] = []
    runs = {name: lambda name=name: calls.append(name) for name in ("striate", "A", "B")}
    times = machine.interleaved(runs, 2, warm_up=2)
    order = [name for place, name in enumerate(calls) if place == 0 or calls[place - 1] != name]
    assert order == ["striate", "A", "B"] * 3
    assert {len(times[name].seconds) for name in runs} == {2 * machine.TURNS}


def test_results_that_differ_are_not_timed(
    report: ModuleType, machine: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    contest = load("contest", monkeypatch)
    ones = np.ones((2, 3))
    assert contest.difference("A", ones, ones * 1.001, 1e-2) == pytest.approx(1e-3, rel=1e-2)
    for theirs in (ones * 1.1, ones * np.nan, np.ones((3, 2))):
        with pytest.raises(contest.Disagreement, match="A"):
            contest.difference("A", ones, theirs, 1e-2)


CASES = ("LeNet-5", "Keras' MNIST convnet", "PyTorch's MNIST example", "ResNet-20", "ResNet-18")


@pytest.mark.parametrize("name", CASES)
def test_networks_are_the_same_in_pytorch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    networks, peer = load("networks", monkeypatch), load("in_pytorch", monkeypatch)
    assert [case.name for case in networks.CASES] == list(peer.MODULES) == list(CASES)
    (case,) = (case for case in networks.CASES if case.name == name)
    network = networks.with_statistics(case.build())
    rng = np.random.default_rng(3)
    for values in network.parameters.values():  # biases and scales too, so that none is left out
        values += 0.1 * rng.standard_normal(values.shape).astype(np.float32)
    model = peer.load(peer.MODULES[name](), network).eval()
    assert sum(weights.numel() for weights in model.parameters()) == network.parameter_count
    np.testing.assert_array_equal(peer.weights(model, network), networks.packed(network))
    images = networks.images_for(case, 3)
    ours = network.predict_logits(images, engine="numpy")
    with torch.no_grad():
        theirs = model(peer.channels_first(images)).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5 * np.abs(theirs).max())


def test_work_of_a_training_step(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = load("networks", monkeypatch)
    forward = [28 * 28 * 6 * 25, 10 * 10 * 16 * 150, 400 * 120, 120 * 84, 84 * 10]
    assert networks.work(networks.lenet5()) == sum(forward)
    assert networks.work(networks.lenet5(), backward=True) == 3 * sum(forward) - forward[0]


def test_the_layers_are_those_of_the_list(
    report: ModuleType, machine: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    load("contest", monkeypatch)
    layers = load("layers", monkeypatch)
    assert len({shape.name for shape in layers.SHAPES}) == len(layers.SHAPES) == 23
    shapes = {
        shape.name: shape.layer().output_shape((shape.height, shape.width, shape.channels))
        for shape in layers.SHAPES
    }
    assert shapes["50, 3→64@224 7/2/3"] == (112, 112, 64)
    assert shapes["50, 256→512@56 1/2/0"] == (28, 28, 512)
    assert shapes["32, 512 depthwise@14 3/1/1"] == (14, 14, 512)
    assert shapes["16, 1→16@48×480 3/1/1"] == (48, 480, 16)


def test_work_of_a_frame_counts_what_lies_inside_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    lab = load("lab", monkeypatch)

    def event(name: str, begin: float, lasts: float, tid: int = 1) -> dict:
        return {"ph": "X", "pid": 1, "tid": tid, "name": name, "tts": begin, "tdur": lasts}

    frames = [event("FireAnimationFrame", begin, 2000) for begin in (10_000, 30_000, 50_000)]
    trace = [
        *frames,
        event("FunctionCall", 10_500, 1000),  # in the first frame's own event
        event("EventDispatch", 20_000, 3000),
        event("Layout", 22_000, 4000),  # the first of its four milliseconds is counted already
        event("Paint", 27_000, 900),
        event("Layout", 31_000, 500, tid=2),  # of another page
        event("UpdateLayoutTree", 45_000, 1500),
    ]
    # Between two frames: all after the callback of one, up to that of the next, and it itself.
    assert lab.work_of(trace) == [3 + 3 + 2, 1.5 + 2]
