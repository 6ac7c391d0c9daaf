import pytest

from gsrec.reporting.comparison import compare_runs
from gsrec.reporting.comparison_tables import comparison_tables, metrics_table, significance_tables
from gsrec.reporting.published import Published
from gsrec.reporting.results import RunResult
from gsrec.reporting.tables import Cell, to_markdown

from .conftest import MakeRecord, WriteRun


def test_metrics_stand_with_their_deviation_the_best_first_and_bold(write_run: WriteRun) -> None:
    runs = [write_run("poprec", [4, 20]), write_run("sasrec", [1, 11]), write_run("sasrec", [1, 1], 2)]
    table = metrics_table(compare_runs(runs))
    headings = [column.heading for column in table.columns]
    assert headings == [
        *("Model", "HR@5", "HR@10", "NDCG@5", "NDCG@10", "MRR"),
        *("Seeds", "Parameters", "Epoch", "Best epoch", "To best", "Event"),
    ]
    sasrec, poprec = (dict(zip(headings, row, strict=True)) for row in table.rows)
    assert poprec["HR@5"] == Cell("0.5000")
    assert poprec["NDCG@10"] == Cell("0.2153")  # 1 / log2(5) / 2
    assert sasrec["HR@5"] == Cell("0.7500 ± 0.3536", bold=True)
    assert [sasrec[name].text for name in headings[6:]] == ["2", "12,345", "45 s", "1", "30 s", "0.50 ms"]


def test_costs_that_are_not_known_are_not_told(write_run: WriteRun) -> None:
    counted = {"epochs": 0, "best_epoch": 0, "seconds": 0.1, "num_parameters": 0}
    runs = [write_run("poprec", [1, 2], training=counted, history=[], event_seconds=None), write_run("sasrec", [1, 2])]
    assert [cell.text for cell in metrics_table(compare_runs(runs)).rows[0][-5:]] == ["0", *4 * "–"]  # noqa: RUF001


def test_equal_models_are_both_the_best(write_run: WriteRun) -> None:
    table = metrics_table(compare_runs([write_run("sasrec", [1, 2]), write_run("gsrec", [2, 1])]))
    assert [row[1].bold for row in table.rows] == [True, True]


def test_what_qualifies_the_numbers_is_below(write_run: WriteRun) -> None:
    several = metrics_table(compare_runs([write_run("sasrec", [1, 2]), write_run("sasrec", [1, 3], 2)]))
    assert several.below == (
        "Mean ± standard deviation over seeds; bold: the best. Costs on 2 threads are means over seeds: an epoch, "
        "training up to the best epoch, an event of a session; code 0.1.0 (abc1234).",
        "Audit, of the targets: 25.0% older than some training event; 1.0% of an item never seen in training "
        "(misses); an unknown share tied in time with a neighbour; 0.0% of an item the user had before.",
    )


def test_code_that_was_not_committed_is_explained(write_run: WriteRun) -> None:
    table = metrics_table(compare_runs([write_run("sasrec", [1, 2], commit="abc1234-dirty")]))
    assert table.below[0].endswith("; code 0.1.0 (abc1234-dirty); dirty: with changes that were not committed.")


def test_commits_of_one_version_stand_together(write_run: WriteRun) -> None:
    commits = {"sasrec": "abc", "gsrec": "def", "poprec": None}
    runs = [write_run(label, [1, 2], commit=commit) for label, commit in commits.items()]
    assert metrics_table(compare_runs(runs)).below[0].endswith("; code 0.1.0 (abc, def).")


def test_what_others_published_stands_below_in_its_columns(write_run: WriteRun) -> None:
    comparison = compare_runs([write_run("gsrec", [1, 2]), write_run("sasrec", [1, 20])])
    published = [
        Published(model="LRURec", data="tiny", metrics={"NDCG@10": 0.9, "HR@10": 0.1}, source="a paper"),
        Published(model="HSTU", data="tiny", metrics={"HR@10": 1.0}, source="another"),
    ]
    table = metrics_table(comparison, published)
    assert [row[0].text for row in table.rows] == ["gsrec", "sasrec", "LRURec, published", "HSTU, published"]
    columns = [
        [f"{cell.text}*" if cell.bold else cell.text for cell in column] for column in zip(*table.rows, strict=True)
    ]
    assert columns[2] == ["1.0000*", "0.5000", "0.1000", "1.0000*"]
    assert columns[4] == ["0.8155", "0.5000", "0.9000*", "–"]  # noqa: RUF001
    assert {cells[2:] for cells in (tuple(column) for column in columns[6:])} == {("–", "–")}  # noqa: RUF001
    assert "LRURec from a paper; HSTU from another." in table.below[1]


