"""What is served is what was measured, and what is unknown, seen or too much is dealt with in the open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from gsrec.bundle import Bundle, DataFacts, save_bundle
from gsrec.data.splits import Split, leave_one_out
from gsrec.data.synthetic import synthetic_log
from gsrec.data.vocabulary import ItemId, Vocabulary
from gsrec.errors import BundleError, ConfigError, DataError
from gsrec.evaluation.evaluator import Protocol, evaluate
from gsrec.models import (
    BERT4RecConfig,
    GRU4RecConfig,
    GSRecConfig,
    ModelConfig,
    PopRec,
    PopRecConfig,
    SASRecConfig,
    SequenceEncoder,
    build_model,
)
from gsrec.recommend.recommender import Recommender
from gsrec.recommend.rules import Rules

CONFIGS: dict[str, ModelConfig] = {
    "poprec": PopRecConfig(),
    "gru4rec": GRU4RecConfig(embedding_size=8, recurrent_size=8, max_length=6),
    "sasrec": SASRecConfig(embedding_size=8, max_length=6),
    "bert4rec": BERT4RecConfig(embedding_size=8, num_heads=1, max_length=6),
    "gsrec": GSRecConfig(embedding_size=8, num_heads=1, recurrent_size=8, window=3, max_length=6),
}
NEURAL = [name for name in CONFIGS if name != "poprec"]
NUM_ITEMS = 30


@pytest.fixture(scope="module")
def split() -> Split:
    """Histories of up to some twenty items, longer than what the models look at."""
    log = synthetic_log(num_users=150, num_items=NUM_ITEMS, mean_length=12, seed=5)
    return leave_one_out(log.to_sequences())


@pytest.fixture(scope="module", params=CONFIGS)
def recommender(split: Split, request: pytest.FixtureRequest) -> Recommender:
    """A recommender of every model, with weights as they come."""
    config = CONFIGS[request.param]
    model = build_model(config, num_items=split.sequences.num_items, seed=2).eval()
    if isinstance(model, PopRec):
        model.count(split)
    return Recommender(Bundle.of(model, config, split))


def histories_of_test(split: Split) -> list[list[ItemId]]:
    """What every user took before the test event."""
    sequences, targets = split.sequences, split.targets("test")
    bounds = zip(targets.starts, targets.positions, strict=True)
    return [sequences.vocabulary.decode(sequences.items[start:end]) for start, end in bounds]


def named(ids: Sequence[ItemId]) -> Recommender:
    """A recommender by popularity of these items, the first the most popular."""
    config = PopRecConfig()
    model = PopRec(len(ids), config)
    model.counts = model.counts.new_tensor([0, *range(len(ids), 0, -1)])
    facts = DataFacts(name="log", fingerprint="0" * 64, num_users=1, num_items=len(ids), num_interactions=1)
    return Recommender(Bundle(model, config, Vocabulary.of(ids), facts, model.counts.long()))


@pytest.mark.parametrize("filter_seen", [True, False], ids=["seen left out", "seen kept"])
def test_what_was_measured_is_served(recommender: Recommender, split: Split, filter_seen: bool) -> None:
    evaluation = evaluate(recommender.bundle.model, split, Protocol("test", filter_seen=filter_seen))
    answers = recommender.recommend(histories_of_test(split), NUM_ITEMS, filter_seen=filter_seen)
    targets = split.sequences.items[split.targets("test").positions]
    ids = split.sequences.vocabulary.decode(targets)
    judged = 0
    for rank, target, popularity, answer in zip(
        evaluation.ranks, ids, evaluation.target_popularity, answers, strict=True
    ):
        if target not in answer.items or not popularity:
            continue  # seen, or never seen in training: a miss by decree
        place = answer.items.index(target)
        tied = answer.scores.count(answer.scores[place])
        first = answer.scores.index(answer.scores[place])
        assert rank == first + tied  # ties count against the model
        judged += tied == 1
    assert judged > 50 or isinstance(recommender.bundle.model, PopRec)


@pytest.mark.parametrize("recommender", NEURAL, indirect=True)  # popularity has ties: a list shows some, a rank all
def test_the_target_is_in_the_list_as_far_up_as_its_rank(recommender: Recommender, split: Split) -> None:
    evaluation = evaluate(recommender.bundle.model, split, Protocol("test"))
    answers = recommender.recommend(histories_of_test(split), 10)
    targets = split.sequences.vocabulary.decode(split.sequences.items[split.targets("test").positions])
    hits = [target in answer.items for target, answer in zip(targets, answers, strict=True)]
    hit = evaluation.ranks <= 10
    assert hits == hit.tolist()
    assert evaluation.metrics["HR@10"] == pytest.approx(np.mean(hits))


def test_a_batch_answers_as_one_by_one(recommender: Recommender, split: Split) -> None:
    histories = histories_of_test(split)
    together = recommender.recommend(histories, 5)
    for history, answer in list(zip(histories, together, strict=True))[:: len(histories) // 20]:
        alone = recommender.recommend(history, 5)
        assert alone.scores == pytest.approx(answer.scores, abs=1e-5)
        assert alone.items == answer.items


def test_scores_fall_and_nothing_comes_twice(recommender: Recommender, split: Split) -> None:
    for history, answer in zip(histories_of_test(split), recommender.recommend(histories_of_test(split)), strict=True):
        assert list(answer.scores) == sorted(answer.scores, reverse=True)
        assert len(set(answer.items)) == len(answer.items) == 10
        assert not set(answer.items) & set(history)


def test_seen_items_come_back_when_asked_for(recommender: Recommender) -> None:
    history = [1, 2, 3, 2]
    assert not set(recommender.recommend(history, NUM_ITEMS).items) & {1, 2, 3}
    kept = recommender.recommend(history, NUM_ITEMS, filter_seen=False)
    assert sorted(kept.items, key=str) == sorted(range(1, NUM_ITEMS + 1), key=str)


def test_seen_items_are_left_out_however_long_ago(recommender: Recommender) -> None:
    history = list(range(1, NUM_ITEMS))  # longer than what the models look at
    assert recommender.recommend(history, 5).items == (NUM_ITEMS,)


def test_unknown_items_are_counted_and_left_out(recommender: Recommender) -> None:
    answer = recommender.recommend([999, 1, "x", 2, 999], 5)
    assert answer.num_unknown == 3
    clean = recommender.recommend([1, 2], 5)
    assert (answer.items, answer.scores, clean.num_unknown) == (clean.items, clean.scores, 0)


def test_no_more_than_there_is(recommender: Recommender) -> None:
    assert len(recommender.recommend([1], 1000).items) == NUM_ITEMS - 1
    assert recommender.recommend(range(1, NUM_ITEMS + 1), 3).items == ()


@pytest.mark.parametrize("history", [[], [999], ["x", "y"]])
def test_a_history_of_nothing_known_is_answered_by_popularity_and_says_so(
    recommender: Recommender, history: list[ItemId]
) -> None:
    answer = recommender.recommend(history, 3)
    counts = recommender.bundle.counts
    assert (answer.source, answer.num_unknown) == ("popularity", len(history))
    assert answer.scores == tuple(counts.sort(descending=True).values[:3].tolist())
    assert recommender.recommend(history, 3, exclude=answer.items[:1]).items[0] == answer.items[1]
    beside = recommender.recommend([[1, 2], history, [3]], 3)
    assert [one.source for one in beside] == ["model", "popularity", "model"]
    assert beside[1] == answer


def test_a_boost_counts_where_scores_are_counts() -> None:
    recommender = named(["a", "b", "c", "d"])  # taken 4, 3, 2 and 1 times
    rules = Rules(boosts={"d": 3.5})
    for answer in (recommender.recommend([], 3, rules=rules), recommender.session().recommend(3, rules=rules)):
        assert (answer.items, answer.scores) == (("a", "d", "b"), (4.0, 3.5, 3.0))
    assert recommender.recommend(["b"], 3, rules=rules).items == ("a", "d", "c")


def test_it_prints_what_it_recommends_by() -> None:
    assert repr(named(["a", "b"])) == "Recommender(poprec, 2 items of log)"


def test_a_string_is_no_history(recommender: Recommender) -> None:
    with pytest.raises(ConfigError, match=r"a history must be a sequence of item ids, found the string 'i0'"):
        recommender.recommend("i0")


def test_one_history_or_several_but_no_mixture(recommender: Recommender) -> None:
    assert recommender.recommend([[1, 2]]) == [recommender.recommend([1, 2])]
    assert recommender.recommend(np.array([1, 2])) == recommender.recommend((1, 2))  # type: ignore[call-overload]
    several: list[Any] = [pl.Series([[1, 2], [3]]), [torch.tensor([1, 2]), pl.Series([3])], iter([[1, 2], [3]])]
    one: list[Any] = [iter([1, 2]), pl.Series([1, 2]), torch.tensor([1, 2]), [torch.tensor(1), np.int64(2)]]
    assert [recommender.recommend(given) for given in several] == [recommender.recommend([[1, 2], [3]])] * 3
    assert [recommender.recommend(given) for given in one] == [recommender.recommend([1, 2])] * 4
    with pytest.raises(ConfigError, match="a history must be item ids, or all histories lists of item ids"):
        recommender.recommend([[1, 2], 3])  # type: ignore[list-item]
    no_histories: list[Any] = [{"ann": [1, 2]}, 7, {1, 2}, b"12", [{1, 2}], torch.tensor(7)]
    for wrong in no_histories:
        with pytest.raises(ConfigError, match=r"a history must be a sequence of item ids, oldest first, found one"):
            recommender.recommend(wrong)


@pytest.mark.parametrize("k", [0, -1, 1.5, "5"])
def test_k_must_be_a_positive_number(k: int) -> None:
    with pytest.raises(ConfigError, match=f"k must be a whole number of at least 1, found {k!r}"):
        named(["ham", "eggs"]).recommend(["ham"], k)


def test_ids_are_the_users_own() -> None:
    answer = named(["ham", "eggs", "tea"]).recommend(["eggs"], 2)
    assert (answer.items, answer.scores) == (("ham", "tea"), (3.0, 1.0))
    assert named([700, -5, 12]).recommend([12]).items == (700, -5)
    assert all(type(item) is int for item in named([700, -5, 12]).recommend([12]).items)


def test_strings_that_look_like_numbers_stay_strings() -> None:
    answer = named(["007", "7", "8"]).recommend(["7", 9], 2)
    assert (answer.items, answer.num_unknown) == (("007", "8"), 1)
    assert named(["007", "7", "8"]).recommend([7], 2).items == ("007", "8")


def test_what_is_not_wanted_or_not_in_stock_is_left_out(recommender: Recommender) -> None:
    history = [1, 2, 3]
    best = recommender.recommend(history, 6)
    without = recommender.recommend(history, 5, exclude=[best.items[0], "unknown"])
    assert without.items == best.items[1:]
    among = recommender.recommend(history, 10, only=[best.items[4], best.items[1], 1, "unknown"])
    assert among.items == (best.items[1], best.items[4])
    assert recommender.recommend(history, 10, only=[1, best.items[2]], filter_seen=False).items[-1] in (
        1,
        best.items[2],
    )
    assert recommender.recommend(history, 10, only=best.items[:2], exclude=best.items[:1]).items == best.items[1:2]
    with pytest.raises(ConfigError, match="`only` names no item that the model knows"):
        recommender.recommend(history, 10, only=["unknown"])


@pytest.mark.parametrize("recommender", NEURAL, indirect=True)
def test_similar_items_are_those_of_the_nearest_direction(recommender: Recommender) -> None:
    model = recommender.bundle.model
    assert isinstance(model, SequenceEncoder)
    vectors = model.item_weights.detach().numpy()
    lengths = np.linalg.norm(vectors, axis=1)
    cosines = vectors[1:] @ vectors[7] / (lengths[1:] * lengths[7])
    cosines[6] = -np.inf
    found = recommender.similar_items(recommender.bundle.vocabulary.ids[6], 5)
    order = np.argsort(-cosines)[:5]
    assert found.items == tuple(recommender.bundle.vocabulary.decode(order + 1))
    assert found.scores == pytest.approx(cosines[order].tolist(), abs=1e-5)
    with pytest.raises(DataError, match="the model does not know the item 'unknown': it was trained on"):
        recommender.similar_items("unknown")
    with pytest.raises(ConfigError, match="k must be a whole number of at least 1"):
        recommender.similar_items(1, 0)


def test_an_item_whose_vector_has_no_direction_is_like_nothing(split: Split) -> None:
    config = CONFIGS["sasrec"]
    model = build_model(config, num_items=split.sequences.num_items, seed=2).eval()
    assert isinstance(model, SequenceEncoder)
    with torch.no_grad():
        model.item_weights[3] = 0
    recommender = Recommender(Bundle.of(model, config, split))
    assert set(recommender.similar_items(recommender.bundle.vocabulary.ids[2], 5).scores) == {0.0}
    one = recommender.similar_items(recommender.bundle.vocabulary.ids[6], NUM_ITEMS)
    assert one.scores[one.items.index(recommender.bundle.vocabulary.ids[2])] == 0


def test_popularity_knows_no_similar_items() -> None:
    with pytest.raises(ConfigError, match="poprec has no item vectors to compare"):
        named(["ham", "eggs"]).similar_items("ham")


def test_a_recommender_of_a_bundle_or_a_run(tmp_path: Path) -> None:
    bundle = named(["ham", "eggs", "tea"]).bundle
    save_bundle(bundle, tmp_path / "run" / "bundle")
    with pytest.raises(BundleError, match="holds a training that was not finished"):
        Recommender.load(tmp_path / "run")
    (tmp_path / "run" / "run.json").touch()
    for folder in (tmp_path / "run", tmp_path / "run" / "bundle", str(tmp_path / "run")):
        assert Recommender.load(folder).recommend(["tea"], 1).items == ("ham",)
    with pytest.raises(BundleError, match="holds no trained model"):
        Recommender.load(tmp_path)
    (tmp_path / "begun" / "checkpoints").mkdir(parents=True)
    with pytest.raises(BundleError, match="begun holds a training that was not finished"):
        Recommender.load(tmp_path / "begun")
