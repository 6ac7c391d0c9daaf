"""Who took which item, when: a checked table, sorted by user and time, stably.

Legend: U users, V items, N interactions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import narwhals as nw
import numpy as np
import polars as pl
from narwhals.typing import IntoDataFrame, IntoFrame

from gsrec.data.columns import Columns, Roles, find_roles
from gsrec.data.filters import Filters, apply_filters
from gsrec.data.ids import read_ids
from gsrec.data.sequences import Sequences
from gsrec.data.table import Table
from gsrec.data.times import TimeKind, Times, read_times
from gsrec.data.vocabulary import Vocabulary
from gsrec.errors import DataError

TOO_MANY, MANY_EVENTS, SHARE_OF_GIANTS = 100, 1_000, 0.05
"""A user's interactions, as times the usual user's and at least, and the share of all from which they are told of."""


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
        frame = self.frame.filter(pl.col("item_id").is_in(_ids_like(vocabulary, self).implode()))
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
        known = pl.DataFrame({"item_id": _ids_like(vocabulary, self), "item": indices})
        items = self.frame.select("item_id").join(known, on="item_id", how="left", maintain_order="left")["item"]
        if items.null_count():
            unknown = self.frame["item_id"].filter(items.is_null()).unique(maintain_order=True)
            raise DataError(
                f"{self.name}: {unknown.len():,} of its items are not in the vocabulary, such as {unknown[0]!r}: "
                "it is not the log that the vocabulary is of. known_items(vocabulary) drops them, "
                "vocabulary.extended(ids) takes them in."
            )
        return items.to_numpy()


def _ids_like(vocabulary: Vocabulary, log: InteractionLog) -> pl.Series:
    ids, found = vocabulary.ids, log.frame["item_id"].dtype
    if ids.dtype != found:
        raise DataError(f"{log.name}: its item ids are {found}, those of the vocabulary are {ids.dtype}")
    return ids


def log_from_frame(frame: IntoFrame, *, columns: Columns = Columns(), name: str = "frame") -> InteractionLog:
    """A log of any data frame: pandas, Polars, Arrow and what else narwhals knows.

    >>> log_from_frame(pl.DataFrame({"user": ["ann", "bob", "ann"], "item": [3, 1, 2]}))
    InteractionLog(name='frame', num_users=2, num_items=3, num_interactions=3, time='none')

    Raises:
        DataError: if the frame, one of its columns or a row cannot be used.
    """
    try:
        known = nw.from_native(frame)
        eager = known.collect("polars") if isinstance(known, nw.LazyFrame) else known
        roles = find_roles(columns, eager.columns, name)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: expected a data frame such as pandas', Polars' or Arrow's: {error}") from error
    rows = pl.DataFrame([_to_polars(eager, column, name) for column in roles.columns])
    return _build(rows, Table(rows.lazy(), name), roles, name)


def _to_polars(frame: nw.DataFrame[IntoDataFrame], column: str, name: str) -> pl.Series:
    try:
        return frame.select(column).to_polars().to_series()
    except ImportError as error:
        raise DataError(f"{name}: column {column!r} cannot be converted without a library: {error}") from error
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{name}: column {column!r} holds values of more than one type: {error}") from error


def log_from_table(table: Table, *, columns: Columns = Columns(), name: str = "log") -> InteractionLog:
    """A log of a table that a reader has opened; only the columns needed are read.

    Raises:
        DataError: if a column or a row cannot be used.
    """
    roles = find_roles(columns, table.columns(), table.where)
    if table.check_ids:
        table.check_ids(roles.user)
        table.check_ids(roles.item)
    return _build(table.collect(roles.columns), table, roles, name)


def _build(rows: pl.DataFrame, table: Table, roles: Roles, name: str) -> InteractionLog:
    if rows.is_empty():
        raise DataError(f"{table.where}: there are columns ({', '.join(rows.columns)}) but no rows")
    users, user_notes = read_ids(rows[roles.user], table.where, text=table.text)
    items, item_notes = read_ids(rows[roles.item], table.where, text=table.text)
    times = read_times(rows[roles.time], table.where) if roles.time else None
    frame = _sorted(users, items, times)
    notes = (*table.notes, *roles.notes, *user_notes, *item_notes)
    if times is None:
        return _told(InteractionLog(frame, "none", name, notes))
    return _told(InteractionLog(frame, times.kind, name, notes + times.notes, times.ticks_per_second))


def _sorted(users: pl.Series, items: pl.Series, times: Times | None) -> pl.DataFrame:
    """The log's columns sorted by user, then time, stably."""
    frame = pl.DataFrame([users.alias("user_id"), items.alias("item_id")])
    if times is None:
        return frame.sort("user_id", maintain_order=True)
    frame = frame.with_columns(times.values.alias("time"))
    if (key := _sort_key(frame)) is not None:
        return frame.with_columns(key.alias("key")).sort("key", maintain_order=True).drop("key")
    return frame.sort("time", maintain_order=True).sort("user_id", maintain_order=True)


def _sort_key(frame: pl.DataFrame) -> pl.Series | None:
    """User and time as one integer, a quarter of the work to sort by; None where they are no integers or do not fit."""
    users, times = frame["user_id"], frame["time"]
    if frame.is_empty() or users.dtype != pl.Int64 or times.dtype != pl.Int64:
        return None
    columns = pl.col("user_id", "time")
    first, oldest = frame.select(columns.min()).row(0)
    last, newest = frame.select(columns.max()).row(0)
    span = newest - oldest + 1
    if (last - first + 1) * span >= 2**63:
        return None
    key: pl.Series = (users - first) * span + (times - oldest)
    return key


def _told(log: InteractionLog) -> InteractionLog:
    """The log with notes on what one would not expect to see."""
    notes = log.notes
    if count := log.num_duplicates:
        told = "interactions that repeat another's user, item and time, kept"
        notes += (f"{told}: {count:,} (drop_duplicates leaves them out)",)
    if log.time_kind != "none" and log.num_interactions > 1 and log.frame["time"].n_unique() == 1:
        notes += ("all interactions have the same time: the order of the file is taken as the order in time",)
    if log.num_users == 1:
        notes += ("there is only one user",)
    lengths = log.frame["user_id"].value_counts()["count"]
    usual = int(lengths.sort()[lengths.len() // 2])
    giants = lengths.filter((lengths > TOO_MANY * usual) & (lengths > MANY_EVENTS))
    if giants.sum() > SHARE_OF_GIANTS * log.num_interactions:
        notes += (
            f"users with more than {TOO_MANY} times the interactions of the usual one ({usual:,}) have "
            f"{giants.sum() / log.num_interactions:.0%} of all: {giants.len():,}. If they are no people, "
            "max_user_interactions leaves them out",
        )
    return replace(log, notes=notes)
