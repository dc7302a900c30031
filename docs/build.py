"""Runs everything that the pages beside this file show.

    python docs/build.py [PAGE…]            write outputs and pictures anew
    python docs/build.py --check [PAGE…]    end with 1 and a list of what a page says wrongly

The blocks of a page are run from its top to its bottom, in one empty folder and one process:

- ```console: commands after `$ `, each followed by what it prints to standard output (and, if it
  fails, to standard error). A line `…` stands for any number of lines that are left out.
- ```python: what it prints stands in a ```text block right below. Names live on to the next block.
- ```toml and the like, below <!-- file: NAME -->: saved under that name.
- Pictures of the folder pictures/ are those that the blocks write under the same name.

Below <!-- times vary --> times, ratios, and of a line with times the memory at its end are not
compared, below <!-- output varies --> nothing that is printed. A block below <!-- not run: WHY -->
is not run. Every number of 10 and more that the text states
must stand in one of the page's blocks; <!-- unchecked: NUMBERS --> are those of which that is not
asked, and of none it is on a page of measurements with <!-- unchecked: all -->. Numbers below a
millionth are rounding errors, and equal to 0 and to one another. Pictures are compared closely
with the version of matplotlib that drew them, roughly with others.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^>]*?) -->\s*\n)?^```(?P<language>\w+)\n(?P<body>.*?)^```\n"
    r"(?P<output>\s*^```text\n(?P<shown>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
PICTURE = re.compile(r"!\[[^\]]*\]\(pictures/([^)]+)\)")
LEFT_OUT = "…"
# What drew the pictures that are there: other versions place and smooth letters differently.
DRAWN_WITH = "drawn-with.txt"
# Grey levels of 255 by which pictures of one version may differ anywhere, blurred over so many
# pixels; and those of different versions, as means of squares of so many pixels.
BLUR, LEVELS = 2, 12
SQUARE, LEVELS_OF_SQUARES = 48, 60


@dataclass
class Page:
    """A page while it is run.

    Attributes:
        path: of the page.
        wrong: what it says wrongly, in sentences.
        text: the page as it should be.
    """

    path: Path
    wrong: list[str] = field(default_factory=list)
    text: str = ""


def build(path: Path, made: Path) -> Page:
    """Run a page in the empty folder `made`, where its pictures then are."""
    page = Page(path)
    names: dict[str, object] = {"__name__": "__main__"}
    before = path.read_text("utf-8")

    def run(block: re.Match[str]) -> str:
        mark, language, body = block["mark"] or "", block["language"], block["body"]
        start = before[: block.start("language")].count("\n") + 1
        if mark.startswith("not run: "):
            return block[0]
        if mark.startswith("file: "):
            Path(mark.removeprefix("file: ")).write_text(body, "utf-8")
            return block[0]
        if language == "console":
            return block[0].replace(body, _console(page, start, body, mark))
        if language == "python":
            return _python(page, start, block, names)
        page.wrong.append(f"line {start}: nothing runs a block of {language}")
        return block[0]

    with contextlib.chdir(made), _plain_terminal():
        page.text = BLOCK.sub(run, before)
    page.wrong += _numbers_of_the_text(page.text)
    for name in PICTURE.findall(before):
        if not (made / name).is_file():
            page.wrong.append(f"pictures/{name}: nothing on the page makes it")
    return page


@contextlib.contextmanager
def _plain_terminal() -> Iterator[None]:
    """What is printed must not depend on who looks."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def _console(page: Page, line: int, body: str, mark: str) -> str:
    """The commands of a block, each with what it prints."""
    parts = []
    for part in re.split(r"(?m)^(?=\$ )", body):
        if not part.startswith("$ "):
            if part.strip():
                page.wrong.append(f"line {line}: a console block begins with a command")
            continue
        command, _, shown = part.partition("\n")
        printed = _command(page, f"line {line}: {command}", command[2:], shown)
        parts.append(f"{command}\n{_agreed(page, line, command, shown, printed, mark)}")
        line += part.count("\n")
    return "".join(parts)


