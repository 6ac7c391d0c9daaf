"""Studies: what is drawn, that a study goes on as it would have, and what it leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gsrec.data.sequences import LogSizes
from gsrec.data.splits import Split
from gsrec.errors import ConfigError, DataError, MissingExtraError, StoppedError, TrainingError
from gsrec.experiment import tune as tuning_module
from gsrec.experiment.config import RunConfig
from gsrec.experiment.configure import RunRequest, run_config
from gsrec.experiment.folder import LogReference
from gsrec.experiment.prepare import prepare
from gsrec.experiment.search_space import BY_LOGARITHM, CHOICES, NUM_SPREAD, RANGES, Tuning
from gsrec.experiment.tune import StudyNarrator, tune
from gsrec.files import held
from gsrec.reporting.trials import Trial
from gsrec.training.course import Listener, TrainingStep

REFERENCE = LogReference(log="synthetic")
FIXED = ("epochs=2", "embedding_size=8", "max_length=10", "model.num_heads=1", "patience=0")
TUNING = Tuning(RunRequest("sasrec", settings=FIXED))


@pytest.fixture(scope="module")
def split() -> Split:
    return prepare(REFERENCE, TUNING.config())[0]


UNTUNED = TUNING.config()


def tried(split: Split, out: Path, number: int, tuning: Tuning = TUNING) -> list[Trial]:
    return tune(REFERENCE, split, tuning, out, num_trials=number)


@pytest.mark.parametrize(
    ("model", "settings", "expected"),
    [
        ("sasrec", (), [*CHOICES, *RANGES]),
        ("sasrec", ("dropout=0.3", "batch_size=32"), ["model.embedding_size", "training.learning_rate"]),
        ("poprec", (), ["training.batch_size", "training.learning_rate"]),
    ],
)
def test_what_the_model_has_and_nobody_gave_is_drawn(
    model: str, settings: tuple[str, ...], expected: list[str]
) -> None:
    assert Tuning(RunRequest(model, settings=settings)).drawn() == expected


@pytest.mark.parametrize("seed", range(5))
def test_the_first_trials_are_spread_evenly_over_what_is_drawn_from(seed: int) -> None:
    tuning = Tuning(RunRequest("sasrec", settings=("patience=0",), seed=seed))
    trials = [tuning.spread(number) for number in range(NUM_SPREAD)]
    for key, among in tuning.space().items():
        values = sorted(trial[key] for trial in trials)
        if key in CHOICES:
            counts = [values.count(choice) for choice in among]
            assert sum(counts) == NUM_SPREAD
            assert max(counts) - min(counts) <= 1
            continue
        least, most = among
        between = np.geomspace if key in BY_LOGARITHM else np.linspace
        ends = between(least, most, NUM_SPREAD + 1)
        assert all(low <= value <= high for low, value, high in zip(ends[:-1], values, ends[1:], strict=True))


def test_a_study_tries_settings_and_writes_the_best_as_a_file(split: Split, tmp_path: Path) -> None:
    told: list[Trial] = []
    listened: list[tuple[RunConfig, int]] = []

    @contextmanager
    def listens(config: RunConfig) -> Iterator[Listener]:
        steps: list[TrainingStep] = []
        yield Listener(on_step=steps.append)
        listened.append((config, len(steps)))

    trials = tune(
        REFERENCE, split, TUNING, tmp_path, num_trials=3, narrator=StudyNarrator(listens=listens, on_trial=told.append)
    )
    assert [trial.number for trial in told] == [0, 1, 2]
    assert sorted(trial.number for trial in trials) == [0, 1, 2]
    assert {trial.state for trial in trials} == {"complete"}
    reached = [trial.validation for trial in trials]
    assert reached == sorted(reached, reverse=True)
    assert all(steps > 0 for _, steps in listened)
    for trial in told:
        settings = trial.settings
        assert settings["training.batch_size"] in (*CHOICES["training.batch_size"], UNTUNED.training.batch_size)
        for key, (low, high) in RANGES.items():
            assert low <= settings[key] <= high
    assert told[0].settings == TUNING.undrawn()
    best = run_config("sasrec", file=tmp_path / "best.toml")
    assert best.training.learning_rate == trials[0].settings["training.learning_rate"]
    assert best.training.epochs == 2
    record = json.loads((tmp_path / "trials.json").read_text(encoding="utf-8"))
    assert (record["model"], record["monitored"], record["trials"]) == (
        "sasrec",
        "NDCG@10",
        [asdict(trial) for trial in trials],
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.toml", "study.sqlite", "trials.json"]


def test_a_study_that_was_stopped_goes_on(split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried(split, tmp_path, 1)

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(tuning_module, "train", stopped)
        with pytest.raises(KeyboardInterrupt):
            tried(split, tmp_path, 2)
    trials = tried(split, tmp_path, 2)
    assert sorted(trial.number for trial in trials) == [0, 2]
    assert tried(split, tmp_path, 2) == trials
    assert len(tried(split, tmp_path, 1)) == 2


def test_it_goes_on_as_if_it_had_never_been_stopped(
    split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = tried(split, tmp_path / "once", 4)

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for number in range(1, 5):
        with monkeypatch.context() as broken:
            broken.setattr(tuning_module, "train", stopped)
            with pytest.raises(KeyboardInterrupt):
                tried(split, tmp_path / "stopped", number)
        trials = tried(split, tmp_path / "stopped", number)
    told = [[(trial.settings, trial.validation) for trial in study] for study in (trials, at_once)]
    assert told[0] == told[1]


def test_a_study_that_is_told_to_stop_keeps_the_trials_that_ended(split: Split, tmp_path: Path) -> None:
    tried(split, tmp_path, 1)
    with pytest.raises(StoppedError, match=r"which is lost; the 1 that ended are kept: go on with the same"):
        tune(REFERENCE, split, TUNING, tmp_path, num_trials=2, stop=lambda: True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.toml", "study.sqlite", "trials.json"]
    assert len(tried(split, tmp_path, 2)) == 2


def test_what_lies_outside_of_what_is_drawn_is_tried_as_well(split: Split, tmp_path: Path) -> None:
    sizes = LogSizes(943, 1_682, 100_000)  # such a log is trained in batches of 16
    [first] = tried(split, tmp_path / "study", 1, replace(TUNING, sizes=sizes))
    assert first.settings["training.batch_size"] == 16


def test_a_study_of_an_earlier_version_goes_on(split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = RunConfig.model_dump
    with monkeypatch.context() as earlier:
        earlier.setattr(RunConfig, "model_dump", lambda config, **how: _without_temperature(told(config, **how)))
        tried(split, tmp_path, 1)
    assert len(tried(split, tmp_path, 2)) == 2


def _without_temperature(config: dict[str, Any]) -> dict[str, Any]:
    return {**config, "model": {key: value for key, value in config["model"].items() if key != "temperature"}}


def test_what_falls_behind_is_given_up_and_counts(
    split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning_module, "TRIALS_BEFORE_PRUNING", 1)
    monkeypatch.setattr(tuning_module, "EPOCHS_BEFORE_PRUNING", 0)
    trials = tried(split, tmp_path, 5)
    assert len(trials) == 5
    assert "pruned" in {trial.state for trial in trials}
    assert trials[0].state == "complete"


def test_what_cannot_be_trained_counts_and_is_told(
    split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise TrainingError("the loss became nan")

    tried(split, tmp_path, 1)
    with monkeypatch.context() as broken:
        broken.setattr(tuning_module, "train", failing)
        tried(split, tmp_path, 2)
    trials = tried(split, tmp_path, 3)
    assert [(trial.number, trial.error) for trial in trials if trial.error] == [(1, "the loss became nan")]
    assert trials[-1].validation == 0


def test_settings_that_do_not_fit_each_other_count_too(split: Split, tmp_path: Path) -> None:
    settings = ("epochs=1", "max_length=10", "model.num_heads=5", "batch_size=64")  # of width 50 and no other
    trials = tried(split, tmp_path, 4, Tuning(RunRequest("sasrec", "thesis", settings=settings)))
    assert len(trials) == 4
    of_another_width = [trial for trial in trials if trial.settings["model.embedding_size"] != 50]
    assert of_another_width
    for trial in of_another_width:
        assert trial.error is not None
        assert trial.error.startswith("embedding_size must be a multiple of num_heads, found ")


def test_a_study_of_something_else_is_not_gone_on_with(split: Split, tmp_path: Path) -> None:
    tried(split, tmp_path, 1)
    others = RunRequest("sasrec", settings=(*FIXED, "dropout=0.1")), RunRequest("gru4rec", settings=("epochs=1",))
    for other in others:
        with pytest.raises(ConfigError, match="holds a study of another log, model or settings"):
            tried(split, tmp_path, 2, Tuning(other))
    later = replace(split, train_ends=split.train_ends - 1)
    with pytest.raises(ConfigError, match="holds a study of another log, model or settings"):
        tried(later, tmp_path, 2)


def test_a_damaged_study_is_told(split: Split, tmp_path: Path) -> None:
    out = tmp_path / "a?b%41#c d"  # signs that mean something in the address of a database
    out.mkdir()
    (out / "study.sqlite").write_text("no database at all, but long enough to be looked at\n" * 99)
    with pytest.raises(DataError, match=r"cannot use the study in .*study.sqlite: .*not a database.* begin anew"):
        tried(split, out, 1)


def test_nothing_to_tune(split: Split, tmp_path: Path) -> None:
    given = ("embedding_size=8", "batch_size=8", "dropout=0.1", "learning_rate=0.1")
    with pytest.raises(ConfigError, match="there is nothing to tune"):
        tried(split, tmp_path, 1, Tuning(RunRequest("sasrec", settings=given)))
    with pytest.raises(ConfigError, match="poprec only counts: there is nothing to tune"):
        tried(split, tmp_path, 1, Tuning(RunRequest("poprec")))


def test_two_processes_do_not_share_a_study(split: Split, tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(ConfigError, match="another process is writing into"):
        tried(split, tmp_path, 1)


def test_without_optuna(split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gsrec.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"optuna is not installed.*gsrec\[tune\]"):
        tried(split, tmp_path, 1)
