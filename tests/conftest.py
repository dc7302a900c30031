"""What all tests share: quiet BLAS threads, their own cache, the data sets beside the repo, and a
real browser.
"""

import os
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FIREFOXES = ("firefox-esr", "firefox")
# In containers: root may not use the sandbox, and /dev/shm is small.
SWITCHES = ("--no-sandbox", "--disable-dev-shm-usage")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Any]:
    """What drives browsers; skips the test where it is not installed."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with api.sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def launch(playwright: Any) -> Iterator[Callable[..., Any]]:
    """Start a headless Chromium with some switches; skips the test where there is none."""
    from playwright.sync_api import Error

    found = list(filter(None, map(shutil.which, BROWSERS)))
    if not found:
        pytest.skip(
            "no Chromium is installed: on Debian, apt-get install chromium; looked for "
            + ", ".join(BROWSERS)
        )
    started: list[Any] = []

    def call(*switches: str) -> Any:
        reason = ""
        for path in found:
            try:
                started.append(
                    playwright.chromium.launch(executable_path=path, args=[*SWITCHES, *switches])
                )
                return started[-1]
            except Error as error:
                reason = f"{path} does not start: {error.message.splitlines()[0]}"
        pytest.skip(reason)

    yield call
    for one in started:
        one.close()


@pytest.fixture(scope="session")
def firefox(playwright: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Firefox with a home of its own; skips the test where there is none.

    It has no dark colours, and tells of no requests: those that a page's policy forbids are errors.
    """
    from playwright.sync_api import Error

    found = next(filter(None, map(shutil.which, FIREFOXES)), None)
    if found is None:
        pytest.skip(
            "no Firefox is installed: on Debian, apt-get install firefox-esr; looked for "
            + ", ".join(FIREFOXES)
        )
    home = tmp_path_factory.mktemp("firefox")
    relay = home / "relay"
    command = shlex.join([sys.executable, str(Path(__file__).with_name("firefox_relay.py")), found])
    relay.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    relay.chmod(0o700)
    try:
        browser = playwright.firefox.launch(
            channel="moz-firefox", executable_path=relay, env={**os.environ, "HOME": str(home)}
        )
    except Error as error:
        pytest.skip(f"{found} does not start: {error.message.splitlines()[0]}")
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def browser(launch: Callable[..., Any]) -> Any:
    """A headless Chromium; skips the test where there is none."""
    return launch()


@dataclass
class Opened:
    """A page in the browser, and everything that went wrong in it."""

    page: Any
    problems: list[str] = field(default_factory=list)


@pytest.fixture
def open_page(browser: Any) -> Iterator[Any]:
    """Open a file in a window of a width; afterwards nothing may have gone wrong in it."""
    contexts: list[Any] = []
    opened: list[Opened] = []

    def call(
        path: Path,
        width: int = 1400,
        scheme: str = "light",
        script: bool = True,
        within: Any = None,
        permissions: Sequence[str] = (),
    ) -> Any:
        context = (within or browser).new_context(
            viewport={"width": width, "height": 844},
            color_scheme=scheme,
            java_script_enabled=script,
            offline=True,
            accept_downloads=True,
            permissions=list(permissions),
        )
        contexts.append(context)
        window = Opened(context.new_page())
        opened.append(window)
        page, problems = window.page, window.problems
        page.set_default_timeout(60_000)  # a machine may be busy
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        page.on("request", lambda request: _note(request.url, path, problems))
        page.goto(path.as_uri())
        return page

    yield call
    for context in contexts:
        context.close()
    assert [problem for window in opened for problem in window.problems] == []


def _note(url: str, path: Path, problems: list[str]) -> None:
    if url.split("#")[0] != path.as_uri() and not url.startswith("data:"):
        problems.append(f"the page asks for {url}")
