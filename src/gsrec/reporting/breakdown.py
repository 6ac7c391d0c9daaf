"""A metric by a property of the target: by the length of its history, by the popularity of its item.

Legend: M targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gsrec.evaluation.intervals import share_interval
from gsrec.reporting.per_user import TargetValues


@dataclass(frozen=True)
class Bin:
    """Whole numbers from `low` to `high`, both included."""

    low: int
    high: int

    def __str__(self) -> str:
        """The range as an axis tells it."""
        return f"{self.low:,}" if self.low == self.high else f"{self.low:,} to {self.high:,}"

    def holds(self, numbers: np.ndarray) -> np.ndarray:
        """(M,) bool, which of these (M,) int64 lie in the range."""
        return (numbers >= self.low) & (numbers <= self.high)


@dataclass(frozen=True)
class BinValue:
    """A metric within a bin.

    Attributes:
        bin: the range.
        count: targets in it.
        mean: the metric's mean over them.
        interval: its 95% interval over users, kept within 0 to 1; the mean itself where it is of one user.
    """

    bin: Bin
    count: int
    mean: float
    interval: tuple[float, float]


def quantile_bins(numbers: np.ndarray, count: int) -> list[Bin]:
    """Cut whole numbers into up to `count` ranges that hold about equally many of them; equal numbers stay together.

    >>> [str(one) for one in quantile_bins(np.array([2, 2, 3, 5, 8, 13]), 3)]
    ['2', '3 to 5', '6 to 13']

    Args:
        numbers: (M,) int64.
        count: the most bins there can be.

    Returns:
        Ranges without gaps from the least to the greatest number; none if there are no numbers.
    """
    if not numbers.size:
        return []
    ends = np.unique(np.quantile(numbers, np.arange(1, count + 1) / count, method="inverted_cdf")).astype(int)
    starts = [int(numbers.min()), *(ends[:-1] + 1)]
    return [Bin(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def popularity_bins(popularity: np.ndarray, count: int) -> list[Bin]:
    """As `quantile_bins`, but cold items (0 training events), if there are any, have a bin of their own.

    >>> [str(one) for one in popularity_bins(np.array([0, 1, 1, 4, 9]), 2)]
    ['0', '1', '2 to 9']
    """
    cold = [Bin(0, 0)] if (popularity == 0).any() else []
    return cold + quantile_bins(popularity[popularity > 0], count)


def values_by_bin(values: TargetValues, numbers: np.ndarray, bins: list[Bin]) -> list[BinValue]:
    """The metric within every bin that holds a target.

    Args:
        values: the metric at M targets.
        numbers: (M,) int64, what the targets are binned by.
        bins: the ranges.
    """
    masks = [(one, one.holds(numbers)) for one in bins]
    return [_bin_value(one, values.values[mask], values.users[mask]) for one, mask in masks if mask.any()]


def _bin_value(one: Bin, values: np.ndarray, users: np.ndarray) -> BinValue:
    mean = float(values.mean())
    interval = share_interval(values, users) if np.unique(users).size > 1 else (mean, mean)
    return BinValue(one, int(values.size), mean, interval)
