"""Many runs of many models as one comparison: means over seeds, paired tests over users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pydantic import JsonValue

from gsrec.errors import DataError
from gsrec.reporting.pairs import Significance, paired_tests
from gsrec.reporting.per_user import values_over_seeds
from gsrec.reporting.results import DataRecord, ProtocolRecord, RunResult, group_by_model
from gsrec.reporting.settings import set_differently

HEADLINE_METRIC = "NDCG@10"
"""What models are tested on and ordered by."""

ONE_LIST = 50
"""Items in all lists of ten, below which a trained model gives nearly everybody the same one."""


@dataclass(frozen=True)
class Costs:
    """What a model takes; None where it is not trained by epochs, or was not measured.

    Attributes:
        num_parameters: trained parameters.
        epoch_seconds: of training, an epoch.
        best_epoch: whose weights were kept.
        best_seconds: of training, up to the end of that epoch.
        event_seconds: of a session's event.
    """

    num_parameters: int
    epoch_seconds: float | None
    best_epoch: float | None
    best_seconds: float | None
    event_seconds: float | None


@dataclass(frozen=True)
class ModelSummary:
    """One model over its seeds.

    Attributes:
        label: what the model is called in this comparison.
        model: its name.
        preset: the preset that it was made by; None where the results do not tell.
        seeds: of its runs, rising.
        means: the metric's name, its mean over seeds.
        deviations: the metric's name, its standard deviation over seeds (n - 1); empty for a single seed.
        costs: means over seeds.
    """

    label: str
    model: str
    preset: str | None
    seeds: tuple[int, ...]
    means: Mapping[str, float]
    deviations: Mapping[str, float]
    costs: Costs


@dataclass(frozen=True)
class Comparison:
    """Models that were judged on the same users of the same data by the same protocol.

    Attributes:
        data: the log.
        protocol: how ranks were taken.
        split: how the log was cut.
        num_users_evaluated: users that every model was judged on.
        audit: the shares (0 to 1) that put the results in perspective.
        models: in the order of their first run.
        significance: the paired tests.
        notes: what could not be done, and why.
        threads: of the trainings, each number once.
        versions: the code versions of the runs, and the commits of each where it was a checkout.
    """

    data: DataRecord
    protocol: ProtocolRecord
    split: str
    num_users_evaluated: int
    audit: Mapping[str, JsonValue]
    models: tuple[ModelSummary, ...]
    significance: Significance
    notes: tuple[str, ...]
    threads: tuple[int, ...]
    versions: Mapping[str, tuple[str, ...]]

    def __repr__(self) -> str:
        """Print the sizes."""
        runs = sum(len(model.seeds) for model in self.models)
        tests = len(self.significance.pairs)
        return f"Comparison({self.data.name}: {len(self.models)} models, {runs} runs, {tests} paired tests)"

    def record(self) -> dict[str, object]:
        """The comparison as JSON."""
        return {**asdict(self), "data": self.data.model_dump(), "protocol": self.protocol.model_dump()}


def compare_runs(
    results: Iterable[RunResult], *, reference: str | None = None, metric: str = HEADLINE_METRIC, seed: int = 0
) -> Comparison:
    """Compare models by their runs.

    Models whose per-user ranks are not beside the results have means but no tests; the notes name them.

    Args:
        results: the runs, all of the same data and protocol.
        reference: a label to test against every other model, or None for every pair.
        metric: what the paired tests are about, a metric of ranks.
        seed: of the tests' randomisation.

    Raises:
        DataError: if there is no run, if runs differ in data or protocol, or if the reference is not there.
    """
    groups = group_by_model(results)
    runs = [run for group in groups.values() for run in group]
    check_comparable(runs)
    if reference not in (None, *groups):
        raise DataError(f"no run is called {reference!r} to compare with: found {', '.join(groups)}")
    paired = [group for group in groups.values() if can_be_paired(group)]
    values = [values_over_seeds(group, metric) for group in paired]
    return Comparison(
        data=runs[0].data,
        protocol=runs[0].protocol,
        split=runs[0].split,
        num_users_evaluated=runs[0].num_users_evaluated,
        audit=runs[0].audit,
        models=tuple(summarise_model(group) for group in groups.values()),
        significance=paired_tests(values, metric=metric, reference=reference, seed=seed),
        notes=_notes(groups),
        threads=tuple(sorted({run.threads for run in runs if run.threads is not None})),
        versions=_versions(runs),
    )


def summarise_model(runs: Sequence[RunResult]) -> ModelSummary:
    """Average the runs of one label; a metric is told only where every run has it."""
    names = [name for name in runs[0].metrics if all(name in run.metrics for run in runs)]
    values = {name: np.array([run.metrics[name] for run in runs]) for name in names}
    several = len(runs) > 1
    return ModelSummary(
        label=runs[0].label,
        model=runs[0].model,
        preset=runs[0].preset,
        seeds=tuple(run.seed for run in runs),
        means={name: float(value.mean()) for name, value in values.items()},
        deviations={name: float(value.std(ddof=1)) for name, value in values.items() if several},
        costs=_costs(runs),
    )


def _costs(runs: Sequence[RunResult]) -> Costs:
    trainings = [run.training for run in runs]
    by_epochs = all(training.epochs and training.best_epoch for training in trainings)
    ends = [{epoch.epoch: epoch.seconds for epoch in run.history}.get(run.training.best_epoch or 0) for run in runs]
    return Costs(
        num_parameters=trainings[0].num_parameters,
        epoch_seconds=_mean([training.seconds / training.epochs for training in trainings]) if by_epochs else None,
        best_epoch=_mean([training.best_epoch for training in trainings]) if by_epochs else None,
        best_seconds=_mean(ends),
        event_seconds=_mean([run.event_seconds for run in runs]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """None if one of them is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def check_comparable(runs: Sequence[RunResult]) -> None:
    """Check that all runs are of the same data and were judged by the same protocol.

    Raises:
        DataError: if there is none, or some differ from the first; it names them and what differs.
    """
    if not runs:
        raise DataError("there are no results to compare: give at least one run")
    cuts = next((run.data.cuts for run in runs if run.data.cuts), "")  # earlier versions told none
    first = _conditions(runs[0], cuts)
    different = {run.name: _differences(first, _conditions(run, cuts)) for run in runs}
    told = "; ".join(f"{name} has {difference}" for name, difference in different.items() if difference)
    if told:
        raise DataError(
            f"these runs cannot stand in one table. Against {runs[0].name}, {told}. "
            "Compare runs of the same data and protocol only."
        )


