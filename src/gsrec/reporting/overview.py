"""Several comparisons at a glance, beside the best that others published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gsrec.reporting.comparison import HEADLINE_METRIC, Comparison
from gsrec.reporting.comparison_tables import DECIMALS, mean_and_deviation, rounded
from gsrec.reporting.phrases import COMMON, short_headline
from gsrec.reporting.published import Published, published_beside
from gsrec.reporting.tables import NOT_RUN, Cell, Column, Table

METRICS = ("NDCG@10", "HR@10")
"""What is told of every comparison, a table each."""

OTHERS = ("Best other preset", "Best published")
"""The last two columns, each with the name of what it tells of."""

READING = (
    f"{' over the '.join(COMMON).capitalize()} where a row says nothing else. Mean ± standard deviation where there "
    "are several seeds, else one; –: not run. Bold: the best of a row, be it by chance or not."  # noqa: RUF001
)


@dataclass(frozen=True)
class _Entry:
    """What one model came to, and how it is told."""

    value: float
    text: str


def overview_tables(comparisons: Sequence[Comparison], published: Iterable[Published] = ()) -> tuple[Table, ...]:
    """A table a metric: comparisons as rows; as columns the models by their default presets, and the best of others.

    Args:
        comparisons: of any data and protocols. Where none has a model by its default preset, all have a column.
        published: what is of none of the comparisons is left out.
    """
    told, labels = tuple(published), _labels(comparisons)
    return tuple(_table(metric, comparisons, labels, told) for metric in METRICS)


def _table(
    metric: str, comparisons: Sequence[Comparison], labels: Sequence[str], published: Sequence[Published]
) -> Table:
    found = [_row(metric, comparison, labels, published) for comparison in comparisons]
    headings = (*labels, *OTHERS)
    shown = [place for place in range(len(headings)) if any(row[place] for row in found)]
    rows = [
        (Cell(short_headline(comparison)), *_cells([row[place] for place in shown]))
        for comparison, row in zip(comparisons, found, strict=True)
    ]
    columns = (Column("Log", is_number=False), *(Column(headings[place]) for place in shown))
    return Table(title=f"At a glance: {metric}", columns=columns, rows=tuple(rows), below=(READING,))


def _labels(comparisons: Sequence[Comparison]) -> list[str]:
    """The models that have a column, by their mean place."""
    places: dict[str, list[int]] = {}
    for comparison in comparisons:
        by_default = [model for model in comparison.models if model.label == model.model]
        for place, model in enumerate(sorted(by_default, key=lambda one: -one.means.get(HEADLINE_METRIC, 0.0))):
            places.setdefault(model.label, []).append(place)
    if not places:
        return list(dict.fromkeys(model.label for comparison in comparisons for model in comparison.models))
    return sorted(places, key=lambda one: sum(places[one]) / len(places[one]))


def _row(
    metric: str, comparison: Comparison, labels: Sequence[str], published: Sequence[Published]
) -> list[_Entry | None]:
    """What stands in each column, None where nothing does."""
    models = [model for model in comparison.models if metric in model.means]
    ours = {one.label: _Entry(rounded(one, metric), mean_and_deviation(one, metric)) for one in models}
    others = [_Entry(one.value, f"{one.text} ({label})") for label, one in ours.items() if label not in labels]
    theirs = [
        _Entry(round(value, DECIMALS), f"{value:.{DECIMALS}f} ({one.model})")
        for one in published_beside(comparison, published)
        if (value := one.metrics.get(metric)) is not None
    ]
    return [*(ours.get(label) for label in labels), _best(others), _best(theirs)]


def _best(entries: Sequence[_Entry]) -> _Entry | None:
    return max(entries, key=lambda one: one.value, default=None)


def _cells(entries: Sequence[_Entry | None]) -> tuple[Cell, ...]:
    best = max((entry.value for entry in entries if entry), default=None)
    return tuple(Cell(entry.text, bold=entry.value == best) if entry else Cell(NOT_RUN) for entry in entries)
