"""Pages of the documentation that are made of recorded results."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from gsrec.errors import ConfigError, DataError
from gsrec.files import write_text
from gsrec.places import check_page
from gsrec.reporting.comparison import Comparison
from gsrec.reporting.overview import overview_tables
from gsrec.reporting.plots import plots_available
from gsrec.reporting.published import Published
from gsrec.reporting.report import TABLE_FILE, write_report
from gsrec.reporting.results import AsNow, read_results
from gsrec.reporting.tables import to_markdown

BLOCK_START, BLOCK_END = "<!-- results:start -->", "<!-- results:end -->"


HEAD = """# Results

What stands after a colon in a model's name is its preset; a name alone is the model by its default one.
"""
"""How a page begins."""


def write_results_page(
    folders: Sequence[Path],
    page: Path,
    *,
    published: Sequence[Published] = (),
    as_now: AsNow = lambda config: config,
) -> list[Comparison]:
    """Write the report of every folder anew, of all that is recorded there, and one page of them all.

    Args:
        folders: what comparisons wrote.
        page: the markdown file; of several folders it begins with what they come to.
        published: what others came to.
        as_now: as for `read_results`.

    Returns:
        What was compared, in the order of the folders.

    Raises:
        DataError: if a folder holds no results that can be compared, or the page cannot be written.
    """
    plots = plots_available()
    comparisons = [
        write_report(read_results(one, as_now=as_now), one, plots=plots, published=published).comparison
        for one in folders
    ]
    overview = to_markdown(overview_tables(comparisons, published) if len(comparisons) > 1 else ())
    texts = [_linked((folder / TABLE_FILE).read_text(encoding="utf-8"), folder, page) for folder in folders]
    write_text(page, "\n".join([HEAD, *([overview] if overview else []), *texts]))
    return comparisons


def check_results_page(folders: Sequence[Path], page: Path) -> None:
    """Make sure that a page can be written and does not take the place of what it is written out of, or of else.

    Raises:
        ConfigError: if it would, or its name does not end with `.md`.
        DataError: if it cannot be written to.
    """
    check_page(page, ".md")
    if page.resolve() in {(folder / TABLE_FILE).resolve() for folder in folders}:
        raise ConfigError(f"{page} is a part of a comparison, which would be lost. Give another name.")


def fill_results_block(comparisons: Sequence[Comparison], page: Path, published: Sequence[Published] = ()) -> None:
    """Put what several comparisons come to between a page's two markers.

    Args:
        comparisons: of any data and protocols.
        page: a markdown file with the markers `<!-- results:start -->` and `<!-- results:end -->`.
        published: what others came to.

    Raises:
        DataError: if the page cannot be read or written, or has no markers.
    """
    before, after = around_block(page)
    tables = to_markdown(overview_tables(comparisons, published))
    write_text(page, f"{before}{BLOCK_START}\n{tables}{BLOCK_END}{after}")


def around_block(page: Path) -> tuple[str, str]:
    """What stands before and after a page's two markers.

    Raises:
        DataError: if the page cannot be read or has no markers.
    """
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the page {page}: {error}") from error
    before, start, rest = text.partition(BLOCK_START)
    _, end, after = rest.partition(BLOCK_END)
    if not (start and end):
        raise DataError(f"{page} has no place for results: expected {BLOCK_START} and {BLOCK_END}, each on a line")
    return before, after


def _linked(text: str, folder: Path, page: Path) -> str:
    """A folder's text with its links as seen from the page."""
    link = Path(os.path.relpath(folder, page.parent)).as_posix()
    return text.replace("](", f"]({link}/")
