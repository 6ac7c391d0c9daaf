"""Sampled candidates: never a user's own items, never twice, and with the right chances."""

from collections import Counter
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsrec.data import Sequences, leave_one_out
from gsrec.errors import ConfigError
from gsrec.evaluation import candidates as candidates_module
from gsrec.evaluation.candidates import Candidates, draw_candidates, parse_candidates

Maker = Callable[..., Sequences]
HISTORIES = st.lists(st.lists(st.integers(1, 12), min_size=3, max_size=8), min_size=1, max_size=6)
RULES = st.builds(Candidates, st.sampled_from(["popularity", "uniform"]), st.integers(1, 15))


def draw(rule: Candidates, sequences: Sequences, *, seed: int = 0) -> np.ndarray:
    """Candidates for the test part of leave-one-out."""
    split = leave_one_out(sequences)
    return draw_candidates(rule, split.targets("test"), sequences, popularity=split.train_counts(), seed=seed)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("full", Candidates("full", 0)),
        ("popularity:100", Candidates("popularity", 100)),
        ("uniform:1", Candidates("uniform", 1)),
    ],
)
def test_the_rules_that_can_be_named(text: str, expected: Candidates) -> None:
    assert parse_candidates(text) == expected


@pytest.mark.parametrize(
    "text", ["", "Full", "full:10", "popularity", "uniform:", "uniform:0", "uniform:-5", "uniform:1e2", "random:100"]
)
def test_another_rule_is_an_error_that_names_the_known_ones(text: str) -> None:
    with pytest.raises(ConfigError, match=f"full, popularity:N or uniform:N .* at least 1, found '{text}'"):
        parse_candidates(text)


@given(histories=HISTORIES, rule=RULES, seed=st.integers(0, 100), draws=st.integers(0, 3))
def test_all_that_is_promised(
    sequences_of: Maker, histories: list[list[int]], rule: Candidates, seed: int, draws: int
) -> None:
    sequences = sequences_of(histories, num_items=12)
    popularity = leave_one_out(sequences).train_counts()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates_module, "_DRAWS_PER_ITEM", draws)
        drawn = draw(rule, sequences, seed=seed)
        assert np.array_equal(drawn, draw(rule, sequences, seed=seed))
    assert drawn.shape == (len(histories), min(rule.count, 12))
    assert drawn.dtype == np.int32
    for row, history in zip(drawn.tolist(), histories, strict=True):
        items = [item for item in row if item]
        eligible = {item for item in range(1, 13) if rule.kind == "uniform" or popularity[item]} - set(history)
        assert len(set(items)) == len(items) == min(rule.count, len(eligible))
        assert set(items) <= eligible
        assert row == items + [0] * (len(row) - len(items))


def test_another_seed_draws_others(sequences_of: Maker) -> None:
    sequences = sequences_of([[1, 2, 3]] * 5, num_items=100)
    first, second = (draw(Candidates("uniform", 20), sequences, seed=seed) for seed in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("draws", [0, 1, 3], ids=["race only", "draws, then race", "draws, seldom a race"])
def test_chances_are_those_of_an_urn_with_weights(
    sequences_of: Maker, monkeypatch: pytest.MonkeyPatch, draws: int
) -> None:
    monkeypatch.setattr(candidates_module, "_DRAWS_PER_ITEM", draws)
    num_draws, weights = 20_000, {1: 1, 2: 2, 3: 3, 4: 6}
    teachers = [[item] * (weight + 2) for item, weight in weights.items()]
    sequences = sequences_of([*teachers, *[[5, 5, 5]] * num_draws], num_items=5)
    drawn = draw(Candidates("popularity", 2), sequences)[len(teachers) :]
    found = Counter(map(tuple, drawn.tolist()))
    for first, second in permutations(weights, 2):
        expected = weights[first] / 12 * weights[second] / (12 - weights[first])
        assert found[first, second] / num_draws == pytest.approx(expected, abs=4 * (expected / num_draws) ** 0.5)


def test_uniform_candidates_are_equally_likely(sequences_of: Maker) -> None:
    drawn = draw(Candidates("uniform", 3), sequences_of([[1, 1, 1]] * 9000, num_items=10))
    shares = np.bincount(drawn.ravel(), minlength=11)[2:] / 9000
    assert shares == pytest.approx(np.full(9, 1 / 3), abs=0.02)
