"""The paired test against all sign changes there are, and Holm's correction by hand."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsrec.errors import ConfigError, DataError
from gsrec.evaluation import significance
from gsrec.evaluation.significance import holm, paired_test

P_VALUES = st.lists(st.floats(0, 1), max_size=12)


def exact_p_value(differences: np.ndarray) -> float:
    """The share of all sign changes whose sum is at least as large."""
    signs = np.array(list(product([1.0, -1.0], repeat=differences.size)))
    return float(np.mean(np.abs(signs @ differences) >= abs(differences.sum()) - 1e-9))


@given(st.lists(st.sampled_from([-1.0, -0.5, -0.1, 0.0, 0.1, 0.3, 1.0]), min_size=2, max_size=9))
def test_the_p_value_is_near_the_share_of_all_sign_changes(differences: list[float]) -> None:
    values = np.array(differences)
    found = paired_test(values, np.zeros(values.size), num_flips=4000).p_value
    assert found == pytest.approx(exact_p_value(values), abs=0.04)


def test_the_p_value_is_near_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy comes with ranx")
    generator = np.random.default_rng(3)
    first, second = generator.random(200), generator.random(200) + 0.05
    theirs = stats.permutation_test(
        (first, second),
        lambda x, y: float(np.mean(x - y)),
        permutation_type="samples",
        n_resamples=5000,
        rng=np.random.default_rng(0),
    )
    assert paired_test(first, second).p_value == pytest.approx(theirs.pvalue, abs=0.02)


def test_equal_models_have_a_p_value_of_1() -> None:
    values = np.array([0.0, 1.0, 0.5])
    test = paired_test(values, values)
    assert (test.difference, test.interval, test.p_value) == (0.0, (0.0, 0.0), 1.0)


def test_the_p_value_is_never_0() -> None:
    assert paired_test(np.ones(100), np.zeros(100), num_flips=999).p_value == 0.001


def test_sums_that_are_equal_but_for_rounding_count_as_equal() -> None:
    differences = np.array([0.1, 0.2, 0.3, 0.7, 0.7, 0.6])
    found = paired_test(differences, np.zeros(6), num_flips=20_000).p_value
    assert found == pytest.approx(2 / 64, abs=0.005)


def test_the_test_is_a_pure_function_of_its_seed() -> None:
    first, second = np.random.default_rng(0).random((2, 50))
    assert paired_test(first, second, 1) == paired_test(first, second, 1)
    assert paired_test(first, second, 1) != paired_test(first, second, 2)


def test_the_two_sides_mirror_each_other() -> None:
    first, second = np.random.default_rng(0).random((2, 50))
    forth, back = paired_test(first, second), paired_test(second, first)
    assert (forth.difference, forth.p_value) == (-back.difference, back.p_value)
    assert forth.interval == pytest.approx((-back.interval[1], -back.interval[0]))


def test_flips_come_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = np.random.default_rng(0).random((2, 50))
    whole = paired_test(first, second).p_value
    monkeypatch.setattr(significance, "_BITS_AT_ONCE", 50 * 33)
    assert paired_test(first, second).p_value == pytest.approx(whole, abs=0.03)


def test_without_a_difference_small_p_values_are_as_rare_as_they_should_be() -> None:
    generator = np.random.default_rng(0)
    p_values = [paired_test(*generator.random((2, 40)), num_flips=200).p_value for _ in range(400)]
    assert 0.02 < np.mean(np.array(p_values) <= 0.05) < 0.08


def test_unequal_users_are_an_error() -> None:
    with pytest.raises(DataError, match="the same users twice, found 3 and 2 values"):
        paired_test(np.zeros(3), np.zeros(2))


@pytest.mark.parametrize("num_users", [0, 1])
def test_fewer_than_two_users_are_an_error(num_users: int) -> None:
    with pytest.raises(DataError, match="at least two users"):
        paired_test(np.ones(num_users), np.zeros(num_users))


def test_no_flips_are_an_error() -> None:
    with pytest.raises(ConfigError, match="num_flips must be at least 1, found 0"):
        paired_test(np.ones(3), np.zeros(3), num_flips=0)


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx(np.array([0.06, 0.03, 0.06]))
    assert holm([0.5, 0.6]) == pytest.approx(np.array([1.0, 1.0]))
    assert holm([]).shape == (0,)


@given(P_VALUES)
def test_holm_keeps_the_order_and_stays_between_the_p_value_and_1(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert (corrected >= np.array(p_values)).all()
    assert (corrected <= np.minimum(1.0, len(p_values) * np.array(p_values) + 1e-300)).all()
    assert (np.diff(corrected[np.argsort(p_values, kind="stable")]) >= 0).all()


@given(P_VALUES)
def test_holm_does_not_depend_on_the_order_of_tests(p_values: list[float]) -> None:
    assert holm(p_values).tolist() == holm(p_values[::-1])[::-1].tolist()
