"""Rows of measurements, and how they are written: for the terminal, JSON and Markdown.

    python benchmarks/report.py FOLDER             # from results.json, results.md and .png anew
    python benchmarks/report.py FOLDER … --page  # tables and picture of docs/speed.md

A row compares striate with peers, or with a number that it may not exceed (`ALLOWED`). All values
are such that less is better.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

OURS, ALLOWED = "striate", "allowed"

TITLES = {
    "training": "Training step",
    "layers": "Single layers",
    "inference": "Inference",
    "memory": "Peak memory of training at batch 128",
    "scaling": "How cost grows",
    "compile": "Compiling the training step",
    "imagenet": "Networks for images of 224×224",
}
MEAN_BARS = {
    "layers": 1.3,
    "imagenet: inference, batch 1": 1.3,
    "imagenet: inference, batch 16": 1.3,
    "imagenet: training, batch 16": 2.0,
}
"""The least geometric mean of the ratios of a group, or of every group of a section."""


def mean_bar(section: str, group: str) -> float | None:
    """The least geometric mean of a group's ratios, if there is one."""
    return MEAN_BARS.get(f"{section}: {group}", MEAN_BARS.get(section))


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        section, group, name: where it belongs, and what was measured.
        unit: of the values.
        values: medians by contender; "striate" is ours.
        spread: between which values the middle half lies.
        bar: the least ratio, or None where there is none.
        gflops, of_peak, of_limit: multiply-adds of the direct sum by time; their fraction of the
            machine's peak; and of what both the peak and the bandwidth of memory allow.
        winograd: striate used Winograd's algorithm, so it did fewer multiplications.
        difference: the largest between striate and its peers, relative to the largest number.
        notes: what a reader should know, such as peers that could not run.
        failed: why there are no values.
    """

    section: str
    group: str
    name: str
    unit: str = "ms"
    values: dict[str, float] = field(default_factory=dict)
    spread: dict[str, tuple[float, float]] = field(default_factory=dict)
    bar: float | None = None
    gflops: float | None = None
    of_peak: float | None = None
    of_limit: float | None = None
    winograd: bool = False
    difference: float | None = None
    notes: tuple[str, ...] = ()
    failed: str = ""

    @property
    def fastest(self) -> str | None:
        """The best peer."""
        peers = {name: value for name, value in self.values.items() if name != OURS}
        return min(peers, key=lambda name: peers[name]) if peers else None

    @property
    def ratio(self) -> float | None:
        """How many times as good as the best peer striate is."""
        if self.fastest is None or OURS not in self.values:
            return None
        return self.values[self.fastest] / self.values[OURS]

    @property
    def missed(self) -> bool:
        """Whether the bar was missed."""
        if self.failed:
            return True
        return self.bar is not None and self.ratio is not None and self.ratio < self.bar

    @property
    def lost(self) -> bool:
        """Whether a peer is ahead."""
        return self.ratio is not None and self.ratio < 1


@dataclass(frozen=True)
class Results:
    """All rows of a run, and on what it ran."""

    date: str
    processor: str
    threads: int
    peak_gflops: float
    bandwidth_gb: float
    versions: dict[str, str]
    freed_memory: str = "given back"  # or "kept" by the allocator, which is faster
    rows: list[Row] = field(default_factory=list)

    def sections(self) -> dict[str, dict[str, list[Row]]]:
        """Rows by section and group, in the order of measuring."""
        found: dict[str, dict[str, list[Row]]] = {}
        for row in self.rows:
            found.setdefault(row.section, {}).setdefault(row.group, []).append(row)
        return found

    def missed(self) -> list[str]:
        """Names of all rows and means that missed their bars."""
        names = [f"{row.section}: {row.group} {row.name}" for row in self.rows if row.missed]
        for section, groups in self.sections().items():
            for group, rows in groups.items():
                mean, bar = geometric_mean(rows), mean_bar(section, group)
                if mean is not None and bar is not None and mean < bar:
                    names.append(f"{section}: {group}, geometric mean")
        return names

    def to_json(self) -> str:
        """Everything, with ratios and means, so that no reader has to compute them."""
        content = asdict(self)
        for entry, row in zip(content["rows"], self.rows, strict=True):
            entry |= {"fastest": row.fastest, "ratio": row.ratio, "missed": row.missed}
        content["geometric_means"] = {
            section: {group: geometric_mean(rows) for group, rows in groups.items()}
            for section, groups in self.sections().items()
            if any(mean_bar(section, group) for group in groups)
        }
        content["missed"] = self.missed()
        # A row is a line, so that two runs can be compared line by line.
        rows = [json.dumps(entry, ensure_ascii=False) for entry in content.pop("rows")]
        head = json.dumps(content, indent=1, ensure_ascii=False).removesuffix("\n}")
        return head + ',\n "rows": [\n  ' + ",\n  ".join(rows) + "\n ]\n}\n"

    @classmethod
    def from_json(cls, text: str) -> Results:
        """What `to_json` wrote."""
        content = json.loads(text)
        rows = [_row(entry) for entry in content.pop("rows")]
        known = {name: content[name] for name in cls.__dataclass_fields__ if name != "rows"}
        return cls(**known, rows=rows)

    def rounded(self, digits: int = 4) -> Results:
        """With so many digits of every measurement: what is kept and published."""

        def few(value: float) -> float:
            return float(f"{value:.{digits}g}")

        rows = [
            replace(
                row,
                values={name: few(value) for name, value in row.values.items()},
                spread={name: (few(low), few(high)) for name, (low, high) in row.spread.items()},
                **{
                    name: few(value)
                    for name in ("gflops", "of_peak", "of_limit", "difference")
                    if (value := getattr(row, name)) is not None
                },
            )
            for row in self.rows
        ]
        limits = {"peak_gflops": few(self.peak_gflops), "bandwidth_gb": few(self.bandwidth_gb)}
        return replace(self, rows=rows, **limits)


def merged(runs: Sequence[Results]) -> Results:
    """Runs on one machine as one: of rows that several have, those of the last.

    Raises ValueError if the machines, threads, versions or allocators differ.
    """
    last = runs[-1]
    rows: dict[tuple[str, str, str], Row] = {}
    for run in runs:
        for name in ("processor", "threads", "versions", "freed_memory"):
            if getattr(run, name) != getattr(last, name):
                raise ValueError(
                    f"runs differ in {name}: {getattr(run, name)} and {getattr(last, name)}"
                )
        rows |= {(row.section, row.group, row.name): row for row in run.rows}
    dates = sorted({run.date for run in runs})
    order = list(TITLES)
    return replace(
        last,
        date=dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}",
        rows=sorted(rows.values(), key=lambda row: order.index(row.section)),
    )


def _row(entry: Mapping[str, Any]) -> Row:
    values = {name: entry[name] for name in Row.__dataclass_fields__}
    values["spread"] = {name: tuple(pair) for name, pair in values["spread"].items()}
    return Row(**values | {"notes": tuple(values["notes"])})


def geometric_mean(rows: Iterable[Row]) -> float | None:
    """Of the ratios of these rows; None if there are none."""
    logarithms = [math.log(row.ratio) for row in rows if row.ratio is not None]
    return math.exp(sum(logarithms) / len(logarithms)) if logarithms else None


def batch_of(row: Row) -> tuple[str, str]:
    """Name and batch size of a row that is called "NAME, batch SIZE"."""
    name, _, batch = row.name.partition(", batch ")
    return name, batch


def versions_of(results: Results) -> str:
    """The peers with their versions."""
    proper = {
        "torch": "PyTorch",
        "jax": "JAX",
        "onnxruntime": "ONNX Runtime",
        "openvino": "OpenVINO",
    }
    return ", ".join(
        f"{name} {results.versions[package].partition('+')[0]}"
        for package, name in proper.items()
        if package in results.versions
    )


# The terminal


def lines(row: Row) -> Iterator[str]:
    """A row as lines of text."""
    if row.failed:
        yield f"{row.name}: FAILED: {row.failed}"
        return
    agreement = "" if row.difference is None else f" (results agree to {row.difference:.0e})"
    yield f"{row.name}{agreement}"
    for name, value in row.values.items():
        low, high = row.spread.get(name, (value, value))
        middle = f"  ({number(low)} – {number(high)})" if low < high else ""
        label = f"{name}, Winograd" if name == OURS and row.winograd else name
        yield f"    {label:32}{number(value):>9} {row.unit}{middle}"
    for note in row.notes:
        yield f"    note: {note}"
    if row.ratio is not None:
        verdict = "" if row.bar is None else f" (bar {row.bar:g}: {_met(row)})"
        yield f"    {row.ratio:.2f} × {row.fastest}{verdict}{_speed(row)}"


def _met(row: Row) -> str:
    return "MISSED" if row.missed else "met"


def _speed(row: Row) -> str:
    if row.gflops is None or row.of_peak is None:
        return ""
    limit = "" if row.of_limit is None else f", {row.of_limit:.0%} of the limit"
    return f"; {row.gflops:.0f} GFLOP/s, {row.of_peak:.0%} of the peak{limit}"


def number(value: float) -> str:
    """Three digits that count, or all before the point."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


