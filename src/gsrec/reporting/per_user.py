"""One metric of one model for every target, averaged over its seeds: what models are paired by.

Legend: M targets, U users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gsrec.errors import DataError
from gsrec.evaluation.metrics import RANK_METRICS
from gsrec.reporting.ranks import UserRanks
from gsrec.reporting.results import RunResult

RECORD_TOLERANCE = 1e-6
"""How far a recorded metric may lie from the mean over the ranks beside it: rounding, and no more."""


@dataclass(frozen=True, eq=False)
class TargetValues:
    """A metric at every target, averaged over the runs of one label; targets in the order of their users.

    Attributes:
        label: the model.
        metric: the metric's name.
        users: (M,) int64, user indices, rising.
        values: (M,) float64, the metric averaged over seeds.
        history_lengths: (M,) int64, events before the target.
        target_popularity: (M,) int64, how often the target is in the training events.
    """

    label: str
    metric: str
    users: np.ndarray
    values: np.ndarray
    history_lengths: np.ndarray
    target_popularity: np.ndarray

    def per_user(self) -> np.ndarray:
        """(U,) float64, the mean over every user's targets, users in rising order."""
        _, places, counts = np.unique(self.users, return_inverse=True, return_counts=True)
        return np.asarray(np.bincount(places, weights=self.values) / counts)


def values_over_seeds(runs: Sequence[RunResult], metric: str) -> TargetValues:
    """Read the ranks of all runs of a label and average a metric over them, target by target.

    Raises:
        DataError: if ranks are missing, damaged, of other users, or not those that the record was made from; or if
            the metric is not one of ranks.
    """
    if metric not in RANK_METRICS:
        raise DataError(f"{metric!r} is not a metric of ranks. Choose one of {', '.join(RANK_METRICS)}.")
    all_ranks = [_checked_ranks(run, metric) for run in runs]
    first, order = all_ranks[0], np.argsort(all_ranks[0].users, kind="stable")
    users, total = first.users[order], np.zeros(order.size)
    for run, ranks in zip(runs, all_ranks, strict=True):
        own = np.argsort(ranks.users, kind="stable")
        check_same_users(users, ranks.users[own], runs[0].name, run.name)
        total += RANK_METRICS[metric](ranks.ranks[own])
    lengths, popularity = first.history_lengths[order], first.target_popularity[order]
    return TargetValues(runs[0].label, metric, users, total / len(runs), lengths, popularity)


def check_same_users(first: np.ndarray, second: np.ndarray, first_name: str, second_name: str) -> None:
    """Check that two runs judged the same targets of the same users; both arrays (M,) rise.

    Raises:
        DataError: if they did not; it counts the users that only one of them judged.
    """
    if np.array_equal(first, second):
        return
    only_first, only_second = np.setdiff1d(first, second).size, np.setdiff1d(second, first).size
    raise DataError(
        f"{first_name} and {second_name} judged different users: {only_first} only the first, {only_second} only the "
        f"second, {first.size} and {second.size} targets in all. Evaluate both on the same split."
    )


def _checked_ranks(run: RunResult, metric: str) -> UserRanks:
    ranks, recorded = run.read_ranks(), run.metrics.get(metric)
    if recorded is None:
        raise DataError(
            f"the result of {run.name} has no {metric}, so it came later, or was left out: judge that model again, or "
            f"choose one of {', '.join(name for name in RANK_METRICS if name in run.metrics)}."
        )
    found = float(RANK_METRICS[metric](ranks.ranks).mean())
    if abs(found - recorded) > RECORD_TOLERANCE:
        raise DataError(
            f"{run.ranks_path} gives {metric} {found:.6f}, the result of {run.name} says {recorded}: "
            "the ranks are of another run. Run that model again."
        )
    return ranks
