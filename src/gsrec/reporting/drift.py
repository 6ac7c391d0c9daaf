"""What came after a model's newest event, as numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from gsrec.data.vocabulary import ItemId


@dataclass(frozen=True)
class Period:
    """Some days after the model's newest event; shares are 0 to 1.

    Attributes:
        first_day: of the period, ISO 8601, UTC.
        age: days between the model's newest event and the period's start.
        events: how many there are.
        unknown_items: share of the events that are of items without a training event.
        new_users: share of the active users who have no event that the model could have learned from.
        shift: Jensen-Shannon divergence of the items' shares from those in training, in bits, 0 to 1.
        shift_by_chance: the same of as many events drawn from training: what no shift at all would look like.
        targets: each user's last event in the period, if anything was before it.
        repeats: share of the targets that are of items their users had before: misses, where these are no candidates.
        metrics: HR@10 and NDCG@10 of the model for them, if there are any; an item without a training event is a miss.
        intervals: their 95% intervals, where there are two users at least.
    """

    first_day: str
    age: float
    events: int
    unknown_items: float
    new_users: float
    shift: float
    shift_by_chance: float
    targets: int
    repeats: float
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Mover:
    """An item whose share of the events changed: in training, and since."""

    item_id: ItemId
    before: float
    now: float


@dataclass(frozen=True)
class Drift:
    """What came after a model's newest event.

    Attributes:
        model: its name.
        data: what it learned from.
        until: its newest event, ISO 8601, UTC.
        on_validation: how it was judged when it was trained.
        whole: all days since, as one period.
        periods: the days since, a few at a time.
        unknown_catalogue: share of the items taken since that have no training event.
        movers: the items that rose and fell the most.
    """

    model: str
    data: str
    until: str
    on_validation: dict[str, float]
    whole: Period
    periods: tuple[Period, ...]
    unknown_catalogue: float
    movers: tuple[Mover, ...]

    def record(self) -> dict[str, Any]:
        """The drift as JSON."""
        return asdict(self)
