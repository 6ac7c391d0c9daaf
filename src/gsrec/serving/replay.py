"""Real users of a log, to be replayed: all that they took but the last, and the last."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gsrec.bundle import Bundle
from gsrec.data.columns import Columns
from gsrec.data.sequences import Sequences
from gsrec.data.sources import open_log
from gsrec.data.vocabulary import ItemId

LEAST_EVENTS = 2


@dataclass(frozen=True, eq=False)
class ReplayedUser:
    """What a user took.

    Attributes:
        user_id: the user.
        history: their items, oldest first, but the last.
        target: the last.
    """

    user_id: ItemId
    history: list[ItemId]
    target: ItemId


@dataclass(frozen=True, eq=False)
class Replay:
    """The users of a log that have a history."""

    sequences: Sequences

    @classmethod
    def of(cls, log: str, columns: Columns, bundle: Bundle) -> Replay:
        """The users of a log, with those of its events that a model could have learned from and items that it knows.

        Raises:
            DataError: if the log cannot be read, or the model knows none of its items.
        """
        known = bundle.known_events(open_log(log, columns=columns))
        return cls(known.to_sequences(bundle.vocabulary))

    @cached_property
    def _places(self) -> dict[str, int]:
        places = np.flatnonzero(self.sequences.lengths >= LEAST_EVENTS)
        ids = map(str, self.sequences.user_ids.gather(places).to_list())
        return dict(zip(ids, places.tolist(), strict=True))

    def some(self, limit: int, seed: int) -> list[ItemId]:
        """Some users, drawn by a seed."""
        places = np.array(list(self._places.values()), dtype=np.int64)
        drawn = np.random.default_rng(seed).permutation(places)[:limit]
        return list(self.sequences.user_ids.gather(drawn).to_list())

    def find(self, user: str, most: int) -> ReplayedUser | None:
        """A user by the id as text, with the newest events of their history; None if there is none."""
        place = self._places.get(user)
        if place is None:
            return None
        start, end = self.sequences.offsets[place : place + 2].tolist()
        items = self.sequences.vocabulary.decode(self.sequences.items[max(start, end - 1 - most) : end])
        return ReplayedUser(self.sequences.user_ids[place], items[:-1], items[-1])