# Markdown


def markdown(results: Results) -> str:
    """Tables of all sections. Lost rows and missed bars are marked."""
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    missed = results.missed()
    verdict = (
        "Every bar is met."
        if not missed
        else f"{len(missed)} of {len(results.rows)} rows and means miss their bars (**missed**)."
    )
    parts = [
        f"{results.date}, {results.processor}, {results.threads} threads; multiply-add peak "
        f"{results.peak_gflops:.0f} GFLOP/s, copying {results.bandwidth_gb:.0f} GB/s; {versions}. "
        f"Freed memory is {results.freed_memory} by the allocator. Medians, with the middle half "
        "in brackets; float32; ratio to the fastest peer. "
        f"{verdict}",
    ]
    for section, groups in results.sections().items():
        parts.append(f"### {TITLES[section]}")
        for group, rows in groups.items():
            parts += [f"**{group}**"] * bool(group)
            parts.append("\n".join(table(rows, mean_bar(section, group))))
            notes = dict.fromkeys(f"{row.name}: {note}" for row in rows for note in row.notes)
            parts += ["\n".join(f"- {note}" for note in notes)] * bool(notes)
    return "\n\n".join(parts) + "\n"


def table(rows: list[Row], mean_bar: float | None = None) -> Iterator[str]:
    """The lines of one Markdown table."""
    units = {row.unit for row in rows if not row.failed}
    unit = f", {units.pop()}" if len(units) == 1 else ""
    fast = any(row.gflops is not None for row in rows)
    peers = "allowed" if all(row.fastest == ALLOWED for row in rows) else "fastest peer"
    yield f"| | striate{unit} | {peers} | ratio | bar |" + " GFLOP/s | of peak |" * fast
    yield "|---|---|---|---|---|" + "---|---|" * fast
    for row in rows:
        if row.failed:
            yield f"| {row.name} | **failed**: {row.failed} | | | |" + " | |" * fast
            continue
        each = "" if unit else f" {row.unit}"
        ours = (_cell(row, OURS) + each) if OURS in row.values else ""
        who = "" if row.fastest in (None, ALLOWED) else f" {row.fastest}"
        peer = f"{_cell(row, row.fastest)}{each}{who}" if row.fastest else ""
        cells = [row.name, ours + " Winograd" * row.winograd, peer, *_verdict(row)]
        if fast:
            speed = row.gflops is not None and row.of_peak is not None
            cells += [f"{row.gflops:.0f}", f"{row.of_peak:.0%}"] if speed else ["", ""]
        yield f"| {' | '.join(cells)} |"
    mean = geometric_mean(rows)
    if mean_bar is not None and mean is not None:
        shown = f"{mean:.2f} ×" if mean >= mean_bar else f"**{mean:.2f} ×, missed**"
        yield f"| geometric mean | | | {shown} | {mean_bar:g} |" + " | |" * fast


