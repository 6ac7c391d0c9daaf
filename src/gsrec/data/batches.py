"""Training batches: rows of similar length, right-padded, a pure function of (seed, epoch, step).

Legend: B batch, L length, R rows, N events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gsrec.data.splits import Split
from gsrec.data.vocabulary import PADDING
from gsrec.errors import DataError

Windows = Literal["newest", "all"]
Alike = Literal["events", "rows"]

POOL_BATCHES = 16
"""Rows are sorted by length within pools of so many batches: little padding, and an order that is still random."""


def padded_rows(items: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Cut ranges out of a flat array and lay them under each other.

    >>> padded_rows(np.array([7, 8, 9, 5, 6], dtype=np.int32), np.array([0, 3]), np.array([3, 5]))
    array([[7, 8, 9],
           [5, 6, 0]])

    Args:
        items: (N,) int32, item indices.
        starts: (B,) int64, first event of every row.
        ends: (B,) int64, one past the last event of every row.

    Returns:
        (B, L) int64, right-padded with 0; L is the longest row's length.
    """
    lengths = ends - starts
    columns = np.arange(lengths.max(initial=0))
    inside = columns < lengths[:, None]
    places = np.where(inside, starts[:, None] + columns, 0)
    return np.where(inside, items[places], PADDING).astype(np.int64) if items.size else places


@dataclass(frozen=True, eq=False)
class Batches:
    """The batches of a training: ranges of users' training events, one a row.

    All batches of an epoch have about the same number of events, few rows where histories are long and many where they
    are short, or of rows: so that every target counts the same in training.

    Attributes:
        items: (N,) int32, the flat items of all users.
        starts: (R,) int64, first event of every row.
        ends: (R,) int64, one past the last.
        batch_size: rows a batch, on average.
        seed: of the order of the rows.
        alike: what all batches have about the same number of.
    """

    items: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    batch_size: int
    seed: int
    alike: Alike = "events"

    def __repr__(self) -> str:
        """Print the sizes."""
        return f"Batches({self.starts.size:,} rows, {self.num_steps:,} steps an epoch)"

    @property
    def num_steps(self) -> int:
        """The most batches that an epoch can have."""
        return -(-self.starts.size // self.batch_size)

    def target_counts(self, num_items: int) -> np.ndarray:
        """How often each item follows another in a row: (V + 1,) int64, V the number of items."""
        edges = np.zeros(self.items.size + 1, dtype=np.int64)
        np.add.at(edges, self.starts + 1, 1)
        np.add.at(edges, self.ends, -1)
        return np.bincount(np.repeat(self.items, edges[:-1].cumsum()), minlength=num_items + 1)

    def epoch(self, epoch: int, *, done: int = 0) -> Iterator[np.ndarray]:
        """The batches of one epoch after those that are done, each (B, L) int64, oldest event first, padded with 0."""
        return map(self.batch, self.order(epoch)[done:])

    def batch(self, rows: np.ndarray) -> np.ndarray:
        """The batch (B, L) of rows (B,)."""
        return padded_rows(self.items, self.starts[rows], self.ends[rows])

    def order(self, epoch: int) -> list[np.ndarray]:
        """The rows of every batch of an epoch."""
        generator = np.random.default_rng([self.seed, epoch])
        rows = generator.permutation(self.starts.size)
        lengths = (self.ends - self.starts)[rows]
        pools = np.arange(rows.size) // (POOL_BATCHES * self.batch_size)
        upwards = np.where(pools % 2, -lengths, lengths)  # up and down in turn: neighbours are alike across pools too
        rows = rows[np.lexsort((upwards, pools))]
        counts = np.cumsum((self.ends - self.starts)[rows]) if self.alike == "events" else np.arange(1, rows.size + 1)
        places = (counts - 1) * self.num_steps // counts[-1]
        batches = np.split(rows, np.flatnonzero(np.diff(places)) + 1)
        return [batches[place] for place in generator.permutation(len(batches))]


def training_batches(
    split: Split,
    *,
    length: int | None,
    batch_size: int,
    seed: int,
    windows: Windows = "all",
    alike: Alike = "events",
) -> Batches:
    """The batches that train on a split.

    Args:
        split: which events are for training.
        length: the most events a row, or None for whole histories.
        batch_size: rows a batch, on average.
        seed: of the order of the rows.
        windows: of a history with more events than `length`, only the `newest` are trained on, or `all` of them in
            several rows, each of which starts with the event that the row before it ends with.
        alike: what all batches have about the same number of: `events`, or `rows` where a row is one target.

    Raises:
        DataError: if no user has two training events.
    """
    starts, ends = split.sequences.offsets[:-1], split.train_ends
    rows = np.flatnonzero(ends - starts >= 2)
    if not rows.size:
        raise DataError("no user has two events to train on: there is nothing to predict. Give longer histories.")
    starts, ends = starts[rows], ends[rows]
    if length is not None and windows == "all":
        starts, ends = _windows(starts, ends, length)
    elif length is not None:
        starts = np.maximum(starts, ends - length)
    return Batches(split.sequences.items, starts, ends, batch_size, seed, alike)


def _windows(starts: np.ndarray, ends: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut ranges into windows of `length`, counted from the newest event; neighbours share one event.

    >>> _windows(np.array([0]), np.array([10]), 4)
    (array([6, 3, 0]), array([10,  7,  4]))
    """
    counts = -(-(ends - starts - 1) // (length - 1))
    number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    ends = np.repeat(ends, counts) - number * (length - 1)
    return np.maximum(np.repeat(starts, counts), ends - length), ends
