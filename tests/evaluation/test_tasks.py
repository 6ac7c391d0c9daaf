"""Ranks in tiles against ranks one at a time, by plain loops."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gsrec.data import Sequences, leave_one_out
from gsrec.data.splits import Targets
from gsrec.errors import ConfigError, DataError
from gsrec.evaluation.tasks import TOP, RankingTask

Maker = Callable[..., Sequences]
NUM_ITEMS = 9
HISTORIES = st.lists(st.lists(st.integers(1, NUM_ITEMS), min_size=3, max_size=8), min_size=1, max_size=7)


@dataclass
class FakeScorer:
    """Scores with few levels, which depend on the history and its order; remembers what it was asked."""

    num_items: int = NUM_ITEMS
    max_length: int | None = None
    levels: int = 5
    asked: list[Tensor] = field(default_factory=list)

    def score(self, items: Tensor) -> Tensor:
        self.asked.append(items.clone())
        places = torch.arange(1, items.shape[1] + 1)
        state = (items * places * places).sum(1, keepdim=True)  # (B, 1)
        return ((state * 31 + torch.arange(self.num_items + 1) * 17) % 97 % self.levels).float()


def plain_ranks(task: RankingTask, scorer: FakeScorer) -> list[int]:
    """The rank of every target, each on its own."""
    ranks = []
    for row, (start, position) in enumerate(zip(task.targets.starts, task.targets.positions, strict=True)):
        history, target = task.sequences.items[start:position].tolist(), int(task.sequences.items[position])
        newest = history if scorer.max_length is None else history[-scorer.max_length :]
        scores = scorer.score(torch.tensor([newest]))[0].tolist()
        among = range(1, NUM_ITEMS + 1) if task.candidates is None else task.candidates[row].tolist()
        seen = set(history) if task.filter_seen else set()
        candidates = (set(among) - seen - {0}) | {target}
        beaten = sum(scores[item] < scores[target] for item in candidates)
        ranks.append(max(len(candidates), 21) if target in seen else len(candidates) - beaten)
    return ranks


def make_task(sequences: Sequences, *, sampled: bool = False, filter_seen: bool = True) -> RankingTask:
    """Leave-one-out's test part; sampled candidates are the first three items the user never takes."""
    candidates = None
    if sampled:
        ends = sequences.offsets[1:]
        others = [
            sorted(set(range(1, NUM_ITEMS + 1)) - set(sequences.items[start:end].tolist()))
            for start, end in zip(sequences.offsets, ends, strict=False)
        ]
        candidates = np.array([[*row, 0, 0, 0][:3] for row in others], dtype=np.int32)
    return RankingTask(
        sequences, leave_one_out(sequences).targets("test"), candidates=candidates, filter_seen=filter_seen
    )


@given(
    histories=HISTORIES,
    sampled=st.booleans(),
    filter_seen=st.booleans(),
    max_length=st.none() | st.integers(1, 9),
    memory_budget=st.integers(0, 500),
)
def test_ranks_are_those_of_plain_loops_whatever_the_tiles(
    sequences_of: Maker,
    histories: list[list[int]],
    sampled: bool,
    filter_seen: bool,
    max_length: int | None,
    memory_budget: int,
) -> None:
    task = make_task(sequences_of(histories, num_items=NUM_ITEMS), sampled=sampled, filter_seen=filter_seen)
    scorer = FakeScorer(max_length=max_length)
    ranks, top_items = task.rank(scorer, memory_budget=memory_budget)
    assert ranks.tolist() == plain_ranks(task, scorer)
    assert ((ranks >= 1) & (ranks <= task.num_candidates) | (ranks == task.miss_ranks)).all()
    whole_ranks, whole_items = task.rank(scorer, memory_budget=2**20)
    assert np.array_equal(ranks, whole_ranks)
    assert np.array_equal(top_items, whole_items)


@given(histories=HISTORIES, sampled=st.booleans(), filter_seen=st.booleans(), memory_budget=st.integers(0, 500))
def test_scores_that_are_given_for_targets_rank_as_those_of_a_scorer(
    sequences_of: Maker, histories: list[list[int]], sampled: bool, filter_seen: bool, memory_budget: int
) -> None:
    task = make_task(sequences_of(histories, num_items=NUM_ITEMS), sampled=sampled, filter_seen=filter_seen)
    items, scorer = task.sequences.items, FakeScorer()
    kept: list[tuple[np.ndarray, np.ndarray]] = []

    def score(targets: Targets) -> np.ndarray:
        rows = [scorer.score(torch.from_numpy(items[start:end][None])) for start, end in pairs(targets)]
        scores = torch.cat(rows).double().numpy()
        kept.append((scores, scores.copy()))
        return scores

    ranks, top_items = task.rank_scores(score, memory_budget=memory_budget)
    expected_ranks, expected_items = task.rank(scorer)
    assert ranks.tolist() == expected_ranks.tolist()
    assert top_items.tolist() == expected_items.tolist()
    assert all(np.array_equal(scores, before) for scores, before in kept)  # the caller's own are not changed


