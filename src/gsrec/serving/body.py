"""How much a request may hold."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gsrec.serving.errors import ApiError

MAX_BODY = 256 * 1024
"""Bytes of a request's body: room for as many ids as a list of them may have, of up to 20 characters or so."""

BODY_SECONDS = 20.0
"""How long a body may take to come."""


class BodyLimit:
    """Reads a body before the app does, no more than allowed, whether its length was told or it comes in chunks."""

    def __init__(self, app: ASGIApp, *, seconds: float = BODY_SECONDS) -> None:
        """Stand before an app."""
        self._app, self._seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request with the whole of its body, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await self._body(scope, receive)
        except ApiError as error:
            await error.response()(scope, receive, send)
            return
        except ClientDisconnect:
            return
        await self._app(scope, _given(body, receive), send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        headers = dict(scope["headers"])
        told = headers.get(b"content-length", b"")
        if told.isdigit() and int(told) > MAX_BODY:
            raise _too_large()
        try:
            async with asyncio.timeout(self._seconds):
                body = await _read(receive)
        except TimeoutError:
            told = f"the body did not come within {self._seconds:.0f} s. Send it again."
            raise ApiError(408, "too_slow", told, where="body") from None
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if body and kind != b"application/json":
            told = "the body must be JSON: send the header `Content-Type: application/json`."
            raise ApiError(415, "no_json", told)
        return body


async def _read(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise _too_large()
        if not message.get("more_body", False):
            return body


def _too_large() -> ApiError:
    told = f"a body holds at most {MAX_BODY:,} bytes. Send less, or several requests."
    return ApiError(413, "too_large", told, where="body")


def _given(body: bytes, receive: Receive) -> Receive:
    """Gives the body once, then whatever comes."""
    left = [body]

    async def receive_again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return receive_again
