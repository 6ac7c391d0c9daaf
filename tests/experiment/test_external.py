"""A model of another library stands in a comparison as those trained here do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gsrec.data.splits import Split, Targets
from gsrec.errors import ConfigError, DataError
from gsrec.evaluation.evaluator import Evaluation, Evaluator, Protocol
from gsrec.experiment.compare import compare_models
from gsrec.experiment.configure import run_configs
from gsrec.experiment.external import record_external
from gsrec.experiment.folder import LogReference
from gsrec.experiment.prepare import prepare
from gsrec.reporting.comparison import compare_runs
from gsrec.reporting.results import RunResult, TrainingRecord, read_results

POPREC = run_configs(["poprec"], [1])
TEST = Protocol("test")
TOOK = TrainingRecord(epochs=2, seconds=3.5, num_parameters=7)


@pytest.fixture(scope="module")
def reference(small_log: str) -> LogReference:
    return LogReference.of(small_log)


@pytest.fixture(scope="module")
def split(reference: LogReference) -> Split:
    return prepare(reference, POPREC[0])[0]


def judged(split: Split, protocol: Protocol = TEST) -> Evaluation:
    """The most popular items first, as another library might score them."""
    counts = split.train_counts().astype(float)

    def score(targets: Targets) -> np.ndarray:
        return np.tile(counts, (len(targets), 1))

    return Evaluator(split, protocol).evaluate_scores(score)


def recorded(out: Path, split: Split, evaluation: Evaluation | None = None, **more: Any) -> RunResult:
    label, seed = more.pop("label", "theirs"), more.pop("seed", 1)
    return record_external(out, label, evaluation or judged(split), split, training=TOOK, seed=seed, **more)


def test_it_stands_in_one_table_with_models_trained_here(reference: LogReference, split: Split, tmp_path: Path) -> None:
    [ours] = compare_models(reference, POPREC, tmp_path)
    theirs = recorded(tmp_path, split, config={"neighbours": 20})
    assert theirs.metrics == ours.metrics  # of the same scores
    assert read_results(tmp_path) == [ours, theirs]
    assert theirs.read_ranks().ranks.tolist() == ours.read_ranks().ranks.tolist()
    comparison = compare_runs(read_results(tmp_path))
    assert [model.label for model in comparison.models] == ["poprec", "theirs"]
    [pair] = comparison.significance.pairs
    assert {pair.first, pair.second} == {"poprec", "theirs"}
    assert compare_models(reference, POPREC, tmp_path) == [ours]  # a comparison goes on beside it


def test_it_may_begin_a_comparison_and_have_several_seeds(split: Split, tmp_path: Path) -> None:
    for seed in (1, 2):
        recorded(tmp_path / "new", split, seed=seed)
    [model] = compare_runs(read_results(tmp_path / "new")).models
    assert model.seeds == (1, 2)
    for more in ({"seed": 2}, {"seed": 3, "config": {"neighbours": 20}}):  # there already; another model of that name
        with pytest.raises(DataError, match="theirs"):
            recorded(tmp_path / "new", split, **more)
    assert len(read_results(tmp_path / "new")) == 2


def test_other_draws_and_other_candidates_are_another_table(split: Split, tmp_path: Path) -> None:
    recorded(tmp_path / "drawn", split, judged(split, Protocol("test", "uniform:5")))
    with pytest.raises(DataError, match="protocol seed 1 and not 0"):
        recorded(tmp_path / "drawn", split, judged(split, Protocol("test", "uniform:5", seed=1)), label="other")
    targets = split.sequences.items[split.targets("test").positions]
    ones = [np.where(targets == first, 3, first)[:, None] for first in (1, 2)]
    first, second = (
        Evaluator(split, Protocol("test", "given:1"), one).evaluate_scores(
            lambda targets: np.zeros((len(targets), split.sequences.num_items + 1))
        )
        for one in ones
    )
    recorded(tmp_path / "given", split, first)
    with pytest.raises(DataError, match="protocol given"):
        recorded(tmp_path / "given", split, second, label="other")


def test_what_cannot_stand_in_the_table_is_refused(reference: LogReference, split: Split, tmp_path: Path) -> None:
    compare_models(reference, POPREC, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    sampled, validated = Protocol("test", "uniform:5"), Protocol("validation")
    with pytest.raises(DataError, match=r"cannot stand in one table.* protocol candidates 'uniform:5' and not 'full'"):
        recorded(tmp_path, split, judged(split, sampled))
    with pytest.raises(ConfigError, match="gsrec is a model of this library"):
        recorded(tmp_path, split, label="gsrec")
    shorter = replace(split, train_ends=split.train_ends - (split.train_ends - split.sequences.offsets[:-1] > 2))
    with pytest.raises(DataError, match="this evaluation is not of"):
        recorded(tmp_path, split, judged(shorter))
    for strange in (np.int64(2), float("nan")):
        with pytest.raises(DataError, match="the result of theirs"):
            recorded(tmp_path, split, config={"k": strange})
    with pytest.raises(ConfigError, match="judged on test, found validation"):
        recorded(tmp_path, split, judged(split, validated))
    for label in ("", "../theirs", "a/b", ".theirs", "a b"):
        with pytest.raises(ConfigError, match="a label is of letters, digits"):
            recorded(tmp_path, split, label=label)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "letter.txt").touch()
    with pytest.raises(ConfigError, match="else"):
        recorded(tmp_path / "else", split)
