"""What came out for the thesis's models on one data set: in the thesis, or in runs of ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gsrec.data.sequences import LogSizes
from gsrec.errors import DataError
from gsrec.reporting.comparison import HEADLINE_METRIC, Comparison, ModelSummary, compare_runs
from gsrec.reporting.pairs import Pair
from gsrec.reporting.results import RunResult
from gsrec.reporting.thesis_numbers import DATASETS, TABLE_5_1, THESIS_METRICS, THESIS_MODELS, THESIS_SIZES

OWN_MODEL = "GSRec"
"""The model that the thesis proposes and asks its questions about."""


@dataclass(frozen=True)
class Outcome:
    """The numbers of one data set.

    Attributes:
        data: what the thesis calls the data.
        sizes: of the log.
        values: metric, model as the thesis calls it, value; a model that was not run is left out.
        comparison: the runs behind the numbers, or None for the thesis's own.
        labels: model as the thesis calls it, its label in the comparison.
    """

    data: str
    sizes: LogSizes
    values: Mapping[str, Mapping[str, float]]
    comparison: Comparison | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def headline(self) -> Mapping[str, float]:
        """NDCG@10 of every model."""
        return self.values[HEADLINE_METRIC]

    def summary(self, model: str) -> ModelSummary | None:
        """The runs of a model, or None if there are none."""
        if self.comparison is None:
            return None
        return next((one for one in self.comparison.models if one.label == self.labels.get(model)), None)

    def test_against(self, rival: str) -> Pair | None:
        """The paired test of GSRec against a rival, GSRec first, or None if there is none."""
        if self.comparison is None or not {OWN_MODEL, rival} <= self.labels.keys():
            return None
        return self.comparison.significance.between(self.labels[OWN_MODEL], self.labels[rival])


def thesis_outcomes() -> tuple[Outcome, ...]:
    """The thesis's own numbers, one entry a data set."""
    return tuple(Outcome(data, THESIS_SIZES[data], values) for data, values in TABLE_5_1.items())


def our_outcomes(results: Iterable[RunResult], *, datasets: Mapping[str, str] = DATASETS) -> tuple[Outcome, ...]:
    """The outcomes of our runs, in the order of the thesis's table.

    Args:
        results: runs of the thesis's models on one or both of its data sets, each with its preset of choice.
        datasets: our name of a log, and what the thesis calls the data it stands for.

    Raises:
        DataError: if a log or a model is none of the thesis's, if two logs stand for the same data, or if two labels
            are of the same model.
    """
    by_data: dict[str, list[RunResult]] = {}
    for result in results:
        if result.data.name not in datasets:
            raise DataError(
                f"the thesis's table has no place for {result.data.name!r}: expected one of {', '.join(datasets)}"
            )
        by_data.setdefault(datasets[result.data.name], []).append(result)
    return tuple(_our_outcome(data, by_data[data]) for data in TABLE_5_1 if data in by_data)


def _our_outcome(data: str, results: Sequence[RunResult]) -> Outcome:
    labels = _labels(results)
    comparison = compare_runs(results, reference=labels.get(OWN_MODEL))
    summaries = {name: next(one for one in comparison.models if one.label == label) for name, label in labels.items()}
    sizes = LogSizes(comparison.data.num_users, comparison.data.num_items, comparison.data.num_interactions)
    values = {
        metric: {name: one.means[metric] for name, one in summaries.items() if metric in one.means}
        for metric in THESIS_METRICS
    }
    return Outcome(data, sizes, values, comparison, labels)


def _labels(results: Sequence[RunResult]) -> dict[str, str]:
    """The thesis's name of every model that was run, and its label."""
    names = {ours: name for name, ours in THESIS_MODELS.items()}
    labels: dict[str, str] = {}
    for result in results:
        if result.model not in names:
            raise DataError(f"the thesis's table has no place for {result.label!r}: expected {', '.join(names)}")
        label = labels.setdefault(names[result.model], result.label)
        if label != result.label:
            raise DataError(
                f"the thesis's table has one place for {names[result.model]}, and the results on {result.data.name} "
                f"hold {label!r} and {result.label!r}. Give results with one of them."
            )
    return {name: labels[name] for name in THESIS_MODELS if name in labels}
