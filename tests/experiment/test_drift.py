"""Drift is what there is: unknown items, new users, a shift beyond chance, and what the model still gets right."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from gsrec.bundle import Bundle
from gsrec.cli import app
from gsrec.data.build import log_from_frame
from gsrec.data.log import InteractionLog
from gsrec.data.splits import leave_one_out
from gsrec.errors import ConfigError, DataError
from gsrec.experiment.configure import run_config
from gsrec.experiment.drift import drift
from gsrec.experiment.folder import open_bundle
from gsrec.experiment.run import train
from gsrec.models import PopRec, PopRecConfig
from gsrec.reporting.drift import Drift, Mover
from gsrec.reporting.drift_page import write_drift_page

DAY, FIRST = 86_400, 15_000


def events(users: range, items: list[int], first_day: int, seed: int) -> pl.DataFrame:
    """Every user takes six of the items, one a day."""
    generator = np.random.default_rng(seed)
    rows = [
        (user, int(item), (first_day + place) * DAY)
        for user in users
        for place, item in enumerate(generator.choice(items, 6, replace=False))
    ]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


OLD = events(range(100), [*range(1, 21)], FIRST, seed=1)
SAME = events(range(50), [*range(1, 21)], FIRST + 10, seed=2)
OTHER = events(range(200, 250), [*range(11, 31)], FIRST + 17, seed=3)


def log_of(*frames: pl.DataFrame) -> InteractionLog:
    return log_from_frame(pl.concat(frames), name="shop")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    split = leave_one_out(log_of(OLD).to_sequences())
    model = PopRec(split.sequences.num_items, PopRecConfig())
    model.count(split)
    return Bundle.of(model, PopRecConfig(), split, metrics={"NDCG@10": 0.3, "HR@10": 0.5})


@pytest.fixture(scope="module")
def found(bundle: Bundle) -> Drift:
    return drift(bundle, log_of(OLD, SAME, OTHER), days=7)


def test_what_is_new_is_counted(found: Drift) -> None:
    first, second, third = found.periods
    assert found.until == "2011-01-31"
    assert [period.events for period in found.periods] == [150, 300, 150]
    assert (first.unknown_items, first.new_users) == (0.0, 0.0)
    unknown = OTHER.filter(pl.col("item_id") > 20)
    assert third.new_users == 1.0
    assert found.whole.unknown_items == pytest.approx(unknown.height / 600)
    assert found.whole.new_users == 0.5
    assert found.unknown_catalogue == pytest.approx(10 / 30)
    assert (first.age, second.age, third.age) == (0, 7, 14)


def test_a_shift_stands_out_from_chance(found: Drift) -> None:
    first, third = found.periods[0], found.periods[2]
    assert first.shift < 3 * first.shift_by_chance
    assert third.shift > 5 * third.shift_by_chance
    risen = {int(mover.item_id) for mover in found.movers if mover.now > mover.before}
    assert risen <= set(range(11, 31))
    assert max(found.movers, key=lambda mover: mover.now - mover.before).before == 0


def test_the_model_is_judged_by_last_events_and_an_unknown_item_is_a_miss(found: Drift) -> None:
    first, third = found.periods[0], found.periods[2]
    assert (first.targets, third.targets) == (50, 50)
    assert 0 < third.metrics["HR@10"] < 0.6
    low, high = first.intervals["NDCG@10"]
    assert low <= first.metrics["NDCG@10"] <= high
    assert found.on_validation == {"NDCG@10": 0.3, "HR@10": 0.5}


def test_what_has_no_age_is_told(bundle: Bundle) -> None:
    with pytest.raises(DataError, match="nothing is new"):
        drift(bundle, log_of(OLD))
    with pytest.raises(DataError, match="shop has no clock times"):
        drift(bundle, log_from_frame(log_of(OLD, SAME).frame.select("user_id", "item_id"), name="shop"))
    with pytest.raises(DataError, match="had no clock times"):
        drift(replace(bundle, data=bundle.data.model_copy(update={"until": None})), log_of(OLD, SAME))
    for days in (0.0, 1e-3):
        with pytest.raises(ConfigError, match="there must be 1 to 500 periods"):
            drift(bundle, log_of(OLD, SAME), days=days)


def test_the_page_says_it_and_asks_nobody(found: Drift, tmp_path: Path) -> None:
    risen = Mover("<script>alert(1)</script>", before=0.0, now=0.1)
    write_drift_page(replace(found, movers=(risen,)), tmp_path / "drift.html")
    page = (tmp_path / "drift.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert "src=" not in page
    assert "2011-01-31" in page


def test_a_model_of_a_temporal_split_knows_nothing_of_what_is_held_out(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    newest = OTHER.with_columns(pl.col("timestamp") + 90 * DAY, pl.col("item_id") + 30)
    pl.concat([OLD, SAME, OTHER, newest]).write_csv(path)
    train(str(path), run_config("poprec", settings=["split=temporal"]), tmp_path / "run")
    trained = open_bundle(tmp_path / "run")
    log = log_of(OLD, SAME, OTHER, newest)
    times = log.frame["time"].to_numpy()
    assert trained.data.until is not None
    found = drift(trained, log)
    assert sum(period.events for period in found.periods) == (times > trained.data.until).sum() > 0
    new = log.frame.filter(pl.Series(times > trained.data.until))["item_id"]
    never_trained = trained.vocabulary.decode_list(trained.counts[1:].eq(0).nonzero()[:, 0].add(1).tolist())
    assert found.whole.unknown_items == new.is_in(never_trained).sum() / len(new) > 0


def test_the_command(tmp_path: Path) -> None:
    OLD.write_csv(tmp_path / "old.csv")
    pl.concat([OLD, SAME, OTHER]).write_csv(tmp_path / "all.csv")
    train(str(tmp_path / "old.csv"), run_config("poprec"), tmp_path / "run")
    assert open_bundle(tmp_path / "run").data.until == OLD["timestamp"].max()
    given = ["drift", str(tmp_path / "run"), str(tmp_path / "all.csv"), "--quiet"]
    told = CliRunner().invoke(app, [*given, "--json", "--out", str(tmp_path / "page.html")])
    record = json.loads(told.stdout.splitlines()[-1])
    assert (record["until"], len(record["periods"])) == ("2011-01-31", 3)
    assert (tmp_path / "page.html").exists()
    shown = CliRunner().invoke(app, given)
    assert "all since" in shown.stdout


def test_what_did_not_count_in_training_does_not_count_now(bundle: Bundle) -> None:
    once = log_of(OLD, SAME, OTHER)
    thrice = log_from_frame(pl.concat([once.frame] * 3).sort("time", maintain_order=True), name="shop")
    for setting in ("drop_repeats", "drop_duplicates"):
        told = replace(bundle, settings={"data": {setting: True}})
        assert drift(told, thrice) == drift(told, once), setting
    assert drift(bundle, thrice).whole.events == 3 * drift(bundle, once).whole.events
    lengths = once.frame["user_id"].value_counts()
    usual = int(lengths["count"].to_numpy().min())
    few = lengths.filter(lengths["count"] == usual)["user_id"].implode()
    without_others = log_from_frame(once.frame.filter(pl.col("user_id").is_in(few)), name="shop")
    people = replace(bundle, settings={"data": {"max_user_interactions": usual}})
    assert drift(people, once) == drift(bundle, without_others) != drift(bundle, once)


def test_seen_items_are_candidates_where_they_were(bundle: Bundle) -> None:
    most = int(bundle.vocabulary.ids[int(bundle.counts.argmax()) - 1])
    again = log_of(OLD, SAME.with_columns(pl.lit(most, pl.Int64).alias("item_id")))  # the same item, day after day
    hits = {
        filter_seen: drift(replace(bundle, settings={"data": {"filter_seen": filter_seen}}), again).whole.metrics
        for filter_seen in (True, False)
    }
    assert (hits[True]["HR@10"], hits[False]["HR@10"]) == (0, 1)


def test_targets_that_are_repeats_are_told(bundle: Bundle, tmp_path: Path) -> None:
    assert drift(bundle, log_of(OLD, SAME, SAME)).whole.repeats == 1
    assert drift(bundle, log_of(OLD, OTHER)).whole.repeats == 0
    OLD.write_csv(tmp_path / "old.csv")
    pl.concat([OLD, SAME, SAME]).write_csv(tmp_path / "twice.csv")
    train(str(tmp_path / "old.csv"), run_config("poprec"), tmp_path / "run")
    told = CliRunner().invoke(app, ["drift", str(tmp_path / "run"), str(tmp_path / "twice.csv")]).stderr
    assert "note: 100% of the targets are of items that their users had before, and so misses" in told
