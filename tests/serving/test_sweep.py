"""While a server runs, sessions whose time is over are forgotten."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from gsrec.data.times import SECONDS_A_DAY
from gsrec.serving.errors import StoreError
from gsrec.serving.service import Service
from gsrec.serving.settings import Settings
from gsrec.serving.store import SessionKey


def test_idle_sessions_are_swept(shop: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gsrec.serving")
    monkeypatch.setattr("gsrec.serving.service.SWEEP_SECONDS", 0.001)
    service = Service(Settings((shop,), session_days=1.0))
    old, recent = SessionKey("", "old"), SessionKey("", "recent")
    now = 1e9
    service.store.append([(old, [1])], now - 2 * SECONDS_A_DAY)
    service.store.append([(recent, [1])], now)
    monkeypatch.setattr("gsrec.serving.service.time.time", lambda: now)
    expire, failures = service.store.expire, [StoreError("not now")]

    def sometimes(moment: float) -> int:
        if failures:
            raise failures.pop()
        return expire(moment)

    monkeypatch.setattr(service.store, "expire", sometimes)

    async def run() -> None:
        sweeping = asyncio.create_task(service.sweep())
        for _ in range(500):
            await asyncio.sleep(0.01)
            if "sessions expired" in caplog.messages:
                break
        sweeping.cancel()
        assert service.store.read(old, now - 2 * SECONDS_A_DAY) is None
        assert service.store.read(recent, now) is not None
        await service.close()

    asyncio.run(run())
    assert caplog.messages == ["sweep failed", "sessions expired"]
