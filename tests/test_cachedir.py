"""Where the per-user cache lies on each platform."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest
from platformdirs import windows
from platformdirs.macos import MacOS
from platformdirs.unix import Unix

from striate.common import cachedir
from striate.common.cachedir import cache_dir


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # The system can be asked on Windows only.
    monkeypatch.setattr(windows, "get_win_folder", windows.get_win_folder_from_env_vars)
    for name in ("STRIATE_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    cachedir._default_folder.cache_clear()
    yield
    cachedir._default_folder.cache_clear()


def test_variable_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "mine"))
    assert cache_dir("images") == tmp_path / "mine" / "images"
    assert not (tmp_path / "mine").exists()


def test_relative_variable_is_below_the_present_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STRIATE_CACHE", "here")
    assert cache_dir("code") == tmp_path / "here" / "code"


@pytest.mark.skipif(sys.platform == "win32", reason="home folders of POSIX")
@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        (Unix, {}, "/home/me/.cache/striate/images"),
        (Unix, {"STRIATE_CACHE": ""}, "/home/me/.cache/striate/images"),
        (Unix, {"XDG_CACHE_HOME": "/big/disk"}, "/big/disk/striate/images"),
        (Unix, {"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/striate/images"),
        (MacOS, {}, "/home/me/Library/Caches/striate/images"),
        # platformdirs heeds the XDG variables on macOS too, where a user has set them.
        (MacOS, {"XDG_CACHE_HOME": "/big/disk"}, "/big/disk/striate/images"),
        (windows.Windows, {"LOCALAPPDATA": "/local"}, "/local/striate/images"),
    ],
)
def test_platforms(
    monkeypatch: pytest.MonkeyPatch,
    platform: type[Unix | MacOS | windows.Windows],
    variables: dict[str, str],
    expected: str,
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setattr(platformdirs, "PlatformDirs", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_dir("images") == Path(expected)


def test_windows_without_such_a_folder_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "PlatformDirs", windows.Windows)
    with pytest.raises(OSError, match=r"no home folder for a cache .*: set STRIATE_CACHE"):
        cache_dir("images")


@pytest.mark.parametrize("answer", [None, "~/.cache/striate"])
def test_no_home_is_an_os_error(monkeypatch: pytest.MonkeyPatch, answer: str | None) -> None:
    """Whether platformdirs says so or, as early versions do, leaves the tilde as it is."""

    def nowhere(*_: object, **__: object) -> str:
        if answer is None:
            raise RuntimeError("could not determine the home directory")
        return answer

    monkeypatch.setattr(platformdirs, "user_cache_dir", nowhere)
    with pytest.raises(OSError, match=r"no home folder.*set STRIATE_CACHE to a folder"):
        cache_dir("images")


@pytest.mark.skipif(sys.platform == "win32", reason="home folders of POSIX")
def test_a_user_without_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    def unknown(_: int) -> None:
        raise KeyError("no such user")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert not os.path.isabs(os.path.expanduser("~"))
    with pytest.raises(OSError, match="no home folder"):
        cache_dir("images")


@pytest.mark.parametrize("kind", ["", ".", "..", "a/b", "../x"])
def test_kind_is_one_name(kind: str) -> None:
    with pytest.raises(ValueError, match="one plain folder name"):
        cache_dir(kind)