def _conditions(run: RunResult, cuts: str) -> dict[str, object]:
    unused = {"seed"} if run.protocol.candidates == "full" else set()  # it draws candidates, and there are none to draw
    protocol = {f"protocol {name}": value for name, value in run.protocol.model_dump(exclude=unused).items()}
    data = {"data": run.data.name, "data fingerprint": run.data.fingerprint[:12]}
    split = {"split": run.split, "cuts": (run.data.cuts or cuts)[:12]}
    return {**data, **protocol, **split, "users judged": run.num_users_evaluated}


def _differences(expected: Mapping[str, object], found: Mapping[str, object]) -> str:
    names = dict.fromkeys([*expected, *found])
    return ", ".join(
        f"{name} {found.get(name)!r} and not {expected.get(name)!r}"
        for name in names
        if found.get(name) != expected.get(name)
    )


def can_be_paired(runs: Sequence[RunResult]) -> bool:
    """Whether a model's users can be paired with another's: there are several, and the ranks of every run are there."""
    return runs[0].num_users_evaluated > 1 and all(run.has_ranks for run in runs)


def _notes(groups: Mapping[str, Sequence[RunResult]]) -> tuple[str, ...]:
    rising = [label for label, group in groups.items() if any(map(_was_cut_short, group))]
    notes = [told] if (told := set_differently(groups)) else []
    if rising:
        notes.append(f"Ended by the most epochs they were given, so more might be better: {', '.join(rising)}.")
    notes += [told for label, group in groups.items() if (told := _one_list_told(label, group))]
    without = [label for label, group in groups.items() if not can_be_paired(group)]
    if any(run.num_users_evaluated < 2 for group in groups.values() for run in group):
        notes.append("No paired tests and no breakdown: they need at least two users, and one was judged.")
    elif without:
        told = f"No paired tests and no breakdown of {', '.join(without)}"
        notes.append(f"{told}: their per-user ranks are not beside the results.")
    return tuple(notes)


def _one_list_told(label: str, runs: Sequence[RunResult]) -> str:
    """What is to be known of a trained model that learned to give everybody the same list."""
    first, most = runs[0], max(run.metrics.get("Coverage@10", 1.0) * run.data.num_items for run in runs)
    could_differ = min(first.num_users_evaluated, first.data.num_items / 4) >= ONE_LIST
    if not first.training.epochs or not could_differ or most >= ONE_LIST:
        return ""
    return (
        f"{label} gives nearly everybody the same list: {most:.0f} items in all lists of ten over the full catalogue."
    )


def _was_cut_short(run: RunResult) -> bool:
    """Whether it ended because the settings allow no more epochs, and not because validation no longer rose."""
    training = run.config.get("training")
    if not isinstance(training, dict):
        return False
    most, patience = training.get("epochs"), training.get("patience", 0)
    if not isinstance(most, int) or not isinstance(patience, int) or run.training.epochs < most:
        return False
    waited = most - (run.training.best_epoch or 0)
    return waited == 0 or waited < patience


def _versions(runs: Sequence[RunResult]) -> dict[str, tuple[str, ...]]:
    of_version: dict[str, dict[str, None]] = {}
    for run in runs:
        of_version.setdefault(run.version, {}).update({run.commit: None} if run.commit else {})
    return {version: tuple(commits) for version, commits in of_version.items()}
