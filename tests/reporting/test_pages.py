from pathlib import Path

import pytest

from gsrec.errors import DataError
from gsrec.reporting.comparison import compare_runs
from gsrec.reporting.pages import fill_results_block, write_results_page
from gsrec.reporting.plots import plots_available
from gsrec.reporting.report import write_report
from gsrec.reporting.results import read_results

from .conftest import WriteRun


@pytest.fixture
def folder(tmp_path: Path, write_run: WriteRun) -> Path:
    """What a comparison of two models wrote."""
    runs = [write_run("sasrec", [1, 3, 5]), write_run("gsrec", [1, 2, 3])]
    write_report(runs, tmp_path, plots=False)
    return tmp_path


def test_a_page_holds_reports_of_all_that_is_recorded_with_links_that_lead_back(folder: Path) -> None:
    page = folder / "docs" / "deep" / "results.md"
    (folder / "table.md").write_text("an older report\n")
    write_results_page([folder, folder], page)
    text = page.read_text()
    assert text.startswith("# Results\n")
    assert text.count("### tiny, leave-one-out, full catalogue: 2 models") == 2
    assert text.count("![Learning curves](../../learning_curves.png)") == 2 * plots_available()
    assert (folder / "table.md").read_text().startswith("### tiny, leave-one-out, full catalogue: 2 models")
    assert text.index("### At a glance: NDCG@10") < text.index("### tiny")
    write_results_page([folder], page)
    assert "At a glance" not in page.read_text()


def test_a_folder_without_results_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no results\.jsonl"):
        write_results_page([tmp_path], tmp_path / "results.md")


def test_only_what_is_between_the_markers_is_filled(folder: Path) -> None:
    page = folder / "README.md"
    page.write_text("before\n<!-- results:start -->\nyesterday\n<!-- results:end -->\nafter\n")
    comparisons = [compare_runs(read_results(folder))]
    fill_results_block(comparisons, page)
    text = page.read_text()
    assert text.startswith("before\n<!-- results:start -->\n### At a glance: NDCG@10")
    assert text.endswith("<!-- results:end -->\nafter\n")
    assert "yesterday" not in text
    fill_results_block(comparisons, page)
    assert page.read_text() == text


def test_a_page_to_fill_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read the page .*nowhere\.md: .*No such file"):
        fill_results_block([], folder / "nowhere.md")


def test_a_page_without_markers_is_left_alone(folder: Path) -> None:
    page = folder / "README.md"
    page.write_text("no place\n<!-- results:end -->\n")
    with pytest.raises(DataError, match="has no place for results"):
        fill_results_block([], page)
    assert page.read_text() == "no place\n<!-- results:end -->\n"
