"""The results of runs: one JSON line a run, told apart by label and seed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, FiniteFloat, JsonValue, ValidationError

from gsrec.errors import DataError
from gsrec.reporting.ranks import RANKS_FILE, UserRanks, read_ranks

Metrics = dict[str, FiniteFloat]


class Record(BaseModel):
    """A part of a result. Keys that this version does not know are kept, so that reading and writing lose nothing."""

    model_config = ConfigDict(frozen=True, extra="allow")


class DataRecord(Record):
    """Which log a run learned from: its name, its sizes, its SHA-256 fingerprint, and that of how it was cut."""

    name: str
    fingerprint: str
    num_users: int
    num_items: int
    num_interactions: int
    cuts: str | None = None


class ProtocolRecord(Record):
    """How a run was judged; earlier versions called the part of the split the split."""

    part: str = Field(validation_alias=AliasChoices("part", "split"))
    candidates: str
    filter_seen: bool
    ties: str


class TrainingRecord(Record):
    """What a training took: epochs, seconds of training, trained parameters."""

    epochs: int
    seconds: FiniteFloat
    num_parameters: int
    best_epoch: int | None = None


class EpochRecord(Record):
    """One epoch of a training, from 1: mean loss, seconds of training since the start, validation metrics if any."""

    epoch: int
    seconds: FiniteFloat
    loss: float | None = None
    validation: Metrics | None = None


class RunResult(Record):
    """What one run of one model with one seed came to: a line of a results file.

    Attributes:
        label: the name under which runs with different seeds are one model.
        data: the log.
        protocol: how ranks were taken, of which part: validation or test.
        split: how the log was cut, for example "leave-one-out".
        metrics: the metric's name, its mean over targets.
        intervals: the metric's name, its 95% interval over users.
        validation: metrics on the validation part, at the end of training.
        audit: the shares (0 to 1) that put the result in perspective; None where the log cannot tell.
        event_seconds: the median time of a session's event, on as many threads as the training.
        run: the run's folder, relative to the results file, or None if none was kept.
        source: the results file this was read from; not part of the record.
    """

    model: str
    label: str
    data: DataRecord
    protocol: ProtocolRecord
    split: str
    seed: int
    num_users_evaluated: int
    metrics: Metrics
    training: TrainingRecord
    preset: str | None = None
    config: dict[str, JsonValue] = Field(default_factory=dict)
    intervals: dict[str, tuple[FiniteFloat, FiniteFloat]] = Field(default_factory=dict)
    validation: Metrics | None = None
    audit: dict[str, JsonValue] = Field(default_factory=dict)
    history: tuple[EpochRecord, ...] = ()
    version: str = ""
    commit: str | None = None
    threads: int | None = None
    event_seconds: FiniteFloat | None = None
    run: str | None = None
    source: Path | None = Field(default=None, exclude=True)

    @property
    def name(self) -> str:
        """What messages call this run."""
        return f"{self.label} with seed {self.seed}"

    @property
    def ranks_path(self) -> Path | None:
        """Where the per-user results are, or None if the record names no run folder."""
        if self.run is None:
            return None
        return (self.source.parent if self.source else Path()) / self.run / RANKS_FILE

    @property
    def has_ranks(self) -> bool:
        """Whether the per-user results are there to be read."""
        return self.ranks_path is not None and self.ranks_path.is_file()

    def read_ranks(self) -> UserRanks:
        """Read the per-user results.

        Raises:
            DataError: if the record names no run folder, or its ranks are missing or damaged.
        """
        if self.ranks_path is None:
            raise DataError(f"the result of {self.name} names no run folder: its per-user ranks were not kept")
        return read_ranks(self.ranks_path)


RESULTS_FILE = "results.jsonl"
"""What a comparison records, a run a line."""

AsNow = Callable[[dict[str, JsonValue]], dict[str, JsonValue]]
"""Makes of a configuration that an earlier version recorded the one that would be recorded now."""


def read_results(path: Path, *, as_now: AsNow = lambda config: config) -> list[RunResult]:
    """Read results, in the order of their lines.

    Args:
        path: the folder that a comparison was written to, or its .jsonl file.
        as_now: fills in the settings that came after a result, so that those of several versions can be compared.

    Raises:
        DataError: if there is no such file, no result in it, or a line is not a whole result.
    """
    file = path / RESULTS_FILE if path.is_dir() else path
    if path.is_dir() and not file.exists():
        raise DataError(f"{path} holds no {RESULTS_FILE}. Name a folder that `gsrec compare` wrote.")
    results = _read_file(file)
    if not results:
        raise DataError(f"{file} holds no results: it has no line")
    return [result.model_copy(update={"config": as_now(result.config)}) for result in results]


def append_result(path: Path, result: RunResult | Mapping[str, object]) -> RunResult:
    """Add one line to a results file, flushed to the disk; a missing file is made.

    Args:
        path: the .jsonl file.
        result: a result or its record.

    Returns:
        The result as it was written.

    Raises:
        DataError: if the record is not a whole result, the file's last line is cut off, or the disk does not take it.
    """
    checked = result if isinstance(result, RunResult) else checked_result(result, f"the result for {path}")
    line = json.dumps(checked.model_dump(mode="json"), allow_nan=False) + "\n"
    begin = path.stat().st_size if path.exists() else 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write((_line_break(path) + line).encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with suppress(OSError):
            os.truncate(path, begin)  # not half a line
        raise DataError(f"cannot write {path}: {error.strerror}. Free some space or give another folder.") from error
    return checked.model_copy(update={"source": path})


def group_by_model(results: Iterable[RunResult]) -> dict[str, list[RunResult]]:
    """The runs of every label, labels in the order of their first run, runs in the order of their seeds.

    Raises:
        DataError: if two runs share label and seed, or runs of one label differ in more than their seed.
    """
    groups: dict[str, list[RunResult]] = {}
    for result in results:
        groups.setdefault(result.label, []).append(result)
    for runs in groups.values():
        runs.sort(key=lambda run: run.seed)
        _check_seeds_only_differ(runs)
    return groups


def _read_file(path: Path) -> list[RunResult]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. Name a results file or its folder.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a results file: {error}. Name the .jsonl file of a comparison.") from error
    lines = text.split("\n")
    return [_parsed(line, path, number, len(lines)) for number, line in enumerate(lines, start=1) if line.strip()]


def _parsed(line: str, path: Path, number: int, num_lines: int) -> RunResult:
    try:
        content = json.loads(line)
    except json.JSONDecodeError as error:
        cut = " The run that wrote this last line was stopped." if number == num_lines else ""
        raise DataError(
            f"{path}, line {number}, column {error.colno}: expected a whole JSON object, found {line[:40]!r}...{cut} "
            "Delete the line and run that model again."
        ) from error
    return checked_result(content, f"{path}, line {number}").model_copy(update={"source": path})


def checked_result(content: object, where: str) -> RunResult:
    """A record as a result, `where` being what messages call it.

    Raises:
        DataError: if it is not a whole one, or could not be written as JSON.
    """
    try:
        result = RunResult.model_validate(content)
        json.dumps(result.model_dump(mode="json"), allow_nan=False)
        return result
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'the whole'}: {problem['msg'].lower()}"
            for problem in error.errors(include_url=False)
        )
        raise DataError(f"{where} is not a whole result: {problems}. Run that model again.") from error
    except ValueError as error:
        raise DataError(f"{where} has a number that JSON has not: {error}") from error


def _line_break(path: Path) -> str:
    """What must go before a new line: a break if the last line has none but is whole."""
    content = path.read_bytes()
    if not content or content.endswith(b"\n"):
        return ""
    _read_file(path)
    return "\n"


def _check_seeds_only_differ(runs: list[RunResult]) -> None:
    first = runs[0]
    for previous, run in pairwise(runs):
        if previous.seed == run.seed:
            raise DataError(
                f"there are two results of {run.name}, in {previous.source} and {run.source}. "
                "Delete the line that is not meant, or give one of them another label."
            )
        if (run.model, run.preset, but_seed(run.config)) != (first.model, first.preset, but_seed(first.config)):
            raise DataError(
                f"the runs {first.name} and {run.name} share a label but not their model, preset and config: "
                "a mean over them says nothing. Give one of them another label."
            )


def but_seed(config: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """A run's configuration without its seed, which all runs of one label share."""
    return {key: value for key, value in config.items() if key != "seed"}
