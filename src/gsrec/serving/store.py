"""What is kept of a session, and what a store of sessions promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gsrec.data.vocabulary import ItemId


class SessionKey(NamedTuple):
    """Whose session: the same id under another owner is another session."""

    owner: str
    session_id: str


@dataclass(frozen=True)
class StoredSession:
    """A session as it is kept.

    Attributes:
        item_ids: all events, oldest first, those that no model knows included.
        updated: Unix seconds of the newest, to a thousandth of the time that sessions are kept.
        identity: another one for every session that begins, under whatever id.
    """

    item_ids: tuple[ItemId, ...]
    updated: float
    identity: str


class Appended(NamedTuple):
    """Which session events were added to, and how many it has now."""

    identity: str
    num_events: int


class SessionStore(Protocol):
    """Keeps the events of sessions. Every method may be called from any thread, and raises StoreError if it fails."""

    def append(self, events: Sequence[tuple[SessionKey, Sequence[ItemId]]], now: float) -> list[Appended]:
        """Add events to sessions, which begin with their first; when it returns they are kept.

        Args:
            events: sessions, each once, and their new events, oldest first.
            now: Unix seconds.

        Returns:
            What each session is now.
        """
        ...

    def read(self, key: SessionKey, now: float) -> StoredSession | None:
        """A session; None if there is none, or it was without events for too long."""
        ...

    def delete(self, key: SessionKey) -> bool:
        """Forget a session; whether there was one."""
        ...

    def expire(self, now: float) -> int:
        """Forget some sessions that were without events for too long; how many."""
        ...

    def close(self) -> None:
        """Let go of the file or the connection."""
        ...
