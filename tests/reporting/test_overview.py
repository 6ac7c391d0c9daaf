from collections.abc import Callable
from pathlib import Path

import pytest

from gsrec.errors import DataError
from gsrec.reporting.comparison import Comparison, compare_runs
from gsrec.reporting.overview import Published, overview_tables, read_published
from gsrec.reporting.tables import Table

from .conftest import WriteRun

MODELS = '[[published]]\nmodel = "LRURec"\ndata = "tiny"\nmetrics = { "NDCG@10" = 0.9 }\nsource = "a paper"\n'


@pytest.fixture
def comparisons(write_run: WriteRun) -> list[Comparison]:
    """One of two models, one of them with two seeds; one of another model and a cut in time."""
    gsrec = [write_run("gsrec", [1, 2, 3], seed=1), write_run("gsrec", [1, 1, 3], seed=2)]
    sasrec = write_run("sasrec", [1, 3, 5])
    return [compare_runs([sasrec, *gsrec]), compare_runs([write_run("poprec", [2, 2, 2], split="temporal-0.8-0.9")])]


def texts(table: Table) -> list[list[str]]:
    """The texts of the rows, the bold ones starred."""
    return [[f"{cell.text}*" if cell.bold else cell.text for cell in row] for row in table.rows]


def test_every_model_has_a_row_and_every_comparison_a_column(comparisons: list[Comparison]) -> None:
    ndcg, hits = overview_tables(comparisons)
    headings = ["Model", "tiny", "tiny, temporal-0.8-0.9"]
    assert [[column.heading for column in table.columns] for table in (ndcg, hits)] == [headings] * 2
    # reciprocals of log2(1 + rank): of 1, 2, 3, 5 they are 1, .6309, .5, .3869; those of each run, then of its users
    assert texts(ndcg) == [
        ["gsrec", "0.7718 ± 0.0870*", "–"],  # noqa: RUF001
        ["poprec", "–", "0.6309*"],  # noqa: RUF001
        ["sasrec", "0.6290", "–"],  # noqa: RUF001
    ]
    assert {row[1] for row in texts(hits)} == {"1.0000*", "1.0000 ± 0.0000*", "–"}  # noqa: RUF001


def test_what_others_published_stands_below_where_the_protocol_is_theirs(comparisons: list[Comparison]) -> None:
    published = [
        Published(model="LRURec", data="tiny", metrics={"NDCG@10": 0.9}, source="a paper"),
        Published(model="BSARec", data="tiny", metrics={"NDCG@10": 0.1}, source="a paper"),
        Published(model="HSTU", data="large", metrics={"NDCG@10": 0.9}, source="another"),
        Published(model="HSTU", data="tiny", candidates="uniform:100", metrics={"NDCG@10": 0.9}, source="another"),
    ]
    ndcg, hits = overview_tables(comparisons, published)
    assert texts(ndcg)[0][1] == "0.7718 ± 0.0870"
    assert texts(ndcg)[3:] == [["LRURec, published", "0.9000*", "–"], ["BSARec, published", "0.1000", "–"]]  # noqa: RUF001
    assert "LRURec and BSARec from a paper" in ndcg.below[1]
    assert "another" not in ndcg.below[1]
    assert (len(hits.rows), len(hits.below)) == (3, 1)


def test_what_looks_equal_is_bold_together(comparisons: list[Comparison]) -> None:
    ours = max(model.means["NDCG@10"] for model in comparisons[0].models)
    published = [Published(model="LRURec", data="tiny", metrics={"NDCG@10": ours + 1e-6}, source="a paper")]
    (ndcg, _) = overview_tables(comparisons, published)
    column = [row[1] for row in texts(ndcg)]
    assert [text.endswith("*") for text in column] == [True, False, False, True]


def test_a_column_names_its_candidates_where_they_are_not_the_full_catalogue(write_run: WriteRun) -> None:
    protocol = {"split": "test", "candidates": "popularity:100", "filter_seen": True, "ties": "against the model"}
    (ndcg, _) = overview_tables([compare_runs([write_run("gsrec", [1], protocol=protocol)])])
    assert ndcg.columns[1].heading == "tiny, 100 by popularity"
    assert ndcg.below[0].startswith("Leave-one-out over the full catalogue where a column says nothing else. ")


def test_models_that_stand_in_every_column_come_first(write_run: WriteRun) -> None:
    gsrec, sasrec, bert4rec = (
        write_run(label, [rank]) for label, rank in [("gsrec", 2), ("sasrec", 3), ("bert4rec", 1)]
    )
    tables = overview_tables([compare_runs([sasrec, bert4rec, gsrec]), compare_runs([sasrec, gsrec])])
    assert [row[0].text for row in tables[0].rows] == ["gsrec", "sasrec", "bert4rec"]


def test_a_file_of_published_numbers_is_read(tmp_path: Path) -> None:
    (tmp_path / "published.toml").write_text(MODELS, encoding="utf-8")
    (one,) = read_published(tmp_path / "published.toml")
    assert (one.label, one.split, one.candidates) == ("LRURec, published", "leave-one-out", "full")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("source", "sauce"), r"published.0.source: Field required"),
        (lambda text: text.replace("0.9", '"high"'), r"published.0.metrics.NDCG@10: Input should be a valid number"),
        (lambda text: text.replace("[[published]]", "[published]"), r"published: Input should be a valid tuple"),
        (lambda text: text.replace("=", ":"), r"cannot read .*published.toml: Expected '='"),
        (lambda text: "", r"published: Field required"),
    ],
)
def test_a_file_that_is_none_of_published_numbers_is_told(
    tmp_path: Path, change: Callable[[str], str], told: str
) -> None:
    (tmp_path / "published.toml").write_text(change(MODELS), encoding="utf-8")
    with pytest.raises(DataError, match=told):
        read_published(tmp_path / "published.toml")


def test_a_missing_file_of_published_numbers_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        read_published(tmp_path / "published.toml")