def pairs(targets: Targets) -> list[tuple[int, int]]:
    return list(zip(targets.starts.tolist(), targets.positions.tolist(), strict=True))


def test_given_scores_of_another_shape_are_an_error(sequences_of: Maker) -> None:
    task = make_task(sequences_of([[1, 2, 3], [4, 5, 6]], num_items=NUM_ITEMS))
    with pytest.raises(ConfigError, match=r"scores of shape \(B, V \+ 1\) = \(2, 10\) of float32, found \(2, 9\)"):
        task.rank_scores(lambda targets: np.zeros((len(targets), NUM_ITEMS)))


def test_scores_may_be_any_array_of_numbers(sequences_of: Maker) -> None:
    task = make_task(sequences_of([[1, 2, 3], [4, 5, 6]], num_items=NUM_ITEMS))
    rising = np.arange(NUM_ITEMS + 1.0)
    given: list[np.ndarray | Tensor] = [
        np.broadcast_to(rising, (2, NUM_ITEMS + 1)),  # which cannot be written to
        np.tile(rising[::-1], (2, 1))[:, ::-1],
        np.tile(rising, (2, 1)).astype(">f8"),
        torch.arange(NUM_ITEMS + 1).repeat(2, 1),
    ]
    for scores in given:
        assert task.rank_scores(partial(as_given, scores))[0].tolist() == [7, 4]
    with pytest.raises(ConfigError, match="scores must be an array or a tensor of numbers, found ndarray"):
        task.rank_scores(partial(as_given, np.array([["a"]])))


def as_given(scores: np.ndarray | Tensor, targets: Targets) -> np.ndarray | Tensor:
    return scores


@pytest.mark.parametrize(
    ("candidates", "told"),
    [
        (np.ones((1, 3), dtype=np.int64), r"a row for each of the 2 targets, found \(1, 3\) of int64"),
        (np.ones(2, dtype=np.int64), r"found \(2,\) of int64"),
        (np.ones((2, 3)), r"found \(2, 3\) of float64"),
        (np.array([[1, 10], [1, 2]]), "from 1 to 9, or 0, found 1 to 10"),
        (np.array([[1, -1], [1, 2]]), "from 1 to 9, or 0, found -1 to 2"),
        (np.array([[1, 2], [6, 0]]), "not among its own candidates, found it there in row 1"),
        (np.array([[1, 2, 0, 0], [4, 1, 4, 0]]), "counts once for a target, found one again in row 1"),
    ],
)
def test_candidates_that_cannot_be_are_an_error(sequences_of: Maker, candidates: np.ndarray, told: str) -> None:
    sequences = sequences_of([[1, 2, 3], [4, 5, 6]], num_items=NUM_ITEMS)
    with pytest.raises(ConfigError, match=told):
        RankingTask(sequences, leave_one_out(sequences).targets("test"), candidates)


@given(histories=HISTORIES, seed=st.integers(0, 100))
def test_the_order_of_users_changes_no_rank(sequences_of: Maker, histories: list[list[int]], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(histories))
    scorer = FakeScorer()
    ranks, _ = make_task(sequences_of(histories, num_items=NUM_ITEMS)).rank(scorer, memory_budget=100)
    shuffled = sequences_of([histories[place] for place in order], num_items=NUM_ITEMS)
    assert make_task(shuffled).rank(scorer, memory_budget=100)[0].tolist() == ranks[order].tolist()


def test_scores_fit_the_budget_and_histories_are_padded_right(sequences_of: Maker) -> None:
    scorer = FakeScorer(max_length=3)
    task = make_task(sequences_of([[1, 2, 3], [4, 5, 6, 7, 8], [1, 3, 5, 9]], num_items=NUM_ITEMS))
    task.rank(scorer, memory_budget=2 * 4 * (NUM_ITEMS + 1))
    assert [asked.tolist() for asked in scorer.asked] == [[[5, 6, 7], [1, 3, 5]], [[1, 2]]]


def test_a_tile_is_never_larger_than_helps(sequences_of: Maker) -> None:
    scorer = FakeScorer()
    make_task(sequences_of([[1, 2, 3]] * 600, num_items=NUM_ITEMS)).rank(scorer, memory_budget=2**30)
    assert [len(asked) for asked in scorer.asked] == [256, 256, 88]


