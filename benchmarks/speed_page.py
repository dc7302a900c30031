"""The page docs/speed.md, from results of the suite: what stands between its marks.

Everything from ``<!-- speed: NAME -->`` to ``<!-- speed: end -->`` is replaced by the block of that
name, so that no number is copied by hand; what is said around the blocks is written by people.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from report import (
    ALLOWED,
    OURS,
    Results,
    Row,
    batch_of,
    geometric_mean,
    number,
    versions_of,
)

_BLOCK = re.compile(r"(<!-- speed: (?!end)([a-z]+) -->\n).*?(<!-- speed: end -->)", re.DOTALL)


def rewritten(text: str, results: Results) -> str:
    """The page with all blocks as these results give them.

    Raises ValueError for a block that nobody knows, and if there is none.
    """
    blocks = {
        "machine": machine,
        "training": training,
        "inference": inference,
        "layers": layers,
        "memory": memory,
        "growth": growth,
        "losses": losses,
    }
    found = [name for _, name, _ in _BLOCK.findall(text)]
    if unknown := set(found) - set(blocks):
        raise ValueError(f"no speed block {sorted(unknown)}: there are {', '.join(blocks)}")
    if not found:
        raise ValueError("the page has no <!-- speed: NAME --> … <!-- speed: end -->")
    return _BLOCK.sub(lambda m: f"{m[1]}\n{wrapped(blocks[m[2]](results))}\n\n{m[3]}", text)


def machine(results: Results) -> str:
    """When, where, and with what."""
    return (
        f"Medians on {results.threads} cores of an {results.processor}, {results.date}, float32; "
        f"multiply-add peak {results.peak_gflops:.0f} GFLOP/s, copying "
        f"{results.bandwidth_gb:.0f} GB/s. Peers: {versions_of(results)}; memory that they free is "
        f"{results.freed_memory} by the allocator."
    )


def training(results: Results) -> str:
    """A line for each network and batch."""
    rows = _rows(results, "training")
    lines = [
        f"| {name} | {batch} | {number(row.values[OURS])}{' W' * row.winograd} | {_peer(row)} "
        f"| {_ratio(row)} |"
        for row, name, batch in _batches(rows)
    ]
    return "\n".join(
        ["| network | batch | striate, ms | fastest peer, ms | |", "|---|---|---|---|---|", *lines]
    )


def inference(results: Results) -> str:
    """A line for each network, with the time and the ratio at each batch size."""
    rows = _rows(results, "inference")
    sizes = list(dict.fromkeys(batch for _, _, batch in _batches(rows)))
    networks: dict[str, dict[str, Row]] = {}
    for row, name, batch in _batches(rows):
        networks.setdefault(name, {})[batch] = row
    heads = [f"{size} image{'s' * (size != '1')}, ms | " for size in sizes]
    lines = [f"| network | {'| '.join(heads)}|", "|---" * (1 + 2 * len(sizes)) + "|"]
    for name, found in networks.items():
        cells = [
            f"{number(found[size].values[OURS])} | {_ratio(found[size])}"
            if size in found
            else " | "
            for size in sizes
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def layers(results: Results) -> str:
    """The mean of each pass, and between what the ratios lie."""
    lines = [
        "| pass | shapes | geometric mean | least | most | slower than the peer |",
        "|---|---|---|---|---|---|",
    ]
    for name, rows in results.sections().get("layers", {}).items():
        ratios = [row.ratio for row in rows if row.ratio is not None]
        lines.append(
            f"| {name} | {len(ratios)} | {_times(geometric_mean(rows))} | {_times(min(ratios))} "
            f"| {_times(max(ratios))} | {sum(row.lost for row in rows) or 'none'} |"
        )
    return "\n".join(lines)


def memory(results: Results) -> str:
    """Peaks of whole processes."""
    rows = [row for row in _rows(results, "memory") if row.group == "whole process"]
    lines = [
        f"| {row.name} | {number(row.values[OURS])} | {_peer(row)} | {_ratio(row)} |"
        for row in rows
    ]
    return "\n".join(["| network | striate, MB | PyTorch, MB | |", "|---|---|---|---|", *lines])


def growth(results: Results) -> str:
    """How cost grows, a line for each cost; and how long compiling takes."""
    lines = ["| | measured | allowed |", "|---|---|---|"]
    for groups in (results.sections().get(section, {}) for section in _OWN_LIMITS):
        for group, rows in groups.items():
            held = [row for row in rows if ALLOWED in row.values]
            for some in [held] if group else [[row] for row in held]:
                lines.append(_measured(group, some))
    return "\n".join(lines)


def _measured(group: str, rows: list[Row]) -> str:
    """One row, or several that are held to the same number."""
    if not group:
        (row,) = rows
        group, named = row.name, [(_of(row, OURS), row)]
    else:
        named = [(f"{row.name}: {_of(row, OURS)}", row) for row in rows]
    each = ", ".join(text + " **missed**" * row.missed for text, row in named)
    return f"| {group} | {each} | {_of(rows[0], ALLOWED)} |"


def _of(row: Row, who: str) -> str:
    return f"{number(row.values[who])} {row.unit}"


def losses(results: Results) -> str:
    """Every row in which a peer is ahead, every mean, and every row that failed."""
    against = [row for row in results.rows if row.section not in _OWN_LIMITS]
    lost: dict[str, list[str]] = {}
    for row in against:
        if row.lost:
            which = f"{row.group} " * bool(row.group)
            lost.setdefault(row.name, []).append(f"{which}{_times(row.ratio)}")
    count = sum(map(len, lost.values()))
    told = f"A peer is ahead in {count} of {len(against)} rows" if lost else "No row is lost"
    each = "; ".join(f"{name}: {', '.join(ratios)}" for name, ratios in lost.items())
    failed = "; ".join(f"{row.name} ({row.failed})" for row in results.rows if row.failed)
    ending = f" Not measured: {failed}." if failed else ""
    layered = any(row.lost and row.section == "layers" for row in against)
    legend = " (of layers: images, channels in → out @ size, filter/stride/padding)" * layered
    return f"{told}{legend}{': ' * bool(lost)}{each}.{ending}"


# Sections whose rows are held to a number, not to a peer.
_OWN_LIMITS = ("scaling", "compile")


def wrapped(text: str, width: int = 100) -> str:
    """Prose in lines of at most so many characters; tables as they are."""
    if text.startswith("|"):
        return text
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])


def _rows(results: Results, section: str) -> list[Row]:
    return [row for row in results.rows if row.section == section and row.values]


def _batches(rows: list[Row]) -> Iterator[tuple[Row, str, str]]:
    """Rows with the names of their networks and their batch sizes."""
    for row in rows:
        yield (row, *batch_of(row))


def _lost(row: Row) -> str:
    group = f" {row.group}" if row.group else ""
    return f"{row.name}{group} {_times(row.ratio)}"


def _peer(row: Row) -> str:
    return f"{number(row.values[row.fastest])} {row.fastest}" if row.fastest else ""


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return ""
    return f"**{_times(row.ratio)}**" if row.lost else _times(row.ratio)


def _times(ratio: float | None) -> str:
    """One digit behind the point, or two near 1, where they decide who is ahead."""
    if ratio is None:
        return ""
    return f"{ratio:.{2 if ratio < 1.1 else 1 if ratio < 10 else 0}f} ×"
