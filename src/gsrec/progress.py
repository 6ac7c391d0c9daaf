"""How far long work has come."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Told how much is done, of bytes, targets or users, and of how much in all; None where nobody knows."""
