"""How far the world has moved from what a model learned: what it does not know, and what it still gets right.

Legend: V items, W items of the log too, M targets.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from itertools import pairwise

import numpy as np

from gsrec.bundle import Bundle
from gsrec.data.log import InteractionLog
from gsrec.data.sequences import Sequences
from gsrec.data.splits import Targets
from gsrec.data.times import SECONDS_A_DAY
from gsrec.errors import ConfigError, DataError
from gsrec.evaluation.intervals import share_interval
from gsrec.evaluation.metrics import hit_rate, ndcg
from gsrec.evaluation.tasks import RankingTask
from gsrec.evaluation.widened import Widened
from gsrec.experiment.newest_window import grown_vocabulary
from gsrec.progress import Progress
from gsrec.reporting.drift import Drift, Mover, Period

MOST_PERIODS = 500
MOVERS = 10
"""Items that are named because their share of the events rose or fell the most."""


def drift(bundle: Bundle, log: InteractionLog, *, days: float = 7.0, progress: Progress | None = None) -> Drift:
    """Compare a log with what a model learned from, a few days at a time.

    Args:
        bundle: the model.
        log: what it learned from and what came after; of what it learned from only the users' histories are needed.
            Its repeats and duplicates are left out where those of the model's own log were.
        days: of a period.
        progress: told after every period how many are done, and of how many.

    Raises:
        ConfigError: if the days make no or too many periods.
        DataError: if the model's log or this one has no clock times, or this one ends before the model's newest event.
    """
    since = bundle.data.until
    if since is None:
        raise DataError(f"{bundle.data.name}, which the model learned from, had no clock times: its age is not known")
    log = bundle.usage.cleaned(log)
    sequences = log.to_sequences(grown_vocabulary(bundle, log))
    if sequences.timestamps is None:
        raise DataError(f"{log.name} has no clock times: what is new in it is not known")
    newest = int(sequences.timestamps.max())
    if newest <= since:
        raise DataError(
            f"{log.name} ends with {_day(newest)}, and the model knows all until {_day(since)}: nothing is new"
        )
    if not days > 0 or (newest - since) / (days * SECONDS_A_DAY) > MOST_PERIODS:
        told = f"found periods of {days} days from {_day(since)} to {_day(newest)}, the newest event in {log.name}"
        raise ConfigError(f"there must be 1 to {MOST_PERIODS} periods, {told}. Give other --days, or mend its times.")
    borders = [*np.arange(since, newest, days * SECONDS_A_DAY).astype(np.int64).tolist(), newest]
    trained = _trained_shares(bundle, sequences.num_items)
    period = partial(_period, bundle, sequences, sequences.owners, trained)
    periods = []
    for number, (start, end) in enumerate(pairwise(borders), start=1):
        if ((sequences.timestamps > start) & (sequences.timestamps <= end)).any():
            periods.append(period(start, end, since))
        if progress:
            progress(number, len(borders) - 1)
    new = np.unique(sequences.items[sequences.timestamps > since])
    return Drift(
        model=bundle.config.name,
        data=bundle.data.name,
        until=_day(since),
        on_validation={name: bundle.metrics[name] for name in ("HR@10", "NDCG@10") if name in bundle.metrics},
        whole=period(since, newest, since),
        periods=tuple(periods),
        unknown_catalogue=float((trained[new] == 0).mean()),
        movers=_movers(sequences, trained, since),
    )


def _period(
    bundle: Bundle, sequences: Sequences, owners: np.ndarray, trained: np.ndarray, start: int, end: int, since: int
) -> Period:
    """What happened after `start`, up to `end`, for a model that knows all until `since`.

    The `owners` (N,) are those of the sequences' events, `trained` (V + 1,) the items' shares of the training events.
    """
    times = sequences.timestamps
    assert times is not None
    inside = (times > start) & (times <= end)
    active = np.unique(owners[inside])
    known = np.zeros(sequences.num_users, dtype=bool)
    known[owners[times <= since]] = True
    shares = np.bincount(sequences.items[inside], minlength=sequences.num_items + 1) / inside.sum()
    drawn = np.random.default_rng(0).multinomial(int(inside.sum()), trained) / inside.sum()
    targets = _targets(sequences, owners, inside)
    values = _values(bundle, sequences, targets, learned=trained > 0)
    return Period(
        first_day=_day(start + 1),
        age=(start - since) / SECONDS_A_DAY,
        events=int(inside.sum()),
        unknown_items=float((trained[sequences.items[inside]] == 0).mean()),
        new_users=float((~known[active]).mean()),
        shift=_divergence(shares, trained),
        shift_by_chance=_divergence(drawn, trained),
        targets=len(targets),
        repeats=sequences.share_of_repeats(targets.positions),
        metrics={name: float(ones.mean()) for name, ones in values.items() if ones.size},
        intervals={name: share_interval(ones) for name, ones in values.items() if ones.size > 1},
    )


def _targets(sequences: Sequences, owners: np.ndarray, inside: np.ndarray) -> Targets:
    """Each user's last event of those inside, if it is not the user's first of all."""
    places = np.flatnonzero(inside)
    last = places[np.append(np.diff(owners[places]) != 0, True)] if places.size else places
    last = last[last > sequences.offsets[:-1][owners[last]]]
    return Targets(owners[last], sequences.offsets[:-1][owners[last]], last)


def _values(bundle: Bundle, sequences: Sequences, targets: Targets, *, learned: np.ndarray) -> dict[str, np.ndarray]:
    """HR@10 and NDCG@10 (M,) of every target; `learned` (V + 1,) as in `RankingTask`."""
    if not len(targets):
        return {"HR@10": np.zeros(0), "NDCG@10": np.zeros(0)}
    task = RankingTask(sequences, targets, filter_seen=bundle.filter_seen, learned=learned)
    ranks = task.rank(Widened(bundle.model, sequences.num_items, bundle.counts))[0]
    return {"HR@10": hit_rate(ranks, 10), "NDCG@10": ndcg(ranks, 10)}


def _trained_shares(bundle: Bundle, num_items: int) -> np.ndarray:
    """(W + 1,), every item's share of the training events."""
    shares = np.zeros(num_items + 1)
    shares[: len(bundle.counts)] = bundle.counts.numpy()
    shares /= max(1.0, float(shares.sum()))
    return shares


def _divergence(first: np.ndarray, second: np.ndarray) -> float:
    """Jensen-Shannon divergence in bits: 0 where both are alike, 1 where they have nothing in common.

    >>> _divergence(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    middle = (first + second) / 2
    parts = []
    for one in (first, second):
        there = one > 0
        parts.append(float((one[there] * np.log2(one[there] / middle[there])).sum()))
    return max(0.0, sum(parts) / 2)


def _movers(sequences: Sequences, before: np.ndarray, since: int) -> tuple[Mover, ...]:
    """Whose share of the events since then is most unlike the share (V + 1,) before."""
    assert sequences.timestamps is not None
    new = sequences.items[sequences.timestamps > since]
    now = np.bincount(new, minlength=sequences.num_items + 1) / new.size
    order = np.argsort(now - before, kind="stable")
    chosen = [*order[::-1][:MOVERS], *order[:MOVERS][::-1]]
    moved = [item for item in dict.fromkeys(chosen) if item and now[item] != before[item]]
    ids = sequences.vocabulary.decode(np.array(moved, dtype=np.int64))
    return tuple(
        Mover(item_id, float(before[item]), float(now[item])) for item_id, item in zip(ids, moved, strict=True)
    )


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
