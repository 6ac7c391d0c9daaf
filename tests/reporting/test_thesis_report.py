import io

from rich.console import Console

from gsrec.reporting.thesis_report import ThesisReport, thesis_report

from .conftest import WriteRun


def _report(write_run: WriteRun) -> ThesisReport:
    runs = [write_run("sasrec", [1, 11]), write_run("gsrec", [3, 3])]
    return thesis_report(runs, cuts=["width 8, not 500"], datasets={"tiny": "ML-1M"})


def test_the_questions_are_answered_for_both_below_the_tables(write_run: WriteRun) -> None:
    text = _report(write_run).markdown()
    tables, questions = text.split("### The thesis's three questions\n")
    assert tables.startswith("### The thesis's Table 5.1, and ours\n")
    assert questions.count("\n- The thesis: ") == questions.count("\n- Ours, with other settings: ") == 3
    assert "**1. Does GSRec outperform state-of-the-art models?**\n\n- The thesis: In part. By NDCG@10" in questions
    assert "\n  - Beauty: GSRec is higher than POP on 4 of 4 metrics" in questions


def test_a_terminal_shows_the_same(write_run: WriteRun) -> None:
    file = io.StringIO()
    Console(file=file, width=120, color_system=None).print(_report(write_run).terminal())
    text = file.getvalue()
    assert "The thesis's Table 5.1, and ours" in text
    assert "3. How well does GSRec perform on datasets with different characteristics?" in text
    ours = "- Ours, with other settings: "
    assert f"{ours}Not answered: it takes runs of GSRec and another model on two data sets." in text
