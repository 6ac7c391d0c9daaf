from gsrec.reporting.tables import Cell, Column, Table, to_markdown

TABLE = Table(
    title="Two models",
    above=("Data: tiny.", "Protocol: leave-one-out."),
    columns=(Column("Model", is_number=False), Column("NDCG@10"), Column("MRR")),
    rows=((Cell("a|b"), Cell("0.1234", bold=True), Cell("<0.1")), (Cell("c"), Cell("0.1"), Cell("0.2 ± 0.1"))),
    below=("Audit: none.",),
)


def test_markdown_holds_all_that_is_said() -> None:
    assert to_markdown([TABLE]) == (
        "### Two models\n\n"
        "Data: tiny.\n\n"
        "Protocol: leave-one-out.\n\n"
        "| Model |    NDCG@10 |       MRR |\n"
        "| :---- | ---------: | --------: |\n"
        "| a\\|b  | **0.1234** |      <0.1 |\n"
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