def _cell(row: Row, name: str) -> str:
    value = row.values[name]
    low, high = row.spread.get(name, (value, value))
    return number(value) + (f" ({number(low)}–{number(high)})" if low < high else "")


def _verdict(row: Row) -> tuple[str, str]:
    """The cells of the ratio and of the bar."""
    bar = "" if row.bar is None else f"{row.bar:g}"
    if row.ratio is None:
        return ("", bar)
    faults = ", lost" * row.lost + ", missed" * row.missed
    ratio = f"{row.ratio:.2f} ×"
    return (f"**{ratio}{faults}**" if faults else ratio, bar)


def write(results: Results, folder: Path) -> None:
    """results.json, results.md and results.png."""
    from picture import draw

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(results.to_json(), encoding="utf-8")
    (folder / "results.md").write_text(markdown(results), encoding="utf-8")
    draw(results, folder / "results.png")


def publish(results: Results, root: Path) -> None:
    """benchmarks/results.json, and from it the tables of docs/speed.md and its picture."""
    from card import draw
    from speed_page import rewritten

    results = results.rounded()
    page = root / "docs" / "speed.md"
    text = rewritten(page.read_text(encoding="utf-8"), results)
    (root / "benchmarks" / "results.json").write_text(results.to_json(), encoding="utf-8")
    draw(results, root / "docs" / "pictures" / "speed.png")
    page.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write anew what follows from results.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--page",
        action="store_true",
        help="rewrite docs/speed.md from the results in all folders",
    )
    options = parser.parse_args(arguments)
    runs = [
        Results.from_json((folder / "results.json").read_text(encoding="utf-8"))
        for folder in options.folders
    ]
    if options.page:
        publish(merged(runs), Path(__file__).resolve().parents[1])
        return
    for folder, run in zip(options.folders, runs, strict=True):
        write(run, folder)


if __name__ == "__main__":
    main()
