"""A connection on which nobody asks anything is not kept."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_SECONDS = 20.0
"""How long the first request of a connection may take to come, up to the end of its headers."""


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """Speaks HTTP as uvicorn does, which waits for ever for a first request."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    cycle: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request, but not for ever."""
        super().connection_made(transport)
        self._patience = self.loop.call_later(HEAD_SECONDS, self._end_if_nothing_came)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._patience.cancel()
        super().connection_lost(exc)

    def _end_if_nothing_came(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()
