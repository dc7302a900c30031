"""Networks as C99: what compilers say of it, and that it finds the library's bits."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.common.errors import StriateError
from striate.freestanding.c.c_source import c_source
from striate.freestanding.program.frozen_program import FrozenProgram
from striate.freestanding.targets.named_targets import named_target
from striate.layers import (
    LAYERS,
    Add,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    Input,
    MaxPool2D,
    Node,
    ReLU,
    Tanh,
)
from striate.model.preprocessing import Preprocessing
from striate.network import Network
from tests.freestanding.c_compilers import STRICT, fused, needs_gcc, outputs, shared_library
from tests.freestanding.golden_c import KEPT, written
from tests.small_networks import CASES, IMAGE, case_id, randomise, read_by

pytestmark = needs_gcc


def digits() -> Network:
    return Network(
        [Conv2D(16, 3, padding="same"), ReLU(), MaxPool2D(2), Conv2D(32, 3, padding="same"),
         ReLU(), MaxPool2D(2), Flatten(), Dense(10)],
        (8, 8, 1), seed=1,
    )  # fmt: skip


def uneven() -> Network:
    """Few filters on gray rows longer than wide, paddings, strides, groups, a preprocessing."""
    made = Network(
        [Conv2D(6, (3, 2), padding=(2, 1), uncovered="drop"), BatchNorm(), ReLU(),
         Conv2D(9, 3, stride=2, groups=3, padding=1, dilation=(1, 2), uncovered="drop"), ReLU(),
         MaxPool2D(3, stride=2, padding=1, uncovered="drop"), Flatten(), Dense(17), ReLU(),
         Dense(5)],
        (9, 21, 1), seed=2,
    )  # fmt: skip
    made.preprocessing = Preprocessing((120.0,), (60.0,))
    made.classes = ["a", 'quote " and \\', "Äpfel?", "??/", ""]
    return made


def branches() -> Network:
    """Residual and concatenated branches, and sums in rounds."""
    x = Input((8, 10, 3))
    a = ReLU()(Conv2D(8, 3, padding=1)(x))
    b = BatchNorm()(Conv2D(8, 1)(x))
    joined = Concat()(Add()(a, b), AvgPool2D(3, stride=1, padding=1)(a))
    deep = Conv2D(64, 3, padding=1)(Conv2D(64, 3, padding=1)(joined))
    return Network(inputs=x, output=Dense(3)(GlobalAvgPool2D()(deep)), seed=3)


def images_for(network: Network, *counts: int) -> np.ndarray:
    given = network.preprocessing
    noise = np.random.default_rng(0).normal(size=(*counts, *network.input_shape))
    return np.asarray(noise if given.is_identity else noise * given.std + given.mean, np.float32)


def expected(network: Network, images: np.ndarray) -> np.ndarray:
    """What the library says, one image after the other."""
    run = network.compile(batch_size=1, exact=True, portable=True, threads=1)
    return np.concatenate([run(image[None]) for image in images])


@dataclass(frozen=True)
class Answers:
    """Of images: what C says, what the library says, and what its other engine says."""

    found: np.ndarray
    expected: np.ndarray
    in_numpy: np.ndarray


@pytest.fixture(scope="module")
def of_layers(tmp_path_factory: pytest.TempPathFactory) -> list[Answers]:
    """The outputs of every layer, each a branch of one network."""
    image = Input(IMAGE)
    ends: list[Node] = []
    for name, arguments in CASES:
        end = read_by(LAYERS[name](**arguments), image)
        ends.append(end if len(end.shape) == 1 else Flatten()(end))
    network = randomise(Network(inputs=image, output=Concat()(*ends)))
    images = images_for(network, 2)
    folder = tmp_path_factory.mktemp("layers")
    files = network.export(folder / "all", to="c", name="every").files
    texts = {name: files[name].decode() for name in ("every.c", "every.h")}
    library = shared_library(folder, texts, "-O1", *fused(), *STRICT)
    whole = (
        outputs(library, "every", images, network.output_shape[0]),
        expected(network, images),
        network.predict_logits(images, engine="numpy"),
    )
    cuts = np.cumsum([end.shape[0] for end in ends])[:-1]
    return [Answers(*parts) for parts in zip(*(np.split(a, cuts, 1) for a in whole), strict=True)]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{n}-{case_id(a)}" for n, a in CASES])
def test_every_layer(number: int, of_layers: list[Answers]) -> None:
    answers = of_layers[number]
    np.testing.assert_array_equal(answers.found, answers.expected)
    scale = np.abs(answers.in_numpy).max()
    assert np.abs(answers.found - answers.in_numpy).max() <= 2e-6 * scale
    assert len(np.unique(answers.found)) > 1


@pytest.mark.parametrize(
    ("make", "target", "batch_size"),
    [(digits, None, 1), (digits, "cortex-m4", 2), (uneven, "x86-64", 3), (branches, None, 1)],
)
def test_the_same_bits_as_fast_as_compilers_can(
    make: Callable[[], Network], target: str | None, batch_size: int, tmp_path: Path
) -> None:
    network = make()
    images = images_for(network, 2, batch_size)
    files = network.export(
        tmp_path / "x", to="c", target=target, batch_size=batch_size, name="n"
    ).files
    texts = {name: files[name].decode() for name in ("n.c", "n.h")}
    wanted = expected(network, images.reshape(-1, *network.input_shape)).reshape(2, -1)
    assert ("for (int n = 0;" in texts["n.c"]) == (batch_size > 1)
    for compiler in filter(shutil.which, ("gcc", "clang")):
        library = shared_library(tmp_path, texts, "-O3", *fused(), compiler=compiler)
        np.testing.assert_array_equal(outputs(library, "n", images, wanted.shape[1]), wanted)


@pytest.mark.parametrize("language", ["-std=c99", "-xc++"])
def test_compilers_have_nothing_to_say(language: str, tmp_path: Path) -> None:
    network = uneven()
    network.export(tmp_path / "eyes", to="c", batch_size=2)
    for compiler in filter(shutil.which, ("gcc", "clang")):
        command = [compiler, language, "-O1", *STRICT, "main.c", "eyes.c", "-o", "eyes"]
        done = subprocess.run(command, cwd=tmp_path / "eyes", capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        # Whatever this processor rounds, the example compares with 1e-5 of the largest.
        ran = subprocess.run([tmp_path / "eyes" / "eyes"], capture_output=True, check=False)
        assert ran.returncode == 0, ran.stdout


def test_without_fused_multiply_adds(tmp_path: Path) -> None:
    network = digits()
    images = images_for(network, 40)
    texts = {"d.c": c_source(FrozenProgram(network, named_target("x86-64-v3").target), "d")}
    texts["d.h"] = "void d_run(const float *images, float *outputs, void *arena);"
    plain = {"d.c": re.sub(r"#define D_FMA.*\n", "", texts["d.c"]), "d.h": texts["d.h"]}
    found = outputs(shared_library(tmp_path, plain, "-O3"), "d", images, 10)
    wanted = expected(network, images)
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()
    np.testing.assert_array_equal(found.argmax(1), wanted.argmax(1))
    assert not np.array_equal(found, wanted)


def test_nothing_of_the_c_library_is_called(tmp_path: Path) -> None:
    network = Network(
        [Conv2D(16, 3, padding=1), *(LAYERS[name]() for name in ("GELU", "LayerNorm", "LRN")),
         Flatten(), Dense(40), Tanh()],
        (8, 9, 2), seed=1,
    )  # fmt: skip
    files = network.export(tmp_path / "free", to="c").files
    code = files["free.c"].decode()
    assert all(f" {name}(" in code for name in ("exponential", "mills_ratio", "square_root"))
    commands = [["gcc", "-O0"], ["gcc", "-O3"], ["clang", "-O3", "-fno-builtin"]]
    for compiler, *options in filter(lambda command: shutil.which(command[0]), commands):
        command = [compiler, "-std=c99", *options, *fused(), "-c", "free.c", "-o", "free.o"]
        subprocess.run(command, cwd=tmp_path / "free", check=True)
        undefined = subprocess.run(
            ["nm", "-u", tmp_path / "free" / "free.o"], capture_output=True, text=True, check=True
        )
        assert undefined.stdout == ""


def test_what_is_said_of_it(tmp_path: Path) -> None:
    network = branches()
    found = network.export(tmp_path / "b", to="c", target="raspberry-pi", batch_size=2)
    assert (found.kind, found.target, found.figures.code_bytes) == ("c", "raspberry-pi", None)
    assert found.figures.constant_bytes > 4 * network.parameter_count
    readme = found.files["README.md"].decode()
    assert "aarch64-linux-gnu-gcc -std=c99 -O3 main.c b.c -o b" in readme
    assert f"{found.figures.arena_bytes:,} bytes" in readme
    code = found.files["b.c"].decode()
    assert "/* conv2d_3: Conv2D(64, (3, 3), padding=1), 8×10×16 to 8×10×64. */" in code
    assert max(map(len, code.splitlines())) <= 100


def test_targets_of_c_and_of_objects(tmp_path: Path) -> None:
    with pytest.raises(StriateError, match="no target 'cortex-m5'; did you mean 'cortex-m"):
        digits().export(tmp_path / "x", to="c", target="cortex-m5")
    with pytest.raises(StriateError, match="an object file needs a target: cortex-m4"):
        digits().export(tmp_path / "x", to="object")
    assert not (tmp_path / "x").exists()


def test_layers_that_compute_the_same_share_a_function() -> None:
    layers: list[Any] = [layer for _ in range(3) for layer in (Conv2D(4, 3, padding=1), ReLU())]
    network = Network(layers, (6, 7, 4), seed=1)
    code = c_source(FrozenProgram(network, named_target("x86-64-v3").target), "same")
    (comment,) = re.findall(r"/\* (conv2d.*) \*/\nstatic void conv2d_1_forward", code)
    assert comment == "conv2d_1: Conv2D(4, (3, 3), padding=1), 6×7×4 to 6×7×4. Also for conv2d_2."
    calls = re.findall(r"^    (conv2d_\d_forward)\(\w+, (\w+),", code, re.MULTILINE)
    assert calls[:2] == [
        ("conv2d_1_forward", "conv2d_1_filters"), ("conv2d_1_forward", "conv2d_2_filters"),
    ]  # fmt: skip


def test_layers_may_be_called_anything(tmp_path: Path) -> None:
    names = ["main", "a * b", "3×3", "exp", "it's \"x\", name='y'", "out"]
    layers: list[Any] = [Conv2D(3, 2, name=name) for name in names]
    network = Network(layers, (9, 8, 1), seed=1)
    images = images_for(network, 2)
    files = network.export(tmp_path / "x", to="c", name="main_forward").files
    texts = {name: text.decode() for name, text in files.items() if name.endswith((".c", ".h"))}
    assert "/* a * b: Conv2D(3, (2, 2)), 8×7×3 to 7×6×3. */" in texts["main_forward.c"]
    del texts["main.c"]
    library = shared_library(tmp_path, texts, "-O1", *fused(), *STRICT)
    found = outputs(library, "main_forward", images, int(np.prod(network.output_shape)))
    np.testing.assert_array_equal(found, expected(network, images).reshape(2, -1))


def test_the_code_is_what_was_read_and_found_good() -> None:
    """After a change that is meant to be one: `python tests/freestanding/golden_c.py`."""
    assert written() == KEPT.read_text(encoding="utf-8")
