"""What is seen of every request: its answer counted, mistakes written down, and the headers that every answer has."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gsrec.serving.errors import UNEXPECTED
from gsrec.serving.events import ROUTE
from gsrec.serving.logs import log
from gsrec.serving.metrics import Metrics

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The page may use what this server gives, and nothing else."""

HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)

METHODS = frozenset({"GET", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"})
SLOW_SECONDS = 2.0


class Observer:
    """Stands before everything else."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        """Count into these metrics."""
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request, and see what becomes of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin, status = time.perf_counter(), 0

        async def send_more(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        try:
            await self._app(scope, receive, send_more)
        except Exception as error:  # the client is told that there was a mistake, the log which
            log("mistake", level=logging.ERROR, error=error, route=_route(scope))
            if not status:
                await UNEXPECTED.response()(scope, receive, send_more)
        self._count(scope, status, time.perf_counter() - begin)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.request(_route(scope), method, status, seconds)
        if seconds > SLOW_SECONDS:
            log("slow", level=logging.WARNING, route=_route(scope), seconds=round(seconds, 3))


def _route(scope: Scope) -> str:
    """The pattern of the path, without what stands in its places."""
    return str(scope.get(ROUTE) or getattr(scope.get("route"), "path", "none"))
