"""Waiting in tests of the lab's page."""

from __future__ import annotations

import time
from typing import Any


def until(page: Any, condition: str, seconds: float = 20) -> None:
    """Wait until something holds in the page: its policy forbids Playwright's own way."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"{condition} did not come true"
        page.wait_for_timeout(20)


def settle(page: Any) -> None:
    """Wait until what was changed is drawn."""
    page.evaluate("new Promise((ok) => requestAnimationFrame(() => requestAnimationFrame(ok)))")
