"""Many models, many seeds, one table: every run is recorded as soon as it is done, and never done twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from gsrec.evaluation.evaluator import Evaluation, Protocol
from gsrec.experiment.config import RunConfig, has_setting, run_config, settings_layer
from gsrec.experiment.run import LogReference, prepare, result_record, train
from gsrec.reporting.ranks import RANKS_FILE, UserRanks, write_ranks
from gsrec.reporting.results import RunResult, append_result, read_results
from gsrec.training.trainer import Listener

RESULTS_FILE, RUNS_FOLDER = "results.jsonl", "runs"


@dataclass(frozen=True)
class Narrator:
    """Who is told how a comparison goes on; `listens` opens the listener of one run's training."""

    on_start: Callable[[RunConfig, int, int], None] = lambda config, number, total: None
    listens: Callable[[RunConfig], AbstractContextManager[Listener]] = lambda config: nullcontext(Listener())
    on_skip: Callable[[RunConfig], None] = lambda config: None


def compare_models(
    reference: LogReference,
    configs: Iterable[RunConfig],
    out: Path,
    *,
    candidates: str = "full",
    narrator: Narrator | None = None,
) -> list[RunResult]:
    """Train every configuration, judge it once on test, and record it; what is recorded already is left as it is.

    Args:
        reference: the log that all learn from.
        configs: one a run; runs of one label with different seeds are one model.
        out: the folder of the results file and the run folders.
        candidates: what the targets are ranked among.
        narrator: is told how it goes on.

    Returns:
        The results of these configurations, in their order.
    """
    narrator, configs = narrator or Narrator(), list(configs)
    for number, config in enumerate(configs, start=1):
        if _recorded(out, config, candidates) is not None:
            narrator.on_skip(config)
            continue
        narrator.on_start(config, number, len(configs))
        with narrator.listens(config) as listener:
            _run_one(reference, config, out, candidates, listener)
    return [result for config in configs if (result := _recorded(out, config, candidates)) is not None]


def configurations(
    models: Iterable[str], seeds: Iterable[int], *, file: Path | None = None, settings: Iterable[str] = ()
) -> list[RunConfig]:
    """A configuration for every model and seed; a setting goes to the models that have it.

    Args:
        models: each as `name` or `name:preset`.
        seeds: one run a model and seed.
        file: a TOML file of settings for all.
        settings: `key=value` texts for all.

    Raises:
        ConfigError: if a name is unknown, no model has a setting, or a value is out of its range.
    """
    names, settings, seeds = [model.strip() for model in models], list(settings), list(seeds)
    for setting in settings:
        if not any(has_setting(setting, name.partition(":")[0]) for name in names):
            settings_layer([setting], names[-1].partition(":")[0])  # says what is wrong with it
    return [
        run_config(
            model,
            preset or "default",
            file=file,
            settings=[setting for setting in settings if has_setting(setting, model)],
            seed=seed,
        )
        for seed in seeds
        for model, _, preset in (name.partition(":") for name in names)
    ]


def _run_one(reference: LogReference, config: RunConfig, out: Path, candidates: str, listener: Listener) -> None:
    folder = Path(RUNS_FOLDER) / f"{config.label.replace(':', '-')}-seed{config.seed}"
    shutil.rmtree(out / folder, ignore_errors=True)  # what an interrupted comparison left
    split, _ = prepare(reference, config)
    run = train(reference, config, out / folder, split=split, listener=listener)
    validation = run.evaluate(Protocol("validation"))
    test = run.evaluate(Protocol("test", candidates=candidates))
    keep_ranks(test, out / folder)
    record = result_record(run, test) | {"validation": validation.metrics, "run": str(folder)}
    append_result(out / RESULTS_FILE, record)


def keep_ranks(evaluation: Evaluation, folder: Path) -> None:
    """Write every target's rank into a run folder."""
    ranks = UserRanks(evaluation.users, evaluation.ranks, evaluation.history_lengths, evaluation.target_popularity)
    write_ranks(folder / RANKS_FILE, ranks)


def _recorded(out: Path, config: RunConfig, candidates: str) -> RunResult | None:
    """The result of this very configuration, if it is there already."""
    path = out / RESULTS_FILE
    if not path.exists():
        return None
    for result in read_results(path):
        if result.config == config.model_dump(mode="json") and result.protocol.candidates == candidates:
            return result
    return None
