"""What is freed goes back to the system, where the C library can."""

from __future__ import annotations

import sys

import pytest
import torch

from gsrec.training import memory
from gsrec.training.memory import give_back


def resident() -> int:
    """Bytes of this process that are in memory."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_what_is_freed_in_pieces_is_given_back() -> None:
    held = [torch.ones(20_000) for _ in range(2_000)]  # 160 MB, in pieces that are too small to be mapped by themselves
    kept = held[::20]
    del held
    before = resident()
    give_back()
    assert resident() < before - 100_000_000
    assert len(kept) == 100


def test_where_the_library_cannot_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    memory._trim.cache_clear()
    monkeypatch.setattr(sys, "platform", "darwin")
    give_back()
    assert memory._trim() is None
    memory._trim.cache_clear()
