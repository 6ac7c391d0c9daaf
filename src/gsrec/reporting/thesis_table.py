"""The thesis's Table 5.1 with our numbers under its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from gsrec.reporting.comparison_tables import DECIMALS, comparison_tables, mean_and_deviation
from gsrec.reporting.phrases import audit_sentence, conditions, sampling_warning
from gsrec.reporting.tables import NOT_RUN, Cell, Column, Table
from gsrec.reporting.thesis_numbers import CAVEATS, THESIS_METRICS, THESIS_MODELS
from gsrec.reporting.thesis_outcomes import Outcome, thesis_outcomes


def thesis_tables(outcomes: Sequence[Outcome], *, cuts: Sequence[str] = ()) -> tuple[Table, ...]:
    """The thesis's table beside ours, then all of ours with the paired tests of GSRec against every other model.

    Args:
        outcomes: ours, see `our_outcomes`.
        cuts: what is smaller than in the thesis, for example "width 64, not 500"; none: run at full size.
    """
    comparisons = [outcome.comparison for outcome in outcomes if outcome.comparison is not None]
    return (thesis_table(outcomes, cuts=cuts), *chain.from_iterable(map(comparison_tables, comparisons)))


def thesis_table(outcomes: Sequence[Outcome], *, cuts: Sequence[str] = ()) -> Table:
    """Two rows a metric, the thesis's and ours; the best of a row is bold. Arguments as of `thesis_tables`."""
    ours = {outcome.data: outcome for outcome in outcomes}
    columns = (
        *(Column(heading, is_number=False) for heading in ("Data", "Metric", "Whose")),
        *map(Column, THESIS_MODELS),
    )
    rows = [
        row
        for thesis in thesis_outcomes()
        for metric in THESIS_METRICS
        for row in _two_rows(thesis, ours.get(thesis.data), metric)
    ]
    return Table(
        title="The thesis's Table 5.1, and ours",
        above=(*chain.from_iterable(_conditions(outcome) for outcome in outcomes), _size(outcomes, cuts)),
        columns=columns,
        rows=tuple(rows),
        below=(
            f"Bold: the best of the row; {NOT_RUN}: not run. Ours: mean ± standard deviation where there are several "
            "seeds, else one.",
            *map(_audit, outcomes),
            *_notes(outcomes),
            *CAVEATS,
        ),
    )


def _two_rows(thesis: Outcome, ours: Outcome | None, metric: str) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
    theirs = {model: f"{value:.{DECIMALS}f}" for model, value in thesis.values[metric].items()}
    first = (Cell(thesis.data), Cell(metric), Cell("thesis"), *_cells(theirs, thesis.values[metric]))
    values = ours.values[metric] if ours else {}
    second = (Cell(""), Cell(""), Cell("ours"), *_cells(_texts(ours, metric), values))
    return first, second


def _texts(outcome: Outcome | None, metric: str) -> dict[str, str]:
    summaries = {model: outcome.summary(model) for model in THESIS_MODELS} if outcome else {}
    return {
        model: mean_and_deviation(summary, metric)
        for model, summary in summaries.items()
        if summary and metric in summary.means
    }


def _cells(texts: Mapping[str, str], values: Mapping[str, float]) -> list[Cell]:
    best = max((round(value, DECIMALS) for value in values.values()), default=None)
    return [
        Cell(texts[model], bold=round(values[model], DECIMALS) == best) if model in texts else Cell(NOT_RUN)
        for model in THESIS_MODELS
    ]


def _conditions(outcome: Outcome) -> tuple[str, ...]:
    said = conditions(outcome.comparison) if outcome.comparison else ()
    return tuple(f"Ours, {outcome.data}. {sentence}" for sentence in said)


def _size(outcomes: Sequence[Outcome], cuts: Sequence[str]) -> str:
    if not outcomes:
        return "Ours was not run."
    if not cuts:
        places, taken = sum(len(one.headline) for one in thesis_outcomes()), sum(len(one.headline) for one in outcomes)
        told = "" if taken == places else f", as far as it was run: {taken} of {places} models and logs"
        return f"Ours was run at the thesis's full size{told}."
    told = f"Ours was run with other settings than the thesis: {', '.join(cuts)}"
    return f"{told}. Its numbers do not answer for the thesis's own."


def _audit(outcome: Outcome) -> str:
    audit = outcome.comparison.audit if outcome.comparison else {}
    return f"Ours, {outcome.data}. {audit_sentence(audit)}"


def _notes(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    return tuple(
        f"Ours, {outcome.data}. {note}"
        for outcome in outcomes
        if outcome.comparison
        for note in (*sampling_warning(outcome.comparison), *outcome.comparison.notes)
    )
