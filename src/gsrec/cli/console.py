"""What commands say: results on stdout, progress and notes on stderr."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from rich.console import Console, Group
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from gsrec.experiment.compare import Narrator
from gsrec.experiment.config import RunConfig
from gsrec.experiment.tune import StudyNarrator
from gsrec.reporting.comparison_tables import METRICS
from gsrec.reporting.phrases import audit_sentence
from gsrec.reporting.trials import Trial
from gsrec.training.course import Epoch, Listener, TrainingStep


def print_json(content: Mapping[str, object]) -> None:
    """Print one JSON object on one line of stdout."""
    typer.echo(json.dumps(content, allow_nan=False, ensure_ascii=False))


def print_table(title: str, rows: Iterable[tuple[str, ...]], *, header: tuple[str, ...] = ()) -> None:
    """Print rows under each other on stdout, the first column left, the others right."""
    typer.echo(title)
    table = Table(show_header=bool(header), box=None, pad_edge=False)
    rows = list(rows)
    for place, name in enumerate(header or ("",) * len(rows[0])):
        table.add_column(name, justify="left" if place == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    _stdout().print(table)


def print_notes(notes: Iterable[str], *, quiet: bool) -> None:
    """Tell on stderr what was guessed, converted and dropped."""
    for note in () if quiet else notes:
        typer.echo(f"note: {note}", err=True)


def _stdout() -> Console:
    """As wide as the terminal; a file or a pipe gets wide tables."""
    return Console(width=None if sys.stdout.isatty() else 120, highlight=False, markup=False, emoji=False)


def _stderr() -> Console:
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def _plain(text: str) -> TextColumn:
    """A column of a bar whose text is shown as it is."""
    return TextColumn(text, markup=False)


FEW_USERS = 100
"""Users below whom an interval by normal approximation is not to be trusted."""


def print_metrics(title: str, record: Mapping[str, Any]) -> None:
    """Print how a run was judged: its metrics with their intervals, under what protocol, and the audit."""
    protocol, data, intervals = record["protocol"], record["data"], record["intervals"]
    rows = [
        (name, f"{record['metrics'][name]:.4f}", f"{intervals[name][0]:.4f} to {intervals[name][1]:.4f}")
        if name in intervals
        else (name, f"{record['metrics'][name]:.4f}", "")
        for name in METRICS
    ]
    print_table(title, rows, header=("metric", "mean", "95% interval"))
    seen = "seen items left out" if protocol["filter_seen"] else "seen items are candidates"
    typer.echo(
        f"{protocol['split']} part of {record['split']}, {record['num_users_evaluated']:,} users, candidates: "
        f"{protocol['candidates']}, {seen}, ties {protocol['ties']}"
    )
    sizes = f"{data['num_users']:,} users, {data['num_items']:,} items, {data['num_interactions']:,} interactions"
    typer.echo(f"data: {data['name']}, {sizes}")
    if record["num_users_evaluated"] < FEW_USERS:
        typer.echo(f"fewer than {FEW_USERS} users judge it: the intervals are rough, and say little")
    typer.echo(audit_sentence(record["audit"]))


def print_parts(parts: Group, written: Iterable[Path]) -> None:
    """Print the tables of a report on stdout, and where its files are."""
    _stdout().print(parts)
    typer.echo("written: " + ", ".join(str(path) for path in written))


def narrator(*, quiet: bool) -> Narrator:
    """Who shows on stderr how a comparison goes on."""

    def say(line: str) -> None:
        if not quiet:
            typer.echo(line, err=True)

    return Narrator(
        on_start=lambda config, number, total: say(f"run {number} of {total}: {config.label}, seed {config.seed}"),
        listens=lambda config: TrainingDisplay(config.label, config.training.epochs, quiet),
        on_skip=lambda config: say(f"{config.label}, seed {config.seed}: recorded already"),
        on_notes=lambda notes: print_notes(notes, quiet=quiet),
    )


def study_narrator(*, quiet: bool) -> StudyNarrator:
    """Who shows on stderr how a study goes on."""

    @contextmanager
    def listens(config: RunConfig) -> Iterator[Listener]:
        with TrainingDisplay(config.label, config.training.epochs, quiet) as listener:
            yield Listener(on_step=listener.on_step)

    def on_trial(trial: Trial) -> None:
        if not quiet:
            reached = f"validation NDCG@10 {trial.validation:.4f}, {trial.seconds:,.0f} s"
            typer.echo(f"trial {trial.number} {trial.state}: {reached}; {trial.told}", err=True)

    return StudyNarrator(listens=listens, on_trial=on_trial)


@contextmanager
def stopped_by_signals() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM came: what listens then ends in order. A second one ends the program at once."""
    told: list[int] = []

    def hear(number: int, frame: object) -> None:
        told.append(number)
        signal.signal(number, before[number])
        typer.echo("stopping after this step ...", err=True)

    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, hear)
        yield lambda: bool(told)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress_bar(label: str, *, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on stderr for work that tells how much of how much is done."""
    console = _stderr()
    columns = _plain("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, transient=True) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@dataclass
class TrainingDisplay:
    """A progress bar on stderr with loss, speed and time left, and one line an epoch."""

    label: str
    epochs: int
    quiet: bool
    progress: Progress = field(init=False)
    task: TaskID = field(init=False)

    def __post_init__(self) -> None:
        """Make the bar; it shows while the display is open."""
        console = _stderr()
        columns = _plain("{task.description}"), BarColumn(), _plain("{task.fields[state]}")
        hidden = self.quiet or not console.is_terminal
        self.progress = Progress(*columns, TimeRemainingColumn(), console=console, disable=hidden, transient=True)
        self.task = self.progress.add_task(self.label, total=None, state="")

    def __enter__(self) -> Listener:
        """Show the bar and give who keeps it up to date."""
        self.progress.start()
        return Listener(self._on_step, self._on_epoch, self._on_note)

    def __exit__(self, *error: object) -> None:
        """Take the bar away."""
        self.progress.stop()

    def _on_step(self, step: TrainingStep) -> None:
        speed = step.num_targets / max(step.seconds, 1e-9)
        self.progress.update(
            self.task,
            total=self.epochs * step.num_steps,
            completed=(step.epoch - 1) * step.num_steps + step.step,
            state=f"epoch {step.epoch}/{self.epochs}, loss {step.loss:.4f}, {speed:,.0f} targets/s",
        )

    def _on_note(self, note: str) -> None:
        print_notes([note], quiet=self.quiet)

    def _on_epoch(self, epoch: Epoch) -> None:
        if self.quiet:
            return
        judged = f", validation NDCG@10 {epoch.validation['NDCG@10']:.4f}" if epoch.validation else ""
        line = f"{self.label}: epoch {epoch.epoch}, loss {epoch.loss:.4f}{judged}, {epoch.seconds:,.0f} s of training"
        self.progress.console.print(line, soft_wrap=True)
