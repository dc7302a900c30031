"""`Recording`: a signal as all sources give it, with what is needed to write it as it came."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr


class RecordingError(StriateValueError):
    """A signal that cannot be read or written: one sentence that says what, where and why."""


@short_repr
@dataclass(frozen=True, eq=False)
class Recording:
    """A signal, with what is needed to write it as it came.

    Attributes:
        values: (samples,), (samples, channels), or with `grid` any shape that a .npy file or typed
            rows gave. Samples of integer WAV files are signed and of the file's own range, such as
            -128…127 for 8 bits and -8,388,608…8,388,607 for 24.
        name: where it is from, for people.
        rate: samples a second, if known.
        coding: of a WAV file "8-bit", "16-bit", "24-bit", "32-bit", "64-bit", "float32" or
            "float64".
        columns: the names of the channels, if the file has a row of names.
        grid: True if the axes of `values` are equal, as those of a matrix, and the last one is not
            a row of channels.
    """

    values: Array
    name: str
    rate: int | None = None
    coding: str | None = None
    columns: tuple[str, ...] = ()
    grid: bool = False

    @property
    def channels(self) -> int:
        """How many signals lie beside each other."""
        return int(self.values.shape[1]) if self.values.ndim == 2 and not self.grid else 1

    def channel_names(self) -> list[str]:
        """What to call the channels: their columns, left and right, or numbers from 1."""
        if len(self.columns) == self.channels:
            return list(self.columns)
        if self.coding and self.channels == 2:
            return ["left", "right"]
        return [str(number) for number in range(1, self.channels + 1)]

    def channel(self, which: str) -> Recording:
        """The one channel of this name, or of this number counted from 1.

        Raises:
            RecordingError: there is no such channel.
        """
        names = self.channel_names()
        if which in names:
            index = names.index(which)
        elif which.isdecimal() and 1 <= int(which) <= self.channels and not self.grid:
            index = int(which) - 1
        else:
            raise RecordingError(
                f"{self.name}: there is no column {which!r}; there are {', '.join(names[:20])}"
            )
        values = self.values if self.values.ndim == 1 else self.values[:, index]
        return replace(self, values=values, columns=self.columns[index : index + 1])


def check_finite(values: Array, name: str) -> None:
    """Refuse NaN and infinity, which a convolution would spread, and say where the first is."""
    if values.dtype.kind not in "fc":
        return
    wrong = ~np.isfinite(values)
    if wrong.any():
        place = tuple(int(i[0]) for i in np.nonzero(wrong))
        where = place[0] if len(place) == 1 else place
        raise RecordingError(
            f"{name}: value {where} (counted from 0) is {values[place]}, which would spread over "
            "its neighbours; replace or remove it"
        )
