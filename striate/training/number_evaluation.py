"""How good a network is at numbers: how far its outputs are from the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, as_real_array
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.common.tables import columns, html_table
from striate.common.text import counted

QUANTILES = (0.5, 0.9, 0.95)
"""Of the errors' sizes, those that are told: half of the errors are below the first, and so on."""


@dataclass(frozen=True)
class NumberReport:
    """The figures of one number, in its own unit. An error is output - truth.

    Attributes:
        name: of the number.
        mean_absolute_error: the mean of the errors' sizes.
        root_mean_squared_error: the root of the mean of their squares.
        r2: 1 - (squared errors) / (squared deviations of the truth from its mean): 1 if all is
            right, 0 for one who always says the mean; None where all images have the same number.
        mean_error: above 0 where outputs are too large on the whole.
        deviation: the standard deviation of the truth, the root mean squared error of one who
            always says the mean.
        error_quantiles: the sizes of errors that half of the images stay within, 90 %, 95 %:
            (`QUANTILES`).
        largest_error: the size of the largest error.
    """

    name: str
    mean_absolute_error: float
    root_mean_squared_error: float
    r2: float | None
    mean_error: float
    deviation: float
    error_quantiles: tuple[float, ...]
    largest_error: float

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON-able values; quantiles by their share, as text."""
        quantiles = {f"{q:g}": v for q, v in zip(QUANTILES, self.error_quantiles, strict=True)}
        return {**vars(self), "error_quantiles": quantiles}


@short_repr
@dataclass(frozen=True, eq=False)
class NumberEvaluation:
    """A network's outputs compared with the true numbers of images. ``str()`` is a table.

    Attributes:
        images: how many there are.
        r2: the mean over the numbers; None if it is None for all of them.
        numbers: the figures of each number.
    """

    images: int
    r2: float | None
    numbers: tuple[NumberReport, ...]

    @classmethod
    @unwatched
    def from_outputs(
        cls, outputs: Array, truth: ArrayLike, names: Sequence[str] | None = None
    ) -> NumberEvaluation:
        """Compare outputs with the true numbers.

        Args:
            outputs: (images, numbers).
            truth: (images, numbers), or (images,) where there is one.
            names: of the numbers; by default their places.

        Raises:
            ValueError: there are no images, the shapes differ, or something is not finite.
        """
        outputs = as_real_array(outputs, "outputs").astype(np.float64)
        if outputs.ndim != 2:
            raise StriateValueError(f"outputs must be (images, numbers), got {outputs.shape}")
        values = as_numbers(truth, outputs.shape[1])
        if len(values) != len(outputs):
            raise StriateValueError(f"there are {len(outputs)} images but {len(values)} numbers")
        if len(values) == 0:
            raise StriateValueError("there are no images to evaluate on")
        if not np.isfinite(outputs).all():
            raise StriateValueError("the outputs hold NaN or infinity: the network has diverged")
        count = outputs.shape[1]
        names = [str(index) for index in range(count)] if names is None else list(names)
        if len(names) != count:
            raise StriateValueError(f"there are {len(names)} names for {count} numbers")
        reports = tuple(
            _report(str(name), outputs[:, i], values[:, i]) for i, name in enumerate(names)
        )
        known = [report.r2 for report in reports if report.r2 is not None]
        return cls(len(values), float(np.mean(known)) if known else None, reports)

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON-able values."""
        return {**vars(self), "numbers": [report.to_dict() for report in self.numbers]}

    def table(self) -> list[tuple[str, ...]]:
        """The figures of the numbers as cells of text, below a row of names."""
        shares = [f"{100 * share:g} % within" for share in QUANTILES]
        head = ("number", "mean error", "root mean square", "of deviation", "R²")
        rows = [(*head, *shares, "largest")]
        for report in self.numbers:
            figures = (
                report.mean_absolute_error,
                report.root_mean_squared_error,
                report.deviation,
            )
            cells = [f"{value:.4g}" for value in figures]
            r2 = "–" if report.r2 is None else f"{report.r2:.4f}"
            rest = [f"{value:.4g}" for value in (*report.error_quantiles, report.largest_error)]
            rows.append((report.name, *cells, r2, *rest))
        return rows

    def _brief(self) -> str:
        parts = [
            f"{report.name}: mean error {report.mean_absolute_error:.4g}"
            for report in self.numbers[:3]
        ]
        parts += ["…"] * (len(self.numbers) > 3)
        return ", ".join(
            [*parts, f"R² {'–' if self.r2 is None else f'{self.r2:.4f}'}",
             counted(self.images, "image")]
        )  # fmt: skip

    def __str__(self) -> str:
        return "\n".join([self._brief(), "", *columns(self.table())])

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._brief())}</p>{html_table(self.table())}"


@unwatched
def as_numbers(truth: ArrayLike, count: int) -> NDArray[np.float64]:
    """True numbers as float64 (images, count).

    Raises:
        ValueError: they are of another shape, or not finite.
    """
    values = as_real_array(truth, "numbers").astype(np.float64)
    if values.ndim == 1 and count == 1:
        values = values[:, None]
    if values.ndim != 2 or values.shape[1] != count:
        raise StriateValueError(
            f"the true numbers have the shape {values.shape}, but the network has {count} outputs"
        )
    if not np.isfinite(values).all():
        raise StriateValueError("the true numbers hold NaN or infinity")
    return values


def _report(name: str, outputs: NDArray[np.float64], truth: NDArray[np.float64]) -> NumberReport:
    errors = outputs - truth
    sizes = np.abs(errors)
    squares = float(np.square(errors).sum())
    spread = float(np.square(truth - truth.mean()).sum())
    constant = truth.min() == truth.max()
    return NumberReport(
        name,
        mean_absolute_error=float(sizes.mean()),
        root_mean_squared_error=float(np.sqrt(squares / len(truth))),
        r2=None if constant else 1 - squares / spread,
        mean_error=float(errors.mean()),
        deviation=0.0 if constant else float(np.sqrt(spread / len(truth))),
        error_quantiles=tuple(np.quantile(sizes, QUANTILES).tolist()),
        largest_error=float(sizes.max()),
    )
