import io

from rich.console import Console

from gsrec.reporting.tables import Cell, Column, Table, to_markdown, to_terminal

TABLE = Table(
    title="Two models",
    above=("Data: tiny.", "Protocol: leave-one-out."),
    columns=(Column("Model", is_number=False), Column("NDCG@10"), Column("MRR")),
    rows=((Cell("a|b"), Cell("0.1234", bold=True), Cell("0.1")), (Cell("c"), Cell("0.1"), Cell("0.2 ± 0.1"))),
    below=("Audit: none.",),
)


def test_markdown_holds_all_that_is_said() -> None:
    assert to_markdown([TABLE]) == (
        "### Two models\n\n"
        "Data: tiny.\n\n"
        "Protocol: leave-one-out.\n\n"
        "| Model |    NDCG@10 |       MRR |\n"
        "| :---- | ---------: | --------: |\n"
        "| a\\|b  | **0.1234** |       0.1 |\n"
        "| c     |        0.1 | 0.2 ± 0.1 |\n\n"
        "Audit: none.\n"
    )


def test_markdown_tables_stand_one_after_the_other() -> None:
    text = to_markdown([TABLE, TABLE], level=2)
    assert text.count("\n## Two models\n") == 1
    assert text.startswith("## Two models\n")


def test_markdown_does_not_take_cells_for_marks() -> None:
    table = Table("Marks", (Column("A"),), ((Cell("*x*"),), (Cell("<b>"),), (Cell("two\nlines"),)))
    text = to_markdown([table])
    assert "\\*x\\*" in text
    assert "&lt;b>" in text
    assert "two lines" in text


def _printed(table: Table, width: int) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(to_terminal([table]))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_terminal_shows_all_that_is_said() -> None:
    assert _printed(TABLE, 80) == [
        "Two models",
        "Data: tiny.",
        "Protocol: leave-one-out.",
        "Model  NDCG@10        MRR",
        "──────────────────────────",
        "a|b     0.1234        0.1",
        "c          0.1  0.2 ± 0.1",
        "",
        "Audit: none.",
        "",
    ]


def test_columns_that_find_no_room_go_on_below_and_nothing_is_cut() -> None:

    assert _printed(TABLE, 27) == _printed(TABLE, 80)
    narrow = _printed(TABLE, 26)
    assert narrow[3:12] == [
        "Model  NDCG@10",
        "───────────────",
        "a|b     0.1234",
        "c          0.1",
        "",
        "Model        MRR",
        "─────────────────",
        "a|b          0.1",
        "c      0.2 ± 0.1",
    ]


def test_a_very_narrow_terminal_folds_but_cuts_nothing() -> None:
    text = "".join("".join(_printed(TABLE, 12)).split())
    assert "…" not in text
    assert "0.1" in text


def test_a_table_of_words_only_is_shown() -> None:
    assert "a" in _printed(Table("Words", (Column("A", is_number=False),), ((Cell("a"),),)), 20)


def test_a_terminal_does_not_take_cells_for_marks() -> None:
    text = "\n".join(_printed(Table("[red]", (Column("[bold]A"),), ((Cell("[green]1"),),)), 80))
    assert all(mark in text for mark in ("[red]", "[bold]A", "[green]1"))
