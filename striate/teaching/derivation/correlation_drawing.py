"""Figure 9 of the article: a pixel of a photograph, one near it and one far from it."""

from __future__ import annotations

from typing import Any

from striate.teaching.derivation.neighbour_correlation import NeighbourCorrelation


def draw_correlation(figure: Any, found: NeighbourCorrelation) -> None:
    """The picture with three pixels marked, pairs of near and far pixels, and the correlation at
    each distance in both directions.
    """
    picture, pairs, curve = figure.subplots(1, 3, width_ratios=(1, 1, 1.1))
    gray, (height, width) = found.pixels, found.pixels.shape
    picture.imshow(gray, cmap="gray")
    row, column = height // 3, width // 3
    far = max((d for d in found.apart if d < width - column), default=1)
    marks = (("a pixel", 0, "#d62728"), ("1 apart", 1, "#2ca02c"), (f"{far} apart", far, "#1f77b4"))
    for size, (name, apart, colour) in zip((11, 6, 8), marks, strict=True):
        picture.plot(
            column + apart, row, "o", ms=size, mfc="none" if size == 11 else colour, mec=colour,
            mew=2, label=name,
        )  # fmt: skip
    picture.legend(fontsize=7, loc="lower left")
    picture.set_xticks([])
    picture.set_yticks([])
    picture.set_title(f"{height}×{width} pixels", fontsize=9)
    step = max(gray.size // 3000, 1)
    for apart, colour in ((far, "#1f77b4"), (1, "#2ca02c")):
        one, other = gray[:, :-apart].ravel()[::step], gray[:, apart:].ravel()[::step]
        pairs.plot(one, other, ".", ms=2, color=colour, alpha=0.5, label=f"{apart} apart")
    pairs.set_xlabel("a pixel", fontsize=8)
    pairs.set_ylabel("the other, to its right", fontsize=8)
    pairs.legend(fontsize=7, loc="upper left", markerscale=4)
    pairs.tick_params(labelsize=7)
    curve.plot(found.apart, found.across, "o-", label="columns apart")
    curve.plot(found.apart, found.down, "s--", label="rows apart")
    curve.set_xscale("log")
    curve.set_xticks(found.apart, [str(d) for d in found.apart])
    curve.minorticks_off()
    curve.axhline(0, color="0.7", lw=0.8)
    curve.set_xlabel("pixels apart", fontsize=8)
    curve.set_title("correlation", fontsize=9)
    curve.tick_params(labelsize=7)
    curve.legend(fontsize=7)
