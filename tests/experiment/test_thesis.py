"""The thesis's experiment: which data, which presets, and what is told of cuts."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from gsrec.errors import ConfigError, StoppedError
from gsrec.experiment.compare import Narrator
from gsrec.experiment.configure import run_configs
from gsrec.experiment.thesis import SMALL, datasets, run_thesis
from gsrec.reporting.thesis_numbers import THESIS_MODELS

FAST = ("embedding_size=4", "recurrent_size=4", "max_length=5", "epochs=1")


@pytest.fixture
def logs(tmp_path: Path, small_log: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with stand-ins of both logs."""
    folder = tmp_path / "logs"
    folder.mkdir()
    for name in ("ml-1m", "amazon-beauty-bert4rec"):
        (folder / f"{name}.csv").write_bytes(Path(small_log).read_bytes())
    monkeypatch.setenv("GSREC_DATA", str(folder))
    monkeypatch.setenv("GSREC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("gsrec.experiment.thesis.plots_available", lambda: False)  # they take longer than the rest
    return folder


def test_beauty_is_the_prepared_log_where_it_is_at_hand(logs: Path) -> None:
    beauty, ml_1m = datasets()
    assert (beauty.log, beauty.preset, beauty.settings) == ("amazon-beauty-bert4rec", "thesis", ())
    assert (ml_1m.log, ml_1m.preset, ml_1m.settings) == ("ml-1m", "thesis-ml-1m", ())


def test_the_raw_ratings_are_preferred_and_filtered(logs: Path) -> None:
    (logs / "ratings_Beauty.csv").write_text("a,b,5.0,1\n", encoding="utf-8")
    least = ("data.min_user_interactions=5", "data.min_item_interactions=5")
    assert (datasets()[0].log, datasets()[0].settings) == ("amazon-beauty", least)


def test_without_any_beauty_the_raw_ratings_are_to_be_fetched(logs: Path) -> None:
    (logs / "amazon-beauty-bert4rec.csv").unlink()
    assert datasets()[0].log == "amazon-beauty"


@pytest.mark.parametrize("preset", ["thesis", "thesis-ml-1m"])
def test_the_small_size_fits_all_models(preset: str) -> None:
    named = [f"{model}:{preset}" for model in THESIS_MODELS.values()]
    configs = run_configs(named, [1], settings=[f"{key}={value}" for key, value in SMALL.items()])
    assert {config.training.patience for config in configs[1:]} == {0}
    sizes = [config.model.model_dump() for config in configs[1:]]
    assert {(size["embedding_size"], size["max_length"]) for size in sizes} == {(32, 50)}


def test_the_experiment_is_written_and_not_run_twice(logs: Path, tmp_path: Path) -> None:
    started: list[str] = []
    narrator = Narrator(on_start=lambda config, number, total: started.append(f"{config.label} {config.seed}"))
    out = tmp_path / "out"
    report = run_thesis(out, candidates="uniform:5", settings=FAST, narrator=narrator)
    assert started == [
        f"{model}:{preset} 1" for preset in ("thesis", "thesis-ml-1m") for model in THESIS_MODELS.values()
    ]
    assert report.cuts == FAST
    assert report.markdown() in (out / "thesis.md").read_text(encoding="utf-8")
    assert "embedding_size=4, recurrent_size=4, max_length=5, epochs=1" in report.markdown()
    assert json.loads((out / "thesis.json").read_text(encoding="utf-8"))["cuts"] == list(FAST)
    for name in ("ml-1m", "amazon-beauty-bert4rec"):
        assert len((out / name / "results.jsonl").read_text(encoding="utf-8").splitlines()) == len(THESIS_MODELS)
        assert (out / name / "table.md").exists()
    again = run_thesis(out, candidates="uniform:5", settings=FAST, narrator=narrator)
    assert len(started) == 10
    assert again.markdown() == report.markdown()


def test_some_of_its_models_now_and_others_later(logs: Path, tmp_path: Path) -> None:
    ran = partial(run_thesis, tmp_path / "out", candidates="uniform:5", settings=FAST)
    assert ran(models=[]).outcomes == ()
    first = ran(models=["poprec", "gru4rec"])
    assert [set(one.headline) for one in first.outcomes] == [{"POP", "GRU4Rec"}] * 2
    assert [answer.verdict[:12] for answer in first.our_answers] == ["Not answered"] * 3
    second = ran(models=["gsrec"])
    assert [set(one.headline) for one in second.outcomes] == [{"POP", "GRU4Rec", "GSRec"}] * 2
    assert not any(answer.verdict.startswith("Not answered") for answer in second.our_answers)
    with pytest.raises(ConfigError, match="the thesis has no model 'gru': expected poprec, gru4rec,"):
        ran(models=["gru"])


def test_cuts_are_told_as_they_are(logs: Path, tmp_path: Path) -> None:
    ran = partial(run_thesis, tmp_path / "out", models=[], small=True)
    kept = ("embedding_size=32", "recurrent_size=32", "max_length=50")
    assert ran().cuts == (*kept, "epochs=10", "validate_every=5", "patience=0")
    assert ran(settings=["training.epochs=2"]).cuts == (*kept, "validate_every=5", "patience=0", "training.epochs=2")


def test_a_model_that_only_counts_stays_whatever_the_others_training(logs: Path, tmp_path: Path) -> None:
    for epochs in ("epochs=1", "epochs=2"):
        settings = (*FAST[:-1], epochs)
        report = run_thesis(tmp_path / "out", models=["poprec"], candidates="uniform:5", settings=settings)
        assert [set(one.headline) for one in report.outcomes] == [{"POP"}] * 2
    for folder in ("ml-1m", "amazon-beauty-bert4rec"):
        assert len((tmp_path / "out" / folder / "results.jsonl").read_text(encoding="utf-8").splitlines()) == 1


def test_it_stops_when_it_is_told_to(logs: Path, tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        run_thesis(tmp_path / "out", candidates="uniform:5", settings=FAST, stop=lambda: True)


def test_what_is_wrong_is_known_before_the_first_training(logs: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown setting 'epoch'"):
        run_thesis(tmp_path / "out", settings=["epoch=1"])
    with pytest.raises(ConfigError, match="candidates must be"):
        run_thesis(tmp_path / "out", candidates="few")
    assert not (tmp_path / "out").exists()
