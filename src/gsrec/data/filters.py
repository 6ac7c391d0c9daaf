"""What is too rare or too much to learn from is dropped, and counted."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from gsrec.errors import ConfigError, DataError


@dataclass(frozen=True)
class Filters:
    """What to keep of a log; see `InteractionLog.filtered`."""

    min_user_interactions: int = 1
    min_item_interactions: int = 1
    max_user_interactions: int | None = None
    k_core: bool = False
    drop_repeats: bool = False
    drop_duplicates: bool = False

    def __post_init__(self) -> None:
        """Check the least numbers."""
        least = min(self.min_user_interactions, self.min_item_interactions)
        if least < 1:
            raise ConfigError(f"the least interactions of a user or an item must be at least 1, found {least}")
        least, most = self.min_user_interactions, self.max_user_interactions
        if most is not None and most < least:
            raise ConfigError(f"the most interactions of a user must be at least the least, {least}, found {most}")


def apply_filters(frame: pl.DataFrame, filters: Filters, name: str) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Drop duplicates, then repeats, then users with too many, then what is too rare.

    Args:
        frame: (N, 2 or 3) sorted by user, then time.
        filters: what to keep.
        name: the log, for messages.

    Returns:
        The rows left in their order, and notes that count what was dropped.

    Raises:
        DataError: if nothing is left, or duplicates are asked for where there is no time.
    """
    notes: list[str] = []
    kept = frame
    if filters.drop_duplicates:
        kept = _told(notes, kept, _without_duplicates(kept, name), "with another's user, item and time")
    if filters.drop_repeats:
        kept = _told(notes, kept, _without_repeats(kept), "that repeat the user's item just before")
    if (most := filters.max_user_interactions) is not None:
        few = kept.filter(pl.len().over("user_id") <= most)
        if few.is_empty():
            raise DataError(
                f"{name}: none of {frame.height:,} interactions is left: every user has more than "
                f"max_user_interactions={most:,}. Allow more."
            )
        kept = _told(notes, kept, few, f"of users with more than {most:,}")
    common = _k_core(kept, filters) if filters.k_core else kept.filter(_common(filters))
    if common.is_empty():
        gone = f" ({'; '.join(notes)})" if notes else ""
        raise DataError(
            f"{name}: none of {frame.height:,} interactions is left{gone}: its {frame['user_id'].n_unique():,} users "
            f"were to have at least {filters.min_user_interactions} and its {frame['item_id'].n_unique():,} items at "
            f"least {filters.min_item_interactions}. Ask for fewer (min_user_interactions, min_item_interactions)."
        )
    return _told(notes, kept, common, _reason(filters)), tuple(notes)


def _common(filters: Filters) -> pl.Expr:
    users = pl.len().over("user_id") >= filters.min_user_interactions
    return users & (pl.len().over("item_id") >= filters.min_item_interactions)


def _k_core(frame: pl.DataFrame, filters: Filters) -> pl.DataFrame:
    while (smaller := frame.filter(_common(filters))).height < frame.height:
        frame = smaller
    return frame


def _without_duplicates(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    if "time" not in frame.columns:
        raise DataError(f"{name}: without a time column a repeated row cannot be told from a repeated interaction")
    return frame.unique(keep="first", maintain_order=True)


def _without_repeats(frame: pl.DataFrame) -> pl.DataFrame:
    same_user, same_item = (pl.col(name) == pl.col(name).shift(1) for name in ("user_id", "item_id"))
    return frame.filter(~(same_user & same_item).fill_null(False))


def _reason(filters: Filters) -> str:
    how = "repeated until both hold" if filters.k_core else "counted once"
    return (
        f"of users with fewer than {filters.min_user_interactions} "
        f"or items with fewer than {filters.min_item_interactions} ({how})"
    )


def _told(notes: list[str], before: pl.DataFrame, after: pl.DataFrame, reason: str) -> pl.DataFrame:
    if dropped := before.height - after.height:
        users, items = (before[name].n_unique() - after[name].n_unique() for name in ("user_id", "item_id"))
        notes.append(f"dropped interactions {reason}: {dropped:,} (users gone: {users:,}, items gone: {items:,})")
    return after
