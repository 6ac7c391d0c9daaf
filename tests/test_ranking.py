"""Ranks and best lists against what a few lines of numpy say."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gsrec import ranking
from gsrec.ranking import mask_seen, rank_among, rank_of, top_k

SCORES = st.sampled_from([-math.inf, -1.5, -0.0, 0.0, 0.5, 2.0, math.inf, math.nan])


@st.composite
def score_rows(draw: st.DrawFn, max_items: int = 8) -> Tensor:
    """(B, V + 1) with few distinct scores, so that ties, NaN and infinities are many."""
    num_items = draw(st.integers(1, max_items))
    rows = draw(st.lists(st.lists(SCORES, min_size=num_items, max_size=num_items), min_size=1, max_size=4))
    return torch.tensor([[-math.inf, *row] for row in rows])


def best_items(row: list[float], k: int) -> list[int]:
    """The k best candidates of a row by a plain sort, filled up with 0."""
    candidates = [item for item, score in enumerate(row) if not math.isnan(score) and score > -math.inf]
    best = sorted(candidates, key=lambda item: (-row[item], item))[:k]
    return best + [0] * (k - len(best))


def test_seen_items_and_padding_are_masked() -> None:
    scores = torch.arange(8.0).view(2, 4)
    mask_seen(scores, torch.tensor([[1, 1, 3], [2, 0, 0]]))
    assert scores.tolist() == [[-math.inf, -math.inf, 2.0, -math.inf], [-math.inf, 5.0, -math.inf, 7.0]]


def test_without_seen_items_only_padding_is_masked() -> None:
    scores = torch.ones(2, 3)
    mask_seen(scores, torch.zeros(2, 0, dtype=torch.int64))
    assert scores.tolist() == [[-math.inf, 1.0, 1.0]] * 2


@given(score_rows(), st.data())
def test_rank_counts_all_that_is_not_lower(scores: Tensor, data: st.DataObject) -> None:
    num_items = scores.shape[1] - 1
    targets = [data.draw(st.integers(1, num_items)) for _ in scores]
    expected = [
        1 + sum(not row[item] < row[target] for item in range(num_items + 1) if item != target)
        for row, target in zip(scores.tolist(), targets, strict=True)
    ]
    assert rank_of(scores, torch.tensor(targets)).tolist() == expected


def test_ties_count_against_the_target() -> None:
    scores = torch.tensor([[-math.inf, 1.0, 1.0, 1.0, 0.0]])
    assert [int(rank_of(scores, torch.tensor([target]))) for target in (1, 2, 3, 4)] == [3, 3, 3, 4]


def test_a_constant_score_earns_the_last_rank() -> None:
    scores = torch.zeros(1, 101)
    mask_seen(scores, torch.tensor([[7]]))
    assert rank_of(scores, torch.tensor([1])).tolist() == [99]


def test_nan_counts_against_the_target() -> None:
    scores = torch.tensor([[-math.inf, 1.0, math.nan, 3.0]])
    assert rank_of(scores, torch.tensor([3])).tolist() == [2]
    assert rank_of(scores, torch.tensor([2])).tolist() == [4]


def test_rank_does_not_depend_on_the_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = torch.randn(7, 50, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(7) + 1
    whole = rank_of(scores, targets)
    for floats in (1, 100, 149):
        monkeypatch.setattr(ranking, "_BUFFER", floats)
        assert torch.equal(rank_of(scores, targets), whole)


def test_ranking_needs_no_gradient() -> None:
    scores = torch.randn(2, 5, requires_grad=True)
    assert not rank_of(scores, torch.tensor([1, 2])).requires_grad
    assert not top_k(scores, 2)[0].requires_grad


@given(score_rows(), st.data())
def test_rank_among_some_is_the_rank_within_them(scores: Tensor, data: st.DataObject) -> None:
    num_items = scores.shape[1] - 1
    target = data.draw(st.integers(1, num_items))
    others = sorted(data.draw(st.sets(st.integers(1, num_items))) - {target})
    targets, candidates = torch.full((len(scores),), target), torch.tensor([[*others, 0, 0]] * len(scores))
    expected = [1 + sum(not row[item] < row[target] for item in others) for row in scores.tolist()]
    assert rank_among(scores, targets, candidates).tolist() == expected


@given(score_rows(), st.integers(1, 12))
def test_top_k_is_a_sort_by_score_then_item(scores: Tensor, k: int) -> None:
    values, items = top_k(scores, k)
    assert items.tolist() == [best_items(row, k) for row in scores.tolist()]
    assert values.tolist() == [
        [row[item] if item else -math.inf for item in found]
        for row, found in zip(scores.tolist(), items.tolist(), strict=True)
    ]


@given(st.integers(1, 300), st.integers(1, 30), st.integers(0, 2**32 - 1), st.integers(1, 100))
def test_top_k_over_many_blocks_is_a_sort(num_items: int, k: int, seed: int, levels: int) -> None:
    generator = np.random.default_rng(seed)
    scores = np.round(generator.normal(size=(3, num_items + 1)) * levels).astype(np.float32)
    scores[:, 0] = -np.inf
    found = top_k(torch.from_numpy(scores), k)[1].tolist()
    assert found == [best_items(row, k) for row in scores.tolist()]


@pytest.mark.parametrize("item", [5, 130], ids=["in a block", "in the tail"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_top_k_passes_over_nan(item: int, sign: float) -> None:
    scores = torch.arange(131.0)[None].clone()
    scores[0, item] = math.copysign(math.nan, sign)
    assert top_k(scores, 3)[1].tolist() == [[value for value in (130, 129, 128, 127) if value != item][:3]]


def test_top_k_leaves_the_scores_as_they_are() -> None:
    scores = torch.tensor([[-math.inf, math.nan, 1.0]])
    top_k(scores, 5)
    assert torch.equal(scores.nan_to_num(nan=7.0), torch.tensor([[-math.inf, 7.0, 1.0]]).nan_to_num(nan=7.0))


def test_no_rows_give_no_rows() -> None:
    scores = torch.zeros(0, 200)
    assert rank_of(scores, torch.zeros(0, dtype=torch.int64)).shape == (0,)
    assert [part.shape for part in top_k(scores, 3)] == [(0, 3), (0, 3)]


@given(st.integers(0, 2**32 - 1))
def test_the_item_at_a_place_of_the_list_has_that_rank(seed: int) -> None:
    scores = torch.from_numpy(np.random.default_rng(seed).permutation(200).astype(np.float32)[None])
    mask_seen(scores, torch.tensor([[3, 9]]))
    _, items = top_k(scores, 10)
    assert [int(rank_of(scores, item[None])) for item in items[0]] == list(range(1, 11))
