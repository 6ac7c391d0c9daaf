from gsrec.reporting.tables import Cell, Table
from gsrec.reporting.thesis_outcomes import our_outcomes, thesis_outcomes
from gsrec.reporting.thesis_table import thesis_table, thesis_tables

from .conftest import WriteRun

TINY = {"tiny": "ML-1M"}
HEADINGS = ["Data", "Metric", "Whose", "POP", "GRU4Rec", "SASRec", "BERT4Rec", "GSRec"]


def _table(write_run: WriteRun, *cuts: str) -> Table:
    runs = [
        write_run("sasrec", [1, 11]),
        write_run("sasrec", [1, 1], 2),
        write_run("gsrec:thesis", [3, 3]),
    ]
    return thesis_table(our_outcomes(runs, datasets=TINY), cuts=cuts)


def test_ours_stands_under_the_thesis(write_run: WriteRun) -> None:
    table = _table(write_run)
    assert [column.heading for column in table.columns] == HEADINGS
    assert len(table.rows) == 16
    thesis, ours = table.rows[8:10]
    assert [cell.text for cell in thesis] == [
        *("ML-1M", "HR@10", "thesis"),
        *("0.1283", "0.5407", "0.6429", "0.6385", "0.4212"),
    ]
    assert [cell.text for cell in ours] == ["", "", "ours", "–", "–", "0.7500 ± 0.3536", "–", "1.0000"]  # noqa: RUF001
    assert (thesis[5], ours[7]) == (Cell("0.6429", bold=True), Cell("1.0000", bold=True))
    assert sum(cell.bold for row in table.rows for cell in row) == 8 + 4


def test_data_that_were_not_run_have_empty_places(write_run: WriteRun) -> None:
    ours = _table(write_run).rows[1]
    assert [cell.text for cell in ours] == ["", "", "ours", *["–"] * 5]  # noqa: RUF001


def test_the_protocol_and_what_was_cut_stand_above(write_run: WriteRun) -> None:
    above = _table(write_run, "width 8, not 500", "length 20, not 300").above
    assert above[0].startswith("Ours, ML-1M. Data: tiny (1,200 users")
    assert above[1].startswith("Ours, ML-1M. Protocol: leave-one-out split, test part, 2 users judged")
    assert above[2] == (
        "Ours was run with other settings than the thesis: width 8, not 500, length 20, not 300. "
        "Its numbers do not answer for the thesis's own."
    )


def test_a_full_run_says_so_and_how_much_of_it_was_run(write_run: WriteRun) -> None:
    told = "Ours was run at the thesis's full size"
    assert _table(write_run).above[-1] == f"{told}, as far as it was run: 2 of 10 models and logs."
    assert thesis_table(thesis_outcomes()).above[-1] == f"{told}."


def test_what_the_thesis_leaves_open_stands_below(write_run: WriteRun) -> None:
    below = _table(write_run).below
    assert below[1].startswith("Ours, ML-1M. Audit, of the targets: 25.0% older")
    assert any("does not say whether its targets were ranked among the whole catalogue" in line for line in below)
    assert any("0.1991" in line for line in below)
    assert any("57,289 items" in line for line in below)


def test_a_sampled_protocol_and_missing_ranks_are_told_below(write_run: WriteRun) -> None:
    sampled = {"part": "test", "candidates": "popularity:100", "filter_seen": True, "ties": "against the model"}
    outcomes = our_outcomes([write_run("gsrec", [1, 2], protocol=sampled, run=None)], datasets=TINY)
    text = "\n".join(thesis_table(outcomes).below)
    assert "Ours, ML-1M. Metrics of sampled negatives need not keep the order" in text
    assert "Ours, ML-1M. No paired tests and no breakdown of gsrec" in text


def test_all_of_ours_follows(write_run: WriteRun) -> None:
    runs = [write_run("sasrec", [1, 11]), write_run("gsrec", [3, 3])]
    titles = [table.title for table in thesis_tables(our_outcomes(runs, datasets=TINY))]
    assert titles == [
        "The thesis's Table 5.1, and ours",
        "tiny, leave-one-out, full catalogue: 2 models",
        "tiny, leave-one-out, full catalogue: which differences hold",
    ]


def test_a_metric_that_a_run_lacks_is_an_empty_place(write_run: WriteRun) -> None:
    outcomes = our_outcomes([write_run("gsrec", [1], run=None, metrics={"NDCG@10": 0.5})], datasets=TINY)
    rows = thesis_table(outcomes).rows
    assert [rows[place][7].text for place in (9, 13)] == ["–", "0.5000"]  # noqa: RUF001


def test_the_thesis_stands_without_ours() -> None:
    table = thesis_table([])
    assert table.rows[0][3] == Cell("0.0823")
    assert table.above == ("Ours was not run.",)
