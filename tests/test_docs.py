"""What the pages in docs/ show works as it stands: outputs, pictures, and numbers of the text."""

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image, ImageChops, ImageDraw

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))


def builder(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(DOCS / "build.py"), *map(str, arguments)],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page(page: Path) -> None:
    done = builder("--check", page)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_page_is_named_by_the_first() -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    linked = re.findall(r"\]\(([\w-]+\.md)\)", index)
    assert sorted([*linked, "README.md"]) == [page.name for page in PAGES]
    assert len(linked) == len(set(linked))


def test_every_picture_is_shown() -> None:
    texts = "".join(page.read_text("utf-8") for page in (*PAGES, ROOT / "README.md"))
    shown = set(re.findall(r"pictures/([\w.-]+)", texts))
    assert {path.name for path in (DOCS / "pictures").iterdir()} - {"drawn-with.txt"} == shown


# What finds a wrong number.

PAGE = """# A page

There are 13 pixels, and 6 outputs of 16.5.

<!-- file: one.toml -->
```toml
input_shape = [4, 4, 1]

[[layers]]
layer = "Flatten"
```

```console
$ striate size --input 13 --filter 3 --stride 2
output 6:  (I - R + P_before + P_after)/S + 1 = (13 - 3 + 0 + 0)/2 + 1 = 6
$ striate summary one.toml
…
flatten_1  Flatten      16           0              0    64 B   1×1
…
$ striate size --input 10 --filter 3 --stride 2 --json
striate: size: (I - R + P_before + P_after)/S + 1 = (10 - 3 + 0 + 0)/2 + 1 = 4.5 is not whole: LAST
$ striate convolve --signal "1 5 2 8 3" --kernel "1 1" --plot plot.png
1  6  7  10  11
```

![A plot](pictures/plot.png)

```python
import striate

x = 33
print(1e-16, striate.Conv2D(1, 3, stride=2).output_shape((13, 13, 1))[0], x / 2)
```

```text
0 6 16.5
```
"""
LAST = (
    "the last 1 pixel would never be read. Changed alone, what would fit: input 9 or 11; filter 2 "
    "or 4; stride 1 or 7; padding (0, 1) (no other dilation would do alone)"
)


@pytest.fixture(scope="module")
def build() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("docs_build", DOCS / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_build"] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    yield module
    del sys.modules["docs_build"]


@pytest.fixture
def page(build: ModuleType, tmp_path: Path) -> Path:
    """A page that is right, with its picture."""
    path = tmp_path / "page.md"
    path.write_text(PAGE.replace("LAST", LAST), "utf-8")
    made = tmp_path / "made"
    made.mkdir()
    (tmp_path / "pictures").mkdir()
    assert build.build(path, made).wrong == []
    shutil.copy(made / "plot.png", tmp_path / "pictures")
    (tmp_path / "pictures" / "drawn-with.txt").write_text(build.version() + "\n")
    assert build.main(["--check", str(path)]) == 0
    return path


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("There are 13 pixels", "There are 14 pixels", "14: the text states it"),
        ("outputs of 16.5", "outputs of 16.7", "16.7: the text states it"),
        ("output 6:", "output 7:", "output 7:"),
        ("Flatten      16 ", "Flatten      17 ", "Flatten      17"),
        ("5 is not whole", "25 is not whole", "4.25 is not whole"),
        ("$ striate size --input 10 ", "$ striate size --input 11 ", "ended with 0"),
        ("1  6  7  10  11\n", "", "the page ends too early"),
        ("1  6  7  10  11\n", "1  6  7  10  11\n12\n", "12"),
        ("0 6 16.5", "0 6 16.4", "0 6 16.4"),
        ("0 6 16.5", "0.001 6 16.5", "0.001 6"),
        ("```text\n0 6 16.5\n```\n", "", "the page ends too early"),
        ("x = 33", "x = 1 / 0", "ZeroDivisionError"),
        ("$ striate summary one.toml", "$ striate summary two.toml", "two.toml"),
        ("$ striate summary", "$ rm", "only striate is run here"),
        ("plot plot.png", "plot other.png", "pictures/plot.png: nothing on the page makes it"),
        ("```toml", "```toml\n```\n\n```sh\n```\n\n```toml", "nothing runs a block of sh"),
        ('"1 5 2 8 3" --kernel "1 1"', '"1 5 2 8 2" --kernel "1 1"', "pictures/plot.png differs"),
    ],
)
def test_what_is_wrong_is_found(
    build: ModuleType, page: Path, capsys: pytest.CaptureFixture[str], right: str, wrong: str,
    words: str,
) -> None:  # fmt: skip
    text = page.read_text("utf-8")
    assert text.count(right) == 1
    page.write_text(text.replace(right, wrong), "utf-8")
    assert build.main(["--check", str(page)]) == 1
    assert words in capsys.readouterr().out


