"""Pages of the documentation that are made of recorded results."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from gsrec.errors import DataError
from gsrec.files import write_text
from gsrec.reporting.comparison import compare_runs
from gsrec.reporting.comparison_tables import metrics_table
from gsrec.reporting.plots import plots_available
from gsrec.reporting.report import TABLE_FILE, write_report
from gsrec.reporting.results import AsNow, read_results
from gsrec.reporting.tables import to_markdown

BLOCK_START, BLOCK_END = "<!-- results:start -->", "<!-- results:end -->"


def write_results_page(folders: Sequence[Path], page: Path, *, as_now: AsNow = lambda config: config) -> None:
    """Write the report of every folder anew, of all that is recorded there, and one page of them all.

    Args:
        folders: what comparisons wrote.
        page: the markdown file.
        as_now: as for `read_results`.

    Raises:
        DataError: if a folder holds no results that can be compared, or the page cannot be written.
    """
    links = [(folder, _relative(folder, page)) for folder in folders]
    reports = [_report(folder, as_now).replace("](", f"]({link}/") for folder, link in links]
    write_text(page, "\n".join(["# Results", "", *reports]))


def fill_results_block(folders: Sequence[Path], page: Path, *, as_now: AsNow = lambda config: config) -> None:
    """Put the metrics of several comparisons between a page's two markers.

    Args:
        folders: what comparisons wrote.
        page: a markdown file with the markers `<!-- results:start -->` and `<!-- results:end -->`.
        as_now: as for `read_results`.

    Raises:
        DataError: if a folder holds no results, or the page has no markers.
    """
    text = page.read_text(encoding="utf-8")
    before, start, rest = text.partition(BLOCK_START)
    _, end, after = rest.partition(BLOCK_END)
    if not (start and end):
        raise DataError(f"{page} has no place for results: expected {BLOCK_START} and {BLOCK_END}, each on a line")
    tables = [metrics_table(compare_runs(read_results(folder, as_now=as_now))) for folder in folders]
    write_text(page, f"{before}{start}\n{to_markdown(tables)}{end}{after}")


def _report(folder: Path, as_now: AsNow) -> str:
    write_report(read_results(folder, as_now=as_now), folder, plots=plots_available())
    return (folder / TABLE_FILE).read_text(encoding="utf-8")


def _relative(folder: Path, page: Path) -> str:
    return Path(os.path.relpath(folder, page.parent)).as_posix()
