"""Tuning: trainings with drawn settings, judged by validation, in a study that can be stopped and resumed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gsrec.data.splits import Split
from gsrec.errors import ConfigError, DataError, StoppedError, TrainingError
from gsrec.experiment.config import RunConfig, as_now, check_learns
from gsrec.experiment.folder import LogReference
from gsrec.experiment.run import train
from gsrec.experiment.search_space import BY_LOGARITHM, CHOICES, NUM_SPREAD, Tuning
from gsrec.extras import check_installed
from gsrec.files import held, write_json, write_text
from gsrec.places import check_own
from gsrec.reporting.trials import Trial
from gsrec.training.course import Epoch, Listener
from gsrec.training.trainer import MONITORED

STUDY_FILE, TRIALS_FILE, BEST_SETTINGS, TRIAL_FOLDER = "study.sqlite", "trials.json", "best.toml", "trial"

TRIALS_BEFORE_PRUNING, EPOCHS_BEFORE_PRUNING = 4, 3
"""No trial is given up before so many others have ended, nor before so many epochs of its own."""


@dataclass(frozen=True)
class StudyNarrator:
    """Who is told how a study goes on; `listens` opens the listener of one trial's training."""

    listens: Callable[[RunConfig], AbstractContextManager[Listener]] = lambda config: nullcontext(Listener())
    on_trial: Callable[[Trial], None] = lambda trial: None


def tune(
    reference: LogReference,
    split: Split,
    tuning: Tuning,
    out: Path,
    *,
    num_trials: int,
    stop: Callable[[], bool] = lambda: False,
    narrator: StudyNarrator | None = None,
) -> list[Trial]:
    """Try settings until the study has so many trials, and write the best ones as a file for `--config`.

    The first trial is what would be trained without tuning. One that is behind the median of those before it, epoch by
    epoch, is given up, and so is one that cannot be trained; it counts as a trial. The study is kept in
    `study.sqlite`, and a study that was stopped resumes with the trial after the last one that ended.

    Args:
        reference: the log.
        split: the log as the configuration cuts it.
        tuning: what is tuned.
        out: the folder of the study.
        num_trials: trials in all, those of earlier calls included.
        stop: asked after every step of a training whether to stop.
        narrator: is told how it goes on.

    Returns:
        All trials, the best first, by the validation NDCG@10 at the best epoch.

    Raises:
        ConfigError: if nothing is left to draw, or `out` holds the study of something else, or one that goes on now,
            or other files.
        DataError: if the study's file is damaged, or the disk does not take it.
        MissingExtraError: if Optuna is not installed.
        StoppedError: if it was told to stop.
    """
    check_installed("optuna")
    check_learns(tuning.request.model, "tune")
    if not tuning.drawn():
        raise ConfigError("every setting that tuning draws is given already: there is nothing to tune")
    check_own(out, (), proof=STUDY_FILE)
    with held(out), _storage_told(out / STUDY_FILE):
        opened = _open_study(out, split, tuning)
        study = _Study(opened, reference, split, tuning, out, stop, narrator or StudyNarrator())
        while (number := len(study.trials())) < num_trials:
            study.try_next(number)
            study.write()
        study.write()
        return study.trials()


@contextmanager
def _storage_told(path: Path) -> Iterator[None]:
    """Turn what the study's database says into what to do."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        reason = str(error.__cause__ or error).split("\n")[0]
        told = f"cannot use the study in {path}: {reason}. Make room on the disk"
        raise DataError(f"{told}, or begin anew in another folder, if the file is damaged.") from error


def _open_study(out: Path, split: Split, tuning: Tuning) -> Any:
    """The study of a folder, or a new one."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    about = {
        "data": split.sequences.fingerprint,
        "cuts": split.cuts,
        "fixed": tuning.config().model_dump(mode="json"),
        "drawn": tuning.space(),
    }
    study = optuna.create_study(
        storage=f"sqlite:///{quote(str(out.resolve() / STUDY_FILE))}",
        study_name="gsrec",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(TRIALS_BEFORE_PRUNING, EPOCHS_BEFORE_PRUNING),
    )
    if study.user_attrs and _as_now(split, study.user_attrs["about"]) != about:
        raise ConfigError(f"{out} holds a study of another log, model or settings. Give another folder with --out.")
    study.set_user_attr("about", about)
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)  # it was stopped from outside
    return study


def _as_now(split: Split, about: dict[str, Any]) -> dict[str, Any]:
    """What a study was begun for, as this version says it: what is newer is as if it had been told."""
    return {"cuts": split.cuts, **about, "fixed": as_now(about["fixed"])}


