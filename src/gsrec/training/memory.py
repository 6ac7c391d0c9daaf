"""Memory that was freed and is still held: glibc keeps it in pieces that batches of other shapes do not fit into."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache

STEPS_BETWEEN = 16
"""Steps between two times that memory is given back: less than a hundredth of their time, and the pieces stay few."""


def give_back() -> None:
    """Give freed memory back to the system, where the C library can (glibc); without it a training grows for hours."""
    if trim := _trim():
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found