def test_a_tile_of_long_histories_is_smaller(sequences_of: Maker) -> None:
    scorer = FakeScorer(max_length=128)
    make_task(sequences_of([[1, 2, 3] * 50] * 200, num_items=NUM_ITEMS)).rank(scorer, memory_budget=2**30)
    assert [asked.shape for asked in scorer.asked] == [(128, 128), (72, 128)]  # of 16,384 events at most


def test_histories_fit_the_budget_too(sequences_of: Maker) -> None:
    scorer = FakeScorer(max_length=2)
    long = [1, 2, 3] * 100
    make_task(sequences_of([long] * 4, num_items=NUM_ITEMS)).rank(scorer, memory_budget=2 * 8 * len(long))
    assert [len(asked) for asked in scorer.asked] == [2, 2]


def test_progress_is_told_after_every_tile(sequences_of: Maker) -> None:
    told: list[tuple[int, int | None]] = []
    task = make_task(sequences_of([[1, 2, 3]] * 5, num_items=NUM_ITEMS))
    task.rank(FakeScorer(), memory_budget=2 * 4 * (NUM_ITEMS + 1), progress=lambda done, of: told.append((done, of)))
    assert told == [(2, 5), (4, 5), (5, 5)]


def test_the_best_items_are_of_the_whole_catalogue_and_never_seen(sequences_of: Maker) -> None:
    task = make_task(sequences_of([[1, 2, 3]], num_items=NUM_ITEMS), sampled=True)
    _, top_items = task.rank(FakeScorer(levels=1), memory_budget=2**20)
    assert top_items.tolist() == [[3, 4, 5, 6, 7, 8, 9, 0, 0, 0]]
    assert top_items.shape[1] == TOP


@pytest.mark.parametrize(("filter_seen", "expected"), [(True, 7), (False, 9)])
def test_a_model_that_cannot_tell_items_apart_earns_the_last_rank(
    sequences_of: Maker, filter_seen: bool, expected: int
) -> None:
    task = make_task(sequences_of([[1, 2, 3]], num_items=NUM_ITEMS), filter_seen=filter_seen)
    assert task.rank(FakeScorer(levels=1), memory_budget=2**20)[0].tolist() == [expected]


@pytest.mark.parametrize("sampled", [False, True])
def test_nan_is_a_miss(sequences_of: Maker, sampled: bool) -> None:
    class Broken(FakeScorer):
        def score(self, items: Tensor) -> Tensor:
            return super().score(items) * torch.nan

    task = make_task(sequences_of([[1, 2, 3]], num_items=NUM_ITEMS), sampled=sampled)
    ranks, top_items = task.rank(Broken(), memory_budget=2**20)
    assert (ranks.tolist(), top_items.tolist()) == ([21], [[0] * TOP])


def test_scores_need_no_gradient(sequences_of: Maker) -> None:
    class Trained(FakeScorer):
        weight = torch.ones(1, requires_grad=True)

        def score(self, items: Tensor) -> Tensor:
            return super().score(items) * self.weight

    task = make_task(sequences_of([[1, 2, 3]], num_items=NUM_ITEMS))
    assert task.rank(Trained(), memory_budget=2**20)[0].shape == (1,)


def test_a_scorer_of_another_catalogue_is_an_error(sequences_of: Maker) -> None:
    task = make_task(sequences_of([[1, 2, 3]], num_items=NUM_ITEMS))
    with pytest.raises(DataError, match="the model knows 8 items and the log holds 9"):
        task.rank(FakeScorer(num_items=8), memory_budget=2**20)


def test_scores_of_another_shape_are_an_error(sequences_of: Maker) -> None:
    class WithoutPadding(FakeScorer):
        def score(self, items: Tensor) -> Tensor:
            return super().score(items)[:, 1:]

    task = make_task(sequences_of([[1, 2, 3]], num_items=NUM_ITEMS))
    with pytest.raises(ConfigError, match=r"scores of shape \(B, V \+ 1\) = \(1, 10\) of float32, found \(1, 9\)"):
        task.rank(WithoutPadding(), memory_budget=2**20)


def test_scores_of_another_precision_are_an_error(sequences_of: Maker) -> None:
    class Double(FakeScorer):
        def score(self, items: Tensor) -> Tensor:
            return super().score(items).double()

    task = make_task(sequences_of([[1, 2, 3]], num_items=NUM_ITEMS))
    with pytest.raises(ConfigError, match=r"of float32, found \(1, 10\) of torch.float64"):
        task.rank(Double(), memory_budget=2**20)


def test_a_task_prints_its_sizes(sequences_of: Maker) -> None:
    sequences = sequences_of([[1, 2, 3]] * 2, num_items=NUM_ITEMS)
    assert repr(make_task(sequences)) == "RankingTask(2 targets among all items, filter_seen=True)"
    assert repr(make_task(sequences, sampled=True)) == "RankingTask(2 targets among 3 candidates, filter_seen=True)"
