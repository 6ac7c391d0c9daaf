"""Many models, many seeds, one table: every run is recorded as soon as it is done, and never done twice."""

from __future__ import annotations

import glob
import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from gsrec.bundle import RUN_FILE
from gsrec.data.splits import Split
from gsrec.description import differences
from gsrec.errors import ConfigError
from gsrec.evaluation.candidates import parse_candidates
from gsrec.evaluation.evaluator import Evaluation, Protocol
from gsrec.experiment.config import DataConfig, RunConfig, as_now
from gsrec.experiment.cost import event_seconds
from gsrec.experiment.folder import LogReference
from gsrec.experiment.prepare import prepare
from gsrec.experiment.run import Run, is_begun, train, trained_run
from gsrec.files import held
from gsrec.places import check_own
from gsrec.reporting.ranks import RANKS_FILE, UserRanks, write_ranks
from gsrec.reporting.results import RESULTS_FILE, RunResult, append_result, but_seed, read_results
from gsrec.training.course import Listener

RUNS_FOLDER = "runs"


@dataclass(frozen=True)
class Narrator:
    """Who is told how a comparison goes on; `listens` opens the listener of one run's training."""

    on_start: Callable[[RunConfig, int, int], None] = lambda config, number, total: None
    listens: Callable[[RunConfig], AbstractContextManager[Listener]] = lambda config: nullcontext(Listener())
    on_skip: Callable[[RunConfig], None] = lambda config: None
    on_notes: Callable[[tuple[str, ...]], None] = lambda notes: None


def compare_models(
    reference: LogReference,
    configs: Iterable[RunConfig],
    out: Path,
    *,
    candidates: str = "full",
    trained: Path | None = None,
    prepared: tuple[Split, tuple[str, ...]] | None = None,
    stop: Callable[[], bool] = lambda: False,
    narrator: Narrator | None = None,
) -> list[RunResult]:
    """Train every configuration, judge it once on test, and record it; what is recorded already is left as it is.

    Args:
        reference: the log that all learn from.
        configs: one a run; runs of one label with different seeds are one model.
        out: the folder of the results file and the run folders.
        candidates: what the targets are ranked among.
        trained: the folder of another comparison; what was trained for it is only judged anew.
        prepared: what `prepare` gave for the first configuration, where the log was opened already.
        stop: asked after every step whether to stop; a training that was stopped is resumed next time.
        narrator: is told how it goes on.

    Returns:
        The results of these configurations, in their order.

    Raises:
        ConfigError: if the candidates are unknown; or two configurations of one label differ in more than their seed;
            or `out` cannot be the folder of this comparison or holds one by another protocol, or another process writes
            into it; or `trained` is not the folder of a comparison.
        DataError: if the log cannot be read, or results cannot be read or written.
        TrainingError: if a training cannot go on.
        StoppedError: if it was told to stop.
    """
    narrator, configs = narrator or Narrator(), list(configs)
    _check_drawn(candidates)  # what is wrong with them is better known before the first training
    _check_one_kind(configs)
    check_comparison_place(out)
    _check_trained(trained)
    splits = _splits(reference, configs, narrator, prepared)
    _check_all_alike(out, splits, candidates)
    results = []
    with held(out):
        _check_all_alike(out, splits, candidates)  # another process may have been quicker
        for number, config in enumerate(configs, start=1):
            planned = _PlannedRun(reference, config, splits[config.data], candidates, trained)
            result = planned.recorded(out)
            if result is None:
                narrator.on_start(config, number, len(configs))
                with narrator.listens(config) as listener:
                    result = planned.run(out, listener, stop)
            else:
                narrator.on_skip(config)
            results.append(result)
    return results


def recorded_results(out: Path) -> list[RunResult]:
    """What a comparison has recorded in its folder, in that order; none if it has not begun.

    Raises:
        DataError: if its results cannot be read.
    """
    path = out / RESULTS_FILE
    return read_results(path, as_now=as_now) if path.exists() and path.stat().st_size else []


def check_one_each(out: Path, configs: Iterable[RunConfig]) -> None:
    """Make sure that a comparison's folder has no model with other settings, which no table could tell apart.

    Raises:
        ConfigError: if it has, or these configurations differ in what they take of the log and how they cut it.
        DataError: if its results cannot be read.
    """
    configs = list(configs)
    if len({config.data for config in configs}) > 1:
        raise ConfigError("presets with other settings of data cannot stand in one table: compare them one by one")
    asked = {config.label: but_seed(config.model_dump(mode="json")) for config in configs}
    for one in recorded_results(out):
        found = but_seed(one.config)
        if differing := [*differences(found, asked.get(one.label, found), "")]:
            told = f"{out} holds {one.label} with other settings: {'; '.join(differing[:3])}"
            raise ConfigError(f"{told}. Give another folder with --out.")


def _check_one_kind(configs: Iterable[RunConfig]) -> None:
    kinds: dict[str, RunConfig] = {}
    for config in configs:
        first, now = (but_seed(one.model_dump(mode="json")) for one in (kinds.setdefault(config.label, config), config))
        if differing := [*differences(first, now, "")]:
            told = f"{config.label} is given with two kinds of settings: {'; '.join(differing[:3])}"
            raise ConfigError(f"{told}. Compare them in two folders.")


def check_comparison_place(out: Path) -> None:
    """Make sure that a folder may be that of a comparison.

    Raises:
        ConfigError: if it is the folder of a run, or holds something else.
    """
    if (out / RUN_FILE).exists():
        raise ConfigError(f"{out} is the folder of a run. Give another folder with --out for the comparison.")
    check_own(out, [RUNS_FOLDER], proof=RESULTS_FILE)


