"""When the process started."""

import time

STARTED = time.perf_counter()
"""The closest to the start of the process that a module of ours can be: "seconds" count from it."""
