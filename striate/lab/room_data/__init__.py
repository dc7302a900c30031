"""What Python gives each room of the lab."""

from __future__ import annotations
