"""Where the per-user cache lies on each platform."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from striate.common.cachedir import cache_dir


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STRIATE_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)


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
        ("linux", {}, "/home/me/.cache/striate/images"),
        ("linux", {"STRIATE_CACHE": ""}, "/home/me/.cache/striate/images"),
        ("linux", {"XDG_CACHE_HOME": "/big/disk"}, "/big/disk/striate/images"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/striate/images"),
        ("darwin", {"XDG_CACHE_HOME": "/no"}, "/home/me/Library/Caches/striate/images"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/striate/images"),
        ("win32", {}, "/home/me/AppData/Local/striate/images"),
    ],
)
def test_platforms(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_dir("images") == Path(expected)


def test_no_home_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(OSError, match="no home folder"):
        cache_dir("images")


@pytest.mark.parametrize("kind", ["", ".", "..", "a/b", "../x"])
def test_kind_is_one_name(kind: str) -> None:
    with pytest.raises(ValueError, match="one plain folder name"):
        cache_dir(kind)