def test_tests_of_unequal_numbers_of_seeds_are_called_approximate(write_run: WriteRun) -> None:
    one, two = write_run("sasrec", [1, 2]), write_run("gsrec", [1, 2])
    assert "approximation" not in significance_tables(compare_runs([one, two]))[0].above[-1]
    again = write_run("gsrec", [2, 2], 2)
    assert "approximation" in significance_tables(compare_runs([one, two, again]))[0].above[-1]


def test_one_seed_is_said_to_have_no_deviation(write_run: WriteRun) -> None:
    one = metrics_table(compare_runs([write_run("sasrec", [1, 2], threads=1, version="", commit=None)]))
    assert one.below[0] == (
        "One seed a model, so no deviation; bold: the best. Costs on 1 thread are means over seeds: an epoch, training "
        "up to the best epoch, an event of a session."
    )


def test_threads_that_are_not_known_are_not_told(write_run: WriteRun) -> None:
    unknown = metrics_table(compare_runs([write_run("sasrec", [1, 2], threads=None)]))
    assert "Costs are means over seeds" in unknown.below[0]


def test_a_metric_that_a_model_lacks_is_no_column(write_run: WriteRun) -> None:
    runs = [write_run("sasrec", [1], run=None, metrics={"NDCG@10": 0.5, "Novelty@10": 2.0})]
    assert [column.heading for column in metrics_table(compare_runs(runs)).columns][:3] == ["Model", "NDCG@10", "Seeds"]


def test_differences_stand_with_interval_and_p(write_run: WriteRun) -> None:
    ranks = [1, 3] * 20
    runs = [write_run("sasrec", ranks), write_run("poprec", [11] * 40), write_run("gsrec", ranks[::-1])]
    (table,) = significance_tables(compare_runs(runs))
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["sasrec − gsrec", "+0.0000", "-0.1569 to +0.1569", "1.0000", "1.0000"],  # noqa: RUF001
        ["sasrec − poprec", "+0.7500", "+0.6715 to +0.8285", "<0.0001", "0.0003"],  # noqa: RUF001
        ["gsrec − poprec", "+0.7500", "+0.6715 to +0.8285", "<0.0001", "0.0003"],  # noqa: RUF001
    ]
    assert [row[-1].bold for row in table.rows] == [False, True, True]
    assert table.above[2] == (
        "Paired randomisation tests over 40 users, each user's value averaged over seeds. "
        "Holm's correction is for 3 tests; bold: corrected p below 0.05. "
        "They are about these trained models: what other seeds would give they do not cover."
    )


def test_no_test_makes_no_table(write_run: WriteRun) -> None:
    assert len(comparison_tables(compare_runs([write_run("sasrec", [1, 2])]))) == 1


def test_the_protocol_is_said_above_every_table(write_run: WriteRun) -> None:
    text = to_markdown(comparison_tables(compare_runs([write_run("sasrec", [1, 2]), write_run("gsrec", [2, 2])])))
    assert text.count("###") == 2
    assert text.count("ties count against the model") == 2


@pytest.mark.parametrize(
    ("candidates", "among"),
    [("popularity:100", "100 by popularity"), ("uniform:50", "50 uniform"), ("full", "full catalogue")],
)
def test_a_title_tells_data_split_and_candidates(make_record: MakeRecord, candidates: str, among: str) -> None:
    record = make_record("sasrec", [1, 2])
    protocol = {"part": "test", "candidates": candidates, "filter_seen": True, "ties": "against the model"}
    run = RunResult.model_validate({**record, "protocol": protocol, "run": None})
    assert metrics_table(compare_runs([run])).title == f"tiny, leave-one-out, {among}: 1 model"
