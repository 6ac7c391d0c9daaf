"""Metrics of ranks against answers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsrec.evaluation.metrics import RANK_METRICS, coverage, hit_rate, ndcg, novelty, reciprocal_rank, summarise

RANKS = st.lists(st.integers(1, 10_000), min_size=1, max_size=50).map(lambda ranks: np.array(ranks, dtype=np.int64))


def test_hit_rate_by_hand() -> None:
    assert hit_rate(np.array([1, 5, 6]), 5).tolist() == [1.0, 1.0, 0.0]


def test_ndcg_by_hand() -> None:
    expected = [1.0, 1 / math.log2(3), 0.5, 1 / math.log2(6), 0.0]
    assert ndcg(np.array([1, 2, 3, 5, 6]), 5) == pytest.approx(np.array(expected), abs=1e-15)


def test_reciprocal_rank_by_hand() -> None:
    assert reciprocal_rank(np.array([1, 2, 50])).tolist() == [1.0, 0.5, 0.02]
    assert reciprocal_rank(np.array([1, 2, 50]), 10).tolist() == [1.0, 0.5, 0.0]


def test_summary_holds_the_metrics_of_the_field() -> None:
    summary = summarise(np.array([1, 3, 11, 21]))
    assert summary == pytest.approx(
        {
            "HR@1": 0.25,
            "HR@5": 0.5,
            "HR@10": 0.5,
            "HR@20": 0.75,
            "NDCG@5": 1.5 / 4,
            "NDCG@10": 1.5 / 4,
            "NDCG@20": (1.5 + 1 / math.log2(12)) / 4,
            "MRR": (1 + 1 / 3 + 1 / 11 + 1 / 21) / 4,
            "MRR@10": (1 + 1 / 3) / 4,
        }
    )


def test_no_targets_give_no_values_and_a_summary_of_zeros() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert all(metric(none).shape == (0,) for metric in RANK_METRICS.values())
    assert set(summarise(none).values()) == {0.0}


@given(RANKS)
def test_every_metric_is_within_0_and_1_and_never_rises_with_the_rank(ranks: np.ndarray) -> None:
    for metric in RANK_METRICS.values():
        values = metric(np.sort(ranks))
        assert ((values >= 0) & (values <= 1)).all()
        assert (np.diff(values) <= 0).all()


@given(RANKS)
def test_a_summary_does_not_depend_on_the_order_of_targets(ranks: np.ndarray) -> None:
    assert summarise(ranks) == pytest.approx(summarise(ranks[::-1]))


@given(RANKS, st.integers(1, 100))
def test_the_cut_off_metrics_rank_alike(ranks: np.ndarray, k: int) -> None:
    assert (reciprocal_rank(ranks, k) <= ndcg(ranks, k)).all()
    assert (ndcg(ranks, k) <= hit_rate(ranks, k)).all()


def test_coverage_counts_items_once_and_padding_never() -> None:
    assert coverage(np.array([[1, 2, 0], [2, 2, 0]]), 4) == 0.5
    assert coverage(np.zeros((0, 3), dtype=np.int32), 4) == 0.0
    assert coverage(np.zeros((0, 3), dtype=np.int32), 0) == 0.0


def test_novelty_is_the_mean_information_of_what_is_recommended() -> None:
    popularity = np.array([0, 8, 4, 4])
    assert novelty(np.array([[1]]), popularity) == 1.0
    assert novelty(np.array([[1, 2], [3, 0]]), popularity) == pytest.approx((1 + 2 + 2) / 3)


def test_an_item_without_events_is_as_novel_as_one_with_a_single_event() -> None:
    assert novelty(np.array([[3]]), np.array([0, 8, 8, 0])) == 4.0


def test_novelty_of_nothing_is_zero() -> None:
    assert novelty(np.zeros((2, 3), dtype=np.int32), np.array([0, 1])) == 0.0
    assert novelty(np.array([[1]]), np.array([0, 0])) == 0.0
