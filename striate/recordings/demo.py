"""Demonstration signals, the same at each call."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from striate.recordings.recording import Recording, RecordingError

DEMOS = {
    "article": "the ten numbers of article 001: 10, 9, 10, 9, 10, 1, 10, 9, 10, 8",
    "noisy-sine": "300 samples of a sine wave with noise, as in article 001",
    "recording": "four notes at 16,000 samples a second, 16-bit, under hiss and clicks",
}
"""The names of the signals and what they are."""

RATE = 16_000
_NOTES = (130.81, 164.81, 196.0, 261.63)  # hertz: C, E, G and the next C
_SECONDS = 0.5  # of each note


def demo(name: str) -> Recording:
    """Return a signal of DEMOS.

    Raises:
        RecordingError: there is no such signal.
    """
    if name == "article":
        return Recording(np.array([10, 9, 10, 9, 10, 1, 10, 9, 10, 8]), name)
    if name == "noisy-sine":
        return Recording(clean_sine() + np.random.default_rng(1).normal(0, 0.3, 300), name)
    if name == "recording":
        return Recording(_noisy(clean_notes()), name, rate=RATE, coding="16-bit")
    raise RecordingError(f'there is no signal "{name}"; there are {", ".join(DEMOS)}')


def clean_sine() -> npt.NDArray[np.float64]:
    """The sine below the noise: three periods in 300 samples."""
    return np.asarray(np.sin(np.arange(300) * (2 * np.pi / 100)))


def clean_notes() -> npt.NDArray[np.float64]:
    """The notes below the noise, -1…1: each swells in a hundredth of a second and dies away."""
    time = np.arange(int(RATE * _SECONDS)) / RATE
    swell = np.minimum(time / 0.01, 1) * np.exp(-3 * time)
    return np.concatenate([0.45 * swell * np.sin(2 * np.pi * note * time) for note in _NOTES])


def _noisy(clean: npt.NDArray[np.float64]) -> npt.NDArray[np.int16]:
    """The sound with white hiss and forty clicks of a few samples, in 16 bits."""
    rng = np.random.default_rng(1)
    noisy = clean + rng.normal(0, 0.07, clean.size)
    for place in rng.integers(0, clean.size - 2, 40):
        noisy[place : place + 2] += rng.choice([-0.5, 0.5])
    return np.asarray(np.rint(np.clip(noisy, -1, 1) * 32767), np.int16)
