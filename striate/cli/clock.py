"""The time at which the process started."""

import time

STARTED = time.perf_counter()
"""Taken when the package of the command is imported; the "seconds" of results count from it."""
