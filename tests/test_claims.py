"""docs/claims.md: each claim of the four articles, where it is shown, and the lab's address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.lab.node_functions import called, needs_node

DOCS = Path(__file__).parents[1] / "docs"
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+?) \| `(#.+?)` \|$", re.MULTILINE)
LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)(?:#([^)\s]+))?\)")
NUMBER = re.compile(r"(?<![\w.])-?\d{1,3}(?:,\d{3})+(?!\d)|(?<![\w.])-?\d+(?:\.\d+)?")
CANONICAL = str(Path(__file__).with_name("lab") / "canonical_address.mjs")


@dataclass(frozen=True)
class Claim:
    """A row of the page."""

    number: int
    said: str
    links: list[tuple[str, str]]
    address: str

    @property
    def section(self) -> str:
        """The text of all parts that the row names."""
        return "\n".join(section(page, anchor) for page, anchor in self.links if page[-3:] == ".md")


def claims() -> Iterator[Claim]:
    for number, said, shown, address in ROW.findall((DOCS / "claims.md").read_text("utf-8")):
        yield Claim(int(number), said, LINK.findall(shown), address)


CLAIMS = list(claims())


def anchor_of(heading: str) -> str:
    """As GitHub and mkdocs make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def section(page: str, anchor: str) -> str:
    """From a heading to the next one of its level, or the whole page."""
    text = (DOCS / page).read_text("utf-8")
    if not anchor:
        return text
    within, level, kept = False, 0, []
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        heading = None if fenced else re.match(r"(#+) (.*)", line)
        if heading and within and len(heading[1]) <= level:
            break
        if heading and anchor_of(heading[2]) == anchor:
            within, level = True, len(heading[1])
        if within:
            kept.append(line)
    assert kept, f"{page} has no part {anchor!r}"
    return "\n".join(kept)


def numbers_of(text: str) -> list[str]:
    return NUMBER.findall(text.replace("−", "-"))


def stated_by(said: str) -> list[str]:
    """The numbers of a claim, without those of figures and the indices of names."""
    return numbers_of(re.sub(r"Figures? \d+|\(\d, ?\d\)|\b[a-zA-Z]\w*\d\w*\b", "", said))


def stands(number: str, text: str) -> bool:
    """Whether it stands there, perhaps with more decimals."""
    decimals = len(number.partition(".")[2])
    return any(
        one == number
        or (decimals and round(float(one.replace(",", "")), decimals) == float(number))
        for one in numbers_of(text)
    )


def test_all_claims_are_there() -> None:
    assert [claim.number for claim in CLAIMS] == list(range(1, 108))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: str(claim.number))
def test_its_numbers_and_pictures_are_where_it_says(claim: Claim) -> None:
    assert claim.section
    missing = [one for one in stated_by(claim.said) if not stands(one, claim.section)]
    assert not missing
    for picture, _ in claim.links:
        if picture.startswith("pictures/"):
            assert (DOCS / picture).is_file() and f"({picture})" in claim.section


@needs_node
def test_the_lab_knows_the_addresses() -> None:
    """Each is what the lab itself writes, so that nothing in it is unknown or said in vain."""

    def parts(address: str) -> tuple[str, dict[str, list[str]]]:
        room, _, query = address.partition("?")
        return room, parse_qs(query, keep_blank_values=True)

    found = called(CANONICAL, "canonical", [[claim.address] for claim in CLAIMS])
    for claim, address in zip(CLAIMS, found, strict=True):
        assert address is not None, claim.address
        assert parts(address) == parts(claim.address), claim.address