def _check_drawn(candidates: str) -> None:
    """Make sure that these candidates can be drawn.

    Raises:
        ConfigError: if they are unknown, or to be given target by target, which only Python can.
    """
    if parse_candidates(candidates).kind == "given":
        raise ConfigError(
            f"{candidates}: a comparison draws its candidates. Those of one's own are given to an Evaluator, in Python"
        )


def _check_trained(trained: Path | None) -> None:
    if trained is not None and not (trained / RUNS_FOLDER).is_dir():
        raise ConfigError(f"{trained} holds no comparison whose models could be judged. Name the folder of one.")


def _check_all_alike(out: Path, splits: Mapping[DataConfig, Split], candidates: str) -> None:
    for data, split in splits.items():
        _check_alike(out, split, data.protocol("test", candidates=candidates))


def _check_alike(out: Path, split: Split, protocol: Protocol) -> None:
    """Make sure that what is recorded can stand in one table with what is asked for."""
    asked = (split.name, protocol.filter_seen, protocol.candidates)
    for one in recorded_results(out):
        found = (one.split, one.protocol.filter_seen, one.protocol.candidates)
        same_log = one.data.fingerprint == split.sequences.fingerprint
        same_cuts = one.data.cuts in (None, split.cuts)  # earlier versions told none
        if not (same_log and same_cuts and found == asked):
            by = f"by another protocol ({one.split}, {one.protocol.candidates})" if found != asked else "of other cuts"
            of_log = by if same_log else "of other data"
            raise ConfigError(
                f"{out} holds a comparison {of_log}, which cannot stand in one table with this one. Give another "
                f"folder with --out; `gsrec compare --trained {out}` judges its models there without a training."
            )


def _splits(
    reference: LogReference,
    configs: list[RunConfig],
    narrator: Narrator,
    first: tuple[Split, tuple[str, ...]] | None,
) -> dict[DataConfig, Split]:
    """The log as every configuration cuts it; what was guessed and dropped is told once for each way."""
    splits: dict[DataConfig, Split] = {}
    for config in configs:
        if config.data not in splits:
            splits[config.data], notes = first or prepare(reference, config)
            first = None
            narrator.on_notes(notes)
    return splits


@dataclass(frozen=True, eq=False)
class _PlannedRun:
    """One run of a comparison."""

    reference: LogReference
    config: RunConfig
    split: Split
    candidates: str
    trained: Path | None

    def recorded(self, out: Path) -> RunResult | None:
        """The result of this very run, if it is there already."""
        for result in recorded_results(out):
            same_task = result.protocol.candidates == self.candidates  # of the same data: see `_check_alike`
            if same_task and result.config == self.config.model_dump(mode="json"):
                return result
        return None

    def run(self, out: Path, listener: Listener, stop: Callable[[], bool]) -> RunResult:
        """Train, unless that is done, judge once on test, record."""
        folder = Path(RUNS_FOLDER) / self._name(out)
        trained = self._trained(out)
        if trained is None and self.trained is not None:
            trained = self._trained(self.trained)
            if trained is None:
                listener.on_note(f"{self.trained} has no model with these very settings and seed: it is trained here")
        if trained is None:
            if (out / folder / RUN_FILE).exists():
                listener.on_note(_put_aside(out / folder))
            trained = train(
                self.reference, self.config, out / folder, split=self.split, resume=True, stop=stop, listener=listener
            )
        test = trained.evaluate(self.config.data.protocol("test", candidates=self.candidates))
        keep_ranks(test, out / folder)
        more = {
            "validation": trained.validation.metrics,
            "run": str(folder),
            "event_seconds": event_seconds(trained.model, self.config, self.split),
        }
        return append_result(out / RESULTS_FILE, trained.result(test).model_copy(update=more))

    def _trained(self, comparison: Path) -> Run | None:
        """This very run among those of a comparison, by what it says: a new setting changes the name, not the run."""
        found = (trained_run(folder, self.config, self.split) for folder in self._folders(comparison))
        return next((run for run in found if run is not None), None)

    def _name(self, out: Path) -> str:
        """The folder that it was begun in, under whatever name, or one that no other run has."""
        begun = (folder.name for folder in self._folders(out) if is_begun(folder, self.config, self.split))
        all_of_it = (self.config.model_dump_json(), self.split.sequences.fingerprint, self.split.cuts)
        return next(begun, self._begin + hashlib.sha256("\n".join(all_of_it).encode()).hexdigest()[:8])

    def _folders(self, comparison: Path) -> list[Path]:
        """The folders of runs of this label and seed."""
        return sorted((comparison / RUNS_FOLDER).glob(f"{glob.escape(self._begin)}*"))

    @property
    def _begin(self) -> str:
        """What its folder's name begins with."""
        return f"{self.config.label.replace(':', '-')}-seed{self.config.seed}-"


def _put_aside(folder: Path) -> str:
    """Free the name of a run that cannot be read, be it damaged or of another version; gives what is to be told."""
    names = (f"unreadable-{number}-{folder.name}" for number in itertools.count(1))
    aside = next(path for path in map(folder.with_name, names) if not path.exists())
    folder.rename(aside)
    return f"{folder} holds a run that this version cannot read: it is {aside} now, and the model is trained anew"


def keep_ranks(evaluation: Evaluation, folder: Path) -> None:
    """Write every target's rank into a run folder."""
    ranks = UserRanks(evaluation.users, evaluation.ranks, evaluation.history_lengths, evaluation.target_popularity)
    write_ranks(folder / RANKS_FILE, ranks)
