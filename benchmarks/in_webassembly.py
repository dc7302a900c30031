"""Exported networks in WebAssembly beside the same programs as native code, on one core.

    python benchmarks/in_webassembly.py [--rounds 100] [--no-browser] [--node NODE]

Native is what llvmlite makes for this processor with vectors of 16 bytes: with multiply-adds that
are rounded once, if it has them, and twice. WebAssembly runs in Node, by each of the three modules
of an export (older Nodes have no fused multiply-adds), and in headless Chromium by the one that it
takes; its times contain what JavaScript does to copy images in and outputs out. All take turns, in
short pieces, of which the fastest counts: a piece that another program interrupts tells nothing.
The last rows are training steps (forward, loss, backward, and AdamW's update).
"""

from __future__ import annotations

import argparse
import ctypes
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import networks
import numpy as np

from striate.common.memory import aligned_zeros
from striate.freestanding.program.frozen_program import FrozenProgram
from striate.freestanding.program.llvm_module import write_module
from striate.freestanding.training_code.learning import learning_of
from striate.freestanding.training_code.training_module import TrainingModule
from striate.freestanding.training_code.training_program import TrainingProgram
from striate.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU
from striate.nest.target import Loaded, Target, assemble, host
from striate.network import Network

RATE = 1e-3
PIECE = 0.003
"""Seconds that are timed at once."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# So that the browser's clock counts microseconds.
ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
Timer = Callable[[int], float]
"""Takes how many runs; returns seconds for each."""


def digits() -> Network:
    """6,090 parameters."""
    return Network(
        [Conv2D(16, 3, padding="same"), ReLU(), MaxPool2D(2), Conv2D(32, 3, padding="same"),
         ReLU(), MaxPool2D(2), Flatten(), Dense(10)],
        (8, 8, 1), seed=1,
    )  # fmt: skip


CASES = (
    ("digits", digits, (1, 16)),
    ("LeNet-5", networks.lenet5, (1, 16)),
    ("ResNet-20", networks.resnet20, (1, 8)),
)
TRAINED = (("digits", digits, 32), ("LeNet-5", networks.lenet5, 32))
_REPEATED = """
define void @repeated(i64 %count, ptr %a, ptr %b, ptr %c, ptr %d) {
entry:
  br label %turn
turn:
  %i = phi i64 [ 0, %entry ], [ %next, %turn ]
  call void @network_run_on(ptr %a, ptr %b, ptr %c, ptr %d)
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %count
  br i1 %more, label %turn, label %done
done:
  ret void
}
"""


def native(network: Network, batch: int, target: Target) -> Timer:
    """The program as code of this process."""
    program = FrozenProgram(network, target, batch)
    text = write_module(program, "network").text + _REPEATED
    code = Loaded(assemble(text, target), "repeated")
    run = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * 4)(code.address)
    sizes = (
        program.image_bytes,
        program.output_bytes,
        len(program.constants),
        program.arena_bytes,
    )
    rooms = [np.zeros(size + 64, np.uint8) for size in sizes]
    parts = [room[-room.ctypes.data % 64 :][:size] for room, size in zip(rooms, sizes, strict=True)]
    parts[0].view(np.float32)[...] = 0.5
    parts[2][...] = np.frombuffer(program.constants, np.uint8)

    def timer(runs: int, kept: Any = code) -> float:
        begin = perf_counter()
        run(runs, *(part.ctypes.data for part in parts))
        return (perf_counter() - begin) / runs

    return timer


def native_training(network: Network, batch: int, target: Target) -> Timer:
    """A training step as code of this process."""
    program = TrainingProgram(learning_of(network), target, batch)
    made = TrainingModule(program, "network")
    code = assemble(made.module.text, target)
    pointer, kept = ctypes.c_void_p, []

    def function(name: str, result: Any, *parameters: Any) -> Any:
        loaded = Loaded(code, f"network_{name}_on")
        kept.append(loaded)
        return ctypes.CFUNCTYPE(result, *parameters)(loaded.address)

    begin = function("begin", None, pointer, pointer)
    train = function(
        "train", ctypes.c_float, pointer, pointer, ctypes.c_int32, ctypes.c_double, *[pointer] * 3
    )
    images = np.full((batch, *network.input_shape), 0.5, np.float32)
    labels = np.zeros(batch, np.int32)
    constants = aligned_zeros(len(made.constants), np.uint8)
    constants[...] = np.frombuffer(made.constants, np.uint8)
    state = aligned_zeros(program.state_bytes, np.uint8)
    arena = aligned_zeros(made.arena_bytes, np.uint8)
    memory = (state, constants, arena)
    begin(*(array.ctypes.data for array in memory[:2]))

    def timer(runs: int, code: Any = kept) -> float:
        addresses = [array.ctypes.data for array in memory]
        since = perf_counter()
        for _ in range(runs):
            train(images.ctypes.data, labels.ctypes.data, batch, RATE, *addresses)
        return (perf_counter() - since) / runs

    return timer


@contextmanager
def in_node(node: str, folder: Path, kind: str, learns: bool) -> Iterator[Timer]:
    """One of the exported modules in Node."""
    script = Path(__file__).with_suffix(".mjs")
    with subprocess.Popen(
        [node, script, folder, folder.name, kind, "train" if learns else "run"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        given, found = process.stdin, process.stdout

        def timer(runs: int) -> float:
            print(runs, file=given, flush=True)
            return float(found.readline())

        yield timer
        given.close()


def kinds_of(node: str) -> tuple[str, ...]:
    """The modules that a Node can run."""
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    is_old = int(told.removeprefix("v").split(".")[0]) < 22
    return ("simd", "plain") if is_old else ("fused", "simd", "plain")


def in_browser(browser: Any, folder: Path, learns: bool) -> Timer:
    """The exported files in a page."""
    page = browser.new_page()

    def answer(route: Any) -> None:
        file = folder / route.request.url.rsplit("/", 1)[1]
        kind = {".js": "text/javascript", "": "text/html"}.get(file.suffix, "application/wasm")
        body = file.read_bytes() if file.is_file() else b""
        route.fulfill(body=body, headers={**ISOLATED, "Content-Type": kind})

    page.route("https://striate.test/*", answer)
    page.goto("https://striate.test/")
    page.evaluate(
        """async ([name, learns, rate]) => {
            const { batch, inputShape, load } = await import(`./${name}.js`);
            const network = await load();
            const images = new Float32Array(batch * inputShape.reduce((a, b) => a * b)).fill(0.5);
            const labels = new Int32Array(batch);
            const step = learns
                ? () => network.train(images, labels, rate) : () => network.run(images);
            window.timed = (runs) => {
                const begin = performance.now();
                for (let i = 0; i < runs; i++) step();
                return (performance.now() - begin) / 1e3 / runs;
            };
        }""",
        [folder.name, learns, RATE],
    )
    return lambda runs: float(page.evaluate("timed", runs))


def fastest(timers: dict[str, Timer], rounds: int) -> dict[str, float]:
    """Seconds of a run, all in turn."""
    counts = {}
    for name, timer in timers.items():
        seconds = timer(1)
        while (warm := timer(max(int(0.1 / seconds), 1))) < 0.95 * seconds:  # engines compile anew
            seconds = warm
        counts[name] = max(int(PIECE / warm), 1)
    found = dict.fromkeys(timers, float("inf"))
    for _ in range(rounds):
        for name, timer in timers.items():
            found[name] = min(found[name], timer(counts[name]))
    return found


def measure(
    title: str,
    network: Network,
    batch: int,
    options: argparse.Namespace,
    browser: Any,
    *,
    learns: bool = False,
) -> None:
    """Print a row: microseconds an image, and shares of the native speeds."""
    made = native_training if learns else native
    own = host(portable=True).narrowed(16)
    twice = "native, twice" if own.fused else "native"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "network"
        network.export(folder, to="wasm", batch_size=batch, train=learns)
        timers = {"native": made(network, batch, own)} if own.fused else {}
        timers[twice] = made(network, batch, replace(own, fused=False))
        for kind in options.kinds:
            code = in_node(options.node, folder, kind, learns)
            timers[f"Node, {kind}"] = stack.enter_context(code)
        if browser is not None:
            timers["Chromium"] = in_browser(browser, folder, learns)
        found = fastest(timers, options.rounds)
    shares = [
        f"{name} {1e6 * seconds / batch:.2f} µs"
        + ("" if "native" in name else f" ({found['native'] / seconds:.0%}, "
           f"{found[twice] / seconds:.0%})")
        for name, seconds in found.items()
    ]  # fmt: skip
    print(
        f"{title:10} {'steps of' if learns else 'batch':8} {batch:2}  " + "; ".join(shares),
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--node", default="node", help="the program")
    options = parser.parse_args()
    options.kinds = kinds_of(options.node)
    print("microseconds an image (share of native speed, rounded once and twice)")
    with ExitStack() as stack:
        browser = None
        if not options.no_browser:
            from playwright.sync_api import sync_playwright

            path = next(filter(None, map(shutil.which, BROWSERS)), None)
            chromium = stack.enter_context(sync_playwright()).chromium
            browser = chromium.launch(executable_path=path, args=["--no-sandbox"])
            stack.callback(browser.close)
        for title, make, batches in CASES:
            for batch in batches:
                measure(title, make(), batch, options, browser)
        for title, make, batch in TRAINED:
            measure(title, make(), batch, options, browser, learns=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
