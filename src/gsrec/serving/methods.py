"""The methods of HTTP that paths take."""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

METHODS = ("DELETE", "GET", "POST")
"""Those that some path takes."""


class HeadAsGet:
    """Answers HEAD as GET, which it also counts as; what runs the app leaves out the body."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before an app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request."""
        if scope.get("method") == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)


def methods_of(request: Request) -> str:
    """All methods that the path of a request takes, as the header `Allow` has them."""
    taken = [method for method in METHODS if _takes(request, method)]
    return ", ".join([*taken, "HEAD"] if "GET" in taken else taken)


def _takes(request: Request, method: str) -> bool:
    asked = {**request.scope, "method": method}
    return any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)
