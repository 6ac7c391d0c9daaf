"""Sessions that have their state in memory, and how a state is made out of events.

Legend: B sessions.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gsrec.bundle import Bundle
from gsrec.data.vocabulary import ItemId
from gsrec.models.protocols import StreamingEncoder
from gsrec.recommend.together import LiveHistory, add_together
from gsrec.serving.store import SessionKey, StoredSession


class Taken:
    """What one model has taken in of a session.

    Attributes:
        history: its events, and the state after them.
        count: how many of the session's events are in it, unknown ones included.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Begin without events."""
        self.history = LiveHistory(bundle)
        self.count = 0


@dataclass(eq=False)
class LiveSession:
    """A session in memory.

    Attributes:
        item_ids: all its events, oldest first.
        updated: Unix seconds of the newest.
        identity: of the session as it is stored; none before its first event is.
        taken: by the model's name.
    """

    item_ids: list[ItemId] = field(default_factory=list)
    updated: float = 0.0
    identity: str | None = None
    taken: dict[str, Taken] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: StoredSession) -> LiveSession:
        """A session as it is stored, which no model has taken in yet."""
        return cls(list(stored.item_ids), stored.updated, stored.identity)

    def copy(self) -> LiveSession:
        """The same events, to be looked at elsewhere while this one goes on; no model has taken them in."""
        return LiveSession(list(self.item_ids), self.updated, self.identity)


class LiveSessions:
    """So many sessions, those used last."""

    def __init__(self, most: int, idle_seconds: float) -> None:
        """Keep `most` of them, each for as long after its newest event."""
        self._most, self._idle_seconds = most, idle_seconds
        self._sessions: OrderedDict[SessionKey, LiveSession] = OrderedDict()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._sessions)

    def find(self, key: SessionKey, now: float) -> LiveSession | None:
        """A session, now the one used last; None where it is not in memory, or its time is over."""
        session = self._sessions.get(key)
        if session is None:
            return None
        if session.updated < now - self._idle_seconds:
            del self._sessions[key]
            return None
        self._sessions.move_to_end(key)
        return session

    def put(self, key: SessionKey, session: LiveSession) -> None:
        """Take in a session, at the cost of the one used longest ago."""
        self._sessions[key] = session
        self._sessions.move_to_end(key)
        if len(self._sessions) > self._most:
            self._sessions.popitem(last=False)

    def drop(self, key: SessionKey) -> None:
        """Forget a session; it can be read again from the store."""
        self._sessions.pop(key, None)

    def items(self) -> list[tuple[SessionKey, LiveSession]]:
        """All of them, those used longest ago first."""
        return list(self._sessions.items())


def take(pairs: Sequence[tuple[Taken, Sequence[ItemId]]]) -> Iterator[int]:
    """Take in further events of sessions (B,) of one model, step by step together.

    Args:
        pairs: what was taken in of each session, and the events to come, oldest first.

    Yields:
        The place of each session as soon as all its events are in.
    """
    for taken, item_ids in pairs:
        _spare(taken.history, item_ids)
    step, going = 0, list(range(len(pairs)))
    while going:
        yield from (place for place in going if len(pairs[place][1]) == step)
        going = [place for place in going if len(pairs[place][1]) > step]
        add_together([pairs[place][0].history for place in going], [pairs[place][1][step] for place in going])
        for place in going:
            pairs[place][0].count += 1
        step += 1


def _spare(events: LiveHistory, item_ids: Sequence[ItemId]) -> None:
    """Give up a state that will be full before all these events are in, so that no step is done for nothing."""
    model = events.bundle.model
    if not isinstance(model, StreamingEncoder) or model.max_events is None:
        return
    if len(events.items) + int((events.bundle.vocabulary.encode(item_ids) > 0).sum()) > model.max_events:
        events.state = events.hidden = None
