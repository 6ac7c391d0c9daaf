"""Who may come in: by key, at what rate, and from which sites."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from gsrec.serving.errors import ApiError
from gsrec.serving.keys import KeyRing
from gsrec.serving.settings import is_loopback

CALLER = "caller"
"""Where in a request's scope it is said who asks."""

BEHIND_KEYS = ("/v1/", "/metrics")

SEND_KEY = "send one as the header `Authorization: Bearer KEY`."


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        owner: whom sessions belong to: the key's name; empty where the server has no keys.
        is_admin: whether they may load bundles again.
    """

    owner: str
    is_admin: bool


class RateLimits:
    """A token bucket for every owner: full at first, it fills at the rate, and each request takes one."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow so many requests a minute; `clock` gives seconds."""
        self._most, self._clock = float(per_minute), clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, owner: str) -> float:
        """Take a token; gives 0, or the seconds to wait where there is none."""
        now = self._clock()
        left, then = self._buckets.get(owner, (self._most, now))
        left = min(self._most, left + (now - then) * self._most / 60)
        self._buckets[owner] = (left - 1 if left >= 1 else left, now)
        return 0.0 if left >= 1 else (1 - left) * 60 / self._most


class Gate:
    """Lets requests in: with a key where the server has keys, else only from this machine's own pages and programs."""

    def __init__(self, app: ASGIApp, *, keys: Callable[[], KeyRing | None], limits: RateLimits | None) -> None:
        """Stand before an app; `keys` gives those that are valid now."""
        self._app, self._keys, self._limits = app, keys, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it with what is missing."""
        if scope["type"] == "http":
            try:
                self._check(scope)
            except ApiError as error:
                await error.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        keys, headers = self._keys(), dict(scope["headers"])
        if keys is None:
            _check_site(headers)
        if not scope["path"].startswith(BEHIND_KEYS):
            return
        caller = Caller("", is_admin=True) if keys is None else _caller(keys, headers)
        scope[CALLER] = caller
        if self._limits is not None and (wait := self._limits.take(caller.owner)):
            seconds = math.ceil(wait)
            told = f"too many requests: try again in {seconds} s."
            raise ApiError(429, "too_many_requests", told, headers={"Retry-After": str(seconds)})


def _caller(keys: KeyRing, headers: Mapping[bytes, bytes]) -> Caller:
    scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
    key = key.strip() if scheme.lower() == b"bearer" else headers.get(b"x-api-key", b"")
    entry = keys.find(key) if key else None
    if entry is None:
        told = "this is no key of this server" if key else "this needs a key of this server"
        raise ApiError(401, "unauthorized", f"{told}: {SEND_KEY}", headers={"WWW-Authenticate": "Bearer"})
    return Caller(entry.name, entry.admin)


def _check_site(headers: Mapping[bytes, bytes]) -> None:
    """Without keys, keep out pages of other sites that a browser on this machine has open.

    A page can point a name of its own at 127.0.0.1, or send what it cannot read the answer of.
    """
    if not _is_own_name(headers.get(b"host", b"localhost")):
        told = "without keys this server answers to the names of this machine alone: ask http://127.0.0.1."
        raise ApiError(403, "wrong_host", told)
    origin = headers.get(b"origin", b"")
    is_own = not origin or origin.partition(b"//")[2] == headers.get(b"host")
    if not is_own or headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
        raise ApiError(403, "other_site", "without keys this server answers no pages of other sites.")


@lru_cache(maxsize=64)
def _is_own_name(host: bytes) -> bool:
    """Whether what a request calls the server, with or without a port, is a name of this machine."""
    try:
        return is_loopback(urlsplit(f"//{host.decode('latin-1')}").hostname or "")
    except ValueError:
        return False
