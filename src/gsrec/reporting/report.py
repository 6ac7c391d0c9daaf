"""Whole reports: read results, write tables, JSON and plots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gsrec.files import write_json, write_text
from gsrec.reporting.comparison import Comparison, compare_runs
from gsrec.reporting.comparison_tables import comparison_tables
from gsrec.reporting.plots import check_plots_available, write_plots
from gsrec.reporting.published import Published, published_beside
from gsrec.reporting.results import RunResult
from gsrec.reporting.tables import to_markdown
from gsrec.reporting.thesis_numbers import DATASETS
from gsrec.reporting.thesis_report import ThesisReport, thesis_report

TABLE_FILE = "table.md"
"""What a report tells in words and numbers."""

THESIS_PAGE, THESIS_FACTS = "thesis.md", "thesis.json"

PLOT_TITLES = {
    "learning_curves": "Learning curves",
    "metric_by_history_length": "By history length",
    "metric_by_item_popularity": "By item popularity",
}


@dataclass(frozen=True)
class Report:
    """A comparison and the files that tell it."""

    comparison: Comparison
    paths: tuple[Path, ...]


def write_report(
    results: Iterable[RunResult], folder: Path, *, plots: bool = True, published: Sequence[Published] = ()
) -> Report:
    """Write `table.md`, `comparison.json` and the plots; each file is whole or not there.

    Args:
        results: runs of the same data and protocol.
        folder: where to; it is made if missing.
        plots: whether to draw; see `plots_available`.
        published: what others came to; it stands in the table where log, split and candidates are the same.

    Raises:
        MissingExtraError: if plots are asked for and matplotlib is not installed; nothing is written then.
        DataError: if results cannot be compared, or a file cannot be written.
    """
    if plots:
        check_plots_available()
    runs = list(results)
    comparison = compare_runs(runs)
    drawn = write_plots(runs, folder) if plots else ()
    links = [f"![{PLOT_TITLES[path.stem]}]({path.name})\n" for path in drawn]
    tables = comparison_tables(comparison, published_beside(comparison, published))
    write_text(folder / TABLE_FILE, "\n".join([to_markdown(tables), *links]))
    write_json(folder / "comparison.json", comparison.record())
    return Report(comparison, (folder / TABLE_FILE, folder / "comparison.json", *drawn))


def write_thesis_report(
    results: Iterable[RunResult],
    folder: Path,
    *,
    cuts: Sequence[str] = (),
    datasets: Mapping[str, str] = DATASETS,
) -> ThesisReport:
    """Write `thesis.md` and `thesis.json`: the thesis's table beside ours, and its questions answered.

    Args:
        results: runs of the thesis's models on its data sets.
        folder: where to; it is made if missing.
        cuts: what is smaller than in the thesis; none: run at full size.
        datasets: our name of a log, and what the thesis calls the data it stands for.

    Raises:
        DataError: if results do not fit the thesis's table, or a file cannot be written.
    """
    report = thesis_report(list(results), cuts=cuts, datasets=datasets)
    write_text(folder / THESIS_PAGE, f"# The thesis's experiment\n\n{report.markdown()}")
    write_json(folder / THESIS_FACTS, report.record())
    return report
