"""What a business allows decides what is recommended, whatever the model thinks, and nothing else changes."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gsrec.data.vocabulary import ItemId, Vocabulary
from gsrec.errors import ConfigError
from gsrec.recommend.rules import Rules, rules_of

VOCABULARY = Vocabulary.of([f"item {number}" for number in range(1, 9)])
ITEM = st.integers(1, 8)


def best(rules: Rules, scores: list[float], k: int = 8) -> list[int]:
    """The items that rules leave, of one history without seen items, best first."""
    row = torch.tensor([[-math.inf, *scores]])
    values, items = rules.for_vocabulary(VOCABULARY).best(row, k)
    assert values.shape == items.shape == (1, k)
    real = items[0] > 0
    assert values[0][~real].isneginf().all()
    return items[0][real].tolist()


FALLING = [8.0, 7, 6, 5, 4, 3, 2, 1]


def test_without_rules_nothing_changes() -> None:
    assert best(Rules(), FALLING) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_deny_and_allow() -> None:
    assert best(Rules(exclude=["item 1", "item 3", "unknown"]), FALLING) == [2, 4, 5, 6, 7, 8]
    assert best(Rules(only=["item 7", "item 2", "unknown"]), FALLING) == [2, 7]
    assert best(Rules(exclude=["item 2"], only=["item 7", "item 2"]), FALLING) == [7]
    with pytest.raises(ConfigError, match="`only` names no item that the model knows"):
        best(Rules(only=["unknown"]), FALLING)


def test_a_boost_multiplies_an_items_chance() -> None:
    scores = [1.0, 0, 0, 0, 0, 0, 0, 0]
    row = torch.tensor([[-math.inf, *scores]])
    rules = Rules(boosts={"item 5": 2.0, "item 1": 0.5, "unknown": 9.0}).for_vocabulary(VOCABULARY)
    rules.best(row, 8)
    chances = row[0, 1:].exp()
    assert chances[4] / chances[3] == pytest.approx(2.0)
    assert chances[0] == pytest.approx(math.e / 2)
    assert best(Rules(boosts={"item 8": 1e4}), FALLING)[0] == 8


def test_of_two_boosts_of_an_item_the_later_one_holds() -> None:
    rules = Rules(boosts={7: 2.0, "7": 3.0}).for_vocabulary(Vocabulary.of([7, 8]))
    assert (rules.boosted.tolist(), rules.factors.tolist()) == ([1], [3.0])


def test_a_boost_multiplies_counts() -> None:
    rows = torch.tensor([[-math.inf, 900.0, 40, 300, 0, 0, 0, 0, 0]]).repeat(2, 1)
    rules = Rules(boosts={"item 2": 10.0}).for_vocabulary(VOCABULARY)
    values, items = rules.best(rows, 3, counted=[1])
    assert items.tolist() == [[1, 3, 2], [1, 2, 3]]
    assert values[1].tolist() == [900, 400, 300]


def test_rules_beside_exclude_or_only_are_refused() -> None:
    for exclude, only in ((["item 1"], None), ((), ["item 1"])):
        with pytest.raises(ConfigError, match="were given beside `rules`"):
            rules_of(exclude, only, Rules())
    with pytest.raises(ConfigError, match=r"`only` must be a collection of item ids, found the string 'item 1'"):
        rules_of((), "item 1", None)
    with pytest.raises(ConfigError, match=r"`exclude` must be a collection of item ids, found the string '12'"):
        Rules(exclude="12")


@pytest.mark.parametrize("factor", [0.0, -1.0, 1e-60, 1e39, math.inf, math.nan])
def test_a_boost_that_is_no_factor(factor: float) -> None:
    with pytest.raises(ConfigError, match=r"a boost must be a factor from 1e-06 to 1e\+06, found .* for item 'item 1'"):
        Rules(boosts={"item 1": factor})


def test_a_quota_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="a quota must be 0 or more, found -1 for category 'films'"):
        Rules(quotas={"films": -1})


@given(
    st.lists(st.floats(-5, 5), min_size=8, max_size=8),
    st.dictionaries(ITEM, st.sampled_from("abc")),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 4)),
    st.integers(1, 8),
)
def test_quotas_are_kept_and_the_best_of_the_rest_are_taken(
    scores: list[float], categories: dict[int, str], quotas: dict[str, int], k: int
) -> None:
    named: dict[ItemId, str] = {f"item {item}": category for item, category in categories.items()}
    found = best(Rules(categories=named, quotas=quotas), scores, k)
    expected: list[int] = []
    taken: Counter[str] = Counter()
    for item in np.argsort(-np.array(scores, dtype=np.float32), kind="stable") + 1:
        category = categories.get(int(item), "")
        if len(expected) < k and taken[category] < quotas.get(category, 9):
            expected.append(int(item))
            taken[category] += 1
    assert found == expected


def test_each_row_has_its_own_quota() -> None:
    rules = Rules(categories={"item 1": "a", "item 2": "a"}, quotas={"a": 1}).for_vocabulary(VOCABULARY)
    rows = torch.tensor([[-math.inf, *FALLING], [-math.inf, *FALLING[::-1]]])
    assert rules.best(rows, 3)[1].tolist() == [[1, 3, 4], [8, 7, 6]]
