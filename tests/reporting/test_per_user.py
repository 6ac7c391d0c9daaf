from math import log2
from pathlib import Path

import numpy as np
import pytest

from gsrec.errors import DataError
from gsrec.reporting.per_user import TargetValues, check_same_users, values_over_seeds
from gsrec.reporting.ranks import UserRanks, write_ranks

from .conftest import WriteRun


def test_values_are_averaged_over_seeds(write_run: WriteRun) -> None:
    runs = [write_run("sasrec", [1, 3, 11]), write_run("sasrec", [2, 3, 1], 2)]
    values = values_over_seeds(runs, "NDCG@10")
    np.testing.assert_allclose(values.values, [(1 + 1 / log2(3)) / 2, 0.5, 0.5])
    assert values.label == "sasrec"
    assert values.history_lengths.tolist() == [2, 3, 4]
    assert values.target_popularity.tolist() == [0, 0, 1]


def test_users_are_matched_whatever_their_order(tmp_path: Path, write_run: WriteRun) -> None:
    runs = [write_run("sasrec", [1, 3, 11]), write_run("sasrec", [1, 3, 11], 2)]
    order = np.array([2, 0, 1])
    ranks = UserRanks(order, np.array([11, 1, 3]), order + 2, order // 2)
    path = runs[1].ranks_path
    assert path is not None
    write_ranks(path, ranks)
    assert values_over_seeds(runs, "HR@10").values.tolist() == [1.0, 1.0, 0.0]
    assert values_over_seeds(runs[::-1], "HR@10").history_lengths.tolist() == [2, 3, 4]


def test_a_users_value_is_the_mean_over_its_targets() -> None:
    users = np.array([3, 3, 7])
    values = TargetValues("sasrec", "HR@10", users, np.array([1.0, 0.0, 1.0]), users, users)
    assert values.per_user().tolist() == [0.5, 1.0]


def test_runs_that_judged_different_users_are_named(write_run: WriteRun) -> None:
    runs = [write_run("sasrec", [1, 3, 11]), write_run("sasrec", [1, 3], 2)]
    message = "sasrec with seed 1 and sasrec with seed 2 judged different users: 1 only the first, 0 only the second, 3"
    with pytest.raises(DataError, match=message):
        values_over_seeds(runs, "NDCG@10")


def test_as_many_users_but_others_are_told() -> None:
    with pytest.raises(DataError, match="a and b judged different users: 1 only the first, 1 only the second, 2 and 2"):
        check_same_users(np.array([0, 1]), np.array([1, 2]), "a", "b")


def test_a_metric_that_is_not_of_ranks_is_named(write_run: WriteRun) -> None:
    with pytest.raises(DataError, match=r"'Novelty@10' is not a metric of ranks. Choose one of HR@1, .*MRR@10"):
        values_over_seeds([write_run("sasrec", [1])], "Novelty@10")


def test_ranks_of_another_run_are_told(write_run: WriteRun) -> None:
    run = write_run("sasrec", [1, 1], metrics={"NDCG@10": 0.25})
    message = r"sasrec-seed1/ranks\.safetensors gives NDCG@10 1\.000000, the result of sasrec with seed 1 says 0\.25"
    with pytest.raises(DataError, match=message):
        values_over_seeds([run], "NDCG@10")


def test_a_metric_that_was_not_recorded_is_told(write_run: WriteRun) -> None:
    with pytest.raises(DataError, match=r"the result of sasrec with seed 1 has no NDCG@10, .* choose one of MRR\."):
        values_over_seeds([write_run("sasrec", [1, 1], metrics={"MRR": 1.0})], "NDCG@10")
