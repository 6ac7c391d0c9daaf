"""What a log is like: sizes, lengths, ties, repeats, time span.

Legend: U users, V items, N interactions.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from gsrec.data.log import InteractionLog
from gsrec.data.times import TimeKind, iso_time

SHORTEST = 3
"""The fewest interactions of which one can be tested, one validated and one trained on."""


@dataclass(frozen=True)
class Spread:
    """How counts are spread.

    Attributes:
        mean: their mean.
        minimum: the least.
        quarter: the count that a quarter of them do not exceed.
        median: the count that half of them do not exceed.
        three_quarters: the count that three quarters of them do not exceed.
        ninety_percent: the count that nine tenths of them do not exceed.
        maximum: the most.
    """

    mean: float
    minimum: int
    quarter: int
    median: int
    three_quarters: int
    ninety_percent: int
    maximum: int


@dataclass(frozen=True)
class LogDescription:
    """What a log is like.

    Attributes:
        name: what the log is called.
        num_users: U.
        num_items: V.
        num_interactions: N.
        density: the share (0 to 1) of all pairs of a user and an item that met.
        user_interactions: the lengths of the histories.
        item_interactions: how often the items were taken.
        num_short_users: users with fewer than 3 interactions, who can be trained on but not judged.
        time_kind: whether the time is a clock, a position, or not there.
        first_time: ISO 8601 in UTC, the first moment; None unless the time is a clock.
        last_time: ISO 8601 in UTC, the last moment; None unless the time is a clock.
        num_time_ties: interactions at the same time as their user's one before: the order of the file decides.
        num_consecutive_repeats: interactions with the same item as their user's one before.
        num_repeats: interactions with an item that their user took before.
        num_duplicates: interactions with user, item and time of another; 0 without a time.
        fingerprint: SHA-256 of the data, the same for the same data whatever the file was.
        notes: what was guessed, converted, found or dropped.
    """

    name: str
    num_users: int
    num_items: int
    num_interactions: int
    density: float
    user_interactions: Spread
    item_interactions: Spread
    num_short_users: int
    time_kind: TimeKind
    first_time: str | None
    last_time: str | None
    num_time_ties: int
    num_consecutive_repeats: int
    num_repeats: int
    num_duplicates: int
    fingerprint: str
    notes: tuple[str, ...]

    def record(self) -> dict[str, object]:
        """The same as a dictionary that JSON can hold."""
        return asdict(self)


def describe(log: InteractionLog) -> LogDescription:
    """Count what there is to know of a log before a model is trained on it.

    >>> from gsrec.data import log_from_frame
    >>> frame = pl.DataFrame({"user": [1, 1, 1, 2], "item": [5, 5, 6, 5], "time": [10, 10, 20, 30]})
    >>> description = describe(log_from_frame(frame))
    >>> description.density, description.user_interactions.maximum, description.last_time
    (0.75, 3, '1970-01-01T00:00:30Z')
    >>> description.num_time_ties, description.num_consecutive_repeats, description.num_duplicates
    (1, 1, 1)
    """
    lengths, popularity = (log.frame[name].value_counts()["count"] for name in ("user_id", "item_id"))
    num_pairs = log.frame.select("user_id", "item_id").unique().height
    first_time, last_time = _span(log.timestamps())
    return LogDescription(
        name=log.name,
        num_users=lengths.len(),
        num_items=popularity.len(),
        num_interactions=log.num_interactions,
        density=num_pairs / (lengths.len() * popularity.len()),
        user_interactions=_spread(lengths),
        item_interactions=_spread(popularity),
        num_short_users=int((lengths < SHORTEST).sum()),
        time_kind=log.time_kind,
        first_time=first_time,
        last_time=last_time,
        num_time_ties=int(log.as_before("time").sum()),
        num_consecutive_repeats=int(log.as_before("item_id").sum()),
        num_repeats=log.num_interactions - num_pairs,
        num_duplicates=log.num_duplicates,
        fingerprint=log.to_sequences(log.vocabulary()).fingerprint,
        notes=log.notes,
    )


def _spread(counts: pl.Series) -> Spread:
    values = counts.to_numpy()
    quantiles = np.quantile(values, [0, 0.25, 0.5, 0.75, 0.9, 1], method="inverted_cdf")
    return Spread(float(values.mean()), *(int(value) for value in quantiles))


def _span(timestamps: np.ndarray | None) -> tuple[str | None, str | None]:
    if timestamps is None:
        return None, None
    return iso_time(int(timestamps.min())), iso_time(int(timestamps.max()))
