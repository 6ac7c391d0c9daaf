"""How sure a mean over users is.

Legend: M targets, U users.
"""

from __future__ import annotations

import math

import numpy as np

from gsrec.errors import DataError

_NORMAL_95 = 1.959963984540054
"""The 97.5% quantile of the standard normal distribution."""


def confidence_interval(values: np.ndarray, users: np.ndarray | None = None) -> tuple[float, float]:
    """The 95% interval of a mean, by normal approximation: mean -+ 1.96 standard errors.

    Users are what is sampled, so where a user has several targets their values count as one cluster: with r_u the sum
    of user u's deviations from the mean, the squared standard error is U / (U - 1) * sum r_u^2 / M^2, which for one
    target a user is the usual variance / U. It is an approximation: close to 0 or 1 it may reach beyond.

    >>> low, high = confidence_interval(np.array([0.0, 1.0, 1.0, 0.0]))
    >>> round(low, 3), round(high, 3)
    (-0.066, 1.066)

    Args:
        values: (M,) float64, one value a target.
        users: (M,) int64, whose target it is; None if each is of another user.

    Raises:
        DataError: with fewer than two users, whose spread is unknown.
    """
    mean = values.mean() if values.size else 0.0
    deviations = sums_by_user(values - mean, users)
    num_users = deviations.size
    if num_users < 2:
        raise DataError(f"an interval needs at least two users, found {num_users}")
    error = math.sqrt(num_users / (num_users - 1) * float(np.square(deviations).sum())) / values.size
    return float(mean) - _NORMAL_95 * error, float(mean) + _NORMAL_95 * error


def share_interval(values: np.ndarray, users: np.ndarray | None = None) -> tuple[float, float]:
    """The same of values between 0 and 1, as metrics are: the mean cannot be outside, nor is the interval."""
    low, high = confidence_interval(values, users)
    return max(low, 0.0), min(high, 1.0)


def sums_by_user(values: np.ndarray, users: np.ndarray | None) -> np.ndarray:
    """(U,) float64, the sum of each user's values (M,); the values themselves if every target has its own user.

    >>> sums_by_user(np.array([1.0, 2.0, 4.0]), np.array([7, 3, 7]))
    array([2., 5.])
    """
    if users is None:
        return values
    return np.bincount(np.unique(users, return_inverse=True)[1], weights=values)
