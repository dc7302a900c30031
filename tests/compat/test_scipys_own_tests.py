"""SciPy's own tests, run with striate's functions in place of SciPy's.

Each run is a process of its own: the functions are replaced before the tests are imported. Nothing
is left out but test_large_array, which needs 4 GB and 20 s to see whether an index of 32 bits
overflows in C, and the tests of functions that are SciPy's own here (FFTConvolve, OAConvolve).
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]


def run_scipys(modules, replace, *options):
    """The numbers of SciPy's tests that passed and of those that did not."""
    pytest.importorskip("scipy")
    for module in modules:
        try:
            found = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            pytest.skip(f"SciPy was installed without its tests: there is no {module}")
    paths = [str(HERE), str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "STRIATE_REPLACE": replace,
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("PYTEST_ADDOPTS", None)
    # No configuration of this project: warnings are errors here, but not in SciPy's tests.
    command = [
        *(sys.executable, "-m", "pytest", "-q", "--tb=short", "-c", os.devnull),
        *("-p", "point_scipy_at_striate", "-p", "no:cacheprovider", "-W", "ignore"),
        *("--pyargs", *modules, *options),
    ]
    done = subprocess.run(
        command, env=environment, cwd=HERE, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    counted = re.search(r"(\d+) passed", done.stdout)
    assert counted is not None, done.stdout[-2000:]
    return int(counted[1])


def test_ndimage_and_what_uses_it():
    modules = [f"scipy.ndimage.tests.test_{n}" for n in ("filters", "datatypes", "ni_support")]
    users = ("savitzky_golay", "fir_filter_design", "upfirdn")
    modules += [f"scipy.signal.tests.test_{name}" for name in users]
    assert run_scipys(modules, "everywhere") > 2000


def test_signaltools():
    passed = run_scipys(
        ["scipy.signal.tests.test_signaltools"],
        "public",
        "-k",
        "not FFTConvolve and not OAConvolve and not large_array",
    )
    assert passed > 500


def test_a_copy_of_the_tests_that_imports_striate(tmp_path):
    """As someone would who edits the imports: nothing in SciPy is changed."""
    pytest.importorskip("scipy")
    try:
        found = importlib.util.find_spec("scipy.ndimage.tests.test_filters")
    except ModuleNotFoundError:
        found = None
    if found is None or found.origin is None:
        pytest.skip("SciPy was installed without its tests: there is no test_filters")
    text = Path(found.origin).read_text(encoding="utf-8")
    for old, new in (
        ("from scipy import ndimage", "from striate.compat import ndimage"),
        ("from scipy.ndimage._filters", "from striate.compat.ndimage._filters"),
        ("from . import", "from scipy.ndimage.tests import"),
    ):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "test_copied_filters.py").write_text(text, encoding="utf-8")
    package = Path(found.origin).parents[2]
    (tmp_path / "conftest.py").write_bytes((package / "conftest.py").read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=short", "-c", os.devnull, "-W", "ignore",
         "-p", "no:cacheprovider", "-k", "correlate1d or convolve or gauss or sobel",
         str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        cwd=tmp_path, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
