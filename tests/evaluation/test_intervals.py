"""Intervals by hand, by simulation, and their errors."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsrec.errors import DataError
from gsrec.evaluation.intervals import confidence_interval, share_interval, sums_by_user


def test_the_interval_by_hand() -> None:
    values = np.array([0.0, 0.0, 1.0, 1.0, 1.0])
    error = math.sqrt(values.var(ddof=1) / 5)
    assert confidence_interval(values) == pytest.approx((0.6 - 1.959964 * error, 0.6 + 1.959964 * error), abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.integers(1, 4))
def test_repeating_all_targets_of_all_users_makes_nothing_surer(values: list[float], repeats: int) -> None:
    once = confidence_interval(np.array(values))
    repeated = confidence_interval(np.repeat(values, repeats), np.repeat(np.arange(len(values)), repeats))
    assert repeated == pytest.approx(once, abs=1e-9)


def test_nineteen_of_twenty_intervals_hold_the_truth() -> None:
    hits = np.random.default_rng(0).random((1000, 400)) < 0.3
    intervals = [confidence_interval(row.astype(np.float64)) for row in hits]
    assert 0.93 < np.mean([low <= 0.3 <= high for low, high in intervals]) < 0.97


@pytest.mark.parametrize(("values", "users"), [([], None), ([0.5], None), ([0.5, 1.0], [3, 3])])
def test_fewer_than_two_users_have_no_interval(values: list[float], users: list[int] | None) -> None:
    with pytest.raises(DataError, match=r"an interval needs at least two users, found [01]"):
        confidence_interval(np.array(values), None if users is None else np.array(users))


def test_sums_by_user_need_no_order() -> None:
    assert sums_by_user(np.array([1.0, 2.0, 3.0]), np.array([9, 4, 9])).tolist() == [2.0, 4.0]


def test_an_interval_of_shares_is_within_what_shares_can_be() -> None:
    assert confidence_interval(np.array([0.0, 1.0, 1.0, 0.0]))[0] < 0
    assert share_interval(np.array([0.0, 1.0, 1.0, 0.0])) == (0.0, 1.0)
    assert share_interval(np.array([0.4, 0.5, 0.6])) == confidence_interval(np.array([0.4, 0.5, 0.6]))
