import io

from rich.console import Console

from gsrec.reporting.tables import Cell, Column, Table
from gsrec.reporting.terminal import to_terminal

TABLE = Table(
    title="Two models",
    above=("Data: tiny.", "Protocol: leave-one-out."),
    columns=(Column("Model", is_number=False), Column("NDCG@10"), Column("MRR")),
    rows=((Cell("a|b"), Cell("0.1234", bold=True), Cell("0.1")), (Cell("c"), Cell("0.1"), Cell("0.2 ± 0.1"))),
    below=("Audit: none.",),
)


def _printed(table: Table, width: int) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(to_terminal([table]))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_all_that_is_said_is_shown() -> None:
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
    lines = _printed(TABLE, 26)
    assert _printed(TABLE, 80) == lines
    narrow = _printed(TABLE, 25)
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


def test_cells_are_not_taken_for_marks() -> None:
    text = "\n".join(_printed(Table("[red]", (Column("[bold]A"),), ((Cell("[green]1"),),)), 80))
    assert all(mark in text for mark in ("[red]", "[bold]A", "[green]1"))
