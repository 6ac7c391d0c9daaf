"""Sessions in Redis (extra `redis`), so that several servers can share them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gsrec.data.vocabulary import ItemId
from gsrec.errors import ConfigError
from gsrec.extras import needed
from gsrec.serving.errors import StoreError
from gsrec.serving.store import SessionKey, StoredSession


class RedisStore:
    """Sessions as lists in Redis, which itself forgets those without events for too long.

    How much an acknowledged event outlives is what Redis is set to: with `appendfsync always` everything, by default
    the end of its process but for the last second.
    """

    def __init__(self, client: Any, *, idle_seconds: float) -> None:
        """Use a client of the `redis` package."""
        self._client = client
        self._milliseconds = max(1, int(idle_seconds * 1_000))

    def append(self, events: Sequence[tuple[SessionKey, Sequence[ItemId]]], now: float) -> list[int]:
        """Add events to sessions in one round trip; gives how many events each has now."""
        with _refusing():
            pipeline = self._client.pipeline(transaction=True)
            for key, item_ids in events:
                pipeline.rpush(_name(key), *map(json.dumps, item_ids))
                pipeline.pexpire(_name(key), self._milliseconds)
            return [int(total) for total in pipeline.execute()[::2]]

    def read(self, key: SessionKey, now: float) -> StoredSession | None:
        """A session, if it is still there."""
        with _refusing():
            pipeline = self._client.pipeline(transaction=True)
            rows, left = pipeline.lrange(_name(key), 0, -1).pttl(_name(key)).execute()
        if not rows:
            return None
        return StoredSession(tuple(map(json.loads, rows)), now - (self._milliseconds - left) / 1_000)

    def delete(self, key: SessionKey) -> bool:
        """Forget a session; whether there was one."""
        with _refusing():
            return bool(self._client.delete(_name(key)))

    def expire(self, now: float) -> int:
        """Redis does this by itself."""
        return 0

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def open_redis(address: str, *, idle_seconds: float) -> RedisStore:
    """The store at a `redis://` address.

    Raises:
        MissingExtraError: if redis is not installed.
        ConfigError: if nobody answers there.
    """
    redis = needed("redis")
    try:
        client = redis.Redis.from_url(address, socket_timeout=5.0, socket_connect_timeout=5.0)
        client.ping()
    except ValueError:  # whose message repeats parts of the address, and so perhaps of its password
        told = "expected redis://[:PASSWORD@]HOST[:PORT][/DATABASE], with special characters of the password as %XX"
        raise ConfigError(f"the address of --sessions is none that Redis has: {told}") from None
    except redis.RedisError as error:
        raise ConfigError(
            f"no Redis answers at the address of --sessions: {error}. Start it, or correct it."
        ) from error
    return RedisStore(client, idle_seconds=idle_seconds)


def _name(key: SessionKey) -> str:
    return f"gsrec:{key.owner}:{key.session_id}"


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except needed("redis").RedisError as error:
        raise StoreError("Redis does not take this now. Try again later.") from error
