"""Sessions give the numbers of the whole history at once, however the events come in, here or in another process."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from gsrec.bundle import Bundle
from gsrec.data.splits import leave_one_out
from gsrec.data.synthetic import synthetic_log
from gsrec.data.vocabulary import Vocabulary
from gsrec.errors import BundleError, ConfigError
from gsrec.models import (
    BERT4RecConfig,
    GRU4RecConfig,
    GSRecConfig,
    ModelConfig,
    PopRec,
    PopRecConfig,
    SASRecConfig,
    build_model,
)
from gsrec.recommend.recommender import Recommender
from gsrec.recommend.rules import Rules
from gsrec.recommend.together import add_together, recommend_together

NUM_ITEMS, MAX_LENGTH = 30, 12
CONFIGS: dict[str, ModelConfig] = {
    "poprec": PopRecConfig(),
    "gru4rec": GRU4RecConfig(embedding_size=8, recurrent_size=8, max_length=MAX_LENGTH),
    "sasrec": SASRecConfig(embedding_size=8, max_length=MAX_LENGTH),
    "sasrec-cosine": SASRecConfig(embedding_size=8, max_length=MAX_LENGTH, temperature=0.1),
    "bert4rec": BERT4RecConfig(embedding_size=8, num_heads=1, max_length=MAX_LENGTH),
    "gsrec": GSRecConfig(embedding_size=8, num_heads=1, recurrent_size=8, window=3, max_length=MAX_LENGTH),
    "gsrec-cosine": GSRecConfig(embedding_size=8, num_heads=1, recurrent_size=8, window=3, temperature=0.1),
    "gsrec-none": GSRecConfig(embedding_size=8, num_heads=1, window=3, cell="none"),
    "gsrec-all": GSRecConfig(embedding_size=8, num_heads=1, recurrent_size=8, window="all", max_length=MAX_LENGTH),
}
STREAMS = {
    "gru4rec": None,
    "sasrec": MAX_LENGTH,
    "sasrec-cosine": MAX_LENGTH,
    "gsrec": None,
    "gsrec-cosine": None,
    "gsrec-none": None,
    "gsrec-all": MAX_LENGTH,
}
"""Those that stream, and up to how many events."""

NEITHER = "these bytes are no session|this session's (state|events) (is|are) damaged"


def recommender_of(name: str, seed: int = 2) -> Recommender:
    split = leave_one_out(synthetic_log(num_users=60, num_items=NUM_ITEMS, mean_length=9).to_sequences())
    model = build_model(CONFIGS[name], num_items=split.sequences.num_items, seed=seed).eval()
    if isinstance(model, PopRec):
        model.count(split)
    return Recommender(Bundle.of(model, CONFIGS[name], split))


RECOMMENDERS = {name: recommender_of(name) for name in CONFIGS}
HISTORY = st.lists(st.integers(1, NUM_ITEMS), min_size=1, max_size=2 * MAX_LENGTH)


@settings(max_examples=40)
@given(st.sampled_from([*CONFIGS]), HISTORY, st.data())
def test_a_session_scores_as_the_whole_history_does_however_it_came_in(
    name: str, history: list[int], data: st.DataObject
) -> None:
    recommender = RECOMMENDERS[name]
    ids = recommender.bundle.vocabulary.decode(np.array(history) % len(recommender.bundle.vocabulary) + 1)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(ids)), max_size=4)))
    moved = data.draw(st.booleans())
    session = recommender.session()
    for start, end in pairwise([0, *cuts, len(ids)]):
        assert session.add(*ids[start:end]) == 0
        if moved:
            session = recommender.resume(session.to_bytes())
    model = recommender.bundle.model
    items = session.history.items
    newest = torch.tensor([items[-model.max_length :] if model.max_length else items])
    with torch.inference_mode():
        torch.testing.assert_close(session.scores(), model.score(newest), rtol=1e-5, atol=1e-5)
    found, expected = session.recommend(5), recommender.recommend(ids, 5)
    assert found.items == expected.items
    assert found.scores == pytest.approx(expected.scores, rel=1e-4, abs=1e-5)
    assert len(session) == len(ids)
    assert session.is_exact_stream == (name in STREAMS and len(ids) <= (STREAMS[name] or len(ids)))


@pytest.mark.parametrize("name", [name for name, most in STREAMS.items() if most is None])
@settings(max_examples=3)
@given(st.integers(1, 10_000), st.integers(0, 2**32 - 1))
def test_histories_of_thousands_of_events_stream_exactly(name: str, length: int, seed: int) -> None:
    recommender = RECOMMENDERS[name]
    items = np.random.default_rng(seed).integers(1, len(recommender.bundle.vocabulary) + 1, length)
    session = recommender.session()
    session.add(*recommender.bundle.vocabulary.decode(items))
    with torch.inference_mode():
        expected = recommender.bundle.model.score(torch.from_numpy(items)[None])
    torch.testing.assert_close(session.scores(), expected, rtol=1e-5, atol=1e-5)
    assert session.is_exact_stream
    assert len(session.to_bytes()) - 8 * length < 4_000


def test_unknown_items_are_counted_and_left_out() -> None:
    recommender = RECOMMENDERS["gsrec"]
    first = recommender.bundle.vocabulary.ids[0]
    session = recommender.session()
    assert session.add(first, 10**9, -5) == 2
    assert session.add(10**9) == 1
    assert len(session) == 1
    assert session.recommend(3).num_unknown == 3
    assert recommender.resume(session.to_bytes()).recommend(3) == session.recommend(3)


def test_events_are_given_one_by_one() -> None:
    recommender = RECOMMENDERS["gsrec"]
    first, second = recommender.bundle.vocabulary.ids[:2].to_list()
    session = recommender.session()
    assert session.add(first, np.int64(second)) == 0  # type: ignore[arg-type]
    for wrong in ([first], np.array([first]), None, 3.5):
        with pytest.raises(
            ConfigError, match=r"an event is an item id, found one \w+\. Of a history: session\.add\(\*"
        ):
            session.add(first, wrong)  # type: ignore[arg-type]
    assert session.item_ids == [first, second]


def test_what_is_not_wanted_is_left_out() -> None:
    recommender = RECOMMENDERS["gsrec"]
    ids = recommender.bundle.vocabulary.ids.to_list()
    session = recommender.session()
    session.add(*ids[:2])
    best = session.recommend(3).items
    assert not set(best) & set(ids[:2])
    assert session.recommend(2, exclude=[best[0], "unknown"]).items == best[1:]
    assert session.recommend(2, exclude=np.array(best[:1])).items == best[1:]
    assert len(session.recommend(1000).items) == len(ids) - 2
    assert len(session.recommend(1000, filter_seen=False).items) == len(ids)
    with pytest.raises(ConfigError, match="k must be a whole number of at least 1, found 0"):
        session.recommend(0)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_session_without_events_is_answered_by_popularity(name: str) -> None:
    session = RECOMMENDERS[name].session()
    assert session.recommend(4) == RECOMMENDERS[name].recommend([], 4)
    assert session.recommend(4).source == "popularity"
    assert len(RECOMMENDERS[name].resume(session.to_bytes())) == 0


def test_a_session_is_of_one_model() -> None:
    session = recommender_of("gsrec").session()
    with pytest.raises(BundleError, match="this session is of another model"):
        recommender_of("gsrec", seed=3).resume(session.to_bytes())
    bundle = session.bundle  # the same weights, of other items
    others = Vocabulary.of([f"other {number}" for number in range(len(bundle.vocabulary))])
    with pytest.raises(BundleError, match="this session is of another model"):
        Recommender(replace(bundle, vocabulary=others)).resume(session.to_bytes())


@pytest.mark.parametrize("name", ["gsrec", "bert4rec"])
def test_facts_without_end_are_refused(name: str) -> None:
    content = save({"items": torch.zeros(0, dtype=torch.int64)}, metadata={"gsrec": "[" * 100_000})
    with pytest.raises(BundleError, match=NEITHER):
        RECOMMENDERS[name].resume(content)


@pytest.mark.parametrize("name", sorted(RECOMMENDERS))
def test_damaged_bytes_are_refused(name: str) -> None:
    recommender = RECOMMENDERS[name]
    session = recommender.session()
    session.add(*recommender.bundle.vocabulary.ids.to_list()[:3])
    content = session.to_bytes()
    facts = {"gsrec": json.dumps({"model": recommender.bundle.fingerprint, "num_unknown": 0})}
    tensors = load(content)
    spoilt: list[bytes] = [b"", b"x", content[:-1], content[:40], save(tensors), save({}, metadata=facts)]
    for change in (
        {"items": torch.tensor([0, 1, 2])},
        {"items": torch.tensor([1, 2, NUM_ITEMS + 5])},
        {"items": torch.tensor([1.0])},
        {"items": torch.tensor([[1]])},
        {"more": torch.zeros(1)},
        {"part0": torch.full_like(tensors.get("part0", torch.zeros(1)), torch.nan)},
        {"part0": torch.zeros(1)},
        {"hidden": torch.zeros(1, 8, dtype=torch.float64)},
    ):
        spoilt.append(save({**tensors, **change}, metadata=facts))
    spoilt.append(save(tensors, metadata={"gsrec": json.dumps({"model": recommender.bundle.fingerprint})}))
    spoilt.append(save(tensors, metadata={"gsrec": "[1]"}))
    for bad in spoilt:
        with pytest.raises(BundleError, match=NEITHER):
            recommender.resume(bad)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_a_session(content: bytes) -> None:
    with pytest.raises(BundleError):
        RECOMMENDERS["gsrec"].resume(content)


@settings(max_examples=30)
@given(st.sampled_from([*CONFIGS]), st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(0, 2**32 - 1))
def test_users_taken_together_get_what_each_gets_alone(name: str, owners: list[int], seed: int) -> None:
    recommender = RECOMMENDERS[name]
    ids = [*recommender.bundle.vocabulary.ids.to_list(), "unknown"]
    together, alone = ([recommender.session() for _ in range(5)] for _ in range(2))
    generator = np.random.default_rng(seed)
    for chosen in (owners[start : start + 3] for start in range(0, len(owners), 3)):
        users = sorted(set(chosen))
        taken = [ids[place] for place in generator.integers(0, len(ids), len(users))]
        known = add_together([together[user].history for user in users], taken)
        assert known == [item_id != "unknown" for item_id in taken]
        for user, item_id in zip(users, taken, strict=True):
            alone[user].add(item_id)
    found = recommend_together([session.history for session in together], 6)
    for one, session in zip(found, alone, strict=True):
        expected = session.recommend(6)
        assert (one.items, one.num_unknown, one.source) == (expected.items, expected.num_unknown, expected.source)
        assert one.scores == pytest.approx(expected.scores, rel=1e-4, abs=1e-5)
    for session, other in zip(together, alone, strict=True):
        assert session.item_ids == other.item_ids
        assert len(session.to_bytes()) == len(other.to_bytes())


def test_nobody_together() -> None:
    assert add_together([], []) == []
    assert recommend_together([], 3) == []


def test_rules_hold_in_sessions() -> None:
    recommender = RECOMMENDERS["gsrec"]
    session = recommender.session()
    session.add(*recommender.bundle.vocabulary.ids.to_list()[:2])
    best = session.recommend(4).items
    assert session.recommend(3, only=[best[3], best[1]]).items == (best[1], best[3])
    rules = Rules(categories=dict.fromkeys(best[:2], "a"), quotas={"a": 1})
    assert session.recommend(2, rules=rules).items == (best[0], best[2])
    assert recommender.recommend(session.item_ids, 2, rules=rules).items == (best[0], best[2])
