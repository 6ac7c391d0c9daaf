import numpy as np
import pytest

from gsrec.errors import DataError
from gsrec.reporting.pairs import Pair, paired_tests
from gsrec.reporting.per_user import TargetValues

NUM_USERS = 40


def _values(label: str, *values: float) -> TargetValues:
    """A model whose users have these values in turn."""
    users = np.arange(NUM_USERS)
    return TargetValues(label, "NDCG@10", users, np.resize(np.array(values), NUM_USERS), users, users)


def _three() -> list[TargetValues]:
    return [_values("low", 0.1, 0.3), _values("high", 0.7, 0.9), _values("high again", 0.9, 0.7)]


def test_every_pair_is_tested_the_better_first() -> None:
    tests = paired_tests(_three(), metric="NDCG@10")
    assert [(pair.first, pair.second) for pair in tests.pairs] == [
        ("high", "high again"),
        ("high", "low"),
        ("high again", "low"),
    ]
    assert tests.num_tests == 3
    same, high, again = tests.pairs
    assert same.difference == pytest.approx(0.0)
    assert same.adjusted == 1.0
    assert not same.significant
    assert high.difference == pytest.approx(0.6)
    assert high.interval == pytest.approx((0.6, 0.6))
    assert again.significant


def test_p_values_are_corrected_for_all_tests() -> None:
    pairs = paired_tests(_three(), metric="NDCG@10").pairs
    floor = 1 / 10_001
    assert [pair.p_value for pair in pairs] == [1.0, pytest.approx(floor), pytest.approx(floor)]
    assert [pair.adjusted for pair in pairs] == [1.0, pytest.approx(3 * floor), pytest.approx(3 * floor)]


def test_a_reference_is_tested_against_every_other() -> None:
    tests = paired_tests(_three(), metric="NDCG@10", reference="low")
    assert [(pair.first, pair.second) for pair in tests.pairs] == [("low", "high"), ("low", "high again")]
    assert [pair.difference for pair in tests.pairs] == [pytest.approx(-0.6)] * 2
    assert tests.num_tests == 2


def test_one_model_or_none_makes_no_test() -> None:
    assert paired_tests([], metric="NDCG@10").pairs == ()
    assert paired_tests(_three()[:1], metric="NDCG@10").pairs == ()


def test_a_pair_can_be_seen_from_either_side() -> None:
    tests = paired_tests(_three(), metric="NDCG@10")
    pair = tests.between("low", "high")
    assert pair is not None
    assert (pair.first, pair.second) == ("low", "high")
    assert pair.difference == pytest.approx(-0.6)
    assert tests.between("high", "low") == tests.pairs[1]
    assert tests.between("high", "unknown") is None
    pair = Pair("a", "b", 0.1, (-0.1, 0.3), 0.2, 0.4)
    assert pair.seen_from("b") == Pair("b", "a", -0.1, (-0.3, 0.1), 0.2, 0.4)


def test_the_seed_decides_the_randomisation() -> None:
    values = [_values("a", 0.1, 0.5, 0.2, 0.4, 0.9), _values("b", 0.3, 0.1, 0.3, 0.2, 0.9)]
    first, again, other = (paired_tests(values, metric="NDCG@10", seed=seed).pairs for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_models_that_judged_different_users_are_named() -> None:
    users = np.arange(1, NUM_USERS + 1)
    other = TargetValues("other", "NDCG@10", users, users / 100, users, users)
    with pytest.raises(DataError, match=r"(low and other|other and low) judged different users: 1 only the first"):
        paired_tests([_values("low", 0.1), other], metric="NDCG@10")
