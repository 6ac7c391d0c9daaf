"""The tables of a comparison: metrics, and significance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gsrec.evaluation.significance import SIGNIFICANT
from gsrec.reporting.comparison import HEADLINE_METRIC, Comparison, ModelSummary
from gsrec.reporting.pairs import Pair
from gsrec.reporting.phrases import audit_sentence, conditions, duration, headline, p_value_text, sampling_warning
from gsrec.reporting.published import Published, sources_told
from gsrec.reporting.tables import NOT_RUN, Cell, Column, Table

METRICS = ("HR@5", "HR@10", "NDCG@5", "NDCG@10", "MRR")
"""What the table shows, where it was measured."""

COSTS = ("Parameters", "Epoch", "Best epoch", "To best", "Event")
"""Trained parameters; seconds an epoch; the epoch that was best; training up to it; an event of a session."""

DECIMALS = 4


def comparison_tables(comparison: Comparison, published: Sequence[Published] = ()) -> tuple[Table, ...]:
    """All tables of a comparison; there is one of significance only if a test was made."""
    return (metrics_table(comparison, published), *significance_tables(comparison))


def metrics_table(comparison: Comparison, published: Sequence[Published] = ()) -> Table:
    """Models as rows, the best first, metrics as columns: mean over seeds, with its deviation; the best is bold.

    Args:
        comparison: whose models.
        published: what others came to by the same protocol; it stands below.
    """
    count = len(comparison.models)
    names = [name for name in METRICS if all(name in model.means for model in comparison.models)]
    best = {name: _best(name, comparison, published) for name in names}
    columns = [Column("Model", is_number=False), *(Column(name) for name in names)]
    columns += [Column(heading) for heading in ("Seeds", *COSTS)]
    rows = [
        (
            Cell(model.label),
            *(Cell(mean_and_deviation(model, name), bold=rounded(model, name) == best[name]) for name in names),
            *_cost_cells(model),
        )
        for model in sorted(comparison.models, key=lambda model: -model.means.get(HEADLINE_METRIC, 0.0))
    ]
    return Table(
        title=f"{headline(comparison)}: {count} {'model' if count == 1 else 'models'}",
        above=conditions(comparison),
        columns=tuple(columns),
        rows=(*rows, *(_published_row(one, best) for one in published)),
        below=(
            _reading(comparison),
            *sources_told(published),
            audit_sentence(comparison.audit),
            *sampling_warning(comparison),
            *comparison.notes,
        ),
    )


def significance_tables(comparison: Comparison) -> tuple[Table, ...]:
    """The paired tests as one table, or none if no test was made."""
    significance = comparison.significance
    if not significance.pairs:
        return ()
    headings = (f"Difference in {significance.metric}", "95% interval", "p", "p, Holm")
    how = (
        f"Paired randomisation tests over {comparison.num_users_evaluated:,} users, each user's value averaged over "
        f"seeds. Holm's correction is for {significance.num_tests} tests; bold: corrected p below {SIGNIFICANT}. "
        "They are about these trained models: what other seeds would give they do not cover."
    )
    if len({len(model.seeds) for model in comparison.models}) > 1:
        how += " Where numbers of seeds differ they are an approximation, since a mean over seeds varies less."
    return (
        Table(
            title=f"{headline(comparison)}: which differences hold",
            above=(*conditions(comparison), how),
            columns=(Column("Models", is_number=False), *(Column(heading) for heading in headings)),
            rows=tuple(_pair_row(pair) for pair in significance.pairs),
        ),
    )


def mean_and_deviation(model: ModelSummary, metric: str) -> str:
    """The mean over seeds, with the standard deviation where there are several."""
    mean = f"{model.means[metric]:.{DECIMALS}f}"
    return f"{mean} ± {model.deviations[metric]:.{DECIMALS}f}" if metric in model.deviations else mean


def rounded(model: ModelSummary, metric: str) -> float:
    """The mean over seeds as tables show it, by which the best of a column is chosen."""
    return round(model.means[metric], DECIMALS)


def _best(metric: str, comparison: Comparison, published: Sequence[Published]) -> float:
    theirs = [round(one.metrics[metric], DECIMALS) for one in published if metric in one.metrics]
    return max([*(rounded(model, metric) for model in comparison.models), *theirs])


def _published_row(one: Published, best: Mapping[str, float]) -> tuple[Cell, ...]:
    """What of the columns is known of it, as tables show it."""
    cells = []
    for name, highest in best.items():
        value = one.metrics.get(name)
        is_best = value is not None and round(value, DECIMALS) == highest
        cells.append(Cell(NOT_RUN if value is None else f"{value:.{DECIMALS}f}", bold=is_best))
    return (Cell(one.label), *cells, *(Cell(NOT_RUN) for _ in ("Seeds", *COSTS)))


def _cost_cells(model: ModelSummary) -> tuple[Cell, ...]:
    costs = model.costs
    texts = (
        str(len(model.seeds)),
        f"{costs.num_parameters:,}",
        NOT_RUN if costs.epoch_seconds is None else duration(costs.epoch_seconds),
        NOT_RUN if costs.best_epoch is None else f"{round(costs.best_epoch, 1):g}",
        NOT_RUN if costs.best_seconds is None else duration(costs.best_seconds),
        NOT_RUN if costs.event_seconds is None else f"{1e3 * costs.event_seconds:.2f} ms",
    )
    return tuple(Cell(text) for text in texts)


def _pair_row(pair: Pair) -> tuple[Cell, ...]:
    low, high = pair.interval
    return (
        Cell(f"{pair.first} − {pair.second}"),  # noqa: RUF001
        Cell(f"{pair.difference:+.{DECIMALS}f}", bold=pair.significant),
        Cell(f"{low:+.{DECIMALS}f} to {high:+.{DECIMALS}f}"),
        Cell(p_value_text(pair.p_value)),
        Cell(p_value_text(pair.adjusted), bold=pair.significant),
    )


def _reading(comparison: Comparison) -> str:
    several = any(len(model.seeds) > 1 for model in comparison.models)
    spread = "Mean ± standard deviation over seeds" if several else "One seed a model, so no deviation"
    threads = " or ".join(str(count) for count in comparison.threads)
    on = f" on {threads} {'thread' if threads == '1' else 'threads'}" if threads else ""
    costs = f"Costs{on} are means over seeds: an epoch, training up to the best epoch, an event of a session"
    return f"{spread}; bold: the best. {costs}{_code(comparison.versions)}."


def _code(versions: Mapping[str, Sequence[str]]) -> str:
    told = [f"{one} ({', '.join(commits)})" if commits else one for one, commits in versions.items() if one]
    if not told:
        return ""
    is_dirty = any(commit.endswith("dirty") for commits in versions.values() for commit in commits)
    return f"; code {', '.join(told)}" + ("; dirty: with changes that were not committed" if is_dirty else "")
