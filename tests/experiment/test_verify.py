"""All ways to ask a model give the evaluator's numbers; a way that does not is found out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gsrec.bundle import Bundle
from gsrec.data.splits import Split, global_temporal, last_n, leave_one_out
from gsrec.data.synthetic import synthetic_log
from gsrec.data.vocabulary import ItemId
from gsrec.errors import DataError
from gsrec.evaluation.evaluator import Protocol, evaluate
from gsrec.experiment.verify import Way, library_ways, onnx_ways, scorer_way, verify
from gsrec.models import (
    BERT4RecConfig,
    GRU4RecConfig,
    GSRec,
    GSRecConfig,
    ModelConfig,
    PopRec,
    PopRecConfig,
    SASRec,
    SASRecConfig,
    build_model,
)
from gsrec.ranking import score_histories
from gsrec.recommend.export import export_bundle
from gsrec.recommend.recommender import Recommender

CONFIGS: dict[str, ModelConfig] = {
    "gru4rec": GRU4RecConfig(embedding_size=8, recurrent_size=8),
    "sasrec": SASRecConfig(embedding_size=8, max_length=8),
    "bert4rec": BERT4RecConfig(embedding_size=8, num_heads=1, max_length=8),
    "gsrec": GSRecConfig(embedding_size=8, num_heads=1, recurrent_size=8, window=3),
}


@pytest.fixture(scope="module")
def split() -> Split:
    """Some of the histories are longer than what some models look at."""
    return leave_one_out(synthetic_log(num_users=90, num_items=40, mean_length=12).to_sequences())


def bundle_of(split: Split, name: str, *, filter_seen: bool = True) -> Bundle:
    model = build_model(CONFIGS[name], num_items=split.sequences.num_items, seed=3).eval()
    return Bundle.of(model, CONFIGS[name], split, settings={"data": {"filter_seen": filter_seen}})


def all_ways(bundle: Bundle) -> dict[str, Way]:
    return {**library_ways(Recommender(bundle)), "scorer": scorer_way(bundle, bundle.model)}


@pytest.mark.parametrize("filter_seen", [True, False])
@pytest.mark.parametrize("name", CONFIGS)
def test_all_ways_give_the_evaluators_numbers(split: Split, name: str, filter_seen: bool) -> None:
    bundle, told = bundle_of(split, name, filter_seen=filter_seen), list[str]()
    found = verify(bundle, split, all_ways(bundle), on_stage=told.append)
    expected = evaluate(bundle.model, split, Protocol("test", filter_seen=filter_seen)).metrics
    assert found.holds
    assert found.expected["NDCG@10"] == pytest.approx(expected["NDCG@10"], abs=1e-12)
    assert found.expected["HR@10"] == pytest.approx(expected["HR@10"], abs=1e-12)
    assert told == ["the evaluator", "recommender", "session", "scorer", "changed targets"]
    assert [verdict.targets for verdict in found.verdicts] == [90] * 3
    assert all(verdict.equal + verdict.near_ties == 90 for verdict in found.verdicts)
    assert found.record()["holds"] is True


def test_a_catalogue_hardly_longer_than_a_list() -> None:
    split = leave_one_out(synthetic_log(num_users=30, num_items=11, mean_length=6).to_sequences())
    bundle = bundle_of(split, "gru4rec", filter_seen=False)
    assert verify(bundle, split, all_ways(bundle)).holds


@pytest.mark.parametrize("name", ["gru4rec", "sasrec", "bert4rec"])
def test_the_export_gives_the_evaluators_numbers(split: Split, name: str, tmp_path: Path) -> None:
    bundle = bundle_of(split, name)
    export_bundle(bundle, tmp_path / "onnx")
    ways = onnx_ways(bundle, tmp_path / "onnx")
    assert list(ways) == (["ONNX"] if name == "bert4rec" else ["ONNX", "ONNX, event by event"])
    assert verify(bundle, split, ways, num_targets=20).holds


@pytest.mark.parametrize("rule", ["last-2", "temporal"])
def test_targets_that_lie_in_the_history_of_the_next(rule: str) -> None:
    sequences = synthetic_log(num_users=90, num_items=40, mean_length=12).to_sequences()
    split = (
        last_n(sequences, 2) if rule == "last-2" else global_temporal(sequences, validation=0.6, test=0.7, rule="all")
    )
    assert len(split.targets("test")) > np.unique(split.targets("test").users).size
    bundle = bundle_of(split, "gsrec")
    found = verify(bundle, split, all_ways(bundle))
    assert (found.holds, found.moved) == (True, 0)


def test_items_that_nearly_tie_do_not_look_as_if_targets_leaked() -> None:
    sequences = synthetic_log(num_users=300, num_items=300, mean_length=20, predictability=0.5, seed=1).to_sequences()
    split = last_n(sequences, 3)
    config = SASRecConfig(embedding_size=16, num_blocks=1)
    model = build_model(config, num_items=sequences.num_items, seed=3).eval()
    assert isinstance(model, SASRec)
    with torch.no_grad():
        vectors = model.items.weight[1:].split(2)  # nearly the same in pairs
        for one, other in (pair for pair in vectors if len(pair) == 2):
            other.copy_(one * (1 + 1e-7 * torch.randn(one.shape)))
    assert verify(Bundle.of(model, config, split), split, {}).moved == 0


def test_some_of_the_targets(split: Split) -> None:
    bundle = bundle_of(split, "gsrec")
    assert [verdict.targets for verdict in verify(bundle, split, all_ways(bundle), num_targets=7).verdicts] == [7] * 3


def test_a_way_that_serves_something_else_is_found_out(split: Split) -> None:
    bundle, other = bundle_of(split, "gsrec"), bundle_of(split, "sasrec")

    def one_less(histories: Sequence[Sequence[ItemId]], k: int) -> list[tuple[ItemId, ...]]:
        return [one.items[:-1] for one in Recommender(bundle).recommend(histories, k)]

    found = verify(bundle, split, {"other": scorer_way(other, other.model), "less": one_less})
    assert not found.holds
    assert [verdict.different > 80 for verdict in found.verdicts] == [True, True]


def test_a_model_that_looks_at_its_targets_is_found_out(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = bundle_of(split, "gsrec")
    taken = iter(range(1, 1000))
    score = GSRec.score

    def restless(self: GSRec, items: Tensor) -> Tensor:
        scores = score(self, items)
        scores[:, next(taken) % 30 + 1] += 9
        return scores

    monkeypatch.setattr(GSRec, "score", restless)
    assert verify(bundle, split, {}).moved > 50


def test_histories_that_hold_their_targets_are_found_out(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    def told_too_much(
        score: Callable[[Tensor], Tensor], items: np.ndarray, starts: np.ndarray, ends: np.ndarray, **given: Any
    ) -> Tensor:
        return score_histories(score, items, starts, ends + 1, **given)

    monkeypatch.setattr("gsrec.evaluation.tasks.score_histories", told_too_much)
    assert verify(bundle_of(split, "gsrec"), split, {}).moved > 50


def test_another_log_is_refused(split: Split) -> None:
    bundle = bundle_of(split, "gsrec")
    data = bundle.data.model_copy(update={"fingerprint": "0" * 64})
    with pytest.raises(DataError, match="synthetic is not the log that the model learned from"):
        verify(replace(bundle, data=data), split, {})


def test_items_that_are_nearly_tied_may_change_places(split: Split) -> None:
    bundle = bundle_of(split, "gsrec")
    first, second = bundle.vocabulary.encode(Recommender(bundle).recommend([1, 2, 3], 2).items).tolist()
    weights = bundle.model.state_dict()["items.weight"]
    weights[second] = weights[first] + 1e-7

    def swapped(histories: Sequence[Sequence[ItemId]], k: int) -> list[tuple[ItemId, ...]]:
        found = Recommender(bundle).recommend(histories, k)
        swap = {first: second, second: first}
        both = [{first, second} <= {*one.items} for one in found]
        lists = zip(found, both, strict=True)
        return [tuple(swap.get(int(item), item) for item in one.items) if has else one.items for one, has in lists]

    (verdict,) = verify(bundle, split, {"swapped": swapped}).verdicts
    assert verdict.different == 0
    assert verdict.near_ties > 0


def test_a_miss_is_none_of_the_first_ten_where_there_are_fewer_items() -> None:
    split = leave_one_out(synthetic_log(num_users=40, num_items=8, mean_length=6).to_sequences())
    bundle = bundle_of(split, "sasrec")
    found = verify(bundle, split, all_ways(bundle))
    assert found.holds
    assert found.expected["HR@10"] == evaluate(bundle.model, split, Protocol("test")).metrics["HR@10"] < 1


def test_without_a_target_there_is_nothing_to_verify(split: Split) -> None:
    bundle = bundle_of(split, "sasrec")
    with pytest.raises(DataError, match="has no test target to verify with"):
        verify(bundle, split, all_ways(bundle), num_targets=0)


def test_ties_count_against_every_way(split: Split) -> None:
    model = PopRec(split.sequences.num_items, PopRecConfig())
    model.count(split)
    model.counts.clamp_(max=9)  # many items are as popular
    bundle = Bundle.of(model, PopRecConfig(), split)
    found = verify(bundle, split, all_ways(bundle))
    assert found.holds
    assert found.expected["HR@10"] == pytest.approx(evaluate(model, split, Protocol("test")).metrics["HR@10"])
