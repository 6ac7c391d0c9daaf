"""Sessions in Redis (extra `redis`), so that several servers can share them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from secrets import token_hex
from typing import Any

from gsrec.data.vocabulary import ItemId
from gsrec.errors import ConfigError
from gsrec.extras import needed
from gsrec.serving.errors import StoreError
from gsrec.serving.store import Appended, SessionKey, StoredSession


class RedisStore:
    """Sessions as lists in Redis, each beside a hash of facts; Redis itself forgets those without events for too long.

    How much an acknowledged event outlives is what Redis is set to: with `appendfsync always` a power cut, with
    `everysec` the same but for the last second or two, by snapshots what the last of them has.
    """

    def __init__(self, client: Any, *, idle_seconds: float) -> None:
        """Use a client of the `redis` package."""
        self._client = client
        self._milliseconds = max(1, int(idle_seconds * 1_000))

    def append(self, events: Sequence[tuple[SessionKey, Sequence[ItemId]]], now: float) -> list[Appended]:
        """Add events to sessions in one round trip; gives what each is now."""
        with _refusing():
            pipeline = self._client.pipeline(transaction=True)
            for key, item_ids in events:
                pipeline.rpush(_name(key), *map(json.dumps, item_ids))
                pipeline.hsetnx(_facts(key), "identity", token_hex(8))
                pipeline.hset(_facts(key), "updated", now)
                pipeline.hget(_facts(key), "identity")
                pipeline.pexpire(_name(key), self._milliseconds)
                pipeline.pexpire(_facts(key), self._milliseconds)
            answers = pipeline.execute()
        return [
            Appended(identity.decode(), int(total)) for total, identity in zip(answers[::6], answers[3::6], strict=True)
        ]

    def read(self, key: SessionKey, now: float) -> StoredSession | None:
        """A session, if it is still there."""
        with _refusing():
            pipeline = self._client.pipeline(transaction=True)
            rows, facts = pipeline.lrange(_name(key), 0, -1).hgetall(_facts(key)).execute()
        if not rows:
            return None
        updated, identity = float(facts.get(b"updated", now)), facts.get(b"identity", b"")
        return StoredSession(tuple(map(json.loads, rows)), updated, identity.decode())

    def delete(self, key: SessionKey) -> bool:
        """Forget a session; whether there was one."""
        with _refusing():
            return bool(self._client.delete(_name(key), _facts(key)))

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


def _facts(key: SessionKey) -> str:
    """The name of what is known of a session besides its events: its identity, and when its newest one came."""
    return f"gsrec-facts:{key.owner}:{key.session_id}"


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except needed("redis").RedisError as error:
        raise StoreError("Redis does not take this now. Try again later.") from error
