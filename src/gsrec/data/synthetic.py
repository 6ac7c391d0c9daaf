"""A made-up log whose predictability is a knob.

Legend: U users, V items, N interactions.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from gsrec.data.log import InteractionLog
from gsrec.data.times import SECONDS_A_DAY
from gsrec.errors import ConfigError

EPOCH = 1_600_000_000
"""Unix seconds around which the made-up clock starts."""


def synthetic_log(
    *,
    num_users: int = 1000,
    num_items: int = 200,
    mean_length: float = 20.0,
    predictability: float = 0.8,
    seed: int = 0,
) -> InteractionLog:
    """Histories from a Markov chain: the best possible hit rate is known beforehand.

    The first item is drawn by popularity (Zipf's law). Each next item is, with probability `predictability`, the one
    fixed successor of the item before (a cycle through all items), otherwise drawn by popularity again.

    >>> synthetic_log(num_users=3, num_items=5, mean_length=4, seed=1)
    InteractionLog(name='synthetic', num_users=3, num_items=5, num_interactions=13, time='clock')

    Args:
        num_users: U.
        num_items: V, at least 2.
        mean_length: the mean number of interactions of a user, at least 3; every user has at least 3.
        predictability: from 0, pure noise, to 1, every next item is certain.
        seed: equal seeds make equal logs.

    Raises:
        ConfigError: if an argument is out of its range.
    """
    _check(num_users, num_items, mean_length, predictability, seed)
    random = np.random.default_rng(seed)
    lengths = 3 + random.poisson(mean_length - 3, size=num_users)
    items = _chain(random, lengths, num_items, predictability)
    frame = pl.DataFrame(
        {
            "user_id": np.repeat(np.arange(1, num_users + 1), lengths),
            "item_id": items,
            "time": _clock(random, lengths),
        }
    )
    note = f"made up: {num_items} items, predictability {predictability:g}, seed {seed}"
    return InteractionLog(frame, "clock", "synthetic", (note,))


def _check(num_users: int, num_items: int, mean_length: float, predictability: float, seed: int) -> None:
    sizes = num_users >= 1 and num_items >= 2 and 3 <= mean_length < math.inf
    if not (sizes and 0 <= predictability <= 1 and seed >= 0):
        raise ConfigError(
            "a synthetic log needs num_users >= 1, num_items >= 2, mean_length >= 3, predictability from 0 to 1 and "
            f"seed >= 0, found {num_users}, {num_items}, {mean_length}, {predictability} and {seed}"
        )


def _chain(random: np.random.Generator, lengths: np.ndarray, num_items: int, predictability: float) -> np.ndarray:
    """(N,) int64, item ids 1..V, user after user.

    No loop over events: items are places on one cycle. An event either starts a run at a drawn place or goes one place
    on from the event before, so its place is that of the run's start plus the steps since.
    """
    total = int(lengths.sum())
    starts_run = random.random(total) >= predictability
    starts_run[np.cumsum(lengths) - lengths] = True
    run_starts = np.flatnonzero(starts_run)
    cycle = random.permutation(num_items)
    steps = np.arange(total) - np.repeat(run_starts, np.diff(run_starts, append=total))
    drawn = np.repeat(_popular(random, run_starts.size, num_items), np.diff(run_starts, append=total))
    items: np.ndarray = cycle[(drawn + steps) % num_items] + 1
    return items


def _popular(random: np.random.Generator, count: int, num_items: int) -> np.ndarray:
    """(count,) int64, places 0..V-1 drawn by Zipf's law, popular ones anywhere on the cycle."""
    cumulative = np.cumsum(1 / np.arange(1, num_items + 1))
    ranks = np.searchsorted(cumulative, random.random(count) * cumulative[-1], side="right")
    places: np.ndarray = random.permutation(num_items)[ranks]
    return places


def _clock(random: np.random.Generator, lengths: np.ndarray) -> np.ndarray:
    """(N,) int64, Unix seconds rising within every user: a start within a year, then gaps of a day on average."""
    starts = EPOCH + random.integers(0, 365 * SECONDS_A_DAY, size=lengths.size)
    gaps = 1 + random.exponential(SECONDS_A_DAY, size=int(lengths.sum())).astype(np.int64)
    elapsed = np.cumsum(gaps)
    first = np.cumsum(lengths) - lengths
    times: np.ndarray = elapsed - np.repeat(elapsed[first] - starts, lengths)
    return times
