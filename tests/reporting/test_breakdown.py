import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsrec.reporting.breakdown import Bin, popularity_bins, quantile_bins, values_by_bin
from gsrec.reporting.per_user import TargetValues


def _values(*values: float) -> TargetValues:
    users = np.arange(len(values))
    return TargetValues("sasrec", "HR@10", users, np.array(values), users, users)


@given(st.lists(st.integers(0, 50), min_size=1), st.integers(1, 8))
def test_bins_hold_every_number_once(numbers: list[int], count: int) -> None:
    array = np.array(numbers)
    bins = quantile_bins(array, count)
    assert 1 <= len(bins) <= count
    assert np.sum([one.holds(array) for one in bins], axis=0).tolist() == [1] * array.size
    assert all(one.holds(array).any() for one in bins)


@given(st.lists(st.integers(0, 5), min_size=1))
def test_cold_items_have_a_bin_of_their_own(popularity: list[int]) -> None:
    array = np.array(popularity)
    bins = popularity_bins(array, 3)
    assert (Bin(0, 0) in bins) == (0 in popularity)
    assert np.sum([one.holds(array) for one in bins], axis=0).tolist() == [1] * array.size


def test_no_numbers_make_no_bins() -> None:
    assert quantile_bins(np.array([], dtype=np.int64), 3) == []


def test_ranges_are_said() -> None:
    assert [str(Bin(0, 0)), str(Bin(3, 1200))] == ["0", "3 to 1,200"]


def test_every_bin_has_its_mean_and_interval() -> None:
    numbers = np.array([1, 1, 1, 1, 5, 9])
    found = values_by_bin(_values(0, 0.5, 0.5, 1, 1, 0), numbers, [Bin(1, 4), Bin(5, 5), Bin(6, 8), Bin(9, 9)])
    assert [(str(one.bin), one.count, one.mean) for one in found] == [("1 to 4", 4, 0.5), ("5", 1, 1.0), ("9", 1, 0.0)]
    error = 1.959964 * np.sqrt(0.5 / 3) / 2
    assert found[0].interval == pytest.approx((0.5 - error, 0.5 + error))
    assert found[1].interval == (1.0, 1.0)


def test_intervals_stay_within_what_a_metric_can_be() -> None:
    (found,) = values_by_bin(_values(0, 0, 1), np.array([1, 1, 1]), [Bin(1, 1)])
    assert found.interval[0] == 0.0
    (found,) = values_by_bin(_values(1, 1, 0), np.array([1, 1, 1]), [Bin(1, 1)])
    assert found.interval[1] == 1.0
