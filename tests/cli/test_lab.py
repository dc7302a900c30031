"""``striate lab``."""

from __future__ import annotations

import json
import re
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
Refused = Callable[..., str]


def embedded(page: Path) -> dict[str, Any]:
    """What the page is given."""
    found = re.search(r'id="lab-data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def test_a_page_without_a_model(striate: Run, in_tmp: Path) -> None:
    outcome = striate("lab", "-o", "lab.html", "--seed", 7, "--json")
    assert outcome.code == 0
    page = Path("lab.html")
    assert outcome.json == {"page": "lab.html", "bytes": page.stat().st_size, "opened": False}
    assert page.stat().st_size < 3_000_000
    assert embedded(page)["seed"] == 7
    assert striate("lab", "-o", "lab.html").out.startswith("Wrote lab.html (")  # it is replaced


def test_a_page_of_ones_own_model_images_and_exercises(
    striate: Run, model: Path, in_tmp: Path
) -> None:
    Path("mine.toml").write_text('title = "Mine"\n[[exercise]]\nkind = "size"\n')
    arguments = ("--exercises", "mine.toml", "--exercises", "sizes", "-o", "lab.html")
    assert striate("lab", model, "digits", *arguments).code == 0
    sets = embedded(Path("lab.html"))["exercises"]
    assert [one["title"] for one in sets] == ["Mine", "Sizes and weights"]
    # The images of a model of the digits need not be named.
    assert striate("lab", model, "-o", "lab.html", "--part", "train").code == 0


def test_the_page_is_opened_and_stays(
    striate: Run, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", lambda address: bool(opened.append(address)) or True)
    outcome = striate("lab")
    assert outcome.code == 0 and outcome.err == ""
    found = re.fullmatch(r"Wrote (.+lab\.html) \(.+\)\n", outcome.out)
    assert found is not None
    page = Path(found[1])
    assert opened == [page.as_uri()] and page.is_file()
    page.unlink()
    page.parent.rmdir()


@pytest.mark.parametrize("where", ["server", "broken"])
def test_where_no_browser_can_be_opened(
    striate: Run, in_tmp: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def fail(address: str) -> bool:
        raise webbrowser.Error("no browser")

    monkeypatch.setattr(webbrowser, "open", fail)
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    if where == "broken":
        monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: str(in_tmp))
    outcome = striate("lab")
    assert outcome.code == 0 and Path("lab.html").is_file()
    assert outcome.err.startswith("No browser could be opened here: ") and "-o" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-o", "lab.txt"), "lab.txt: a page of the lab is an HTML page; give a name that ends in .html"),  # noqa: E501
        (("-o", "."), "a page of the lab is an HTML page"),
        (("-o", "gone/lab.html"), "does not exist"),
        (("-o", "other.html"), "other.html: exists and is not a page of the lab; choose another name"),  # noqa: E501
        (("gone.safetensors", "digits"), "gone.safetensors"),
        (("--part", "test"), "--part, --skip-bad and --max-pixels are about the images of SOURCE"),
        (("--seed", "0"), "0 is not in the range 1<=x<=999999"),
        (("--exercises", "bad.toml"), "bad.toml: has no title"),
        (("--exercises", "gone.toml"), "gone.toml: there is no such set of exercises"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(
    refused: Refused, in_tmp: Path, arguments: tuple[str, ...], said: str
) -> None:
    Path("other.html").write_text("<p>mine</p>")
    Path("bad.toml").write_text("[[exercise]]\n")
    assert said in refused("lab", *arguments)
    assert Path("other.html").read_text() == "<p>mine</p>"


def test_a_model_of_other_images_needs_a_source(refused: Refused, in_tmp: Path) -> None:
    from striate import Dense, Flatten, Network

    network = Network([Flatten(), Dense(3)], input_shape=(5, 4, 1), seed=0)
    network.save("own.safetensors")
    assert refused("lab", "own.safetensors", "-o", "lab.html").startswith(
        "give SOURCE behind own.safetensors"
    )
    assert not Path("lab.html").exists()
