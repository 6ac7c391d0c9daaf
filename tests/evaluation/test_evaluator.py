"""Whole evaluations of scorers whose ranks are known beforehand."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from gsrec.data import Sequences, Split, last_n, leave_one_out
from gsrec.data.splits import Part
from gsrec.errors import ConfigError, DataError
from gsrec.evaluation.evaluator import Evaluator, Protocol, evaluate

Maker = Callable[..., Sequences]


@dataclass
class RisingScorer:
    """Scores every item by its index: the highest one is the best."""

    num_items: int
    max_length: int | None = None

    def score(self, items: Tensor) -> Tensor:
        return torch.arange(self.num_items + 1.0).repeat(len(items), 1)


HISTORIES = [[8, 7, 1, 6], [6, 8, 2, 7], [7, 6, 8, 3], [8, 6, 2, 8]]
"""The last of each is its test target: 6 and 7 have only 9 above them, 3 is cold, 8 was seen before."""


@pytest.fixture
def split(sequences_of: Maker) -> Split:
    return leave_one_out(sequences_of(HISTORIES, num_items=9, times=[[1, 2, 3, 4]] * 4))


def test_an_evaluation_by_hand(split: Split) -> None:
    evaluation = evaluate(RisingScorer(9), split, Protocol("test"))
    assert evaluation.users.tolist() == [0, 1, 2, 3]
    assert evaluation.num_candidates.tolist() == [6, 6, 6, 7]
    assert evaluation.ranks.tolist() == [2, 2, 21, 21]  # of seven candidates and fewer, a miss is not even the last
    assert evaluation.history_lengths.tolist() == [3, 3, 3, 3]
    assert evaluation.target_popularity.tolist() == [3, 2, 0, 3]
    assert evaluation.metrics["HR@5"] == evaluation.metrics["HR@20"] == 0.5
    assert evaluation.metrics["MRR"] == pytest.approx((0.5 + 0.5 + 1 / 21 + 1 / 21) / 4)
    assert evaluation.metrics["Coverage@10"] == pytest.approx(8 / 9)  # all have seen item 8
    assert evaluation.audit.cold == 0.25
    assert evaluation.audit.repeats == 0.25
    assert evaluation.num_users == 4


def test_seen_items_stay_candidates_if_asked_for(split: Split) -> None:
    evaluation = evaluate(RisingScorer(9), split, Protocol("test", filter_seen=False))
    assert evaluation.num_candidates.tolist() == [9, 9, 9, 9]
    assert evaluation.ranks.tolist() == [4, 3, 21, 2]


def test_the_validation_part_has_targets_of_its_own(split: Split) -> None:
    evaluation = evaluate(RisingScorer(9), split, Protocol("validation"))
    assert evaluation.history_lengths.tolist() == [2, 2, 2, 2]
    assert evaluation.target_popularity.tolist() == [0, 0, 3, 0]
    assert evaluation.ranks.tolist() == [21, 21, 2, 21]


def test_sampled_candidates_and_how_many_there_were(split: Split) -> None:
    evaluation = evaluate(RisingScorer(9), split, Protocol("test", candidates="uniform:5"))
    assert evaluation.num_candidates.tolist() == [6, 6, 6, 6]
    assert evaluation.few_candidates == 0.0
    evaluation = evaluate(RisingScorer(9), split, Protocol("test", candidates="uniform:6"))
    assert evaluation.num_candidates.tolist() == [6, 6, 6, 7]
    assert evaluation.ranks.tolist() == [2, 2, 21, 21]
    assert evaluation.few_candidates == 0.75


def test_every_target_is_a_row_of_a_table(split: Split) -> None:
    evaluation = evaluate(RisingScorer(9), split, Protocol("test"))
    table = evaluation.to_frame(split)
    ids, user_ids = split.sequences.vocabulary.ids.to_list(), split.sequences.user_ids.to_list()
    assert table.rows() == [
        (user_ids[0], ids[6 - 1], 2, 6, 3, 3),
        (user_ids[1], ids[7 - 1], 2, 6, 3, 2),
        (user_ids[2], ids[3 - 1], 21, 6, 3, 0),
        (user_ids[3], ids[8 - 1], 21, 7, 3, 3),
    ]
    assert table.columns == ["user_id", "item_id", "rank", "num_candidates", "history_length", "target_popularity"]
    later = replace(split, train_ends=split.train_ends + 1, validation_ends=split.validation_ends)
    earlier = replace(split, train_ends=split.train_ends - 1, validation_ends=split.validation_ends - 1, rule="first")
    for other in (later, earlier):  # of the same users: the same targets, but learned from more; and other targets
        with pytest.raises(DataError, match=r"this evaluation is not of Split\(.*give the split that was judged"):
            evaluation.to_frame(other)


def test_candidates_of_ones_own(split: Split) -> None:
    own = np.array([[9, 4, 1], [5, 4, 0], [1, 2, 4], [1, 0, 0]])
    evaluation = Evaluator(split, Protocol("test", candidates="given:3"), own).evaluate(RisingScorer(9))
    assert evaluation.num_candidates.tolist() == [4, 3, 4, 2]
    assert evaluation.ranks.tolist() == [2, 1, 21, 21]  # above 6 only 9, above 7 nothing, 3 is cold, 8 was seen
    assert evaluation.few_candidates == 0.5
    given = Evaluator(split, Protocol("test", candidates="given:3"), own).evaluate_scores(
        lambda targets: np.tile(np.arange(10.0), (len(targets), 1))
    )
    assert given.record() == evaluation.record()
    other = Evaluator(split, Protocol("test", candidates="given:3"), own[:, ::-1]).evaluate(RisingScorer(9))
    assert other.metrics == evaluation.metrics
    assert other.record()["protocol"] != evaluation.record()["protocol"]  # which ones they were is told


@pytest.mark.parametrize(
    ("candidates", "own", "told"),
    [
        ("given:3", None, "found 'given:3' and none"),
        ("full", np.ones((4, 3), dtype=int), r"found 'full' and \(4, 3\)"),
        ("uniform:3", np.ones((4, 3), dtype=int), r"found 'uniform:3' and \(4, 3\)"),
        ("given:2", np.ones((4, 3), dtype=int), r"found 'given:2' and \(4, 3\)"),
        ("given:4", np.ones(4, dtype=int), r"candidates must be \(M, C\) integers"),
        ("given:3", np.array([[1, 2], [3, 4], [0, 0], [1, 2]]), "row 2 has none"),
    ],
)
def test_candidates_of_ones_own_go_with_their_protocol(
    split: Split, candidates: str, own: np.ndarray | None, told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        Evaluator(split, Protocol("test", candidates=candidates), own).evaluate(RisingScorer(9))


def test_popular_candidates_have_training_events(split: Split) -> None:
    evaluation = evaluate(RisingScorer(9), split, Protocol("test", candidates="popularity:100"))
    assert evaluation.num_candidates.tolist() == [1, 1, 1, 2]
    assert evaluation.ranks.tolist() == [1, 1, 21, 21]


def test_an_evaluator_gives_every_scorer_the_same_task(split: Split) -> None:
    protocol = Protocol("test", candidates="uniform:3", seed=5)
    evaluator = Evaluator(split, protocol)
    first, again = evaluator.evaluate(RisingScorer(9)), evaluator.evaluate(RisingScorer(9, max_length=1))
    assert first.metrics == again.metrics == evaluate(RisingScorer(9), split, protocol).metrics


def test_progress_is_told_and_changes_no_number(split: Split) -> None:
    told: list[tuple[int, int | None]] = []
    evaluation = evaluate(RisingScorer(9), split, Protocol("test"), progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (4, 4)
    assert evaluation.record() == evaluate(RisingScorer(9), split, Protocol("test")).record()


def test_the_record_is_json(split: Split) -> None:
    record = cast("dict[str, Any]", evaluate(RisingScorer(9), split, Protocol("test")).record())
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert list(record) == ["protocol", "num_users_evaluated", "metrics", "intervals", "audit"]
    assert record["protocol"] == {
        "part": "test",
        "candidates": "full",
        "filter_seen": True,
        "seed": 0,
        "ties": "against the model",
    }
    assert {"HR@5", "HR@10", "NDCG@5", "NDCG@10", "MRR", "Coverage@10", "Novelty@10"} <= set(record["metrics"])
    assert set(record["intervals"]) == set(record["metrics"]) - {"Coverage@10", "Novelty@10"}
    low, high = record["intervals"]["HR@5"]
    assert low < record["metrics"]["HR@5"] < high
    assert record["audit"] == {
        "leakage": 0.0,
        "cold": 0.25,
        "time_ties": 0.0,
        "repeats": 0.25,
        "few_candidates": 0.0,
    }


def test_one_user_has_metrics_and_no_intervals(sequences_of: Maker) -> None:
    split = last_n(sequences_of([[1, 2, 3, 1, 2]], num_items=3), 2)
    evaluation = evaluate(RisingScorer(3), split, Protocol("test", filter_seen=False))
    assert (evaluation.num_users, evaluation.ranks.size, evaluation.intervals) == (1, 2, {})


def test_intervals_are_over_users_and_not_over_targets(sequences_of: Maker) -> None:
    hits, misses = [3, 2, 2, 3, 3], [1, 2, 2, 1, 1]
    split = last_n(sequences_of([hits, misses] * 8, num_items=3), 2)
    evaluation = evaluate(RisingScorer(3), split, Protocol("test", filter_seen=False))
    error = (0.25 / 15) ** 0.5
    assert evaluation.intervals["HR@1"] == pytest.approx((0.5 - 1.96 * error, 0.5 + 1.96 * error), abs=1e-4)


def test_no_interval_is_outside_of_what_a_metric_can_be(sequences_of: Maker) -> None:
    split = last_n(sequences_of([[3, 2, 2, 3, 3], [1, 2, 2, 1, 1]], num_items=3), 2)
    evaluation = evaluate(RisingScorer(3), split, Protocol("test", filter_seen=False))
    assert evaluation.intervals["HR@1"] == (0.0, 1.0)


def test_an_evaluation_prints_its_leading_metrics(split: Split) -> None:
    evaluation = evaluate(RisingScorer(9), split, Protocol("test"))
    assert repr(evaluation) == "Evaluation(test, candidates=full, targets=4, HR@10=0.5000, NDCG@10=0.3155)"


def test_a_part_that_is_none_is_an_error() -> None:
    with pytest.raises(ConfigError, match="must be validation or test, found 'train'"):
        Protocol(cast("Part", "train"))


def test_candidates_that_are_none_are_an_error() -> None:
    with pytest.raises(ConfigError, match="found 'some'"):
        Protocol("test", candidates="some")


def test_a_part_without_targets_is_an_error(sequences_of: Maker) -> None:
    sequences = sequences_of([[1, 2]], num_items=2)
    split = Split(sequences, sequences.offsets[1:], sequences.offsets[1:], name="hand-made")
    with pytest.raises(DataError, match="the hand-made split has no validation target to evaluate"):
        evaluate(RisingScorer(2), split, Protocol("validation"))


def test_ranks_are_counted_and_not_sorted_out_of_saturated_scores(sequences_of: Maker) -> None:
    class Saturated(RisingScorer):
        def score(self, items: Tensor) -> Tensor:
            return torch.sigmoid(super().score(items) + 100)

    split = leave_one_out(sequences_of([[1, 2, 3]] * 3 + [[3, 1, 2]], num_items=50))
    assert evaluate(Saturated(50), split, Protocol("test")).metrics["HR@20"] == 0.0
    assert np.isfinite(evaluate(Saturated(50), split, Protocol("test")).metrics["MRR"])
