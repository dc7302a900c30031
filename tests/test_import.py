"""``import striate`` is quick and every public name can be had from it."""

import builtins
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import striate

# Modules whose names users have for other things: reachable, but not for ``import *``.
NOT_STARRED = {"compat", "data", "inspect", "layers"}
HEAVY = ["PIL", "click", "joblib", "llvmlite", "rich", "safetensors", "scipy", "sklearn"]


def in_new_process(code: str) -> str:
    """Run `code` in a new interpreter, away from the folder of the repo, and return its output."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    return done.stdout


def test_import_takes_less_than_a_fifth_of_a_second() -> None:
    code = (
        "import time; start = time.perf_counter(); import striate; "
        "print(time.perf_counter() - start)"
    )
    # The best of a few: the first may read from a cold disk, and other work shares the machine.
    assert min(float(in_new_process(code)) for _ in range(5)) < 0.2


def test_import_loads_nothing_heavy() -> None:
    code = (
        "import sys, json, striate; "
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    loaded = set(json.loads(in_new_process(code)))
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "module",
    ["striate.network", "striate.model.files", "striate.training.recipes", "striate.data"],
)
def test_the_core_loads_nothing_heavy(module: str) -> None:
    code = (
        f"import sys, json, {module}; "
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    loaded = set(json.loads(in_new_process(code)))
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("name", sorted(striate._EXPORTS))
def test_every_public_name_can_be_had(name: str) -> None:
    value = getattr(striate, name)
    assert value is getattr(striate, name)
    assert name in dir(striate)
    if isinstance(value, type):
        assert value.__name__ == name
        assert value.__doc__


def test_all_lists_what_the_table_and_the_type_checker_know() -> None:
    assert set(striate.__all__) | NOT_STARRED == set(striate._EXPORTS) | {"__version__"}
    assert NOT_STARRED.isdisjoint(striate.__all__)
    source = Path(striate.__file__).read_text(encoding="utf-8")
    for name in striate._EXPORTS:
        assert f" as {name}\n" in source, f"{name} is missing under TYPE_CHECKING"


def test_predicting_arrays_loads_nothing_that_reads_files() -> None:
    code = (
        "import sys, numpy as np, striate; "
        "striate.Network([striate.Dense(3)], (4,)).predict(np.zeros((2, 4)), engine='numpy'); "
        "print(any(name.startswith('striate.data') for name in sys.modules))"
    )
    assert in_new_process(code) == "False\n"


def test_a_star_import_replaces_nothing_of_pythons() -> None:
    taken = set(dir(builtins)) | sys.stdlib_module_names
    assert taken.isdisjoint(striate.__all__)
    code = (
        "import inspect, data; before = inspect, data; from striate import *; "
        "assert (inspect, data) == before; print(Network.__name__)"
    )
    code = f"import sys, types; sys.modules['data'] = types.ModuleType('data'); {code}"
    assert in_new_process(code) == "Network\n"


@pytest.mark.parametrize(
    "name",
    ["compat.ndimage.sobel", "compat.signal.convolve", "data.load_images", "inspect.reach",
     "layers.Conv2D"],
)  # fmt: skip
def test_modules_need_no_import_of_their_own(name: str) -> None:
    last = name.split(".")[-1]
    assert in_new_process(f"import striate; print(striate.{name}.__name__)") == f"{last}\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Conv3D'"):
        _ = striate.Conv3D
