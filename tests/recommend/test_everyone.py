"""Everyone's best items are those that each history by itself gets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from gsrec.bundle import Bundle
from gsrec.data.build import log_from_frame
from gsrec.data.sequences import Sequences
from gsrec.data.splits import leave_one_out
from gsrec.data.synthetic import synthetic_log
from gsrec.errors import BundleError, ConfigError, DataError
from gsrec.models import PopRec, PopRecConfig, SASRec, SASRecConfig
from gsrec.ranking import mask_seen, top_k
from gsrec.recommend.everyone import recommend_users, top_items, write_recommendations
from gsrec.recommend.recommender import Recommender
from gsrec.recommend.rules import Rules

K = 5


@pytest.fixture(scope="module")
def sequences() -> Sequences:
    return synthetic_log(num_users=50, num_items=40, mean_length=12).to_sequences()


@pytest.fixture(scope="module")
def model(sequences: Sequences) -> SASRec:
    torch.manual_seed(0)
    return SASRec(sequences.num_items, SASRecConfig(embedding_size=8, max_length=6)).eval()


@pytest.mark.parametrize("filter_seen", [True, False])
@pytest.mark.parametrize("memory_budget", [1, 1000, 2**25])
def test_everyone_gets_what_each_would(
    filter_seen: bool, memory_budget: int, sequences: Sequences, model: SASRec
) -> None:
    told: list[tuple[int, int | None]] = []
    items, scores = top_items(
        model,
        sequences,
        K,
        filter_seen=filter_seen,
        memory_budget=memory_budget,
        progress=lambda done, total: told.append((done, total)),
    )
    assert items.shape == scores.shape == (50, K)
    assert told[-1] == (50, 50)
    for user in range(sequences.num_users):
        history = sequences.items[sequences.offsets[user] : sequences.offsets[user + 1]].astype(np.int64)
        with torch.no_grad():
            alone = model.score(torch.from_numpy(history[-6:])[None])
        mask_seen(alone, torch.from_numpy(history if filter_seen else history[:0])[None])
        best, expected = top_k(alone, K)
        assert items[user].tolist() == expected[0].tolist()
        np.testing.assert_allclose(scores[user], best[0], rtol=1e-5, atol=1e-6)


def test_where_fewer_items_are_left() -> None:
    sequences = log_from_frame(pl.DataFrame({"user": ["a", "a", "b"], "item": [1, 2, 3]})).to_sequences()
    items, scores = top_items(SASRec(3, SASRecConfig(embedding_size=4, max_length=2)).eval(), sequences, 3)
    assert (items > 0).sum(1).tolist() == [1, 2]
    assert np.isneginf(scores).tolist() == (items == 0).tolist()


def test_what_cannot_be_asked(sequences: Sequences, model: SASRec) -> None:
    with pytest.raises(ConfigError, match="k must be a whole number of at least 1, found 0"):
        top_items(model, sequences, 0)
    other = SASRec(9, SASRecConfig(embedding_size=4))
    with pytest.raises(
        DataError, match=r"the model knows 9 items and the log holds 40\. Read the log with the model's"
    ):
        top_items(other, sequences, 1)


@pytest.fixture
def bundle(sequences: Sequences, model: SASRec) -> Bundle:
    return Bundle.of(model, SASRecConfig(embedding_size=8, max_length=6), leave_one_out(sequences))


def test_a_frame_for_every_user_of_a_log(bundle: Bundle) -> None:
    known = bundle.vocabulary.ids.to_list()[:3]
    log = log_from_frame(
        pl.DataFrame({"user": ["a", "a", "b", "c", "c"], "item": [known[0], known[1], 10**9, known[2], 10**9]})
    )
    frame = recommend_users(bundle, log, 4)
    assert frame.columns == ["user_id", "rank", "item_id", "score"]
    assert frame["user_id"].to_list() == ["a"] * 4 + ["c"] * 4  # nothing of b is known
    recommender = Recommender(bundle)
    for user, history in (("a", known[:2]), ("c", known[2:])):
        rows = frame.filter(pl.col("user_id") == user)
        expected = recommender.recommend(history, 4)
        assert tuple(rows["item_id"]) == expected.items
        assert rows["score"].to_list() == pytest.approx(expected.scores, abs=1e-6)
        assert rows["rank"].to_list() == [1, 2, 3, 4]
    assert recommender.recommend_users(log, 4).equals(frame)
    with_seen = recommend_users(bundle, log, len(bundle.vocabulary), filter_seen=False)
    assert with_seen.height == 2 * len(bundle.vocabulary)
    assert recommender.recommend_users(log, len(bundle.vocabulary), filter_seen=False).equals(with_seen)
    assert recommender.recommend_users(log.frame.to_pandas(), 4).equals(frame)
    with pytest.raises(DataError, match="expected a data frame"):
        recommender.recommend_users("log.csv", 4)  # type: ignore[arg-type]


def test_no_more_items_are_asked_for_than_there_are(bundle: Bundle) -> None:
    log = log_from_frame(pl.DataFrame({"user": ["a"], "item": bundle.vocabulary.ids[:1]}))
    every = recommend_users(bundle, log, len(bundle.vocabulary))
    assert recommend_users(bundle, log, 10**12).equals(every)
    assert every.height == len(bundle.vocabulary) - 1


@pytest.mark.parametrize("name", ["all.parquet", "all.csv"])
def test_a_frame_is_written_whole(bundle: Bundle, tmp_path: Path, name: str) -> None:
    frame = recommend_users(bundle, synthetic_log(num_users=20, num_items=40, mean_length=6), 3)
    write_recommendations(frame, tmp_path / name)
    read = pl.read_parquet if name.endswith("parquet") else pl.read_csv
    back = read(tmp_path / name)
    assert (
        back.select("user_id", "rank", "item_id")
        .cast(pl.Int64)
        .equals(frame.select("user_id", "rank", "item_id").cast(pl.Int64))
    )
    with pytest.raises(DataError, match="cannot write"):
        write_recommendations(frame, tmp_path / name / "below.csv")


def test_a_table_that_is_neither_parquet_nor_csv_is_refused(tmp_path: Path) -> None:
    for name in ("all.xlsx", "all.csv.gz", "all"):
        with pytest.raises(ConfigError, match=r"are written as \.parquet or \.csv\. Give a name that ends so"):
            write_recommendations(pl.DataFrame(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("counts", [False, True])
def test_rules_hold_for_everyone_as_for_each(bundle: Bundle, sequences: Sequences, counts: bool) -> None:
    if counts:  # the chances that boosts change are other ones
        popularity = PopRec(sequences.num_items, PopRecConfig())
        popularity.count(split := leave_one_out(sequences))
        bundle = Bundle.of(popularity, PopRecConfig(), split)
    ids = bundle.vocabulary.ids.to_list()
    log = synthetic_log(num_users=20, num_items=40, mean_length=6)
    rules = Rules(
        exclude=ids[:3],
        boosts={ids[5]: 1e6, ids[31]: 2.0},
        categories=dict.fromkeys(ids[6:30], "few"),
        quotas={"few": 1},
    )
    frame = recommend_users(bundle, log, 4, rules=rules)
    known = log.known_items(bundle.vocabulary).to_sequences(bundle.vocabulary)
    recommender = Recommender(bundle)
    for user, user_id in enumerate(known.user_ids.to_list()):
        history = known.items[known.offsets[user] : known.offsets[user + 1]]
        expected = recommender.recommend(bundle.vocabulary.decode(history), 4, rules=rules)
        assert tuple(frame.filter(pl.col("user_id") == user_id)["item_id"]) == expected.items
    assert recommender.recommend_users(log, 4, exclude=ids[:3]).equals(
        recommend_users(bundle, log, 4, rules=Rules(ids[:3]))
    )


def test_what_did_not_count_in_training_does_not_count_here(bundle: Bundle) -> None:
    strict = replace(bundle, settings={"data": {"drop_repeats": True, "max_user_interactions": 3, "split": "temporal"}})
    items = bundle.vocabulary.ids.to_list()
    taken = [("ann", items[0]), ("ann", items[1]), ("ann", items[1]), *(("bot", item) for item in items[:4])]
    found = recommend_users(strict, log_from_frame(pl.DataFrame(taken, schema=["user", "item"], orient="row")), K)
    assert found["user_id"].unique().to_list() == ["ann"]
    once = log_from_frame(pl.DataFrame(taken[:2], schema=["user", "item"], orient="row"))
    assert found.equals(recommend_users(bundle, once, K))
    twice = log_from_frame(pl.DataFrame(taken[:3], schema=["user", "item"], orient="row"))
    assert not found.equals(recommend_users(bundle, twice, K))
    with pytest.raises(BundleError, match="this model's settings of its data cannot be read: drop_repeats"):
        recommend_users(replace(bundle, settings={"data": {"drop_repeats": "often"}}), once, K)