def _command(page: Page, where: str, command: str, shown: str) -> str:
    """What a command prints."""
    from striate.cli.app import run

    name, *arguments = shlex.split(command)
    if name != "striate":
        page.wrong.append(f"{where}: only striate is run here")
        return shown
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    refused = "striate: " in shown
    if refused != (code != 0):
        page.wrong.append(f"{where}: ended with {code}\n{err.getvalue()}")
    return out.getvalue() + (err.getvalue() if code else "")


def _python(page: Page, line: int, block: re.Match[str], names: dict[str, object]) -> str:
    """A block of Python, with what it prints below it."""
    out = io.StringIO()
    # As many lines before it as the page has: a traceback then tells the page's lines.
    code = "\n" * line + block["body"]
    try:
        with contextlib.redirect_stdout(out), warnings.catch_warnings():
            warnings.simplefilter("error")
            exec(compile(code, page.path.name, "exec"), names)
    except Exception:
        page.wrong.append(f"line {line}: {traceback.format_exc()}")
        return block[0]
    shown, printed = block["shown"] or "", out.getvalue()
    right = _agreed(page, line, "the lines of Python", shown, printed, block["mark"] or "")
    whole = block[0] if block["output"] is None else block[0].removesuffix(block["output"])
    return whole + (f"\n```text\n{right}```\n" if right else "")


def _agreed(page: Page, line: int, what: str, shown: str, printed: str, mark: str) -> str:
    """What is shown if it is right, else what is printed."""
    printed = "".join(f"{row.rstrip()}\n" for row in printed.strip("\n").splitlines())
    at = first_wrong(shown.splitlines(), printed.splitlines(), mark == "times vary")
    if at is None or (mark == "output varies" and shown):
        return shown
    rows = shown.splitlines()
    said = f"the page says\n    {rows[at]}" if at < len(rows) else "the page ends too early"
    page.wrong.append(
        f"line {line}: {what}\n  {said}\n  and striate prints\n"
        + "".join(f"    {row}\n" for row in printed.splitlines()).rstrip("\n")
    )
    return printed


def first_wrong(shown: Sequence[str], printed: Sequence[str], varying: bool = False) -> int | None:
    """The first line of what is shown that was not printed there; None if all is right."""
    at = 0
    anywhere = False
    for number, row in enumerate(shown):
        if row == LEFT_OUT:
            anywhere = True
            continue
        if anywhere:
            while at < len(printed) and not same(row, printed[at], varying):
                at += 1
        if at >= len(printed) or not same(row, printed[at], varying):
            return number
        at, anywhere = at + 1, False
    return None if anywhere or at == len(printed) else len(shown)


def same(shown: str, printed: str, varying: bool = False) -> bool:
    """Whether a line is right: all numbers equal, save rounding errors and, if asked, times."""
    if varying:
        shown, printed = _without_times(shown), _without_times(printed)
    pieces = NUMBER.split(" ".join(shown.split()))
    if pieces != NUMBER.split(" ".join(printed.split())):
        return False
    return all(
        a == b or (max(map(_value, (a, b))) < 1e-6)
        for a, b in zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True)
    )


def _without_times(row: str) -> str:
    if " ms" in row:
        row = re.sub(r"[\d.,]+ [KMG]?i?B( +[\d.,]+ ×)?$", LEFT_OUT, row.rstrip())
    return re.sub(r"[\d.,]+ (ms|s|×)(?=\s|$)", LEFT_OUT, row)


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def _numbers_of_the_text(text: str) -> list[str]:
    """What the text states and no block shows."""
    if "<!-- unchecked: all -->" in text:
        return []
    blocks = "".join(block[0] for block in BLOCK.finditer(text))
    proven = {_value(number) for number in NUMBER.findall(blocks)}
    for listed in re.findall(r"<!-- unchecked: (.*?) -->", text, re.DOTALL):
        proven |= {_value(number) for number in NUMBER.findall(listed)}
    prose = re.sub(r"<!--.*?-->", "", BLOCK.sub("", text), flags=re.DOTALL)
    prose = re.sub(r"\]\([^)]*\)", "]", prose)  # addresses
    stated = (number.rstrip(",") for number in NUMBER.findall(prose))
    return [
        f"{number}: the text states it, and no block of the page shows it"
        for number in dict.fromkeys(stated)
        if not number.startswith("00") and _value(number) >= 10 and _value(number) not in proven
    ]


