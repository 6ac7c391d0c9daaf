"""One run: a log and a configuration in, a folder with a judged model out."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import torch

from gsrec import __version__
from gsrec.bundle import BUNDLE_FOLDER, CHECKPOINTS_FOLDER, RUN_FILE, Bundle, DataFacts, save_bundle
from gsrec.data.catalogue import SOURCES
from gsrec.data.sequences import Sequences
from gsrec.data.sources import open_log
from gsrec.data.splits import Part, Split
from gsrec.errors import BundleError, ConfigError, DataError
from gsrec.evaluation.evaluator import Evaluation, Evaluator, Protocol
from gsrec.experiment.config import RunConfig, as_now
from gsrec.experiment.folder import (
    HISTORY_FILE,
    METRICS_FILE,
    LogReference,
    RunRecord,
    claim,
    open_bundle,
    read_record,
)
from gsrec.experiment.prepare import batches_of, new_model, prepare
from gsrec.files import held, remove_leftovers, write_json, write_text
from gsrec.models import CountingScorer, Model, num_parameters
from gsrec.progress import Progress
from gsrec.reporting.results import EpochRecord, RunResult, TrainingRecord
from gsrec.training.checkpoint import clear_checkpoints, kept_identity
from gsrec.training.course import CHECKPOINT_SECONDS, Epoch, Fit, Keeping, Listener
from gsrec.training.trainer import fit


@dataclass(frozen=True, eq=False)
class Run:
    """A trained model with the split it was trained on."""

    record: RunRecord
    model: Model
    split: Split

    def __repr__(self) -> str:
        """Print what was trained on what."""
        config, split = self.record.config, self.split
        return f"Run({config.label}, seed {config.seed}, on {split.sequences.name}, {split.name})"

    def evaluate(self, protocol: Protocol | Part = "test", *, progress: Progress | None = None) -> Evaluation:
        """Judge the model.

        Args:
            protocol: how; `test` or `validation`: on these, otherwise as it was judged when it was trained.
            progress: told after every tile how many targets are done, and of how many.

        Raises:
            ConfigError: if there is no such part of the log.
        """
        if not isinstance(protocol, Protocol):
            protocol = self.record.config.data.protocol(protocol)
        return Evaluator(self.split, protocol).evaluate(self.model, progress=progress)

    def result(self, evaluation: Evaluation) -> RunResult:
        """The run and how it was judged: a line of a results file."""
        record = self.record
        return RunResult.model_validate(
            {
                "model": record.config.model.name,
                "preset": record.config.preset,
                "label": record.config.label,
                "data": record.data.model_dump(),
                "split": self.split.name,
                "seed": record.config.seed,
                **evaluation.record(),
                "config": record.config.model_dump(),
                "training": record.training,
                "history": record.history,
                "threads": record.threads,
                "version": record.version,
                "commit": record.commit,
            }
        )

    @cached_property
    def validation(self) -> Evaluation:
        """How the model does on validation, as it was chosen."""
        return self.evaluate("validation")


def train(
    log: str | Path | LogReference,
    config: RunConfig,
    out: str | Path,
    *,
    split: Split | None = None,
    resume: bool = False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    stop: Callable[[], bool] = lambda: False,
    listener: Listener | None = None,
) -> Run:
    """Train a model and write its run folder: configuration, history, validation metrics, checkpoints, bundle.

    Args:
        log: a path or the name of a source, or one with the columns that are meant.
        config: which model, and how to train it.
        out: the run folder; it must not hold another run.
        split: the log's histories already cut, by this configuration or in a way of one's own; None: opened here.
        resume: resume the training that was stopped in this folder, from its newest checkpoint; start over if
            there is none.
        checkpoint_seconds: between two states of the training; there is one at the end of every epoch as well.
        stop: asked after every step whether to stop.
        listener: is told how training goes on, and what was guessed and dropped of a log that is opened here.

    Raises:
        ConfigError: if `out` holds something else already, another process trains into it, or `config` is none.
        DataError: if the log cannot be read, or there is nothing to learn from.
        TrainingError: if training cannot go on, or what is to be resumed is another training.
        StoppedError: if it was told to stop.
    """
    if not isinstance(config, RunConfig):
        raise ConfigError(f"expected a configuration, such as gsrec.config_for gives, found {config!r}")
    reference = LogReference.of(log)
    out = Path(out)
    listener = listener or Listener()
    if split is None:
        split, notes = prepare(reference, config)
        for note in notes:
            listener.on_note(note)
    if resume and (done := trained_run(out, config, split)):
        return done
    claim(out, unfinished=resume)
    identity = _identity(config, split)
    folder = out / CHECKPOINTS_FOLDER
    as_now = partial(_as_now, config, split)
    keeping = Keeping(folder, seconds=checkpoint_seconds, identity=identity, as_now=as_now, resume=resume, stop=stop)
    with held(out):
        claim(out, unfinished=resume)  # another process may have been quicker
        remove_leftovers(out)
        return _train(reference, config, split, out, keeping, listener)


def is_begun(folder: Path, config: RunConfig, split: Split) -> bool:
    """Whether a training of this very configuration and split was stopped in the folder, and is kept there."""
    return bool(_as_now(config, split, kept_identity(folder / CHECKPOINTS_FOLDER)) == _identity(config, split))


def _identity(config: RunConfig, split: Split) -> dict[str, Any]:
    """What must be the same for a training to be resumed."""
    return {"config": config.model_dump(mode="json"), "data": split.sequences.fingerprint, "cuts": split.cuts}


def _as_now(config: RunConfig, split: Split, identity: Any) -> Any:
    """What a training was begun with, as this version says it."""
    if not isinstance(identity, dict):
        return identity
    cuts = identity.get("cuts") or _configured_cuts(config, split)
    return {**identity, "config": as_now(identity.get("config")), "cuts": cuts}


def _configured_cuts(config: RunConfig, split: Split) -> str:
    """How this configuration cuts the same histories: what earlier versions, which told no cuts, are taken to mean."""
    return config.data.cut(split.sequences).cuts


def _is_of(record: RunRecord, split: Split) -> bool:
    """Whether a run learned from these histories, cut like this."""
    same_log = record.data.fingerprint == split.sequences.fingerprint
    return same_log and (record.data.cuts or _configured_cuts(record.config, split)) == split.cuts


def _train(
    reference: LogReference, config: RunConfig, split: Split, out: Path, keeping: Keeping, listener: Listener
) -> Run:
    commit = running_commit()
    model = new_model(config, split)
    begin = time.perf_counter()
    fitted = _fit(model, split, config, out, keeping, listener)
    record = RunRecord(
        log=reference,
        config=config,
        data=DataFacts.of(split),
        training=_training_record(model, fitted, time.perf_counter() - begin),
        history=tuple(EpochRecord(**asdict(epoch)) for epoch in fitted.epochs) if fitted else (),
        threads=torch.get_num_threads(),
        version=__version__,
        commit=commit,
    )
    run = Run(record, model, split)
    save_bundle(_bundle(run), out / BUNDLE_FOLDER)
    write_json(out / METRICS_FILE, run.validation.record())
    write_text(out / RUN_FILE, record.model_dump_json(indent=2) + "\n")
    clear_checkpoints(keeping.folder)
    return run


def trained_run(folder: Path, config: RunConfig, split: Split) -> Run | None:
    """The run of this very configuration and split, if the folder has it whole."""
    try:
        record, bundle = read_record(folder), open_bundle(folder)
    except BundleError:
        return None
    return Run(record, bundle.model, split) if record.config == config and _is_of(record, split) else None


def _bundle(run: Run) -> Bundle:
    config, source = run.record.config, SOURCES.get(run.record.log.log)
    return Bundle.of(
        run.model,
        config.model,
        run.split,
        settings=config.model_dump(mode="json"),
        metrics=run.validation.metrics,
        licence=source.licence if source else None,
    )


def open_run(folder: str | Path, *, moved_to: str | None = None, split: Split | None = None) -> Run:
    """Open a run folder again, and the log it was trained on.

    Args:
        folder: what `train` wrote.
        moved_to: where the log is now, if it moved.
        split: what it was trained on, where that was cut in a way of one's own; None: opened and cut as configured.

    Raises:
        BundleError: if it is not a run folder, or damaged.
        DataError: if the log cannot be read, or is not the one trained on or not cut as it was.
    """
    folder = Path(folder)
    record, bundle = read_record(folder), open_bundle(folder)
    reference = record.log if moved_to is None else record.log.model_copy(update={"log": moved_to})
    if split is None:
        _check_there(folder, reference)
        split = prepare(reference, record.config)[0]
    _check_same(folder, record, reference, split.sequences)
    if not _is_of(record, split):
        raise DataError(
            f"{reference.log} is cut in another way than when {folder} was trained: a split of one's own is "
            "given again, in Python, with open_run(folder, split=...)."
        )
    return Run(record, bundle.model, split)


def open_histories(folder: str | Path) -> Sequences:
    """The histories of the log that a run was trained on, those too that were too short or too rare to be trained on.

    Raises:
        BundleError: if it is not a run folder, or damaged.
        DataError: if the log cannot be read, or is not the one trained on.
    """
    folder, record = Path(folder), read_record(Path(folder))
    _check_there(folder, record.log)
    log = open_log(record.log.log, columns=record.log.columns)
    _check_same(folder, record, record.log, record.config.data.filtered(log).to_sequences())
    counted = record.config.data.cleaned(log)
    return counted.to_sequences(counted.vocabulary())


def _check_there(folder: Path, reference: LogReference) -> None:
    """Make sure that the log of a run is where it was."""
    if Path(reference.log).is_absolute() and not Path(reference.log).exists():
        raise DataError(
            f"{reference.log}: the log that {folder} was trained on is not there. Say with --log where it is."
        )


def _check_same(folder: Path, record: RunRecord, reference: LogReference, found: Sequences) -> None:
    """Make sure that these histories are those that the run was trained on."""
    if found.fingerprint != record.data.fingerprint:
        difference = _difference(found, record.data)
        told = f"{reference.log} is not the log that {folder} was trained on: {difference}"
        raise DataError(f"{told}. Name the right one with --log.")


def _difference(found: Sequences, expected: DataFacts) -> str:
    has, had = _sizes(found), _sizes(expected)
    return f"it has {has}, and there were {had}" if has != had else f"its {has} are not the same ones"


def _sizes(facts: Sequences | DataFacts) -> str:
    return f"{facts.num_users:,} users, {facts.num_items:,} items and {facts.num_interactions:,} interactions"


def _fit(model: Model, split: Split, config: RunConfig, out: Path, keeping: Keeping, listener: Listener) -> Fit | None:
    """Train a model, telling the folder and the listener of every epoch; None for a model that only counts."""
    if isinstance(model, CountingScorer):
        model.count(split)
        return None
    evaluator = Evaluator(split, config.data.protocol("validation"))
    epochs: list[Epoch] = []

    def on_epoch(epoch: Epoch) -> None:
        epochs.append(epoch)
        write_text(out / HISTORY_FILE, "".join(json.dumps(asdict(epoch)) + "\n" for epoch in epochs))
        listener.on_epoch(epoch)

    return fit(
        model,
        batches_of(split, config, model),
        config.training,
        validate=lambda: evaluator.evaluate(model).metrics,
        keeping=keeping,
        seed=config.seed,
        listener=replace(listener, on_epoch=on_epoch),
    )


def _training_record(model: Model, fitted: Fit | None, seconds: float) -> TrainingRecord:
    epochs, best, seconds = (len(fitted.epochs), fitted.best_epoch, fitted.seconds) if fitted else (0, 0, seconds)
    return TrainingRecord(epochs=epochs, best_epoch=best, seconds=seconds, num_parameters=num_parameters(model))


@cache
def running_commit() -> str | None:
    """The commit of the code that runs, if it runs from a checkout; of a process, what it was at its first training."""
    try:
        _git("ls-files", "--error-unmatch", __file__)  # it may be installed in somebody else's checkout
        return _git("describe", "--always", "--dirty", "--abbrev=12")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
