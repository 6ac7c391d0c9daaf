"""Every user's items in time order, in one flat array with offsets.

Legend: U users, N interactions.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl

from gsrec.data.vocabulary import Vocabulary
from gsrec.errors import DataError

EVENTS_AT_ONCE = 2**20
"""So many events are looked at together where memory must not grow with the log."""


@dataclass(frozen=True)
class LogSizes:
    """How many users, items and events a log has."""

    num_users: int
    num_items: int
    num_interactions: int

    @property
    def mean_length(self) -> float:
        """Events a user."""
        return self.num_interactions / self.num_users

    @property
    def mean_popularity(self) -> float:
        """Events an item."""
        return self.num_interactions / self.num_items

    @property
    def density(self) -> float:
        """Events a user and item, the share (0 to 1) of all pairs that are in the log, where no pair is twice."""
        return self.mean_length / self.num_items


@dataclass(frozen=True, eq=False)
class Sequences:
    """The histories of all users, oldest item first, without one Python object a user or an event.

    Attributes:
        items: (N,) int32, item indices 1..V, user after user, oldest first.
        offsets: (U + 1,) int64, the events of user u are `items[offsets[u]:offsets[u + 1]]`.
        vocabulary: which item_id an item index stands for.
        user_ids: (U,) the users' own ids, integers or strings.
        timestamps: (N,) int64, Unix seconds, or None where the log has no clock times.
        tied: (N,) bool, which events are at the time of their user's event before, to the log's finest; None: to the
            second.
        name: what the log is called in results.
    """

    items: np.ndarray
    offsets: np.ndarray
    vocabulary: Vocabulary
    user_ids: pl.Series
    timestamps: np.ndarray | None = None
    tied: np.ndarray | None = None
    name: str = "log"

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        if self.offsets[0] != 0 or self.offsets[-1] != self.items.size or (np.diff(self.offsets) < 0).any():
            raise DataError("offsets must rise from 0 to the number of items")
        if self.user_ids.len() != self.num_users:
            raise DataError(f"{self.num_users} histories need as many user ids, found {self.user_ids.len()}")
        for name, values in (("timestamps", self.timestamps), ("tied", self.tied)):
            if values is not None and values.shape != self.items.shape:
                raise DataError(f"{name} must be one per item")

    def __repr__(self) -> str:
        """Print the sizes."""
        return (
            f"Sequences(name={self.name!r}, num_users={self.num_users:,}, num_items={self.num_items:,}, "
            f"num_interactions={self.num_interactions:,}, clock={self.timestamps is not None})"
        )

    @property
    def num_users(self) -> int:
        """The number of users U."""
        return int(self.offsets.size - 1)

    @property
    def num_items(self) -> int:
        """The number of items V in the vocabulary."""
        return len(self.vocabulary)

    @property
    def num_interactions(self) -> int:
        """The number of events N."""
        return int(self.items.size)

    @property
    def sizes(self) -> LogSizes:
        """U, V and N."""
        return LogSizes(self.num_users, self.num_items, self.num_interactions)

    @property
    def lengths(self) -> np.ndarray:
        """(U,) int64, how many events each user has."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> np.ndarray:
        """(N,) int64, whose every event is; made anew each time, since it is larger than the items."""
        return np.repeat(np.arange(self.num_users), self.lengths)

    @property
    def time_ties(self) -> np.ndarray | None:
        """(N,) bool, which events are at the time of their user's event before; None where there are no clock times."""
        if self.timestamps is None or self.tied is not None:
            return self.tied
        ties: np.ndarray = np.diff(self.timestamps, prepend=self.timestamps[:1] - 1) == 0
        ties[self.offsets[:-1][self.lengths > 0]] = False  # events of different users
        return ties

    @cached_property
    def first_occurrences(self) -> np.ndarray:
        """(N,) bool, true where a user takes an item for the first time.

        Users are taken together up to about a million events, so that memory does not grow with the log.
        """
        first = np.zeros(self.num_interactions, dtype=bool)
        marks = np.arange(0, self.num_interactions, EVENTS_AT_ONCE)
        cuts = np.unique(self.offsets[np.searchsorted(self.offsets, [*marks, self.num_interactions])])
        for start, end in pairwise(cuts):
            owners = np.searchsorted(self.offsets, np.arange(start, end), side="right")
            pairs = owners * (self.num_items + 1) + self.items[start:end]
            first[start + np.unique(pairs, return_index=True)[1]] = True
        return first

    def share_of_repeats(self, positions: np.ndarray) -> float:
        """The share of some events (M,) that are of items their users had before; 0 where there are none."""
        return float((~self.first_occurrences[positions]).mean()) if positions.size else 0.0

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over ids, offsets, items and timestamps: equal for equal data, whatever the file was."""
        digest = hashlib.sha256()
        for ids in (self.vocabulary.ids, self.user_ids):
            digest.update(ids.cast(pl.String).str.join("\x1f").item().encode())
        digest.update(self.offsets.astype("<i8").tobytes())
        digest.update(self.items.astype("<i4").tobytes())
        if self.timestamps is not None:
            digest.update(self.timestamps.astype("<i8").tobytes())
        return digest.hexdigest()