def picture_differs(shown: Path, made: Path, one_version: bool = True) -> str:
    """How two pictures differ; "" if they look alike."""
    import numpy as np
    from PIL import Image, ImageFilter

    if not shown.is_file():
        return "is not there"
    with Image.open(shown) as one, Image.open(made) as other:
        sizes = one.size, other.size
        if max(abs(a - b) for a, b in zip(*sizes, strict=True)) > 4:
            return "is {}×{} pixels, and is made with {}×{}".format(*sizes[0], *sizes[1])
        size = tuple(map(min, *sizes))
        cropped = [picture.convert("RGB").crop((0, 0, *size)) for picture in (one, other)]
    if cropped[0].tobytes() == cropped[1].tobytes():
        return ""
    if one_version:
        scale, limit = 1, LEVELS
        even = [picture.filter(ImageFilter.GaussianBlur(BLUR)) for picture in cropped]
    else:
        scale, limit = SQUARE, LEVELS_OF_SQUARES
        squares = [max(side // SQUARE, 1) for side in size]
        even = [picture.resize(squares, Image.Resampling.BOX) for picture in cropped]
    apart = np.abs(np.asarray(even[0], np.float32) - np.asarray(even[1], np.float32)).max(-1)
    row, column = map(int, np.unravel_index(apart.argmax(), apart.shape))
    if apart[row, column] <= limit:
        return ""
    where = f"{scale * column}, {scale * row}"
    return f"differs from what is made by {apart[row, column]:.0f} of 255 at {where}"


def version() -> str:
    """Of what draws the pictures."""
    import matplotlib

    return "matplotlib " + ".".join(matplotlib.__version__.split(".")[:2])


def write(path: Path, check: bool, drawn_with: str) -> bool:
    """Write or check a page and its pictures; whether all was right."""
    pictures = path.parent / "pictures"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        page = build(path, made)
        for name in dict.fromkeys(PICTURE.findall(page.text)):
            if not (made / name).is_file():
                continue
            one_version = version() == drawn_with
            differs = picture_differs(pictures / name, made / name, one_version)
            if differs:
                page.wrong.append(f"pictures/{name} {differs}")
            if not check and (differs or not one_version):
                shutil.copyfile(made / name, pictures / name)
    if not check and page.text != path.read_text("utf-8"):
        path.write_text(page.text, "utf-8")
    print(f"{path.name}: " + (f"{len(page.wrong)} wrong" if page.wrong else "right"))
    for sentence in page.wrong:
        print(f"{path.name}, {sentence}")
    return not page.wrong


def main(arguments: Sequence[str]) -> int:
    """Write or check the pages that are named, or all."""
    check = "--check" in arguments
    named = [Path(name).resolve() for name in arguments if name != "--check"]
    note = (named[0].parent if named else FOLDER) / "pictures" / DRAWN_WITH
    drawn_with = note.read_text("utf-8").strip() if note.is_file() else ""
    if named and not check and drawn_with not in ("", version()):
        print(f"The pictures are of {drawn_with}, and this is {version()}: write all pages.")
        return 1
    right = [write(path, check, drawn_with) for path in named or sorted(FOLDER.glob("*.md"))]
    if not check:
        note.write_text(version() + "\n", "utf-8")
    return 1 if check and not all(right) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