@dataclass(frozen=True, eq=False)
class _Study:
    """A study of Optuna's with all that its trials need."""

    study: Any
    reference: LogReference
    split: Split
    tuning: Tuning
    out: Path
    stop: Callable[[], bool]
    narrator: StudyNarrator

    def try_next(self, number: int) -> None:
        """Train with the settings after `number` trials that ended, and keep what came out."""
        import optuna

        trial = self._ask(number)
        values = self._draw(trial)
        trial.set_user_attr("settings", values)
        pruned = optuna.trial.TrialState.PRUNED
        try:
            self.study.tell(trial, self._train(trial, self._config(values)))
        except TrainingError as error:  # these settings cannot be trained: a trial that is behind all others
            trial.set_user_attr("error", str(error))
            self.study.tell(trial, state=pruned)
        except optuna.TrialPruned:
            self.study.tell(trial, state=pruned)
        except StoppedError as error:
            told = f"stopped in a trial, which is lost; the {number} that ended are kept"
            raise StoppedError(f"{told}: go on with the same `gsrec tune` again") from error
        self.narrator.on_trial(_record(self.study.trials[trial.number]))

    def _config(self, values: Mapping[str, object]) -> RunConfig:
        """The configuration with these values; where they do not fit each other, it cannot be trained."""
        try:
            return self.tuning.config(values)
        except ConfigError as error:
            raise TrainingError(str(error)) from error

    def _ask(self, number: int) -> Any:
        """The next trial: a pure function of the seed and of the trials before it, however often it was stopped."""
        import optuna

        self.study.sampler = optuna.samplers.TPESampler(seed=(self.tuning.request.seed + number) % 2**32)
        if number <= NUM_SPREAD and not self.study.get_trials(states=(optuna.trial.TrialState.WAITING,)):
            self.study.enqueue_trial(self.tuning.spread(number - 1) if number else self.tuning.undrawn())
        return self.study.ask()

    def _draw(self, trial: Any) -> dict[str, object]:
        """The settings of a trial."""
        values: dict[str, object] = {}
        for key, among in self.tuning.space().items():
            if key in CHOICES:
                values[key] = trial.suggest_categorical(key, among)
            else:
                low, high = among
                values[key] = float(f"{trial.suggest_float(key, low, high, log=key in BY_LOGARITHM):.3g}")
        return values

    def _train(self, trial: Any, config: RunConfig) -> float:
        """The best validation of a training; it is given up where the trial falls behind."""
        import optuna

        best, folder = 0.0, self.out / TRIAL_FOLDER
        shutil.rmtree(folder, ignore_errors=True)
        with self.narrator.listens(config) as listener:

            def on_epoch(epoch: Epoch) -> None:
                nonlocal best
                listener.on_epoch(epoch)
                if epoch.validation:
                    best = max(best, epoch.validation[MONITORED])
                    trial.report(best, epoch.epoch)
                    if trial.should_prune():
                        raise optuna.TrialPruned

            try:
                told = replace(listener, on_epoch=on_epoch)
                train(self.reference, config, folder, split=self.split, stop=self.stop, listener=told)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        return best

    def trials(self) -> list[Trial]:
        """The trials that ended, the best first; those that were given up come last."""
        ended = [_record(trial) for trial in self.study.trials if trial.state.name in ("COMPLETE", "PRUNED")]
        return sorted(ended, key=lambda trial: (trial.state != "complete", -trial.validation))

    def write(self) -> None:
        """Write all trials, and the best one's settings as a file for `--config`."""
        trials = self.trials()
        content = {"monitored": MONITORED, "model": self.tuning.request.model, "trials": list(map(asdict, trials))}
        write_json(self.out / TRIALS_FILE, content)
        if trials and trials[0].state == "complete":
            told = f"the best of its study: validation {MONITORED} {trials[0].validation:.4f}"
            write_text(self.out / BEST_SETTINGS, self.tuning.file(trials[0].settings, told))


def _record(trial: Any) -> Trial:
    """What Optuna knows of a trial."""
    reached = trial.value if trial.value is not None else max(trial.intermediate_values.values(), default=0.0)
    return Trial(
        number=trial.number,
        state=trial.state.name.lower(),
        validation=reached,
        settings=trial.user_attrs.get("settings", {}),
        error=trial.user_attrs.get("error"),
        seconds=trial.duration.total_seconds() if trial.duration else 0.0,
    )
