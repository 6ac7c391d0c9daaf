"""Who shows on stderr how trainings, comparisons and studies go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import typer
from rich.progress import BarColumn, Progress, TaskID, TimeRemainingColumn

from gsrec.cli.console import plain_column, print_notes, stderr
from gsrec.experiment.compare import Narrator
from gsrec.experiment.config import RunConfig
from gsrec.experiment.tune import StudyNarrator
from gsrec.reporting.trials import Trial
from gsrec.training.course import Epoch, Listener, TrainingStep


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
        console = stderr()
        columns = plain_column("{task.description}"), BarColumn(), plain_column("{task.fields[state]}")
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