def test_writing_anew(build: ModuleType, page: Path) -> None:
    right = page.read_text("utf-8")
    wrong = right.replace("output 6:", "output 7:").replace("0 6 16.5", "0 7 16.5")
    page.write_text(wrong.replace("1  6  7  10  11\n", ""), "utf-8")
    plot = page.parent / "pictures" / "plot.png"
    Image.new("RGB", (10, 10)).save(plot)
    build.main([str(page)])
    assert page.read_text("utf-8") == right.replace("0 6 16.5", "1e-16 6 16.5")
    assert build.main(["--check", str(page)]) == 0


def test_marks(build: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    marks = """<!-- output varies -->
```python
print(31)
```

```text
30
```

<!-- not run: why not -->
```console
$ rm -r /
```

<!-- unchecked: 77 -->
77
"""
    page.write_text(marks, "utf-8")
    assert build.build(page, tmp_path).wrong == []
    page.write_text(marks.replace("<!-- output varies -->", ""), "utf-8")
    assert len(build.build(page, tmp_path).wrong) == 1
    page.write_text("There are 12345.", "utf-8")
    assert len(build.build(page, tmp_path).wrong) == 1
    page.write_text("<!-- unchecked: all -->\n\nThere are 12345.", "utf-8")
    assert build.build(page, tmp_path).wrong == []


def test_times_are_not_compared(build: ModuleType) -> None:
    one = "dense    4.97 ms  32 ×   48.0 MiB   48.0 MiB   146.8 MiB  39 ×"
    other = one.replace("4.97", "14.97").replace("32 ×", "1,240 ×").replace("146.8", "99")
    assert build.same(one, other, varying=True)
    assert not build.same(one, other)
    assert not build.same(one, one.replace("48.0", "49.0"), varying=True)
    assert not build.same("48 MiB", "49 MiB", varying=True)


def test_pictures_are_compared_by_what_one_sees(build: ModuleType, tmp_path: Path) -> None:
    def drawn(text: str) -> Image.Image:
        picture = Image.new("RGB", (200, 100), "white")
        ImageDraw.Draw(picture).text((20, 30), text, "black", font_size=20)
        return picture

    def differs(other: Image.Image) -> str:
        drawn("144 weights").save(tmp_path / "one.png")
        other.save(tmp_path / "other.png")
        return str(build.picture_differs(tmp_path / "one.png", tmp_path / "other.png"))

    same = drawn("144 weights")
    noise = Image.effect_noise((200, 100), 8).convert("RGB")
    assert differs(same) == ""
    assert differs(ImageChops.blend(same, noise, 0.05)) == ""  # JPEG, smoothing
    assert "differs" in differs(drawn("145 weights"))
    assert "differs" in differs(ImageChops.offset(same, 12, 0))
    assert "made with 10×10" in differs(Image.new("RGB", (10, 10)))


def test_other_versions_may_draw_a_little_differently(
    build: ModuleType, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = page.parent / "pictures" / "plot.png"
    with Image.open(plot) as picture:
        moved = ImageChops.offset(picture.convert("RGB"), 4, 0)
    moved.save(plot)
    assert build.main(["--check", str(page)]) == 1
    note = page.parent / "pictures" / "drawn-with.txt"
    note.write_text("matplotlib 3.1\n")
    assert build.main(["--check", str(page)]) == 0
    assert build.main([str(page)]) == 1
    assert "write all pages" in capsys.readouterr().out
    ImageChops.invert(moved).save(plot)
    assert build.main(["--check", str(page)]) == 1
