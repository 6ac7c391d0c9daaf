"""A model with an index: the exact answers of its candidates, by every way to ask, and exact where rules want it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from gsrec.bundle import Bundle, DataFacts, save_bundle
from gsrec.cli import app
from gsrec.data.log import InteractionLog
from gsrec.data.synthetic import synthetic_log
from gsrec.data.vocabulary import Vocabulary
from gsrec.errors import BundleError, ConfigError
from gsrec.files import write_text
from gsrec.models import BERT4RecConfig, GSRecConfig, HybridConfig, SASRecConfig, build_model
from gsrec.recommend.index import index_of
from gsrec.recommend.index_files import save_index
from gsrec.recommend.recommender import Recommender
from gsrec.recommend.rules import Rules
from gsrec.serving.models import load_models

NUM_ITEMS = 6_000
LOG = synthetic_log(num_users=200, num_items=NUM_ITEMS, mean_length=8, seed=3)
HISTORIES = [[3, 7, 11], [5, 4_999], [8, 8, 1, 2_000]]


def bundle_of(config: GSRecConfig | SASRecConfig | BERT4RecConfig | HybridConfig, seed: int = 1) -> Bundle:
    facts = DataFacts(name="items", fingerprint="0" * 64, num_users=1, num_items=NUM_ITEMS, num_interactions=1)
    model = build_model(config, num_items=NUM_ITEMS, seed=seed).eval()
    ones = torch.ones(NUM_ITEMS + 1, dtype=torch.int64)
    return Bundle(model, config, Vocabulary.of(range(1, NUM_ITEMS + 1)), facts, ones)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Recommender]:
    """Where a bundle is, where its index is, and both loaded."""
    folder = tmp_path_factory.mktemp("indexed")
    bundle = bundle_of(GSRecConfig(embedding_size=16, recurrent_size=16, window=4))
    save_bundle(bundle, folder / "shop")
    save_index(index_of(bundle, LOG, recall=0.9), folder / "index", bundle.fingerprint)
    return folder / "shop", folder / "index", Recommender.load(folder / "shop", index=folder / "index")


def test_another_index_of_the_same_model_takes_the_place_of_the_first(
    indexed: tuple[Path, Path, Recommender], tmp_path: Path
) -> None:
    shop, folder, recommender = indexed
    assert recommender.index is not None
    before = load_models([shop], [folder])
    assert load_models([shop], [folder], before).all[0] is before.all[0]
    narrower = replace(recommender.index, candidates=recommender.index.candidates // 2)
    save_index(narrower, tmp_path, recommender.bundle.fingerprint)
    after = load_models([shop], [tmp_path], before).all[0]
    assert after.recommender.index is not None
    assert after.recommender.index.candidates == narrower.candidates


def test_nearly_all_of_the_best_are_found_with_their_exact_scores(indexed: tuple[Path, Path, Recommender]) -> None:
    recommender = indexed[2]
    assert recommender.index is not None
    assert recommender.index.codes is not None
    exact = replace(recommender, index=None)
    for found, best in zip(recommender.recommend(HISTORIES), exact.recommend(HISTORIES), strict=True):
        assert len(set(found.items) & set(best.items)) >= 8
        known = dict(zip(best.items, best.scores, strict=True))
        assert all(
            score == pytest.approx(known.get(item, score), abs=1e-5)
            for item, score in zip(found.items, found.scores, strict=True)
        )


def test_sessions_find_what_whole_histories_do(indexed: tuple[Path, Path, Recommender]) -> None:
    for history, whole in zip(HISTORIES, indexed[2].recommend(HISTORIES), strict=True):
        session = indexed[2].session()
        session.add(*history)
        assert session.recommend().items == whole.items
        assert indexed[2].resume(session.to_bytes()).recommend().items == whole.items
        assert not {*history} & {*whole.items}


def test_what_is_barred_stays_out_and_other_rules_are_exact(indexed: tuple[Path, Path, Recommender]) -> None:
    recommender, exact = indexed[2], replace(indexed[2], index=None)
    assert not Rules(only=range(100, NUM_ITEMS)).for_vocabulary(exact.bundle.vocabulary).can_search
    first = recommender.recommend(HISTORIES[0]).items[:3]
    assert not {*first} & {*recommender.recommend(HISTORIES[0], exclude=first).items}
    for rules in (Rules(only=range(1, 400)), Rules(only=range(100, NUM_ITEMS)), Rules(boosts={9: 2.0})):
        assert recommender.recommend(HISTORIES, rules=rules) == exact.recommend(HISTORIES, rules=rules)
    assert recommender.recommend([[], HISTORIES[0]])[0].source == "popularity"


def test_an_index_is_for_the_model_it_was_built_for(indexed: tuple[Path, Path, Recommender], tmp_path: Path) -> None:
    other = bundle_of(GSRecConfig(embedding_size=16, recurrent_size=16, window=4), seed=2)
    with pytest.raises(BundleError, match="is the index of another model than this one"):
        Recommender(other).with_index(str(indexed[1]))
    others = (BERT4RecConfig(embedding_size=8, num_heads=1, max_length=8), HybridConfig(name="gat4rec", max_length=8))
    for config in others:
        with pytest.raises(ConfigError, match="only for those that stream: GSRec, SASRec and GRU4Rec"):
            index_of(bundle_of(config), LOG)
    save_bundle(other, tmp_path / "other")
    with pytest.raises(BundleError, match="index of none of the models served"):
        load_models([tmp_path / "other"], [indexed[1]])
    both = load_models([tmp_path / "other", indexed[0]], [indexed[1]])
    assert [model.recommender.index is None for model in both.all] == [True, False]
    assert both.all[1].facts["index_recall"] >= 0.9
    assert load_models([tmp_path / "other", indexed[0]], [indexed[1]], both).all == both.all


def test_the_command_builds_one_and_others_use_it(indexed: tuple[Path, Path, Recommender], tmp_path: Path) -> None:
    log: InteractionLog = LOG
    write_text(tmp_path / "log.csv", log.frame.rename({"time": "position"}).write_csv())
    given = ["index", str(indexed[0]), str(tmp_path / "log.csv"), "--recall", "0.8"]
    told = CliRunner().invoke(app, [*given, "--out", str(tmp_path / "built"), "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout.splitlines()[-1])["recall"] >= 0.8
    shown = CliRunner().invoke(app, [*given, "--out", str(tmp_path / "again")])
    assert "of 6,000 items" in shown.stdout
    history = ["recommend", str(indexed[0]), "--history", "3,7,11", "--index", str(tmp_path / "built"), "--json"]
    answer = CliRunner().invoke(app, history)
    assert len(json.loads(answer.stdout.splitlines()[-1])["recommendations"][0]["items"]) == 10
