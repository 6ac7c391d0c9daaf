"""A refresh takes in new items and events, keeps what it knew, and is kept itself only if it is better."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from typer.testing import CliRunner

from gsrec.bundle import Bundle, load_bundle
from gsrec.cli import app
from gsrec.data.batches import Batches
from gsrec.data.build import log_from_frame
from gsrec.data.log import InteractionLog
from gsrec.data.splits import Split
from gsrec.errors import ConfigError, DataError, StoppedError, TrainingError
from gsrec.evaluation.significance import paired_test
from gsrec.evaluation.widened import Widened
from gsrec.experiment.configure import run_config
from gsrec.experiment.folder import open_bundle, training_of
from gsrec.experiment.further_training import RefreshPlan, go_on, new_rows
from gsrec.experiment.newest_window import cut_newest
from gsrec.experiment.prepare import batches_of
from gsrec.experiment.refresh import refresh
from gsrec.experiment.run import train
from gsrec.models import SASRecConfig, SequenceEncoder, build_model
from gsrec.models.growing import grown
from gsrec.ranking import mask_seen, top_k
from gsrec.recommend.recommender import Recommender
from gsrec.training.course import Listener, TrainingStep

DAY = 86_400
SIZES = ["embedding_size=8", "recurrent_size=8", "num_heads=1", "epochs=8", "batch_size=16", "dropout=0.1"]


def chain(num_users: int, first_day: int, items: range, step: int, seed: int) -> pl.DataFrame:
    """Users who walk through the items in steps of `step`, one event a day."""
    generator = np.random.default_rng(seed)
    rows = []
    for user in range(num_users):
        place, length = int(generator.integers(len(items))), int(generator.integers(5, 10))
        day = first_day + int(generator.integers(0, 30))
        for event in range(length):
            item = items[(place + event * step) % len(items)]
            rows.append((f"u{first_day}-{user}", f"i{item}", (day + event) * DAY))
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


OLD = chain(150, 10_000, range(20), 1, seed=1)
NEW = chain(150, 10_050, range(26), 1, seed=2)  # six new items, in the chain


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refresh")
    OLD.write_csv(folder / "old.csv")
    pl.concat([OLD, NEW]).write_csv(folder / "all.csv")
    train(str(folder / "old.csv"), run_config("gsrec", settings=SIZES), folder / "run")
    return folder


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return open_bundle(folder / "run")


def split_of(bundle: Bundle) -> Split:
    """How a refresh with the default window cuts."""
    return cut_newest(bundle, log_of(OLD, NEW), 0.2)[0]


def log_of(*frames: pl.DataFrame) -> InteractionLog:
    return log_from_frame(pl.concat(frames), name="all")


def test_what_has_grown_scores_old_items_as_before_and_new_ones_as_their_neighbours(bundle: Bundle) -> None:
    histories = np.array([1, 2, 21, 3, 4, 21, 22, 21])
    model = grown(bundle.model, bundle.config, 23, histories, np.array([4, 2, 2]))
    items = torch.tensor([[3, 4, 5]])
    torch.testing.assert_close(model.score(items)[:, :21], bundle.model.score(items))
    rows, old = model.state_dict()["items.weight"], bundle.model.state_dict()["items.weight"]
    torch.testing.assert_close(rows[:21], old)
    first = (old[1] + old[2] + old[3] + old[4]) / 4
    torch.testing.assert_close(rows[21], first)
    torch.testing.assert_close(rows[22], rows[21])  # its only neighbour
    fresh = build_model(bundle.config, num_items=23, seed=0).state_dict()["items.weight"]
    torch.testing.assert_close(rows[23], fresh[23])  # stands near to nothing


@pytest.mark.parametrize("num_items", [20, 21])
def test_an_item_that_nothing_was_learned_of_begins_anew(bundle: Bundle, num_items: int) -> None:
    learned = np.ones(21, dtype=bool)
    learned[[5, 6]] = False
    histories, lengths = np.array([1, 2, 5, 3]), np.array([4])
    model = grown(bundle.model, bundle.config, num_items, histories, lengths, learned=learned)
    rows, old = model.state_dict()["items.weight"], bundle.model.state_dict()["items.weight"]
    torch.testing.assert_close(rows[5], (old[1] + old[2] + old[3]) / 3)
    stays = [place for place in range(21) if place != 5]  # of item 6 there is no neighbour to begin at
    torch.testing.assert_close(rows[stays], old[stays])


def test_what_was_held_out_is_new_to_the_next_refresh(bundle: Bundle, tmp_path: Path) -> None:
    moment = NEW["timestamp"].quantile(0.9)
    late = NEW.with_columns(
        pl.when(pl.col("timestamp") > moment).then(pl.lit("i99")).otherwise(pl.col("item_id")).alias("item_id")
    )
    first = refresh(bundle, log_of(OLD, late), tmp_path / "first").bundle
    place = int(first.vocabulary.encode(["i99"])[0])
    assert (place > 0, int(first.counts[place])) == (True, 0)
    end = NEW["timestamp"].max()
    later = late.with_columns(pl.col("timestamp") - NEW["timestamp"].min() + end + 1)
    assert refresh(first, log_of(OLD, late, later), tmp_path / "second").new_items == 1


@pytest.mark.parametrize("name", ["gru4rec", "sasrec", "bert4rec", "gat4rec"])
def test_every_model_grows(name: str) -> None:
    sizes = {"gru4rec": {0, 1}, "sasrec": {0, 2}, "bert4rec": {0, 2}, "gat4rec": {0, 1, 2}}[name]
    config = run_config(name, settings=[SIZES[place] for place in sizes]).model
    model = build_model(config, num_items=10, seed=3).eval()
    larger = grown(model, config, 13, np.array([1, 2, 12]), np.array([3]))
    items = torch.tensor([[3, 4]])
    torch.testing.assert_close(larger.score(items)[:, :11], model.score(items))


def test_new_events_and_items_make_it_better(bundle: Bundle, tmp_path: Path) -> None:
    found = refresh(bundle, log_of(OLD, NEW), tmp_path / "new.gsrec")
    assert found.is_better
    assert (found.new_items, found.new_events) == (6, NEW.height)
    assert found.learned_events == pytest.approx(0.6 * NEW.height, rel=0.05)
    assert found.challenger.metrics["NDCG@10"] > found.champion.metrics["NDCG@10"] + 0.02
    kept = load_bundle(tmp_path / "new.gsrec")
    assert kept.vocabulary.ids[: len(bundle.vocabulary)].to_list() == bundle.vocabulary.ids.to_list()
    assert kept.fingerprint == found.bundle.fingerprint
    assert {**kept.settings, "data": None} == {**bundle.settings, "data": None}
    again = training_of(kept).data.cut(log_of(OLD, NEW).to_sequences(kept.vocabulary))
    assert again.targets("test").positions.tolist() == split_of(bundle).targets("test").positions.tolist()
    assert again.train_ends.tolist() == split_of(bundle).train_ends.tolist()
    assert again.sequences.timestamps is not None
    assert kept.data.until == again.sequences.timestamps[again.train_mask()].max()  # what was held out is still new
    assert min(found.rows) > 0
    sparing = refresh(bundle, log_of(OLD, NEW), tmp_path / "sparing", RefreshPlan(replay=0.5, epochs=1))
    assert 0 < sparing.rows[1] <= sparing.rows[0] / 2 + 1


def test_popularity_is_counted_anew(folder: Path, tmp_path: Path) -> None:
    train(str(folder / "old.csv"), run_config("poprec"), tmp_path / "run")
    found = refresh(open_bundle(tmp_path / "run"), log_of(OLD, NEW), tmp_path / "new")
    assert (found.epochs, found.new_items) == (0, 6)
    assert found.bundle.model.score(torch.tensor([[1]])).shape == (1, 27)


def test_what_is_not_better_is_not_kept(bundle: Bundle, tmp_path: Path) -> None:
    later = OLD.with_columns(pl.col("timestamp") + 100 * DAY, pl.concat_str(pl.lit("n"), pl.col("user_id")))
    noise = later.with_columns(pl.col("item_id").shuffle(seed=1))
    found = refresh(bundle, log_of(OLD, noise.select(OLD.columns)), tmp_path / "new", RefreshPlan(epochs=1, rate=1e-6))
    assert not found.is_better
    assert not (tmp_path / "new").exists()


def test_a_log_without_clock_times_is_judged_by_last_events(bundle: Bundle, tmp_path: Path) -> None:
    log = log_of(OLD, NEW)
    positions = log_from_frame(log.frame.select("user_id", "item_id"), name="all")
    with pytest.raises(DataError, match="has no clock times, and what the model learned from had"):
        refresh(bundle, positions, tmp_path / "new")
    timeless = replace(bundle, data=bundle.data.model_copy(update={"until": None}))
    split, since = cut_newest(timeless, positions, 0.2)
    assert (split.name, since) == ("leave-one-out", None)
    found = refresh(timeless, positions, tmp_path / "new", RefreshPlan(epochs=1))
    assert found.new_events == log.num_interactions - bundle.data.num_interactions
    assert training_of(found.bundle).data.split == "leave-one-out"
    assert found.learned_events == int(found.bundle.counts.sum() - timeless.counts.sum())
    old = log_from_frame(log_of(OLD).frame.select("user_id", "item_id"), name="old")
    with pytest.raises(DataError, match="has no more events than before"):
        refresh(timeless, old, tmp_path / "new")
    with pytest.raises(ConfigError, match=r"had no clock times: which rows are old is not known\. Leave out replay"):
        refresh(timeless, positions, tmp_path / "new", RefreshPlan(replay=1))
    alone = log_from_frame(pl.DataFrame({"user_id": 1, "item_id": [f"i{n % 20}" for n in range(9_999)]}), name="alone")
    with pytest.raises(DataError, match="by whose last ones both models are judged: 1"):
        refresh(timeless, alone, tmp_path / "new")


def test_the_old_model_never_recommends_what_it_does_not_know(bundle: Bundle) -> None:
    wide = Widened(bundle.model, 25, bundle.counts)
    scores = wide.score(torch.tensor([[3, 23, 4, 0], [25, 0, 0, 0]]))
    torch.testing.assert_close(scores[0, :21], bundle.model.score(torch.tensor([[3, 4]]))[0])
    assert scores.shape == (2, 26)
    assert bool((scores[:, 21:] == -torch.inf).all())
    mask_seen(scores, torch.zeros(2, 0, dtype=torch.int64))
    assert int(scores[1].isfinite().sum()) == 20
    served = Recommender(bundle).recommend(["an item it does not know"], 3)
    values, places = top_k(scores, 3)
    assert served.source == "popularity"
    assert (served.items, served.scores) == (
        tuple(bundle.vocabulary.decode(places[1].numpy())),
        tuple(values[1].tolist()),
    )


def test_the_old_model_sees_the_newest_that_it_knows_as_when_it_is_served() -> None:
    model = build_model(SASRecConfig(embedding_size=8, max_length=3), num_items=10, seed=1).eval()
    scores = Widened(model, 15, torch.zeros(11)).score(torch.tensor([[1, 2, 3, 4, 11, 12, 13], [5, 11, 6, 0, 0, 0, 0]]))
    served = model.score(torch.tensor([[2, 3, 4], [5, 6, 0]]))
    torch.testing.assert_close(scores[:, :11], served)


def test_what_is_in_the_way_is_told_before_anything_is_done(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "folder.gsrec").mkdir()
    trains: list[TrainingStep] = []
    for name in ("file", "file/x", "folder.gsrec", "."):
        with pytest.raises(DataError, match=r"is a file|is not writable|is a folder|no part of a bundle"):
            refresh(bundle, log_of(OLD, NEW), tmp_path / name, listener=Listener(on_step=trains.append))
    assert not trains


def test_what_is_stopped_or_fails_promises_nothing(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(StoppedError, match="nothing of it is kept"):
        refresh(bundle, log_of(OLD, NEW), tmp_path / "new", stop=lambda: True)
    with pytest.raises(TrainingError, match=r"the loss became nan at step \d+ of epoch \d+\. Lower"):
        refresh(bundle, log_of(OLD, NEW), tmp_path / "new", RefreshPlan(rate=1e30))


def test_a_log_that_has_lost_events_is_noted(bundle: Bundle, tmp_path: Path) -> None:
    told: list[str] = []
    refresh(
        bundle, log_of(NEW.head(900)), tmp_path / "new", RefreshPlan(epochs=1), listener=Listener(on_note=told.append)
    )
    assert "give all of them, the old ones too" in told[0]


def test_a_log_of_other_items_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    numbers = NEW.with_columns(pl.col("item_id").str.strip_prefix("i").cast(pl.Int64))
    with pytest.raises(DataError, match=r"the vocabulary of .* items knows none of its items"):
        refresh(bundle, log_of(numbers.sort("item_id")), tmp_path / "new")


def test_a_log_that_holds_its_new_events_twice_is_told(bundle: Bundle, tmp_path: Path) -> None:
    notes: list[str] = []
    plan = RefreshPlan(epochs=1)
    refresh(bundle, log_of(OLD, NEW, NEW), tmp_path / "new", plan, listener=Listener(on_note=notes.append))
    assert [note for note in notes if note.startswith("100% of the events that judge are of items that")]


def test_what_cannot_be_refreshed_is_told(bundle: Bundle, tmp_path: Path) -> None:
    days = NEW.with_columns(timestamp=10_200 * DAY + pl.col("timestamp") % 2)
    with pytest.raises(DataError, match="its new events have 1 times in all, and are to be cut into 3 parts"):
        refresh(bundle, log_of(OLD, days), tmp_path / "new")
    with pytest.raises(DataError, match="no event after those that the model learned from"):
        refresh(bundle, log_of(OLD), tmp_path / "new")
    with pytest.raises(DataError, match="are too few to judge by"):
        refresh(bundle, log_of(OLD, NEW[:5]), tmp_path / "new")
    with pytest.raises(ConfigError, match="does not tell how it was trained"):
        refresh(replace(bundle, settings={}), log_of(OLD, NEW), tmp_path / "new")
    with pytest.raises(ConfigError, match="the newest window must be"):
        RefreshPlan(window=0.5)
    for seed in (-1, 2**63):
        with pytest.raises(ConfigError, match="a seed is from 0 to"):
            RefreshPlan(seed=seed)
    for replay, rate in (
        (-1.0, 1.0),
        (math.nan, 1.0),
        (math.inf, 1.0),
        (None, math.nan),
        (None, math.inf),
        (None, 0.0),
    ):
        with pytest.raises(ConfigError, match="replay must not be negative"):
            RefreshPlan(replay=replay, rate=rate)


@pytest.mark.parametrize("replay", [None, 0.0, 1.0])
def test_without_a_new_row_there_is_nothing_to_learn(bundle: Bundle, replay: float | None) -> None:
    split, _ = cut_newest(bundle, log_of(OLD, NEW), 0.2)
    assert isinstance(bundle.model, SequenceEncoder)
    batches = batches_of(split, training_of(bundle), bundle.model)
    newest = int(split.sequences.timestamps[batches.ends - 1].max())  # type: ignore[index]
    assert new_rows(split, batches, newest - 1, replay, seed=1)[1] > 0
    with pytest.raises(DataError, match="there is nothing to learn from them yet"):
        new_rows(split, batches, newest, replay, seed=1)


def test_a_handful_of_users_who_differ_is_chance(bundle: Bundle, tmp_path: Path) -> None:
    found = refresh(bundle, log_of(OLD, NEW), tmp_path / "new")
    few, many = (paired_test((np.arange(100) < better) * 1.0, np.zeros(100)) for better in (4, 8))
    assert min(few.interval[0], many.interval[0]) > 0
    assert not replace(found, test=few).is_better
    assert replace(found, test=many).is_better


def test_the_plans_seed_is_of_everything_random(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    def refuse(model: object, batches: Batches, config: object, *, seed: int, **more: object) -> None:
        seeds.extend([batches.seed, seed])
        raise StoppedError("seen")

    monkeypatch.setattr("gsrec.experiment.further_training.fit", refuse)
    split, since = cut_newest(bundle, log_of(OLD, NEW), 0.2)
    with pytest.raises(StoppedError, match="seen"):
        go_on(bundle, training_of(bundle), split, since, RefreshPlan(seed=7))
    assert seeds == [7, 7]


def test_the_command(folder: Path, tmp_path: Path) -> None:
    given = ["refresh", str(folder / "run"), str(folder / "all.csv"), "--quiet"]
    told = CliRunner().invoke(app, [*given, "--out", str(tmp_path / "a"), "--json"])
    record = json.loads(told.stdout.splitlines()[-1])
    assert record["promoted"], record
    assert record["out"] == str(tmp_path / "a")
    proof = CliRunner().invoke(
        app, ["verify", str(tmp_path / "a"), str(folder / "all.csv"), "--targets", "20", "--json"]
    )
    assert json.loads(proof.stdout.splitlines()[-1])["holds"]
    shown = CliRunner().invoke(app, [*given, "--out", str(tmp_path / "b"), "--epochs", "1"])
    assert "new items 6" in shown.stdout


def test_seen_items_are_candidates_where_they_were(folder: Path, tmp_path: Path) -> None:
    config = run_config("gsrec", settings=[*SIZES, "epochs=1", "filter_seen=false"])
    train(str(folder / "old.csv"), config, tmp_path / "run")
    found = refresh(open_bundle(tmp_path / "run"), log_of(OLD, NEW), tmp_path / "new.gsrec", RefreshPlan(epochs=1))
    assert not found.champion.protocol.filter_seen
    assert not found.challenger.protocol.filter_seen
    assert not found.bundle.filter_seen
