"""Who took which item, when: a checked table, sorted by user and time, stably.

Legend: U users, V items, N interactions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from gsrec.data.filters import Filters, apply_filters
from gsrec.data.sequences import Sequences
from gsrec.data.times import TimeKind
from gsrec.data.vocabulary import Vocabulary
from gsrec.errors import DataError


@dataclass(frozen=True, eq=False)
class InteractionLog:
    """The interactions of users with items, each user's oldest first.

    Attributes:
        frame: (N, 2 or 3) `user_id` and `item_id` (Int64 or String), `time` (Int64 or Float64) if there is one;
            sorted by user, then time, stably: equal times keep the order of the file.
        time_kind: whether `time` is a clock, a position, or not there.
        name: what the log is called in results.
        notes: what was guessed, converted, found or dropped on the way here.
        ticks_per_second: how many units of a clock `time` make a second: 1, 1000, a million or a billion.
    """

    frame: pl.DataFrame
    time_kind: TimeKind
    name: str = "log"
    notes: tuple[str, ...] = ()
    ticks_per_second: int = 1

    def __post_init__(self) -> None:
        """Check that the columns are there, and in order."""
        expected = ["user_id", "item_id"] if self.time_kind == "none" else ["user_id", "item_id", "time"]
        if self.frame.columns != expected:
            raise DataError(f"{self.name}: a log has the columns {expected}, found {self.frame.columns}")
        if self.frame.is_empty():
            raise DataError(f"{self.name}: a log needs interactions, found none")
        if not self._is_sorted():
            raise DataError(f"{self.name}: a log is sorted by user, then time; log_from_frame sorts one")

    def _is_sorted(self) -> bool:
        if not self.frame["user_id"].is_sorted():
            return False
        if self.time_kind == "none":
            return True
        goes_back = (pl.col("user_id") == pl.col("user_id").shift(1)) & (pl.col("time") < pl.col("time").shift(1))
        return not self.frame.select(goes_back.any()).item()

    def __repr__(self) -> str:
        """Print the sizes."""
        return (
            f"InteractionLog(name={self.name!r}, num_users={self.num_users:,}, num_items={self.num_items:,}, "
            f"num_interactions={self.num_interactions:,}, time={self.time_kind!r})"
        )

    @property
    def num_users(self) -> int:
        """The number of users U."""
        return self.frame["user_id"].n_unique()

    @property
    def num_items(self) -> int:
        """The number of items V."""
        return self.frame["item_id"].n_unique()

    @property
    def num_interactions(self) -> int:
        """The number of interactions N."""
        return self.frame.height

    @property
    def num_duplicates(self) -> int:
        """The number of interactions with user, item and time of another; 0 where there is no time.

        Only rows that share user and time with a neighbour can be duplicates; most logs have few of them.
        """
        if self.time_kind == "none":
            return 0
        as_before = (pl.struct("user_id", "time") == pl.struct("user_id", "time").shift(1)).fill_null(False)
        tied = self.frame.filter(as_before | as_before.shift(-1, fill_value=False))
        return tied.height - tied.unique().height

    def timestamps(self) -> np.ndarray | None:
        """(N,) int64, Unix seconds, or None unless the time is a clock."""
        if self.time_kind != "clock":
            return None
        return (self.frame["time"] // self.ticks_per_second).cast(pl.Int64).to_numpy()

    def as_before(self, column: str) -> np.ndarray:
        """(N,) bool, which events have a column in common with their user's event before; none, if it is not there."""
        if column not in self.frame.columns:
            return np.zeros(self.num_interactions, dtype=bool)
        same = (pl.col("user_id") == pl.col("user_id").shift(1)) & (pl.col(column) == pl.col(column).shift(1))
        return self.frame.select(same.fill_null(value=False)).to_series().to_numpy()

    def filtered(
        self,
        *,
        min_user_interactions: int = 1,
        min_item_interactions: int = 1,
        max_user_interactions: int | None = None,
        k_core: bool = False,
        drop_repeats: bool = False,
        drop_duplicates: bool = False,
    ) -> InteractionLog:
        """The log without what is too rare or too much; `notes` say what was dropped.

        Args:
            min_user_interactions: the least interactions of a user.
            min_item_interactions: the least interactions of an item.
            max_user_interactions: the most interactions of a user, who is left out with more; None: any number.
            k_core: repeat until both hold; otherwise both are counted once, before anything is dropped for rarity.
            drop_repeats: of the same item several times in a row keep only the first; done before counting.
            drop_duplicates: of rows with equal user, item and time keep only the first; done before all else.

        Raises:
            ConfigError: if a least number is below 1, or the most of a user below the least.
            DataError: if nothing is left, or there is no time to find duplicates by.
        """
        filters = Filters(
            min_user_interactions=min_user_interactions,
            min_item_interactions=min_item_interactions,
            max_user_interactions=max_user_interactions,
            k_core=k_core,
            drop_repeats=drop_repeats,
            drop_duplicates=drop_duplicates,
        )
        frame, notes = apply_filters(self.frame, filters, self.name)
        return replace(self, frame=frame, notes=self.notes + notes)

    def known_items(self, vocabulary: Vocabulary) -> InteractionLog:
        """The log without the items that a vocabulary does not know; `notes` say how many interactions went.

        Raises:
            DataError: if nothing is left.
        """
        known = vocabulary.ids_as(self.frame["item_id"].dtype).drop_nulls()
        frame = self.frame.filter(pl.col("item_id").is_in(known.implode()))
        if frame.is_empty():
            raise DataError(f"{self.name}: the vocabulary of {len(vocabulary):,} items knows none of its items")
        dropped = self.frame.height - frame.height
        notes = (f"dropped interactions with unknown items: {dropped:,}",) if dropped else ()
        return replace(self, frame=frame, notes=self.notes + notes)

    def vocabulary(self) -> Vocabulary:
        """A new vocabulary of this log's items, in the order of their ids."""
        return Vocabulary(self.frame["item_id"].unique().sort())

    def to_sequences(self, vocabulary: Vocabulary | None = None) -> Sequences:
        """Every user's items as indices, in one flat array.

        Args:
            vocabulary: the item indices to use; None makes a new one of the sorted item ids.

        Raises:
            DataError: if there are fewer than 2 items to learn from, or an item is not in the vocabulary.
        """
        if vocabulary is None:
            vocabulary = self.vocabulary()
            if len(vocabulary) < 2:
                raise DataError(f"{self.name}: a model needs at least 2 items to choose from, found 1")
        lengths = self.frame.group_by("user_id", maintain_order=True).len()
        return Sequences(
            items=self._items(vocabulary),
            offsets=np.concatenate([[0], lengths["len"].cast(pl.Int64).cum_sum().to_numpy()]),
            vocabulary=vocabulary,
            user_ids=lengths["user_id"],
            timestamps=self.timestamps(),
            tied=self.as_before("time") if self.time_kind == "clock" else None,
            name=self.name,
        )

    def _items(self, vocabulary: Vocabulary) -> np.ndarray:
        indices = np.arange(1, len(vocabulary) + 1, dtype=np.int32)
        known = pl.DataFrame({"item_id": vocabulary.ids_as(self.frame["item_id"].dtype), "item": indices})
        items = self.frame.select("item_id").join(known, on="item_id", how="left", maintain_order="left")["item"]
        if items.null_count():
            unknown = self.frame["item_id"].filter(items.is_null()).unique(maintain_order=True)
            raise DataError(
                f"{self.name}: {unknown.len():,} of its items are not in the vocabulary of the model, such as "
                f"{unknown[0]!r}: it is not the log that the model learned from. In Python known_items(vocabulary) "
                "drops them, vocabulary.extended(ids) takes them in."
            )
        return items.to_numpy()
