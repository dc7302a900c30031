"""All benchmarks of networks against their peers, in one process: tables, JSON and a picture.

    python benchmarks/suite.py [--threads 2] [--rounds 7] [--only training,layers,…] [--match TEXT]
                               [--out FOLDER] [--no-compile] [--system-malloc]

Contenders take turns, so that a noisy moment hits all of them, and their results are compared
before anything is timed. The machine's multiply-add peak and its bandwidth are measured first.
Writes results.json, results.md and results.png to FOLDER, after each section anew. Ends with 1 if a
row failed or missed its bar. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.metadata
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from report import TITLES, Results, Row, geometric_mean, lines, mean_bar, write

PACKAGES = ("striate", "llvmlite", "numpy", "torch", "jax", "onnxruntime", "openvino")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write."""
    options = _options(arguments)
    # BLAS, OpenMP and XLA read these when they are first loaded, so nothing of them is yet.
    for name in ("OMP_NUM_THREADS", "NPROC", "PJRT_NPROC"):
        os.environ[name] = str(options.threads)
    # Else PyTorch's compiler forks workers, and a fork of a process with JAX's threads may hang.
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    import machine
    import torch
    from contest import Setting

    kept = not options.system_malloc and machine.keep_memory()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    peak = machine.multiply_add_peak(options.threads)
    bandwidth = machine.copy_bandwidth(options.threads)
    setting = Setting(options.threads, options.rounds, not options.no_compile, peak, bandwidth)
    results = Results(
        datetime.date.today().isoformat(),
        machine.processor(),
        options.threads,
        peak / 1e9,
        bandwidth / 1e9,
        _versions(),
        freed_memory="kept" if kept else "given back",
    )
    print(f"{results.date}  {results.processor}, {options.threads} threads")
    print(f"multiply-add peak {peak / 1e9:.0f} GFLOP/s, copying {bandwidth / 1e9:.0f} GB/s")
    print("  ".join(f"{name} {version}" for name, version in results.versions.items()))
    print(f"freed memory is {results.freed_memory}; medians (and the middle half), in turn")
    for section in options.only:
        print(f"\n== {TITLES[section]} ==", flush=True)
        for name, measure in importlib.import_module(section).cases(setting):
            if options.match not in name:
                continue
            try:
                rows = measure()
            except Exception as error:
                traceback.print_exc()
                rows = [Row(section, "", name, failed=_in_short(error))]
            results.rows.extend(rows)
            for row in rows:
                print("\n".join([row.group] * bool(row.group) + list(lines(row))), flush=True)
        for group, rows in results.sections().get(section, {}).items():
            mean, bar = geometric_mean(rows), mean_bar(section, group)
            if bar is not None and mean is not None:
                print(f"{group}: geometric mean {mean:.2f} (bar {bar:g})")
        write(results, options.out)
    missed = results.missed()
    print("\n" + "\n".join(["Missed:", *missed] if missed else ["Every bar is met."]))
    print(f"Written to {options.out}")
    return int(bool(missed))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", type=_sections, default=list(TITLES), metavar="SECTION,…")
    parser.add_argument("--match", default="", help="only rows whose name holds this text")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"), metavar="FOLDER")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument(
        "--system-malloc",
        action="store_true",
        help="let the allocator give memory back to the system, which slows PyTorch down",
    )
    return parser.parse_args(arguments)


def _sections(text: str) -> list[str]:
    chosen = text.split(",")
    for name in chosen:
        if name not in TITLES:
            raise argparse.ArgumentTypeError(f"no section {name!r}: there are {', '.join(TITLES)}")
    return [name for name in TITLES if name in chosen]


def _versions() -> dict[str, str]:
    """Of what is installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _in_short(error: Exception) -> str:
    first = str(error).strip().split("\n")[0][:200]
    return f"{type(error).__name__}: {first}".replace("|", "/")


if __name__ == "__main__":
    sys.exit(main())
