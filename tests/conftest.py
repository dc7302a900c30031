"""What all tests share: quiet BLAS threads, their own cache, the data sets beside the repo."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# One BLAS thread each: tests run in parallel processes, and more threads only slow each other.
# Set here because it must happen before NumPy or PyTorch are first imported.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# Tests must not read or fill the user's own caches. Worker processes of pytest-xdist inherit
# the folder of the main process, so that they share compiled kernels as a user's runs do.
_OWN_CACHE: str | None = None
if "PYTEST_XDIST_WORKER" not in os.environ:
    _OWN_CACHE = tempfile.mkdtemp(prefix="striate-tests-")
    os.environ["STRIATE_CACHE"] = _OWN_CACHE

# A shell that starts the tests in the background, or nohup, has these ignored, and so would all
# that the tests start; but some send them.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Timings differ between machines, so examples have no deadline; in CI they are the same every run.
settings.register_profile("striate", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("striate")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_unconfigure() -> None:
    if _OWN_CACHE is not None:
        shutil.rmtree(_OWN_CACHE, ignore_errors=True)


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """The folder with MNIST's four IDX files; skips the test where it is not available."""
    folder = SHARED / "data" / "mnist"
    if not folder.is_dir():
        pytest.skip(f"MNIST is not at {folder}")
    return folder


@pytest.fixture(scope="session")
def cifar10_archive() -> Path:
    """The archive of CIFAR-10 as JPEG files; skips the test where it is not available."""
    archive = SHARED / "data" / "cifar10-jpeg.tar.gz"
    if not archive.is_file():
        pytest.skip(f"CIFAR-10 is not at {archive}")
    return archive
