import pytest

from gsrec.reporting.comparison import Comparison, compare_runs
from gsrec.reporting.overview import overview_tables
from gsrec.reporting.published import Published
from gsrec.reporting.tables import Table

from .conftest import WriteRun


@pytest.fixture
def comparisons(write_run: WriteRun) -> list[Comparison]:
    """One of two models, one of them with two seeds; one of another model and a cut in time."""
    gsrec = [write_run("gsrec", [1, 2, 3], seed=1), write_run("gsrec", [1, 1, 3], seed=2)]
    sasrec = write_run("sasrec", [1, 3, 5])
    return [compare_runs([sasrec, *gsrec]), compare_runs([write_run("poprec", [2, 2, 2], split="temporal-0.8-0.9")])]


def texts(table: Table) -> list[list[str]]:
    """The texts of the rows, the bold ones starred."""
    return [[f"{cell.text}*" if cell.bold else cell.text for cell in row] for row in table.rows]


def headings(table: Table) -> list[str]:
    return [column.heading for column in table.columns]


def test_every_comparison_has_a_row_and_every_model_a_column(comparisons: list[Comparison]) -> None:
    ndcg, hits = overview_tables(comparisons)
    assert headings(ndcg) == ["Log", "gsrec", "poprec", "sasrec"]
    # reciprocals of log2(1 + rank): of 1, 2, 3, 5 they are 1, .6309, .5, .3869; those of each run, then of its users
    assert texts(ndcg) == [
        ["tiny", "0.7718 ± 0.0870*", "–", "0.6290"],  # noqa: RUF001
        ["tiny, temporal-0.8-0.9", "–", "0.6309*", "–"],  # noqa: RUF001
    ]
    assert headings(hits) == headings(ndcg)
    assert texts(hits)[0][1:] == ["1.0000 ± 0.0000*", "–", "1.0000*"]  # noqa: RUF001


def test_the_best_that_others_published_by_the_same_protocol_stands_last(comparisons: list[Comparison]) -> None:
    published = [
        Published(model="LRURec", data="tiny", metrics={"NDCG@10": 0.9}, source="a paper"),
        Published(model="BSARec", data="tiny", metrics={"NDCG@10": 0.1}, source="a paper"),
        Published(model="HSTU", data="tiny", candidates="uniform:100", metrics={"NDCG@10": 0.9}, source="another"),
    ]
    ndcg, hits = overview_tables(comparisons, published)
    assert headings(ndcg)[4:] == ["Best published"]
    assert [row[4] for row in texts(ndcg)] == ["0.9000 (LRURec)*", "–"]  # noqa: RUF001
    assert texts(ndcg)[0][1] == "0.7718 ± 0.0870"
    assert len(hits.columns) == 4


def test_of_presets_only_the_best_is_told(write_run: WriteRun) -> None:
    ranks = {"gsrec": 3, "gsrec:wide": 2, "gsrec:narrow": 4, "sasrec": 5}
    (ndcg, _) = overview_tables([compare_runs([write_run(label, [rank]) for label, rank in ranks.items()])])
    assert headings(ndcg) == ["Log", "gsrec", "sasrec", "Best other preset"]
    assert texts(ndcg) == [["tiny", "0.5000", "0.3869", "0.6309 (gsrec:wide)*"]]


def test_where_there_are_presets_alone_each_has_a_column(write_run: WriteRun) -> None:
    runs = [write_run(label, [rank]) for label, rank in [("gsrec:wide", 2), ("gsrec:narrow", 1)]]
    (ndcg, _) = overview_tables([compare_runs(runs)])
    assert headings(ndcg) == ["Log", "gsrec:wide", "gsrec:narrow"]


def test_what_looks_equal_is_bold_together(comparisons: list[Comparison]) -> None:
    ours = max(model.means["NDCG@10"] for model in comparisons[0].models)
    published = [Published(model="LRURec", data="tiny", metrics={"NDCG@10": ours + 1e-6}, source="a paper")]
    (ndcg, _) = overview_tables(comparisons, published)
    assert [text.endswith("*") for text in texts(ndcg)[0][1:]] == [True, False, False, True]


def test_a_row_names_its_candidates_where_they_are_not_the_full_catalogue(write_run: WriteRun) -> None:
    protocol = {"part": "test", "candidates": "popularity:100", "filter_seen": True, "ties": "against the model"}
    (ndcg, _) = overview_tables([compare_runs([write_run("gsrec", [1], protocol=protocol)])])
    assert ndcg.rows[0][0].text == "tiny, 100 by popularity"
    assert ndcg.below[0].startswith("Leave-one-out over the full catalogue where a row says nothing else. ")


def test_models_stand_by_their_mean_place(write_run: WriteRun) -> None:
    gsrec, sasrec, bert4rec = (
        write_run(label, [rank]) for label, rank in [("gsrec", 2), ("sasrec", 3), ("bert4rec", 1)]
    )
    tables = overview_tables([compare_runs([sasrec, bert4rec, gsrec]), compare_runs([sasrec, gsrec])])
    assert headings(tables[0]) == ["Log", "bert4rec", "gsrec", "sasrec"]
