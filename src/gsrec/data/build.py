"""Logs out of tables: columns found, ids and times read, rows sorted stably, and what is odd told."""

from __future__ import annotations

from dataclasses import replace

import narwhals as nw
import polars as pl
from narwhals.typing import IntoDataFrame, IntoFrame

from gsrec.data.columns import Columns, Roles, find_roles
from gsrec.data.ids import read_ids
from gsrec.data.log import InteractionLog
from gsrec.data.table import Table
from gsrec.data.times import Times, read_times
from gsrec.errors import DataError

TOO_MANY, MANY_EVENTS, SHARE_OF_GIANTS = 100, 1_000, 0.05
"""A user's interactions, as times the usual user's and at least, and the share of all from which they are told of."""


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
        told = "expected a data frame with the columns user_id, item_id and time, such as pandas', Polars' or Arrow's"
        raise DataError(f"{name}: {told}: {error}") from error
    rows = pl.DataFrame([_to_polars(eager, column, name) for column in roles.columns])
    return _build(rows, Table(rows.lazy(), name), roles, name)


def _to_polars(frame: nw.DataFrame[IntoDataFrame], column: str, name: str) -> pl.Series:
    try:
        return frame.select(column).to_polars().to_series()
    except ImportError as error:
        raise DataError(f"{name}: column {column!r} cannot be converted without a library: {error}") from error
    except OverflowError as error:
        raise DataError(f"{name}: column {column!r}: an integer must fit 64 bits with a sign. Use strings.") from error
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
        told = "interactions that repeat another's user, item and time"
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
